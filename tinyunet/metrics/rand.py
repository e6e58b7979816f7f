"""Rand error and V_Rand: of all pairs of pixels in one cell, how many stay together?

Lesson: `lessons/12-scores.md`. Paper: table 1, "Rand error". Source: the public evaluation
scripts of the ISBI 2012 challenge and Arganda-Carreras et al. (2015).

With the contingency table n_ij (`overlap.py`; row 0 dropped, n_0 = Σ_i n_i0):

    a  = Σ_i (Σ_{j≥0} n_ij)²          pairs that belong together
    b  = Σ_{j≥1} (Σ_i n_ij)² + n_0    pairs that the prediction puts together
    ab = Σ_{i,j≥1} n_ij² + n_0        pairs of both kinds

The n_0 cell pixels that the prediction calls membrane count as cells of a single pixel. Precision
ab/b falls with mergers, recall ab/a with splits, and F = 2ab/(a + b) is V_Rand.
"""

import numpy as np

from tinyunet.arrays import Array
from tinyunet.metrics.fscore import best_of, f_score
from tinyunet.metrics.inputs import as_stacks, thresholds
from tinyunet.metrics.overlap import Overlap, group_components, overlaps_at


def rand_terms(overlap: Overlap) -> Array:
    """Return the sums of squares that V_Rand is made of, for one slice.

    Parameters
    ----------
    overlap : Overlap
        The contingency table of the slice.

    Returns
    -------
    Array
        (3,) int64: ab, b, a, in the order that `f_score` takes them.
    """
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


def pooled_scores(terms: Array) -> list[float]:
    """Return V_Rand of a stack at every threshold: the terms are added over slices first.

    Parameters
    ----------
    terms : Array
        (Z, T, 3) int64, from `rand_terms`.

    Returns
    -------
    list of float
        One a threshold.
    """
    # Added as Python's numbers: two slices of 2**31 pixels and one cell would pass 64 bits.
    return [f_score(*pooled) for pooled in terms.astype(object).sum(axis=0)]


def mean_scores(terms: Array) -> list[float]:
    """Return the mean over the slices of each slice's own V_Rand, at every threshold.

    Parameters
    ----------
    terms : Array
        (Z, T, 3) int64, from `rand_terms`.

    Returns
    -------
    list of float
        One a threshold.
    """
    per_slice = [[f_score(*(int(term) for term in at)) for at in one] for one in terms]
    return [sum(scores) / len(scores) for scores in zip(*per_slice, strict=True)]


def _all_terms(ground_truth: object, prediction: object, thinned: bool) -> Array:
    """The terms of all slices at all thresholds, (Z, T, 3)."""
    terms = []
    for label, image in zip(*as_stacks(ground_truth, prediction), strict=True):
        groups = group_components(label)
        terms.append([rand_terms(overlaps_at(groups, image, t, thinned)) for t in thresholds()])
    return np.array(terms)


def v_rand(ground_truth: object, prediction: object) -> float:
    """Return the best V_Rand over 11 thresholds, a, b and ab summed over slices.

    Parameters
    ----------
    ground_truth : array_like
        (H, W) or (Z, H, W) labels, 0 on membrane.
    prediction : array_like
        Of the same shape: probability of cell interior, float in 0..1, uint8, or a mask.

    Returns
    -------
    float
        In 0..1, 1 is best.

    Raises
    ------
    ValueError
        On anything else, and where the arguments are seen to be in the wrong order.
    """
    return best_of(pooled_scores(_all_terms(ground_truth, prediction, thinned=False)))[0]


def v_rand_thinned(ground_truth: object, prediction: object) -> float:
    """Return V_Rand with the prediction's membranes thinned.

    A stack is *averaged* over slices here and *summed* in `v_rand`, before the best threshold is
    taken: so does the challenge.

    Parameters
    ----------
    ground_truth, prediction : array_like
        As in `v_rand`.

    Returns
    -------
    float
        In 0..1, 1 is best.

    Raises
    ------
    ValueError
        As `v_rand` does.
    """
    return best_of(mean_scores(_all_terms(ground_truth, prediction, thinned=True)))[0]


def rand_error(ground_truth: object, prediction: object) -> float:
    """Return 1 - `v_rand`, without thinning: the challenge's Rand error since January 2015.

    Parameters
    ----------
    ground_truth, prediction : array_like
        As in `v_rand`.

    Returns
    -------
    float
        In 0..1, 0 is best.

    Raises
    ------
    ValueError
        As `v_rand` does.
    """
    return 1.0 - v_rand(ground_truth, prediction)
