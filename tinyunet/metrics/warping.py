"""Warping error: bend the labels towards the prediction; what still differs is a wrong topology.

Lesson: `lessons/12-scores.md`. Paper: table 1, "warping error". Source: Jain et al. (2010) and
the public evaluation scripts of the ISBI 2012 challenge.

A border that lies a pixel off costs nothing, because the labels can be warped there one simple
point at a time. Where the warping gets stuck, the prediction merges two cells or splits one.

Names: S are the labels that warp, T the thresholded prediction. Inside, both carry a black frame.
"""

import numpy as np

from tinyunet._numba import jit
from tinyunet.arrays import Array
from tinyunet.images.instances import connected_components
from tinyunet.metrics.fscore import least_of
from tinyunet.metrics.inputs import as_stacks, is_white, thresholds
from tinyunet.metrics.mismatches import MERGER, SPLIT, classify
from tinyunet.metrics.simple_points import simple_table


@jit
def _relax(source: Array, pixels: Array, table: Array) -> Array:
    """Flip simple mismatches of the framed S (H + 2, W + 2), in place, until none is left.

    pixels: flat indices into S of all S ≠ T, in the order in which to try them; pixels that
    remain mismatched keep that order from pass to pass, so one sorting serves all passes.
    Returns the remaining mismatches.
    """
    width = source.shape[1]
    flat = source.ravel()
    count = len(pixels)
    while True:
        kept = 0
        for k in range(count):
            p = pixels[k]
            case = (
                flat[p - width]
                | flat[p - width + 1] << 1
                | flat[p + 1] << 2
                | flat[p + width + 1] << 3
                | flat[p + width] << 4
                | flat[p + width - 1] << 5
                | flat[p - 1] << 6
                | flat[p - width - 1] << 7
            )
            if table[case]:
                flat[p] = 1 - flat[p]
            else:
                pixels[kept] = p
                kept += 1
        if kept == count:
            return pixels[:count]
        count = kept


def warp(label: Array, prediction: Array, threshold: float) -> tuple[Array, Array, Array]:
    """Warp one slice's labels towards its prediction cut at a threshold.

    Parameters
    ----------
    label : Array
        (H, W) bool.
    prediction : Array
        (H, W) float32. The surest pixels (largest |P - threshold|, as float32) are tried first,
        equals column by column.
    threshold : float
        White is above it.

    Returns
    -------
    warped : Array
        (H, W) bool, the final S.
    rows, columns : Array
        Where it still differs from T.
    """
    height, width = label.shape
    doubt = np.abs(prediction.astype(np.float64) - threshold).astype(np.float32)
    differs = label != is_white(prediction, threshold)
    columns, rows = np.nonzero(differs.T)  # of the transpose: column by column
    order = np.argsort(-doubt[rows, columns], kind="stable")
    source = np.zeros((height + 2, width + 2), np.int32)
    source[1:-1, 1:-1] = label
    pixels = (rows[order] + 1) * (width + 2) + columns[order] + 1
    left = _relax(source, pixels, simple_table())
    return source[1:-1, 1:-1] == 1, left // (width + 2) - 1, left % (width + 2) - 1


def slice_mismatches(label: Array, prediction: Array, threshold: float) -> tuple[int, int]:
    """Count the pixels of one slice that warping cannot mend.

    Parameters
    ----------
    label : Array
        (H, W) bool.
    prediction : Array
        (H, W) float32.
    threshold : float
        White is above it.

    Returns
    -------
    mergers, splits : int
        Pixels.
    """
    warped, rows, columns = warp(label, prediction, threshold)
    kinds = classify(warped, connected_components(warped)[0], rows, columns)
    return int(np.count_nonzero(kinds == MERGER)), int(np.count_nonzero(kinds == SPLIT))


def judged_thresholds() -> list[float]:
    """Return the thresholds that take part in the warping error: all but the last, 1.0.

    Returns
    -------
    list of float
        10 thresholds, up to 0.9. A prediction that is black at 1.0 would win with error 0.
    """
    return thresholds()[:-1]


def least_pixels(counts: Array) -> tuple[int, int]:
    """Find the threshold with the fewest merger and split pixels of a stack.

    Parameters
    ----------
    counts : Array
        (Z, T, 2) mergers and splits, at all thresholds or at those that are judged.

    Returns
    -------
    pixels : int
        Mergers and splits of all slices.
    index : int
        Of the threshold, the first of equals.
    """
    at_threshold = counts[:, : len(judged_thresholds())].sum(axis=(0, 2))
    return least_of(at_threshold.tolist())


def _pixels_and_size(ground_truth: object, prediction: object) -> tuple[int, int]:
    """Merger and split pixels at the best threshold, and all pixels."""
    labels, probability = as_stacks(ground_truth, prediction)
    counts = [
        [slice_mismatches(label, image, t) for t in judged_thresholds()]
        for label, image in zip(labels, probability, strict=True)
    ]
    return least_pixels(np.array(counts, np.int64))[0], labels.size


def warping_pixels(ground_truth: object, prediction: object) -> int:
    """Return the merger and split pixels of a stack at the best of 10 thresholds.

    Parameters
    ----------
    ground_truth : array_like
        (H, W) or (Z, H, W) labels, 0 on membrane.
    prediction : array_like
        Of the same shape: probability of cell interior, float in 0..1, uint8, or a mask.

    Returns
    -------
    int
        Pixels, 0 is best. Holes and objects that appear or vanish cost nothing, so a prediction
        without any white costs nothing either: look at the threshold that won
        (`isbi2012_details`).

    Raises
    ------
    ValueError
        On anything else, and where the arguments are seen to be in the wrong order.
    """
    return _pixels_and_size(ground_truth, prediction)[0]


def warping_error(ground_truth: object, prediction: object) -> float:
    """Return `warping_pixels` over all pixels of the stack.

    Parameters
    ----------
    ground_truth, prediction : array_like
        As in `warping_pixels`.

    Returns
    -------
    float
        In 0..1, 0 is best.

    Raises
    ------
    ValueError
        As `warping_pixels` does.
    """
    pixels, size = _pixels_and_size(ground_truth, prediction)
    return pixels / size
