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

from collections.abc import Callable

import numpy as np

from tinyunet.arrays import Array
from tinyunet.geometry import mirror

Kernel = Callable[[Array], tuple[Array, ...]]  # fractions in [0, 1) → a weight for each tap


def keys_weights(t: Array) -> tuple[Array, Array, Array, Array]:
    """Return the four weights of the cubic.

    Parameters
    ----------
    t : Array
        Fractions in [0, 1).

    Returns
    -------
    tuple of Array
        For taps −1, 0, 1, 2. At t = 0 they are exactly 0, 1, 0, 0.

    References
    ----------
    Keys, R. G., Cubic convolution interpolation for digital image processing, IEEE Trans. ASSP 29
    (1981), equation 15.
    """
    return (
        ((-0.5 * t + 1.0) * t - 0.5) * t,
        (1.5 * t - 2.5) * t * t + 1.0,
        ((-1.5 * t + 2.0) * t + 0.5) * t,
        (0.5 * t - 0.5) * t * t,
    )


def linear_weights(t: Array) -> tuple[Array, Array]:
    """Return the two weights of linear interpolation.

    Parameters
    ----------
    t : Array
        Fractions in [0, 1).

    Returns
    -------
    tuple of Array
        For taps 0 and 1.
    """
    return 1.0 - t, t


def sample_weighted(array: Array, points: Array, weights: Kernel, first: int) -> Array:
    """Interpolate with a kernel of weights along both axes.

    Parameters
    ----------
    array : Array
        (C, H, W).
    points : Array
        (2, h, w) float64, rows and columns.
    weights : callable
        Fractions → the weight of each tap.
    first : int
        The first tap, in pixels from floor(x).

    Returns
    -------
    Array
        (C, h, w) float64.
    """
    height, width = array.shape[1:]
    cell = np.floor(points)
    ys, xs = cell.astype(np.int64)
    row_weights, column_weights = weights(points[0] - cell[0]), weights(points[1] - cell[1])
    array = array.astype(np.float64)
    total = np.zeros((len(array), *points.shape[1:]))
    for i, row_weight in enumerate(row_weights):
        row = mirror(ys + first + i, height)
        line = np.zeros_like(total)
        for j, column_weight in enumerate(column_weights):
            line = line + column_weight * array[:, row, mirror(xs + first + j, width)]
        total = total + row_weight * line
    return total


def sample_cubic(array: Array, points: Array) -> Array:
    """Read an array by Keys' bicubic interpolation.

    Parameters
    ----------
    array : Array
        (C, H, W).
    points : Array
        (2, h, w) float64, rows and columns.

    Returns
    -------
    Array
        (C, h, w) float64.
    """
    return sample_weighted(array, points, keys_weights, -1)


def sample_linear(array: Array, points: Array) -> Array:
    """Read an array by linear interpolation.

    Parameters
    ----------
    array : Array
        (C, H, W).
    points : Array
        (2, h, w) float64, rows and columns.

    Returns
    -------
    Array
        (C, h, w) float64.
    """
    return sample_weighted(array, points, linear_weights, 0)


def sample_nearest(array: Array, points: Array) -> Array:
    """Read the pixel nearest to each point.

    The point is rounded first and mirrored second, so half way is decided in the mirrored world.

    Parameters
    ----------
    array : Array
        (C, H, W).
    points : Array
        (2, h, w) float64, rows and columns.

    Returns
    -------
    Array
        (C, h, w) in the array's dtype.
    """
    rows, columns = np.floor(points + 0.5).astype(np.int64)
    return array[:, mirror(rows, array.shape[1]), mirror(columns, array.shape[2])]
