"""Images and labels of files or arrays, as the rest of the package takes them.

Lesson: lessons/11-training.md.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from tinyunet._text import plural
from tinyunet.arrays import Array, as_array, as_real
from tinyunet.images import Dataset, normalise, open_stack, read_pair
from tinyunet.images.labels import IGNORED, decode_labels
from tinyunet.images.read import open_labels
from tinyunet.images.stack import read_all

FileName: TypeAlias = str | os.PathLike[str]
Images: TypeAlias = FileName | Array | Sequence[Array]


def as_dataset(
    images: Any, labels: Any, in_channels: int, n_classes: int, kind: str, ignore: int | None
) -> Dataset:
    """Make a data set of images and labels.

    Parameters
    ----------
    images, labels : path, array, sequence of arrays, Dataset or None
        As `tinyunet.train` takes them.
    in_channels, n_classes : int
        Of the images and the labels.
    kind : {"auto", "classes", "instances"}
        What the numbers in the labels are.
    ignore : int or None
        The label of pixels without ground truth.

    Returns
    -------
    Dataset
        Images normalised, labels decoded.

    Raises
    ------
    ValueError
        For what does not go together.
    """
    if isinstance(images, Dataset):
        if labels is not None:
            raise ValueError("labels are given twice: the Dataset has its own")
        return images
    if isinstance(images, str | os.PathLike):
        if not (labels is None or isinstance(labels, str | os.PathLike)):
            raise ValueError("labels are arrays and images are files: wanted both of one sort")
        return read_pair(
            *(images, labels),
            in_channels=in_channels,
            n_classes=n_classes,
            kind=kind,
            ignore=ignore,
        )
    if labels is None or isinstance(labels, str | os.PathLike):
        raise ValueError("images are arrays: wanted an array or a list of arrays as labels, too")
    _, pages = as_pages(images, in_channels, stack=True)
    truths = [None if t is None else as_array(t, f"labels[{i}]") for i, t in enumerate(labels)]
    _check_pairs(pages, truths)
    kind = "classes" if kind == "auto" else kind
    there = [truth for truth in truths if truth is not None]
    decoded = iter(decode_labels(there, Path("labels"), n_classes, kind, ignore))
    found = [None if truth is None else next(decoded) for truth in truths]
    return Dataset(
        images=[normalise(page, f"images[{i}]") for i, page in enumerate(pages)],
        labels=[None if f is None else np.where(f == IGNORED, 0, f) for f in found],
        valid=[None if f is None or (f != IGNORED).all() else f != IGNORED for f in found],
        names=[str(i) for i in range(len(pages))],
        kind=kind,
        n_classes=2 if kind == "instances" else n_classes,
        dtype=str(np.asarray(images[0]).dtype),
    )


def _check_pairs(pages: list[Array], truths: list[Array | None]) -> None:
    if len(pages) != len(truths):
        raise ValueError(
            f"{plural(len(pages), 'image')} and {len(truths)} labels: wanted one for each"
        )
    if not any(truth is not None for truth in truths):
        raise ValueError("labels are all None: wanted one at least")
    for index, (page, truth) in enumerate(zip(pages, truths, strict=True)):
        if truth is None:
            continue
        if truth.dtype.kind not in "buif":
            raise ValueError(f"labels[{index}] are {truth.dtype}: wanted whole numbers")
        if truth.shape != page.shape[1:]:
            raise ValueError(
                f"labels[{index}] are {truth.shape}, the image is {page.shape[1:]}: wanted the same"
            )


def as_pages(images: Any, in_channels: int, stack: bool = False) -> tuple[bool, list[Array]]:
    """Make a list of images of what was given.

    Parameters
    ----------
    images : path, array or sequence of arrays
        One image or several.
    in_channels : int
        Of each.
    stack : bool, optional
        Whether an array always holds several images.

    Returns
    -------
    single : bool
        Whether it is one image.
    pages : list of arrays, shape (C, H, W)
        The images.

    Raises
    ------
    ValueError
        For another number of channels, no image, and all that is no array of real numbers.
    """
    if isinstance(images, str | os.PathLike):
        opened = open_stack(images, in_channels)
        return False, [_channels_first(opened.page(i), in_channels) for i in range(len(opened))]
    if isinstance(images, list | tuple):
        if not images:
            raise ValueError("images are an empty list: wanted one at least")
        pages = [as_real(page, f"images[{i}]") for i, page in enumerate(images)]
        return False, [_channels_first(page, in_channels) for page in pages]
    array = as_real(images, "images")
    if array.ndim < 2 or array.size == 0:
        raise ValueError(f"images must be one image or several, got shape {array.shape}")
    single = array.ndim == (2 if in_channels == 1 else 3) and not stack
    single = single or (array.ndim == 3 and in_channels == 1 and array.shape[0] == 1 and not stack)
    pages = [array] if single else list(array)
    return single, [_channels_first(page, in_channels) for page in pages]


def _channels_first(page: Array, in_channels: int) -> Array:
    """(H, W), (C, H, W) or (H, W, C) as (C, H, W)."""
    if page.ndim == 2 and in_channels == 1:
        return page[None]
    if page.ndim == 3 and page.shape[0] == in_channels:
        return page
    if page.ndim == 3 and page.shape[2] == in_channels:
        return np.moveaxis(page, 2, 0)
    raise ValueError(
        f"an image is {page.shape}: wanted (H, W), (C, H, W) or (H, W, C) of {in_channels} channels"
    )


def as_maps(source: Any, name: str, labels: bool) -> list[Array]:
    """Make a list of label maps, or of probabilities, of what was given.

    Parameters
    ----------
    source : path, array or sequence of arrays
        A file, a folder, a stack, a list or one map.
    name : str
        What messages call the argument.
    labels : bool
        Whether files hold class or object numbers, not probabilities or a mask.

    Returns
    -------
    list of arrays, shape (H, W)
        As they are stored.

    Raises
    ------
    ValueError
        For all that is no array of real numbers.
    """
    if isinstance(source, str | os.PathLike):
        return read_all(open_labels(source)[0] if labels else open_stack(source, one_bit=True))
    if isinstance(source, list | tuple):
        return [as_real(page, f"{name}[{i}]") for i, page in enumerate(source)]
    array = as_real(source, name)
    if array.ndim not in (2, 3):
        raise ValueError(f"{name} must be (H, W) or (N, H, W), got shape {array.shape}")
    return [array] if array.ndim == 2 else list(array)
