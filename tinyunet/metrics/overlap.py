"""The contingency table n_ij: how many pixels label component i shares with proposal component j.

Lesson: `lessons/12-scores.md`. V_Rand and V_info see nothing but this table.

The table is sparse (a cell overlaps few others), so it is kept as a list of its non-zero
entries. Row 0 (pixels that the label calls membrane) is left out everywhere; column 0 (cell
pixels that the proposal calls membrane) is kept.
"""

from typing import NamedTuple

import numpy as np

from tinyunet.kernels.jit import jit
from tinyunet.metrics.components import label_components
from tinyunet.metrics.inputs import is_white
from tinyunet.metrics.thinning import thin


class Overlap(NamedTuple):
    """The non-zero n_ij, sorted by row i and then by column j; three int64 arrays of one length."""

    rows: np.ndarray  # i >= 1, the label's component
    columns: np.ndarray  # j >= 0, the proposal's component, 0 for membrane
    counts: np.ndarray  # n_ij >= 1, in pixels


def group_pixels(label):
    """Sort a label's white pixels by component, once for all thresholds.

    label: (H, W) bool. Returns (order, starts): the flat index of every white pixel, component
    1 first, and int64 (count + 1,) such that component i is order[starts[i - 1] : starts[i]].
    """
    ids, count = label_components(label)
    flat = ids.ravel()
    order = np.argsort(flat, kind="stable")
    starts = np.searchsorted(flat[order], np.arange(1, count + 2))
    return order[starts[0] :], starts - starts[0]


@jit
def _count(order, starts, flat_ids, column_count):
    n = len(order)
    rows, columns, counts = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.int64)
    tally = np.zeros(column_count + 1, np.int64)
    met = np.empty(column_count + 1, np.int64)  # the columns that the current row has met
    entries = 0
    for row in range(1, len(starts)):
        met_count = 0
        for k in range(starts[row - 1], starts[row]):
            column = flat_ids[order[k]]
            if tally[column] == 0:
                met[met_count] = column
                met_count += 1
            tally[column] += 1
        for column in np.sort(met[:met_count]):
            rows[entries] = row
            columns[entries] = column
            counts[entries] = tally[column]
            entries += 1
            tally[column] = 0  # cleared for the next row at the cost of what it met, not of all
    return rows[:entries], columns[:entries], counts[:entries]


def count_overlaps(groups, ids, count):
    """Overlaps of a grouped label with one set of proposal components.

    groups: what `group_pixels` returned; ids: int32 (H, W) with values 0 to count.
    """
    order, starts = groups
    return Overlap(*_count(order, starts, ids.ravel(), count))


def overlaps_at(proposal, groups, threshold, thinned):
    """Overlaps with a (H, W) proposal cut at `threshold`, its membranes thinned or not."""
    ids, count = label_components(is_white(proposal, threshold))
    if thinned:
        ids, count = thin(ids, count)
    return count_overlaps(groups, ids, count)
