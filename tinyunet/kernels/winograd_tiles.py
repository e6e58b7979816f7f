"""Winograd F(4×4, 3×3), tile by tile: into the 36 positions and back, and both adjoints.

Lesson: lessons/14-fast-on-a-cpu.md. The matrices are made in `cook_toom.py`.

    x   (N, H, W, C)    input, channels last       V  (T, 36·C + 16)   Bᵀ d B  of each 6×6 tile
    y   (N, Ho, Wo, K)  output, channels last      M  (T, 36·K + 16)   V·U, position by position

A tile is 4×4 outputs and the 6×6 inputs they need, so neighbouring input tiles share two rows or
columns. Every kernel works through tiles first … last - 1, numbered row by row through the batch.
Where Ho or Wo is no multiple of 4 the last tiles hang over the edge: what they would read there is
zero and what they would write there is thrown away.

A two-dimensional transform is a one-dimensional one down the columns, then one along the rows. The
channels of a pixel lie side by side in memory, and all arithmetic is done on sixteen of them at a
time. V and M have their channels filled up to a multiple of sixteen (and a vector that nobody uses
at the end of each row, see winograd_buffers.py). Where a tile hangs over the edge or fewer than
sixteen channels are left, the numbers pass through a small `patch`.
"""

import numpy as np

from tinyunet.kernels.jit import jit
from tinyunet.kernels.vector import LANES, NONE, keep_positive, larger, load, relu, store

# The points 0, ±A, ±B (and infinity) and what the transforms need of them, in float32: a bare
# Python float would turn the arithmetic into (slower) float64. All of them are exact.
A, B = 5 / 8, 3 / 2
POINTS = (0, A, -A, B, -B)
_A, _B = np.float32(A), np.float32(B)
_AA, _BB = np.float32(A * A), np.float32(B * B)
_SUM, _PRODUCT = np.float32(A * A + B * B), np.float32(A * A * B * B)
ZERO = np.float32(0)
INPUTS, OUTPUTS, WINDOWS = np.intp(6), np.intp(4), np.intp(2)  # a side of a tile


# The four one-dimensional transforms ------------------------------------------------------------
# A row for the point p and the row for -p differ in the sign of the odd powers only, so the even
# and the odd half are computed once for both.
@jit
def input_1d(d0, d1, d2, d3, d4, d5):
    """Bᵀ d: six inputs to six positions."""
    even_a, odd_a = d4 - _BB * d2, _A * (d3 - _BB * d1)
    even_b, odd_b = d4 - _AA * d2, _B * (d3 - _AA * d1)
    first = d4 - _SUM * d2 + _PRODUCT * d0
    last = d5 - _SUM * d3 + _PRODUCT * d1
    return first, even_a + odd_a, even_a - odd_a, even_b + odd_b, even_b - odd_b, last


@jit
def input_1d_adjoint(v0, v1, v2, v3, v4, v5):
    """B v: six positions back to the six inputs, for gradients."""
    even_a, odd_a = v1 + v2, _A * (v1 - v2)
    even_b, odd_b = v3 + v4, _B * (v3 - v4)
    d1 = _PRODUCT * v5 - _BB * odd_a - _AA * odd_b
    d2 = -_SUM * v0 - _BB * even_a - _AA * even_b
    d3 = odd_a + odd_b - _SUM * v5
    return _PRODUCT * v0, d1, d2, d3, v0 + even_a + even_b, v5


@jit
def output_1d(m0, m1, m2, m3, m4, m5):
    """Aᵀ m: six positions to four outputs."""
    even_a, odd_a = m1 + m2, _A * (m1 - m2)
    even_b, odd_b = m3 + m4, _B * (m3 - m4)
    y2 = _AA * even_a + _BB * even_b
    y3 = _AA * odd_a + _BB * odd_b + m5
    return m0 + even_a + even_b, odd_a + odd_b, y2, y3


@jit
def output_1d_adjoint(y0, y1, y2, y3):
    """A y: four outputs back to six positions, for gradients."""
    even_a, odd_a = y0 + _AA * y2, _A * (y1 + _AA * y3)
    even_b, odd_b = y0 + _BB * y2, _B * (y1 + _BB * y3)
    return y0, even_a + odd_a, even_a - odd_a, even_b + odd_b, even_b - odd_b, y3


# Sixteen channels of a tile -----------------------------------------------------------------------
@jit
def load_four(a, at, step):
    """The vectors at `at`, `at + step` …"""
    return load(a, at), load(a, at + step), load(a, at + 2 * step), load(a, at + 3 * step)


@jit
def load_six(a, at, step):
    """The vectors at `at`, `at + step` …"""
    return *load_four(a, at, step), load(a, at + 4 * step), load(a, at + 5 * step)


