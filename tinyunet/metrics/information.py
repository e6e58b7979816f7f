"""V_info: how much does the prediction's segmentation tell about the ground label's, and back?

Lesson: `lessons/12-scores.md`. Source: the public evaluation scripts of the ISBI 2012 challenge
and Arganda-Carreras et al. (2015).

With p_ij = n_ij / n from the contingency table (`overlap.py`) and c = (n_0 / n) ln n, the share
of the n_0 cell pixels that the prediction calls membrane, each a cell of a single pixel:

    A  = Σ_i p_i ln p_i           minus the entropy of the ground label
    B  = Σ_{j≥1} p_j ln p_j - c   minus the entropy of the prediction
    AB = Σ_{i,j≥1} p_ij ln p_ij - c

The mutual information I = AB - A - B over each entropy is precision I/(-A) and recall I/(-B).
"""

import math

import numpy as np

from tinyunet._numba import jit
from tinyunet.arrays import Array
from tinyunet.metrics.fscore import best_of
from tinyunet.metrics.inputs import as_stacks, thresholds
from tinyunet.metrics.overlap import Overlap, group_components, overlaps_at


@jit
def _negative_entropies(
    rows: Array, columns: Array, counts: Array, total: int, row_shares: Array, column_shares: Array
) -> tuple:
    """(A, B, AB), each sum taken in the order of the table; the shares come in as zeros.

    Where I, A or B should be exactly 0, rounding decides whether the score is 0 or NaN, so the
    order of the additions and divisions is part of the definition.
    """
    lost_share = 0.0
    joint = 0.0
    for k in range(len(counts)):
        share = counts[k] / total
        row_shares[rows[k]] += share
        if columns[k] == 0:
            lost_share += share
        else:
            column_shares[columns[k]] += share
            joint += share * math.log(share)
    single = lost_share * math.log(total)
    label = 0.0
    for share in row_shares:
        if share > 0:
            label += share * math.log(share)
    predicted = 0.0
    for share in column_shares:
        if share > 0:
            predicted += share * math.log(share)
    return label, predicted - single, joint - single


def information_score(overlap: Overlap) -> float:
    """Return V_info of one slice at one threshold.

    Parameters
    ----------
    overlap : Overlap
        The contingency table of the slice.

    Returns
    -------
    float
        In 0..1, or NaN.

    Notes
    -----
    A ground truth or a prediction that is a single cell has no entropy and tells nothing: the
    score is 0. Two segmentations that tell nothing of each other have I = 0, and the harmonic mean
    of 0 and 0 is NaN here, as it is in the challenge (rounding may bring it about too, or spare
    it).
    """
    if len(overlap.counts) == 0:  # a ground truth without any cell
        return 0.0
    shares = np.zeros(overlap.rows.max() + 1), np.zeros(overlap.columns.max() + 1)
    label, predicted, joint = _negative_entropies(*overlap, overlap.counts.sum(), *shares)
    if label == 0 or predicted == 0:
        return 0.0
    # I = AB - A - B, written as entropy minus what is left of it once the other side is known.
    precision = (-label - (predicted - joint)) / -label
    recall = (-predicted - (label - joint)) / -predicted
    if precision + recall == 0:
        return math.nan
    return 2.0 * precision * recall / (precision + recall)


def mean_information(scores: Array | list[list[float]]) -> list[float]:
    """Return the mean over slices at every threshold.

    Parameters
    ----------
    scores : Array or list of list of float
        (Z, T) V_info of slices at thresholds.

    Returns
    -------
    list of float
        One a threshold; NaN where a slice has NaN.
    """
    return [sum(at) / len(at) for at in zip(*scores, strict=True)]


def _best_information(ground_truth: object, prediction: object, thinned: bool) -> float:
    """V_info of a stack at its best threshold."""
    scores = []
    for label, image in zip(*as_stacks(ground_truth, prediction), strict=True):
        groups = group_components(label)
        cut = (overlaps_at(groups, image, t, thinned) for t in thresholds())
        scores.append([information_score(overlap) for overlap in cut])
    return best_of(mean_information(scores))[0]


def v_info(ground_truth: object, prediction: object) -> float:
    """Return the best V_info over 11 thresholds, each the mean over slices.

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
    return _best_information(ground_truth, prediction, thinned=False)


def v_info_thinned(ground_truth: object, prediction: object) -> float:
    """Return `v_info` with the prediction's membranes thinned to one pixel.

    Parameters
    ----------
    ground_truth, prediction : array_like
        As in `v_info`.

    Returns
    -------
    float
        In 0..1, 1 is best.

    Raises
    ------
    ValueError
        As `v_info` does.
    """
    return _best_information(ground_truth, prediction, thinned=True)
