"""Pixel error: 1 - the best F-score of white pixels; and the pixel error rate at 0.5.

The two differ: the challenge's pixel error asks how well the white pixels are found (black ones
that are right do not count) at the best of 11 thresholds; the pixel error rate is the plain
fraction of pixels that are wrong, black or white, at one threshold.

Lesson: `lessons/12-scores.md`. Paper: table 1, "pixel error". Source: the public evaluation
scripts of the ISBI 2012 challenge (Arganda-Carreras et al. 2015).
"""

import numpy as np

from tinyunet.arrays import Array
from tinyunet.metrics.fscore import best_of, f_score
from tinyunet.metrics.inputs import as_stacks, is_white, thresholds


def pixel_counts(ground_truth: Array, white: Array) -> tuple[int, int, int]:
    """Count white pixels; the counts of several slices may simply be added.

    Parameters
    ----------
    ground_truth, white : Array
        bool of one shape: where the labels, and where the prediction, are white.

    Returns
    -------
    hits, said, true : int
        White in both, in the prediction, in the labels: what `f_score` takes.
    """
    return (
        int(np.count_nonzero(white & ground_truth)),
        int(np.count_nonzero(white)),
        int(np.count_nonzero(ground_truth)),
    )


def count_wrong(ground_truth: Array, prediction: Array) -> int:
    """Count the pixels that fall on the wrong side of 0.5.

    Parameters
    ----------
    ground_truth : Array
        bool of any shape.
    prediction : Array
        float32 of the same shape.

    Returns
    -------
    int
        Pixels; exactly 0.5 is black.
    """
    return int(np.count_nonzero(is_white(prediction, 0.5) != ground_truth))


def pixel_error(ground_truth: object, prediction: object) -> float:
    """Return the challenge's pixel error: 1 - max F over 11 thresholds, counts pooled over slices.

    Parameters
    ----------
    ground_truth : array_like
        (H, W) or (Z, H, W) labels, 0 on membrane.
    prediction : array_like
        Of the same shape: probability of cell interior, float in 0..1, uint8, or a mask.

    Returns
    -------
    float
        In 0..1, 0 is best. This is not the pixel error rate: see `pixel_error_rate`.

    Raises
    ------
    ValueError
        On anything else, and where the arguments are seen to be in the wrong order.
    """
    labels, probability = as_stacks(ground_truth, prediction)
    scores = [f_score(*pixel_counts(labels, is_white(probability, t))) for t in thresholds()]
    return 1.0 - best_of(scores)[0]


def pixel_error_rate(ground_truth: object, prediction: object) -> float:
    """Return the fraction of pixels that are wrong when the prediction is cut at 0.5.

    Parameters
    ----------
    ground_truth : array_like
        (H, W) or (Z, H, W) labels, 0 on membrane.
    prediction : array_like
        Of the same shape: probability of cell interior, float in 0..1, uint8, or a mask. White is
        above 0.5.

    Returns
    -------
    float
        In 0..1, 0 is best.

    Raises
    ------
    ValueError
        As `pixel_error` does.
    """
    labels, probability = as_stacks(ground_truth, prediction)
    return count_wrong(labels, probability) / labels.size
