"""A prediction and its labels, slice by slice: by frame number, by name, or else by order.

Lesson: lessons/12-scores.md.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tinyunet._text import plural
from tinyunet.images.names import FileName, match
from tinyunet.images.read import open_labels, open_result
from tinyunet.images.stack import Stack, open_stack


@dataclass(frozen=True)
class Pairs:
    """Two stacks of as many slices that belong to each other.

    Attributes
    ----------
    labels, prediction : Stack
        The two sides.
    challenge : bool
        True where the labels are man_seg files: object numbers by what they are called.
    """

    labels: Stack
    prediction: Stack
    challenge: bool


def open_pairs(
    labels: FileName,
    prediction: FileName,
    slices: tuple[int, int] | None = None,
    instances: bool = False,
    numbers: bool = False,
) -> Pairs:
    """Open a prediction and its labels, and find which slices belong to each other.

    Parameters
    ----------
    labels : str or path
        A stack, a folder, or a folder of man_seg files.
    prediction : str or path
        A stack or folder; for man_seg files the folder of mask000.tif … that `predict --cells`
        wrote. It may hold more slices than there are labels for.
    slices : tuple of int, optional
        Only these labels, (first, behind the last): frame numbers of man_seg files, else positions.
    instances : bool
        True where both hold object numbers.
    numbers : bool
        True where the prediction holds class numbers, not probabilities.

    Returns
    -------
    Pairs
        Headers only are read.

    Raises
    ------
    FileNotFoundError, ValueError
        As `open_stack`, and for a slice without partner or two that differ in size.
    """
    labels, prediction = Path(labels), Path(prediction)
    stack, frames = open_labels(labels)
    first, end = slices or (0, None)
    if frames is not None:
        chosen = [i for i, n in enumerate(frames) if first <= n and (end is None or n < end)]
        if not chosen:
            raise ValueError(f"{labels}: no annotated frame among the slices asked")
        other, there = open_result(prediction)
        other = _by_number(other, there or [], [frames[i] for i in chosen])
        return _checked(stack.subset(chosen), other, True)
    if end is not None and end > len(stack):
        raise ValueError(f"slices {first}:{end} asked, {labels} has {len(stack)}")
    positions = range(len(stack))[first:end]
    if instances:
        other, there = open_result(prediction, frames=False)
        if there is not None and not stack.named:  # mask007.tif belongs to page 7
            other = _by_number(other, there, positions)
            return _checked(stack.subset(positions), other, False)
    else:
        other = open_stack(prediction, labels=numbers, one_bit=True)  # a mask is one, too
    return _checked(*_by_name_or_order(stack, other, positions), False)


def _by_number(prediction: Stack, there: Sequence[int], wanted: Sequence[int]) -> Stack:
    """The slices of a prediction that have the wanted frame numbers."""
    place = {number: i for i, number in enumerate(there)}
    missing = [number for number in wanted if number not in place]
    if missing:
        raise ValueError(
            f"{prediction.path}: frame {missing[0]} has a ground truth but no prediction "
            f"({len(missing)} such frames)"
        )
    return prediction.subset(place[number] for number in wanted)


def _by_name_or_order(labels: Stack, prediction: Stack, positions: range) -> tuple[Stack, Stack]:
    named = labels.named and prediction.named
    if labels.named != prediction.named and len(labels) > 1:
        warnings.warn(
            f"{labels.path} and {prediction.path} are paired by order: only one of them has names",
            stacklevel=4,
        )
    if not named and len(prediction) == len(labels):
        prediction = prediction.subset(positions)
    labels = labels.subset(positions)
    if not named and len(prediction) != len(labels):
        raise ValueError(
            f"{prediction.path} has {plural(len(prediction), 'slice')} and {labels.path} "
            f"{len(labels)}: they must be as many (see --slices)"
        )
    return labels, prediction.subset(match(labels, prediction, "prediction"))


def _checked(labels: Stack, prediction: Stack, challenge: bool) -> Pairs:
    sizes = zip(labels.sizes, prediction.sizes, labels.names, prediction.names, strict=True)
    for size, other, name, its in sizes:
        if size != other:
            raise ValueError(
                f"prediction and labels differ in size: slice {name} of {labels.path} is "
                f"{size[0]}×{size[1]}, {its} of {prediction.path} is {other[0]}×{other[1]}"
            )
    return Pairs(labels, prediction, challenge)
