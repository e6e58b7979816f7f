"""Warping error: bend the label towards the proposal; what still differs is a wrong topology.

Lesson: `lessons/12-scores.md`. Paper: table 1, "warping error". Source: Jain et al. (2010) and
the public evaluation scripts of the ISBI 2012 challenge.

A border that lies a pixel off costs nothing, because the label can be warped there one simple
point at a time. Where the warping gets stuck, the proposal merges two cells or splits one.

Names: S is the label that warps, T the thresholded proposal. Inside, both carry a black frame.
"""

import numpy as np

from tinyunet.kernels.jit import jit
from tinyunet.metrics.components import label_components
from tinyunet.metrics.fscore import least_of
from tinyunet.metrics.inputs import as_stacks, is_white, thresholds
from tinyunet.metrics.mismatches import MERGER, SPLIT, classify
from tinyunet.metrics.simple_points import simple_table

# A proposal that is black at 1.0 would win with error 0, so the challenge stops at 0.9.
LAST_THRESHOLD = 0.9


@jit
def _relax(source, pixels, table):
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


def warp(label, proposal, threshold):
    """Warp one slice's label towards its proposal cut at `threshold`.

    label: (H, W) bool; proposal: (H, W) float32. Returns (warped, rows, columns): the final S as
    bool (H, W) and where it still differs from T. The surest pixels (largest |P - threshold|, as
    float32) are tried first, equals column by column.
    """
    height, width = label.shape
    doubt = np.abs(proposal.astype(np.float64) - threshold).astype(np.float32)
    differs = label != is_white(proposal, threshold)
    columns, rows = np.nonzero(differs.T)  # of the transpose: column by column
    order = np.argsort(-doubt[rows, columns], kind="stable")
    source = np.zeros((height + 2, width + 2), np.int32)
    source[1:-1, 1:-1] = label
    pixels = (rows[order] + 1) * (width + 2) + columns[order] + 1
    left = _relax(source, pixels, simple_table())
    return source[1:-1, 1:-1] == 1, left // (width + 2) - 1, left % (width + 2) - 1


def slice_mismatches(label, proposal, threshold):
    """(mergers, splits) in pixels of one slice at one threshold, as int64 (2,)."""
    warped, rows, columns = warp(label, proposal, threshold)
    kinds = classify(warped, label_components(warped)[0], rows, columns)
    return np.array([np.count_nonzero(kinds == kind) for kind in (MERGER, SPLIT)])


def least_pixels(counts):
    """(pixels, index of the threshold) with the fewest merger and split pixels of the stack.

    counts: (Z, T, 2) mergers and splits; only thresholds up to 0.9 take part.
    """
    at_threshold = counts[:, : len(thresholds(LAST_THRESHOLD))].sum(axis=(0, 2))
    return least_of([int(pixels) for pixels in at_threshold])


def warping_pixels(proposal, labels):
    """Merger and split pixels of the stack at the best of 10 thresholds, an int.

    proposal: (H, W) or (Z, H, W) probability of cell interior, float in 0..1 or uint8.
    labels: the same shape, 0 on membrane. Raises ValueError on anything else.
    Holes and objects that appear or vanish cost nothing, so a proposal without any white costs
    nothing either: look at the threshold that won (`isbi2012_details`).
    """
    proposal, labels = as_stacks(proposal, labels)
    counts = [
        [slice_mismatches(label, image, t) for t in thresholds(LAST_THRESHOLD)]
        for image, label in zip(proposal, labels, strict=True)
    ]
    return least_pixels(np.array(counts))[0]


def warping_error(proposal, labels):
    """`warping_pixels` over all pixels of the stack: a float in 0..1; arguments as there."""
    return warping_pixels(proposal, labels) / np.size(labels)