@jit
def store_four(values, a, at, step):
    """Store the first four of `values` at `at`, `at + step` …"""
    store(values[0], a, at)
    store(values[1], a, at + step)
    store(values[2], a, at + 2 * step)
    store(values[3], a, at + 3 * step)


@jit
def store_six(values, a, at, step):
    """Store the six `values` at `at`, `at + step` …"""
    store_four(values, a, at, step)
    store(values[4], a, at + 4 * step)
    store(values[5], a, at + 5 * step)


@jit
def new_patch(size):
    """Scratch memory for `size`² pixels of sixteen channels, as an image of its own.

    It begins at a cache line's edge, as a vector across two lines costs both.
    """
    numbers = size * size * LANES
    memory = np.zeros(numbers + LANES, np.float32)
    start = -memory.ctypes.data % 64 // 4
    return memory[start : start + numbers].reshape(1, size, size, LANES)


@jit
def copy_in(image, n, i, j, channel, patch):
    """Copy what there is of the square at (i, j) and sixteen channels into `patch`, else 0."""
    patch[:] = ZERO
    for a in range(min(patch.shape[1], image.shape[1] - i)):
        for b in range(min(patch.shape[2], image.shape[2] - j)):
            for c in range(min(LANES, image.shape[3] - channel)):
                patch[0, a, b, c] = image[n, i + a, j + b, channel + c]


@jit
def copy_out(patch, n, i, j, channel, begin, end, image):
    """Copy rows begin … end - 1 of `patch`, where inside the image, to its square at (i, j)."""
    for a in range(begin, min(end, image.shape[1] - i)):
        for b in range(min(patch.shape[2], image.shape[2] - j)):
            for c in range(min(LANES, image.shape[3] - channel)):
                image[n, i + a, j + b, channel + c] = patch[0, a, b, c]


@jit
def tile_place(tile, height, width):
    """(image, first row, first column) of a tile, for maps of height × width outputs."""
    tile_rows, tiles = (height + 3) // 4, (width + 3) // 4
    row = tile // tiles
    return row // tile_rows, 4 * (row % tile_rows), 4 * (tile % tiles)


@jit
def fits(image, i, j, size, channel):
    """Whether the square of `size` at (i, j) and sixteen channels lie inside the image."""
    _, height, width, channels = image.shape
    return i + size <= height and j + size <= width and channel + LANES <= channels


# Forward ------------------------------------------------------------------------------------------
@jit
def gather_inputs(x, first, last, start, V):
    """Rows first - start … of V = Bᵀ d B of tiles first … last - 1: V begins with tile `start`."""
    _, height, width, channels = x.shape
    step = V.shape[1] // 36  # from one position to the next
    half, patch = new_patch(INPUTS), new_patch(INPUTS)
    for tile in range(first, last):
        n, i, j = tile_place(tile, height - 2, width - 2)
        for c in range(0, channels, LANES):
            if fits(x, i, j, INPUTS, c):
                source, at, column = x, ((n * height + i) * width + j) * channels + c, channels
                row = width * channels
            else:
                copy_in(x, n, i, j, c, patch)
                source, at, row, column = patch, 0, 6 * LANES, LANES
            for b in range(6):
                d = load_six(source, at + b * column, row)
                store_six(input_1d(*d), half, LANES * b, 6 * LANES)
            to = (tile - start) * V.shape[1] + c
            for a in range(6):
                d = load_six(half, 6 * LANES * a, LANES)
                store_six(input_1d(*d), V, to + 6 * a * step, step)


