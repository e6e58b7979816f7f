"""Pixel error: 1 - the best F-score of white pixels; and the plain fraction of wrong pixels.

Lesson: `lessons/12-scores.md`. Paper: table 1, "pixel error". Source: the public evaluation
scripts of the ISBI 2012 challenge (Arganda-Carreras et al. 2015).
"""

import numpy as np

from tinyunet.metrics.fscore import best_of, f_score
from tinyunet.metrics.inputs import as_stacks, is_white, thresholds


def pixel_counts(white, label):
    """Pixels white in both, white in the proposal, white in the label, as int64 (3,).

    white, label: boolean masks of one shape. Counts of several slices may simply be added.
    """
    counts = [np.count_nonzero(white & label), np.count_nonzero(white), np.count_nonzero(label)]
    return np.array(counts, dtype=np.int64)


def wrong_count(proposal, label):
    """How many pixels fall on the wrong side of 0.5; proposal float32, label bool."""
    return int(np.count_nonzero(is_white(proposal, 0.5) != label))


def pixel_error(proposal, labels):
    """1 - max F over 11 thresholds, counts pooled over the slices: a float in 0..1.

    proposal: (H, W) or (Z, H, W) probability of cell interior, float in 0..1 or uint8.
    labels: the same shape, 0 on membrane. Raises ValueError on anything else.
    This is not the fraction of wrong pixels: see `wrong_pixels`.
    """
    proposal, labels = as_stacks(proposal, labels)
    scores = [f_score(*pixel_counts(is_white(proposal, t), labels)) for t in thresholds()]
    return 1.0 - best_of(scores)[0]


def wrong_pixels(proposal, labels):
    """Fraction of pixels that are wrong when the proposal is cut at 0.5 (white is > 0.5).

    Arguments and errors as in `pixel_error`; returns a float in 0..1.
    """
    proposal, labels = as_stacks(proposal, labels)
    return wrong_count(proposal, labels) / labels.size
