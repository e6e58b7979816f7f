"""The transform in one compiled pass: every output pixel finds its source point once, and image,
labels and weight map are all read there.

The formulas and the order of every sum are those of field.py and reference.py, so the results are
the same to the last bits; only the big intermediate arrays (source points, 16 gathered copies of
the image) are gone. `warp_rows` releases Python's lock and touches no rows but its own, so plain
threads can share the rows of one sample (resample.py) and data threads can each make their own.
Nothing here enters numba's parallel runtime: of its threading layers, workqueue ends the process
when two threads enter it, and OpenMP is killed in a child of fork.

Paper: section 3.1. Lesson: lessons/09-elastic-deformation.md.
"""

import math

import numpy as np

from tinyunet._numba import jit
from tinyunet.arrays import Array

Numbers = tuple  # of floats: numba infers what is in it


@jit(error_model="numpy")
def mirrored(index: int, n: int) -> int:
    """`geometry.mirror` for one index; inside the image it costs no division.

    Parameters
    ----------
    index : int
        Also outside of the image.
    n : int
        Pixels along the axis.

    Returns
    -------
    int
        0 to n - 1.
    """
    if 0 <= index < n:
        return index
    if n == 1:
        return 0
    index = index % (2 * (n - 1))
    return index if index < n else 2 * (n - 1) - index


@jit(error_model="numpy")
def source_row(r: int, points: Array, displacement: tuple, place: Numbers) -> None:
    """Fill in the source points of one output row (field.source_coordinates).

    Parameters
    ----------
    r : int
        The row.
    points : Array
        (4, w) float64, written to: rows and columns of the source, and how far they are shifted.
    displacement, place : tuple
        As in `warp_rows`.
    """
    coefficients, rows, columns = displacement
    m00, m01, m10, m11, centre_y, centre_x, top, left = place
    ys, xs, shift_y, shift_x = points[0], points[1], points[2], points[3]
    for c in range(ys.shape[0]):
        shift_y[c], shift_x[c] = 0.0, 0.0
    for g in range(columns.shape[0]):
        along_y, along_x = 0.0, 0.0
        for k in range(rows.shape[0]):
            along_y += rows[k, r] * coefficients[0, k, g]
            along_x += rows[k, r] * coefficients[1, k, g]
        for c in range(ys.shape[0]):
            shift_y[c] += columns[g, c] * along_y
            shift_x[c] += columns[g, c] * along_x
    down = top + r
    for c in range(ys.shape[0]):
        right = left + c
        ys[c] = m00 * down + m01 * right + centre_y + shift_y[c]
        xs[c] = m10 * down + m11 * right + centre_x + shift_x[c]


@jit(error_model="numpy")
def cubic_row(
    image: Array, channel: int, ys: Array, xs: Array, out: Array, r: int, intensity: Numbers
) -> None:
    """Interpolate at a row of points by Keys' cubic (reference.sample_cubic), then gain and offset.

    Parameters
    ----------
    image : Array
        (C, H, W).
    channel : int
        Which is read and written.
    ys, xs : Array
        (w,) float64, the points.
    out : Array
        (C, h, w), whose row `r` is written.
    r : int
        The row.
    intensity : tuple
        As in `warp_rows`.
    """
    height, width = image.shape[1:]
    gain, offset, low, high, whole = intensity
    k = np.uint64(channel)  # an index that cannot be negative needs no test for it
    for c in range(ys.shape[0]):
        row, column = math.floor(ys[c]), math.floor(xs[c])
        t, s = ys[c] - row, xs[c] - column
        a0, a1 = ((-0.5 * t + 1.0) * t - 0.5) * t, (1.5 * t - 2.5) * t * t + 1.0
        a2, a3 = ((-1.5 * t + 2.0) * t + 0.5) * t, (0.5 * t - 0.5) * t * t
        b0, b1 = ((-0.5 * s + 1.0) * s - 0.5) * s, (1.5 * s - 2.5) * s * s + 1.0
        b2, b3 = ((-1.5 * s + 2.0) * s + 0.5) * s, (0.5 * s - 0.5) * s * s
        i0 = np.uint64(mirrored(row - 1, height))
        i1 = np.uint64(mirrored(row, height))
        i2 = np.uint64(mirrored(row + 1, height))
        i3 = np.uint64(mirrored(row + 2, height))
        j0 = np.uint64(mirrored(column - 1, width))
        j1 = np.uint64(mirrored(column, width))
        j2 = np.uint64(mirrored(column + 1, width))
        j3 = np.uint64(mirrored(column + 2, width))
        line0 = b0 * image[k, i0, j0] + b1 * image[k, i0, j1]
        line0 = line0 + b2 * image[k, i0, j2] + b3 * image[k, i0, j3]
        line1 = b0 * image[k, i1, j0] + b1 * image[k, i1, j1]
        line1 = line1 + b2 * image[k, i1, j2] + b3 * image[k, i1, j3]
        line2 = b0 * image[k, i2, j0] + b1 * image[k, i2, j1]
        line2 = line2 + b2 * image[k, i2, j2] + b3 * image[k, i2, j3]
        line3 = b0 * image[k, i3, j0] + b1 * image[k, i3, j1]
        line3 = line3 + b2 * image[k, i3, j2] + b3 * image[k, i3, j3]
        value = gain * (a0 * line0 + a1 * line1 + a2 * line2 + a3 * line3) + offset
        if whole:
            value = min(max(np.rint(value), low), high)
        out[channel, r, c] = value


