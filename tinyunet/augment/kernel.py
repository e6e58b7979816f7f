"""The transform in one compiled pass: every output pixel finds its source point once, and image,
labels and weights are all read there.

The formulas and the order of every sum are those of field.py and plain.py, so the results are the
same to the last bits; only the big intermediate arrays (source points, 16 gathered copies of the
image) are gone. Both entry points release the GIL. `warp_parallel` shares the rows among numba's
threads; `warp_serial` is for data threads that work beside the network, which uses the cores itself
(and numba's fallback threading layer must not be entered from two threads at once).

Paper: section 3.1. Lesson: lessons/09-elastic-deformation.md.
"""

import math

import numpy as np

from tinyunet.kernels.jit import jit, prange


@jit
def mirrored(index, n):
    """`geometry.mirror` for one index; inside the image it costs no division."""
    if 0 <= index < n:
        return index
    if n == 1:
        return 0
    index = index % (2 * (n - 1))
    return min(index, 2 * (n - 1) - index)


@jit
def source_row(r, ys, xs, displacement, place):
    """Fill ys and xs with the source points of output row r (field.source_coordinates)."""
    coefficients, rows, columns = displacement
    m00, m01, m10, m11, centre_y, centre_x, top, left = place
    shift_y, shift_x = np.zeros(ys.shape[0]), np.zeros(ys.shape[0])
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


@jit
def cubic_row(image, channel, ys, xs, out, r, grey):
    """Keys' bicubic interpolation at a row of points (plain.sample_cubic), then the grey values."""
    height, width = image.shape[1:]
    gain, offset, low, high, whole = grey
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


@jit
def nearest_row(labels, channel, ys, xs, first, out, r):
    """The nearest pixel at a row of points, from point `first` on (plain.sample_nearest)."""
    height, width = labels.shape[1:]
    k = np.uint64(channel)
    for c in range(out.shape[2]):
        i = np.uint64(mirrored(math.floor(ys[first + c] + 0.5), height))
        j = np.uint64(mirrored(math.floor(xs[first + c] + 0.5), width))
        out[channel, r, c] = labels[k, i, j]


@jit
def linear_row(weights, channel, ys, xs, first, out, r):
    """Linear interpolation at a row of points, from point `first` on (plain.sample_linear)."""
    height, width = weights.shape[1:]
    k = np.uint64(channel)
    for c in range(out.shape[2]):
        y, x = ys[first + c], xs[first + c]
        row, column = math.floor(y), math.floor(x)
        t, s = y - row, x - column
        i0, i1 = np.uint64(mirrored(row, height)), np.uint64(mirrored(row + 1, height))
        j0, j1 = np.uint64(mirrored(column, width)), np.uint64(mirrored(column + 1, width))
        line0 = (1.0 - s) * weights[k, i0, j0] + s * weights[k, i0, j1]
        line1 = (1.0 - s) * weights[k, i1, j0] + s * weights[k, i1, j1]
        out[channel, r, c] = (1.0 - t) * line0 + t * line1


@jit
def warp_row(r, arrays, outs, inner, displacement, place, grey):
    """Output row r of the image's window, and of the labels' and weights' window inside it.

    arrays, outs: image, labels and weights, each (channels, H, W) with perhaps no channel at all
    inner: (first row, first column) of the label window in the image window
    displacement: coefficients (2, gy, gx), rows (gy, h) and columns (gx, w) of `field.spline`
    place: the matrix row by row, centre, and the window's first pixel seen from the frame's middle
    grey: gain, offset, lowest and highest value, and whether the image holds whole numbers
    """
    image, labels, weights = arrays
    out_image, out_labels, out_weights = outs
    ys, xs = np.empty(out_image.shape[2]), np.empty(out_image.shape[2])
    source_row(r, ys, xs, displacement, place)
    for channel in range(image.shape[0]):
        cubic_row(image, channel, ys, xs, out_image, r, grey)
    inner_r = r - inner[0]
    if 0 <= inner_r < out_labels.shape[1]:
        for channel in range(labels.shape[0]):
            nearest_row(labels, channel, ys, xs, inner[1], out_labels, inner_r)
        for channel in range(weights.shape[0]):
            linear_row(weights, channel, ys, xs, inner[1], out_weights, inner_r)


@jit
def warp_serial(arrays, outs, inner, displacement, place, grey):
    """All rows, one after the other, on the calling thread (`warp_row` says what comes in)."""
    for r in range(outs[0].shape[1]):
        warp_row(r, arrays, outs, inner, displacement, place, grey)


@jit(parallel=True)
def warp_parallel(arrays, outs, inner, displacement, place, grey):
    """All rows, shared among numba's threads; no two write to the same place."""
    for r in prange(outs[0].shape[1]):
        warp_row(r, arrays, outs, inner, displacement, place, grey)
