"""Slices find each other by name or number, never by chance.

A folder's files are paired by name, whatever the format: `cell 1.ome.tif` belongs to `cell 1.png`.
Only where one side has no names, the pages of a stack, does the order decide.
Lesson: lessons/11-training.md.
"""

import os
import re
import unicodedata
from pathlib import Path
from typing import Protocol, TypeAlias

FileName: TypeAlias = str | os.PathLike[str]


class Named(Protocol):
    """What can be paired: a `Stack`."""

    path: str
    names: list[str]
    named: bool


def stem(path: FileName) -> str:
    """The name of a slice: its file's, without what names the format.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    str
        In one Unicode form (NFC): macOS stores é as two characters, others as one.
    """
    name = unicodedata.normalize("NFC", Path(path).stem)
    return name[:-4] if name.lower().endswith(".ome") else name


def natural_order(name: str) -> list:
    """Sorting key under which slice2 comes before slice10.

    Parameters
    ----------
    name : str
        A name.

    Returns
    -------
    list
        The key.
    """
    parts = re.split(r"(\d+)", name)
    return [[(int(p), "") if p.isdecimal() else (-1, p) for p in parts], name]


def match(labels: Named, images: Named, what: str = "image") -> list[int]:
    """Which slice of `images` belongs to each of `labels`: by name, or by order.

    Parameters
    ----------
    labels, images : Stack
        The two sides; the order decides only where one of them has no names.
    what : str
        What `images` are, for the message.

    Returns
    -------
    list of int
        The number of a slice of `images` for each slice of `labels`.

    Raises
    ------
    ValueError
        For a name without partner, or stacks of different length.
    """
    if labels.named and images.named:
        place = {name: i for i, name in enumerate(images.names)}
        for name in labels.names:
            if name not in place:
                raise ValueError(
                    f"{labels.path}: {name} has no {what} of that name in {images.path}: wanted "
                    "matching names"
                )
        return [place[name] for name in labels.names]
    if len(labels.names) != len(images.names):
        raise ValueError(
            f"{labels.path}: has {len(labels.names)} slices, {images.path} has "
            f"{len(images.names)}: wanted one {what} a slice"
        )
    return list(range(len(labels.names)))