@jit(error_model="numpy")
def nearest_row(
    labels: Array, channel: int, ys: Array, xs: Array, first: int, out: Array, r: int
) -> None:
    """Take the nearest pixel at a row of points (reference.sample_nearest).

    Parameters
    ----------
    labels : Array
        (C, H, W).
    channel : int
        Which is read and written.
    ys, xs : Array
        (w,) float64, the points.
    first : int
        The point with which the row begins.
    out : Array
        (C, h, w), whose row `r` is written.
    r : int
        The row.
    """
    height, width = labels.shape[1:]
    k = np.uint64(channel)
    for c in range(out.shape[2]):
        i = np.uint64(mirrored(math.floor(ys[first + c] + 0.5), height))
        j = np.uint64(mirrored(math.floor(xs[first + c] + 0.5), width))
        out[channel, r, c] = labels[k, i, j]


@jit(error_model="numpy")
def linear_row(
    weight_map: Array, channel: int, ys: Array, xs: Array, first: int, out: Array, r: int
) -> None:
    """Interpolate linearly at a row of points (reference.sample_linear).

    Parameters
    ----------
    weight_map : Array
        (C, H, W).
    channel : int
        Which is read and written.
    ys, xs : Array
        (w,) float64, the points.
    first : int
        The point with which the row begins.
    out : Array
        (C, h, w), whose row `r` is written.
    r : int
        The row.
    """
    height, width = weight_map.shape[1:]
    k = np.uint64(channel)
    for c in range(out.shape[2]):
        y, x = ys[first + c], xs[first + c]
        row, column = math.floor(y), math.floor(x)
        t, s = y - row, x - column
        i0, i1 = np.uint64(mirrored(row, height)), np.uint64(mirrored(row + 1, height))
        j0, j1 = np.uint64(mirrored(column, width)), np.uint64(mirrored(column + 1, width))
        line0 = (1.0 - s) * weight_map[k, i0, j0] + s * weight_map[k, i0, j1]
        line1 = (1.0 - s) * weight_map[k, i1, j0] + s * weight_map[k, i1, j1]
        out[channel, r, c] = (1.0 - t) * line0 + t * line1


@jit(error_model="numpy")
def warp_rows(
    first: int,
    end: int,
    arrays: tuple,
    outs: tuple,
    inner: tuple[int, int],
    displacement: tuple,
    place: Numbers,
    intensity: Numbers,
    points: Array,
) -> None:
    """Make some rows of the image's window, and of the label window inside it.

    Parameters
    ----------
    first, end : int
        Output rows of the image's window.
    arrays, outs : tuple of Array
        Image, labels and weight map, each (channels, H, W) with perhaps no channel at all.
    inner : (int, int)
        First row and column of the label window in the image window.
    displacement : tuple of Array
        Coefficients (2, gy, gx), rows (gy, h) and columns (gx, w) of `field.spline`.
    place : tuple of float
        The matrix row by row, centre, and the window's first pixel seen from the frame's middle.
    intensity : tuple
        Gain, offset, lowest and highest value, and whether the image holds whole numbers.
    points : Array
        (4, w) float64 to work in. (A kernel that needs no memory of its own compiles faster.)
    """
    image, labels, weight_map = arrays
    out_image, out_labels, out_weight_map = outs
    ys, xs = points[0], points[1]
    for r in range(first, end):
        source_row(r, points, displacement, place)
        for channel in range(image.shape[0]):
            cubic_row(image, channel, ys, xs, out_image, r, intensity)
        inner_r = r - inner[0]
        if 0 <= inner_r < out_labels.shape[1]:
            for channel in range(labels.shape[0]):
                nearest_row(labels, channel, ys, xs, inner[1], out_labels, inner_r)
            for channel in range(weight_map.shape[0]):
                linear_row(weight_map, channel, ys, xs, inner[1], out_weight_map, inner_r)
