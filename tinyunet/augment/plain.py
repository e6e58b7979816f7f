"""Resampling at given source points, in plain NumPy: what the compiled pass is tested against.

The mirrored image is read with three kernels, each for its kind of array:

- images: bicubic, the cubic convolution of Keys (1981) with a = −1/2, also known as Catmull-Rom. It
  looks at 4×4 pixels, passes through the pixels themselves (so flips and quarter turns are exact
  copies) and reproduces parabolas. Beside a sharp edge it overshoots by up to 7 % of
  the step, as every cubic that passes through its points; floats are not clipped for it.
- labels: the nearest pixel. Exactly half way, the pixel with the larger index wins: floor(x + ½).
- weight maps: linear.

Paper: section 3.1. Lesson: lessons/09-elastic-deformation.md.
"""

import numpy as np

from tinyunet.geometry import mirror


def keys_weights(t):
    """The four weights of the cubic, for taps −1, 0, 1, 2 and fractions t in [0, 1).

    Keys, R. G., Cubic convolution interpolation for digital image processing, IEEE Trans. ASSP 29
    (1981), equation 15. At t = 0 they are exactly 0, 1, 0, 0.
    """
    return (
        ((-0.5 * t + 1.0) * t - 0.5) * t,
        (1.5 * t - 2.5) * t * t + 1.0,
        ((-1.5 * t + 2.0) * t + 0.5) * t,
        (0.5 * t - 0.5) * t * t,
    )


def linear_weights(t):
    """The two weights of linear interpolation, for taps 0 and 1."""
    return 1.0 - t, t


def sample_weighted(array, points, weights, first):
    """Interpolate array (C, H, W) at points (2, h, w); taps start `first` pixels from floor(x).

    Returns (C, h, w) float64.
    """
    height, width = array.shape[1:]
    cell = np.floor(points)
    ys, xs = cell.astype(np.int64)
    row_weights, column_weights = weights(points[0] - cell[0]), weights(points[1] - cell[1])
    array = array.astype(np.float64)
    total = 0.0
    for i, row_weight in enumerate(row_weights):
        row = mirror(ys + first + i, height)
        line = 0.0
        for j, column_weight in enumerate(column_weights):
            line = line + column_weight * array[:, row, mirror(xs + first + j, width)]
        total = total + row_weight * line
    return total


def sample_cubic(array, points):
    """Keys' bicubic interpolation of array (C, H, W) at points (2, h, w), float64."""
    return sample_weighted(array, points, keys_weights, -1)


def sample_linear(array, points):
    """Linear interpolation of array (C, H, W) at points (2, h, w), float64."""
    return sample_weighted(array, points, linear_weights, 0)


def sample_nearest(array, points):
    """The pixel of array (C, H, W) nearest to each of points (2, h, w), in the array's dtype.

    The point is rounded first and mirrored second, so half way is decided in the mirrored world.
    """
    rows, columns = np.floor(points + 0.5).astype(np.int64)
    return array[:, mirror(rows, array.shape[1]), mirror(columns, array.shape[2])]
