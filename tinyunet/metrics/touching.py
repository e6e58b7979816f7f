"""Touching cells: how many neighbours does a segmentation keep apart?

Lesson: `lessons/13-touching-cells.md`. The border term of the weight map (section 3, equation 2)
is there for these pairs only, and SEG shows them diluted by all the cells that stand alone.
"""

from typing import NamedTuple

import numpy as np

from tinyunet.images.instances import check_labels
from tinyunet.metrics.regions import frame_pairs, match_objects

# The neighbours of a pixel that come after it: with these four, each pair is looked at once.
_AFTER = ((0, 1), (1, 0), (1, 1), (1, -1))


class PartedPairs(NamedTuple):
    """How many pairs of touching cells a prediction keeps apart."""

    parted: int  # pairs that are kept apart
    touching: int  # pairs that touch in the ground truth


def touching_pairs(labels: object) -> set[tuple[int, int]]:
    """Find the pairs of objects that touch.

    Two objects touch if a pixel of one is among the eight neighbours of a pixel of the other.

    Parameters
    ----------
    labels : array_like
        A label map (H, W) of whole numbers, 0 is background.

    Returns
    -------
    set of (int, int)
        (smaller number, larger number) of each pair.

    Raises
    ------
    ValueError
        For anything that is no label map.
    """
    cells = check_labels(labels)
    if cells.ndim != 2:
        raise ValueError(f"labels must be (H, W), got shape {cells.shape}")
    height, width = cells.shape
    pairs: set[tuple[int, int]] = set()
    for down, right in _AFTER:
        here = cells[: height - down, max(0, -right) : width - max(0, right)]
        there = cells[down:, max(0, right) : width + min(0, right)]
        met = (here > 0) & (there > 0) & (here != there)
        both = np.stack([here[met], there[met]], axis=1)
        pairs |= {(int(a), int(b)) for a, b in np.unique(np.sort(both, axis=1), axis=0)}
    return pairs


def parted_pairs(ground_truth: object, prediction: object) -> PartedPairs:
    """Count the pairs of touching cells that a prediction keeps apart.

    A pair is parted if each of the two is matched, as SEG matches (an object of the prediction
    holds more than half of its pixels), and by different objects. Merged and missed cells both
    fail.

    Parameters
    ----------
    ground_truth, prediction : array_like or list
        Label maps (H, W), (T, H, W), or lists of (H, W), a frame without ground truth None.

    Returns
    -------
    PartedPairs
        Two ints: `parted`, and `touching`, the pairs that touch in the ground truth.

    Raises
    ------
    ValueError
        As `seg` does for frames that do not go together.
    """
    parted = touching = 0
    for truth, predicted in frame_pairs(ground_truth, prediction):
        matched = match_objects(truth, predicted)
        for a, b in touching_pairs(truth):
            touching += 1
            parted += 0 not in (matched[a], matched[b]) and matched[a] != matched[b]
    return PartedPairs(parted, touching)
