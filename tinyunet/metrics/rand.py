"""Rand error and V_Rand: of all pairs of pixels in one cell, how many stay together?

Lesson: `lessons/12-scores.md`. Paper: table 1, "Rand error". Source: the public evaluation
scripts of the ISBI 2012 challenge and Arganda-Carreras et al. (2015).

With the contingency table n_ij (`overlap.py`; row 0 dropped, n_0 = Σ_i n_i0):

    a  = Σ_i (Σ_{j≥0} n_ij)²          pairs that belong together
    b  = Σ_{j≥1} (Σ_i n_ij)² + n_0    pairs that the proposal puts together
    ab = Σ_{i,j≥1} n_ij² + n_0        pairs of both kinds

The n_0 cell pixels that the proposal calls membrane count as cells of a single pixel. Precision
ab/b falls with mergers, recall ab/a with splits, and F = 2ab/(a + b) is V_Rand.
"""

import numpy as np

from tinyunet.metrics.fscore import best_of, f_score
from tinyunet.metrics.inputs import as_stacks, thresholds
from tinyunet.metrics.overlap import group_pixels, overlaps_at


def rand_terms(overlap):
    """(ab, b, a) of one slice as int64 (3,), in the order that `f_score` takes them."""
    rows, columns, counts = overlap
    inside = columns > 0
    lost = counts[~inside].sum()
    row_sums = np.zeros(rows.max(initial=0) + 1, np.int64)
    np.add.at(row_sums, rows, counts)
    column_sums = np.zeros(columns.max(initial=0) + 1, np.int64)
    np.add.at(column_sums, columns[inside], counts[inside])
    together = (counts[inside] ** 2).sum() + lost
    said = (column_sums**2).sum() + lost
    return np.array([together, said, (row_sums**2).sum()], dtype=np.int64)


def pooled_scores(terms):
    """V_Rand of a stack at every threshold: the terms (Z, T, 3) are added over slices first."""
    return [f_score(*(int(term) for term in pooled)) for pooled in terms.sum(axis=0)]


def mean_scores(terms):
    """Mean over the slices of each slice's own V_Rand, at every threshold; terms (Z, T, 3)."""
    per_slice = [[f_score(*(int(term) for term in at)) for at in one] for one in terms]
    return [sum(scores) / len(scores) for scores in zip(*per_slice, strict=True)]


def _all_terms(proposal, labels, thinned):
    terms = []
    for image, label in zip(*as_stacks(proposal, labels), strict=True):
        groups = group_pixels(label)
        terms.append([rand_terms(overlaps_at(image, groups, t, thinned)) for t in thresholds()])
    return np.array(terms)


def v_rand(proposal, labels):
    """The best V_Rand over 11 thresholds, a, b and ab summed over slices: a float in 0..1.

    proposal: (H, W) or (Z, H, W) probability of cell interior, float in 0..1 or uint8.
    labels: the same shape, 0 on membrane. Raises ValueError on anything else.
    """
    return best_of(pooled_scores(_all_terms(proposal, labels, thinned=False)))[0]


def v_rand_thinned(proposal, labels):
    """V_Rand with the proposal's membranes thinned; averaged over slices, then the best threshold.

    Arguments and errors as in `v_rand`. A stack is *averaged* here and *summed* there: so does
    the challenge.
    """
    return best_of(mean_scores(_all_terms(proposal, labels, thinned=True)))[0]


def rand_error(proposal, labels):
    """1 - V_Rand (`v_rand`, without thinning): the challenge's Rand error since January 2015."""
    return 1.0 - v_rand(proposal, labels)