@jit
def scatter_outputs(M, bias, first, last, channel, y, pooled):
    """y = max(0, Aᵀ M A + bias) of tiles first … last - 1, M's channels from `channel` on.

    M begins with tile `first`; `bias` has as many channels as M. If `pooled` (N, Ho/2, Wo/2, K) is
    not empty, it gets the largest of each 2×2 window, of which a tile has four.
    """
    _, height, width, channels = y.shape
    half, patch, small_patch = new_patch(INPUTS), new_patch(OUTPUTS), new_patch(WINDOWS)
    step = M.shape[1] // 36
    for tile in range(first, last):
        n, i, j = tile_place(tile, height, width)
        for k in range(0, min(step, channels - channel), LANES):
            at = (tile - first) * M.shape[1] + k
            for q in range(6):
                m = load_six(M, at + q * step, 6 * step)
                store_four(output_1d(*m), half, LANES * q, 6 * LANES)
            inside = fits(y, i, j, OUTPUTS, channel + k)
            if inside:
                target, column = y, channels
                to, row = ((n * height + i) * width + j) * channels + channel + k, width * channels
            else:
                target, to, row, column = patch, 0, 4 * LANES, LANES
            b = load(bias, k)
            for a in range(4):
                y0, y1, y2, y3 = output_1d(*load_six(half, 6 * LANES * a, LANES))
                rows = relu(y0 + b), relu(y1 + b), relu(y2 + b), relu(y3 + b)
                store_four(rows, target, to + a * row, column)
            if pooled.size:
                small, at, half_row = small_patch, 0, 2 * LANES
                if inside:
                    small, half_row = pooled, row // 2
                    at = ((n * height + i) // 2 * (width // 2) + j // 2) * channels + channel + k
                for a in range(2):
                    pool_two(target, to + 2 * a * row, column, row, small, at + a * half_row)
            if not inside:
                copy_out(patch, n, i, j, channel + k, NONE, OUTPUTS, y)
                if pooled.size:
                    copy_out(small_patch, n, i // 2, j // 2, channel + k, NONE, WINDOWS, pooled)


@jit
def pool_two(y, at, column, row, pooled, to):
    """The largest of two 2×2 windows side by side, from `at` on, to two pixels of `pooled`."""
    y0, y1, y2, y3 = load_four(y, at, column)
    z0, z1, z2, z3 = load_four(y, at + row, column)
    store(larger(larger(y0, y1), larger(z0, z1)), pooled, to)
    store(larger(larger(y2, y3), larger(z2, z3)), pooled, to + column)


# Backward -----------------------------------------------------------------------------------------
@jit
def gather_gradients(dy, y, first, last, start, dM, dbias):
    """Rows first - start … of dM = A g Aᵀ with g = dy where y > 0; g's sum is added to dbias."""
    _, height, width, channels = dy.shape
    step = dM.shape[1] // 36
    half, dy_patch, y_patch = new_patch(INPUTS), new_patch(OUTPUTS), new_patch(OUTPUTS)
    for tile in range(first, last):
        n, i, j = tile_place(tile, height, width)
        for k in range(0, channels, LANES):
            if fits(dy, i, j, OUTPUTS, k):
                upstream, output, column = dy, y, channels
                at, row = ((n * height + i) * width + j) * channels + k, width * channels
            else:
                copy_in(dy, n, i, j, k, dy_patch)
                copy_in(y, n, i, j, k, y_patch)
                upstream, output = dy_patch, y_patch
                at, row, column = 0, 4 * LANES, LANES
            total = load(dbias, k)
            for b in range(4):
                g0, g1, g2, g3 = load_four(upstream, at + b * column, row)
                y0, y1, y2, y3 = load_four(output, at + b * column, row)
                g0, g1 = keep_positive(g0, y0), keep_positive(g1, y1)
                g2, g3 = keep_positive(g2, y2), keep_positive(g3, y3)
                total = total + ((g0 + g1) + (g2 + g3))
                store_six(output_1d_adjoint(g0, g1, g2, g3), half, LANES * b, 6 * LANES)
            store(total, dbias, k)
            to = (tile - start) * dM.shape[1] + k
            for a in range(6):
                g = load_four(half, 6 * LANES * a, LANES)
                store_six(output_1d_adjoint(*g), dM, to + 6 * a * step, step)


@jit
def scatter_gradients(dV, first, last, channel, top, bottom, dx):
    """dx += B dV Bᵀ of tiles first … last - 1, dV's channels from `channel` on: tiles overlap.

    dV begins with tile `first`. Only rows top … bottom - 1 of dx, counted through the batch, are
    touched: the others are another thread's.
    """
    _, height, width, channels = dx.shape
    half, patch = new_patch(INPUTS), new_patch(INPUTS)
    step = dV.shape[1] // 36
    for tile in range(first, last):
        n, i, j = tile_place(tile, height - 2, width - 2)
        begin, end = max(NONE, top - n * height - i), min(INPUTS, bottom - n * height - i)
        for c in range(0, min(step, channels - channel), LANES):
            at = (tile - first) * dV.shape[1] + c
            for q in range(6):
                v = load_six(dV, at + q * step, 6 * step)
                store_six(input_1d_adjoint(*v), half, LANES * q, 6 * LANES)
            inside = fits(dx, i, j, INPUTS, channel + c)
            if inside:
                target, column = dx, channels
                to, row = ((n * height + i) * width + j) * channels + channel + c, width * channels
            else:
                copy_in(dx, n, i, j, channel + c, patch)
                target, to, row, column = patch, 0, 6 * LANES, LANES
            for a in range(begin, end):
                d = input_1d_adjoint(*load_six(half, 6 * LANES * a, LANES))
                add_six(d, target, to + a * row, column)
            if not inside:
                copy_out(patch, n, i, j, channel + c, begin, end, dx)


@jit
def add_six(values, a, at, step):
    """Add the six `values` to the vectors at `at`, `at + step` …"""
    old = load_six(a, at, step)
    v0, v1, v2 = old[0] + values[0], old[1] + values[1], old[2] + values[2]
    v3, v4, v5 = old[3] + values[3], old[4] + values[4], old[5] + values[5]
    store_six((v0, v1, v2, v3, v4, v5), a, at, step)
