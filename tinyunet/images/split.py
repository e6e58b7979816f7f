"""Which slices train and which validate, and whether these are the data of last time.

Lesson: lessons/11-training.md.
"""

import hashlib
from typing import Protocol

import numpy as np

from tinyunet.images.dataset import Dataset

MOST_CLASSES = 256  # a tile's labels are uint8


class Split(Protocol):
    """What `split` needs of `tinyunet.training.settings.Settings`."""

    @property
    def val(self) -> tuple[int, int] | None:
        """The slices that are held out: (first, behind the last), or None."""


def split(dataset: Dataset, settings: Split) -> list[Dataset]:
    """The slices to learn from and those to validate on.

    Parameters
    ----------
    dataset : Dataset
        All of them.
    settings : Settings
        Says in `val` which are held out.

    Returns
    -------
    list of Dataset
        Training and validation part.

    Raises
    ------
    ValueError
        If either would be empty or if one network cannot learn them.
    """
    channels = sorted({image.shape[0] for image in dataset.images})
    if len(channels) > 1:
        raise ValueError(
            f"images have {channels[0]} and {channels[-1]} channels: wanted one number"
        )
    if not 2 <= dataset.n_classes <= MOST_CLASSES:
        raise ValueError(f"{dataset.n_classes} classes: a network tells 2 to {MOST_CLASSES} apart")
    if settings.val is None:
        training, validation = list(range(len(dataset))), []
    else:
        first, end = settings.val
        if end > len(dataset):
            raise ValueError(
                f"validation range {first}:{end} is outside the {len(dataset)} slices "
                f"(0 to {len(dataset) - 1})"
            )
        validation = list(range(first, end))
        training = [i for i in range(len(dataset)) if not first <= i < end]
    parts = [dataset.subset(training), dataset.subset(validation)]
    if not parts[0].labelled():
        raise ValueError("no labelled slice is left to train on")
    if validation and not parts[1].labelled():
        raise ValueError(f"none of the slices {first} to {end - 1} set aside has labels")
    return parts


def fingerprint(dataset: Dataset) -> str:
    """Tell whether two data sets are the same.

    Parameters
    ----------
    dataset : Dataset
        Any.

    Returns
    -------
    str
        SHA-256 (hex) of all images, labels and masks.
    """
    digest = hashlib.sha256(f"{dataset.kind} {dataset.n_classes}".encode())
    for arrays in zip(dataset.images, dataset.labels, dataset.valid, strict=True):
        for array in arrays:
            if array is None:
                digest.update(b"none")
                continue
            digest.update(f"{array.dtype.str} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()
