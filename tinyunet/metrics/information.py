"""V_info: how much does the proposal's segmentation tell about the label's, and the reverse?

Lesson: `lessons/12-scores.md`. Source: the public evaluation scripts of the ISBI 2012 challenge
and Arganda-Carreras et al. (2015).

With p_ij = n_ij / n from the contingency table (`overlap.py`) and c = (n_0 / n) ln n, the share
of the n_0 cell pixels that the proposal calls membrane, each a cell of a single pixel:

    A  = Σ_i p_i ln p_i           minus the entropy of the label
    B  = Σ_{j≥1} p_j ln p_j - c   minus the entropy of the proposal
    AB = Σ_{i,j≥1} p_ij ln p_ij - c

The mutual information I = AB - A - B over each entropy is precision I/(-A) and recall I/(-B).
"""

import math

import numpy as np

from tinyunet.kernels.jit import jit
from tinyunet.metrics.fscore import best_of
from tinyunet.metrics.inputs import as_stacks, thresholds
from tinyunet.metrics.overlap import group_pixels, overlaps_at


@jit
def _negative_entropies(rows, columns, counts):
    """(A, B, AB), each sum taken in the order of the table.

    Where I, A or B should be exactly 0, rounding decides whether the score is 0 or NaN, so the
    order of the additions and divisions is part of the definition.
    """
    total = counts.sum()
    row_shares = np.zeros(rows.max() + 1)
    column_shares = np.zeros(columns.max() + 1)
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
    proposal = 0.0
    for share in column_shares:
        if share > 0:
            proposal += share * math.log(share)
    return label, proposal - single, joint - single


def information_score(overlap):
    """V_info of one slice at one threshold: a float in 0..1, or NaN.

    A label or a proposal that is a single cell has no entropy and tells nothing: the score is 0.
    Two segmentations that tell nothing of each other have I = 0, and the harmonic mean of 0 and 0
    is NaN here, as it is in the challenge (rounding may bring it about too, or spare it).
    """
    if len(overlap.counts) == 0:  # a label without any cell
        return 0.0
    label, proposal, joint = _negative_entropies(*overlap)
    if label == 0 or proposal == 0:
        return 0.0
    # I = AB - A - B, written as entropy minus what is left of it once the other side is known.
    precision = (-label - (proposal - joint)) / -label
    recall = (-proposal - (label - joint)) / -proposal
    if precision + recall == 0:
        return math.nan
    return 2.0 * precision * recall / (precision + recall)


def mean_information(scores):
    """Mean over slices at every threshold, scores (Z, T); a NaN spoils its threshold."""
    return [sum(at) / len(at) for at in zip(*scores, strict=True)]


def _best_information(proposal, labels, thinned):
    scores = []
    for image, label in zip(*as_stacks(proposal, labels), strict=True):
        groups = group_pixels(label)
        cut = (overlaps_at(image, groups, t, thinned) for t in thresholds())
        scores.append([information_score(overlap) for overlap in cut])
    return best_of(mean_information(scores))[0]


def v_info(proposal, labels):
    """The best V_info over 11 thresholds, each the mean over slices: a float in 0..1.

    proposal: (H, W) or (Z, H, W) probability of cell interior, float in 0..1 or uint8.
    labels: the same shape, 0 on membrane. Raises ValueError on anything else.
    """
    return _best_information(proposal, labels, thinned=False)


def v_info_thinned(proposal, labels):
    """`v_info` with the proposal's membranes thinned to one pixel; arguments as there."""
    return _best_information(proposal, labels, thinned=True)
