"""The contingency table n_ij: how many pixels object i shares with object j of the prediction.

Lesson: `lessons/12-scores.md`. V_Rand, V_info, SEG and the pairs of touching cells see nothing but
this table.

The table is sparse (a cell overlaps few others), so it is kept as a list of its non-zero
entries. Row 0 (pixels that the ground truth calls background, or membrane) is left out everywhere;
column 0 (cell pixels that the prediction calls background) is kept.
"""

from typing import NamedTuple

import numpy as np

from tinyunet._numba import jit
from tinyunet.arrays import Array
from tinyunet.images.instances import connected_components
from tinyunet.metrics.inputs import is_white
from tinyunet.metrics.thinning import thin


class Overlap(NamedTuple):
    """The non-zero n_ij, sorted by row i and then by column j; three int64 arrays of one length."""

    rows: Array  # i >= 1, the object of the ground truth
    columns: Array  # j >= 0, the object of the prediction, 0 for background
    counts: Array  # n_ij >= 1, in pixels


class Groups(NamedTuple):
    """The pixels of a label map by object, found once for all predictions."""

    order: Array  # int64: the flat index of every pixel that is not 0, object 1 first
    starts: Array  # int64 (count + 1,): object i is order[starts[i - 1] : starts[i]]


def group_pixels(ids: Array, count: int) -> Groups:
    """Sort the pixels of a label map by object.

    Parameters
    ----------
    ids : Array
        (H, W) whole numbers 0 to `count`.
    count : int
        Of objects.

    Returns
    -------
    Groups
        Objects 1 to `count`; background is left out.
    """
    flat = ids.ravel()
    order = np.argsort(flat, kind="stable")
    starts = np.searchsorted(flat[order], np.arange(1, count + 2))
    return Groups(order[starts[0] :], starts - starts[0])


def group_components(ground_truth: Array) -> Groups:
    """Sort the white pixels of a mask by connected component.

    Parameters
    ----------
    ground_truth : Array
        (H, W) bool.

    Returns
    -------
    Groups
        Of the 4-connected components.
    """
    return group_pixels(*connected_components(ground_truth))


@jit
def _count(
    order: Array, starts: Array, flat_ids: Array, table: Array, tally: Array, met: Array
) -> int:
    """Write the entries of all rows to `table`, those of a row in no order; return how many.

    tally (zeros) and met: a number for each column. What needs memory or is sorted is left to
    NumPy: numba would compile its own functions for that, for longer than it takes for this one.
    """
    entries = 0
    for row in range(1, len(starts)):
        met_count = 0  # columns that the current row has met
        for k in range(starts[row - 1], starts[row]):
            column = flat_ids[order[k]]
            if tally[column] == 0:
                met[met_count] = column
                met_count += 1
            tally[column] += 1
        for k in range(met_count):
            column = met[k]
            table[0, entries] = row
            table[1, entries] = column
            table[2, entries] = tally[column]
            entries += 1
            tally[column] = 0  # cleared for the next row at the cost of what it met, not of all
    return entries


def count_overlaps(groups: Groups, ids: Array, count: int) -> Overlap:
    """Count the overlaps of a grouped label map with the objects of one prediction.

    Parameters
    ----------
    groups : Groups
        Of the ground truth.
    ids : Array
        (H, W) int32, the prediction's objects 1 to `count`, 0 on background.
    count : int
        Of the prediction's objects.

    Returns
    -------
    Overlap
        The table.
    """
    order, starts = groups  # every count and number is as wide as `order`'s indices
    table = np.empty((3, len(order)), order.dtype)
    tally, met = np.zeros((2, count + 1), order.dtype)
    table = table[:, : _count(order, starts, ids.ravel(), table, tally, met)]
    return Overlap(*table[:, np.lexsort(table[1::-1])])


def overlaps_at(groups: Groups, prediction: Array, threshold: float, thinned: bool) -> Overlap:
    """Count the overlaps with a prediction cut at a threshold.

    Parameters
    ----------
    groups : Groups
        Of the ground truth.
    prediction : Array
        (H, W) float32 probabilities.
    threshold : float
        White is above it.
    thinned : bool
        Whether the prediction's membranes are thinned first.

    Returns
    -------
    Overlap
        The table.
    """
    ids, count = connected_components(is_white(prediction, threshold))
    if thinned:
        ids, count = thin(ids, count)
    return count_overlaps(groups, ids, count)
