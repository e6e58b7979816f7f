"""Which slices are held out, where somebody says how many and not which.

Lesson: lessons/11-training.md.
"""

import math
from dataclasses import dataclass

from tinyunet.images import Dataset


@dataclass(frozen=True)
class Share:
    """A share of the slices, more than 0 and less than 1.

    Attributes
    ----------
    value : float
        The share.
    """

    value: float

    def __post_init__(self) -> None:
        if not 0 < self.value < 1:
            raise ValueError(f"a share of {100 * self.value:g} % is not between 0 and 100 %")


def held_out_range(dataset: Dataset, share: Share) -> tuple[int, int]:
    """Choose a block of slices at the end to hold out.

    A block, for slices of a stack are neighbours: one between two that were learned from has nearly
    been seen.

    Parameters
    ----------
    dataset : Dataset
        All slices.
    share : Share
        Of those with labels, rounded to the nearest number; one at least.

    Returns
    -------
    tuple of int
        (first, behind the last) slice.

    Raises
    ------
    ValueError
        If nothing would be left to learn from.
    """
    labelled = dataset.labelled()
    count = max(1, math.floor(share.value * len(labelled) + 0.5))
    if count >= len(labelled):
        raise ValueError(
            f"{100 * share.value:g} % of {len(labelled)} labelled slices leave none to train on"
        )
    return labelled[-count], len(dataset)
