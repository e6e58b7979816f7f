"""Winograd F(4×4, 3×3), tile by tile: into the 36 positions and back, and both adjoints.

Lesson: lessons/14-fast-on-a-cpu.md. The matrices and the reason why they work are in `winograd.py`.

    x   (N, H, W, C)    input, channels last       V  (36, T, C)   Bᵀ d B  of each 6×6 input tile
    y   (N, Ho, Wo, K)  output, channels last      M  (36, T, K)   V·U, position by position

A tile is 4×4 outputs and the 6×6 inputs they need, so neighbouring input tiles share two rows or
columns. Every kernel works through *rows of tiles*, numbered through the batch: row g is row
g % TH of image g // TH. T counts the tiles of rows first … last - 1, row by row. Where Ho or Wo is
no multiple of 4 the last tiles hang over the edge: what they would read there is zero and what
they would write there is thrown away.

A two-dimensional transform is a one-dimensional one down the columns, then one along the rows.
The channels of a pixel lie side by side in memory, so each innermost loop runs over channels and
compiles to vector instructions.
"""

import numpy as np

from tinyunet.kernels.jit import jit

# The points 0, ±A, ±B (and infinity) and what the transforms need of them, in float32: a bare
# Python float would turn the arithmetic into (slower) float64. All of them are exact.
A, B = 5 / 8, 3 / 2
POINTS = (0, A, -A, B, -B)
_A, _B = np.float32(A), np.float32(B)
_AA, _BB = np.float32(A * A), np.float32(B * B)
_SUM, _PRODUCT = np.float32(A * A + B * B), np.float32(A * A * B * B)
ZERO = np.float32(0)


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


# Forward ----------------------------------------------------------------------------------------
@jit
def load_edge_tile(source, n, i, j, patch):
    """Copy the square of pixels at (i, j) into `patch` (P, P, C), zeros beyond the edge."""
    size = patch.shape[0]
    patch[:] = ZERO
    for a in range(min(size, source.shape[1] - i)):
        for b in range(min(size, source.shape[2] - j)):
            patch[a, b] = source[n, i + a, j + b]


@jit
def input_columns(d0, d1, d2, d3, d4, d5, half):
    """`input_1d` down the columns of a tile, whose six rows of 6·C numbers are d0 … d5."""
    h0, h1, h2, h3, h4, h5 = half[0], half[1], half[2], half[3], half[4], half[5]
    for e in range(h0.shape[0]):
        h0[e], h1[e], h2[e], h3[e], h4[e], h5[e] = input_1d(
            d0[e], d1[e], d2[e], d3[e], d4[e], d5[e]
        )


@jit
def gather_inputs(x, first, last, start, V):
    """V[:, start:] = Bᵀ d B for the tiles of rows first … last - 1."""
    _, height, width, channels = x.shape
    tile_rows, tiles = (height + 1) // 4, (width + 1) // 4
    patch = np.empty((6, 6, channels), np.float32)
    half = np.empty((6, 6, channels), np.float32)
    flat_patch, flat_half = patch.reshape(6, 6 * channels), half.reshape(6, 6 * channels)
    rows = x.reshape(-1, width * channels)
    for g in range(first, last):
        n, i = g // tile_rows, 4 * (g % tile_rows)
        row = n * height + i
        for t in range(tiles):
            if i + 6 <= height and 4 * t + 6 <= width:
                e0, e1 = 4 * t * channels, (4 * t + 6) * channels
                input_columns(
                    rows[row, e0:e1],
                    rows[row + 1, e0:e1],
                    rows[row + 2, e0:e1],
                    rows[row + 3, e0:e1],
                    rows[row + 4, e0:e1],
                    rows[row + 5, e0:e1],
                    flat_half,
                )
            else:
                load_edge_tile(x, n, i, 4 * t, patch)
                f = flat_patch
                input_columns(f[0], f[1], f[2], f[3], f[4], f[5], flat_half)
            out = start + (g - first) * tiles + t
            for a in range(6):
                h0, h1, h2 = half[a, 0], half[a, 1], half[a, 2]
                h3, h4, h5 = half[a, 3], half[a, 4], half[a, 5]
                v0, v1, v2 = V[6 * a, out], V[6 * a + 1, out], V[6 * a + 2, out]
                v3, v4, v5 = V[6 * a + 3, out], V[6 * a + 4, out], V[6 * a + 5, out]
                for c in range(channels):
                    v0[c], v1[c], v2[c], v3[c], v4[c], v5[c] = input_1d(
                        h0[c], h1[c], h2[c], h3[c], h4[c], h5[c]
                    )


@jit
def scatter_outputs(M, bias, first, last, channel, y):
    """y = max(0, Aᵀ M A + bias) for these tiles and the channels from `channel` on."""
    width = M.shape[2]
    tile_rows, tiles = (y.shape[1] + 3) // 4, (y.shape[2] + 3) // 4
    half = np.empty((4, 6, width), np.float32)
    beyond = np.empty(width, np.float32)  # takes what hangs over the edge
    b = bias[channel : channel + width]
    for g in range(first, last):
        n, i = g // tile_rows, 4 * (g % tile_rows)
        for t in range(tiles):
            m = (g - first) * tiles + t
            for p in range(6):
                m0, m1, m2 = M[p, m], M[6 + p, m], M[12 + p, m]
                m3, m4, m5 = M[18 + p, m], M[24 + p, m], M[30 + p, m]
                h0, h1, h2, h3 = half[0, p], half[1, p], half[2, p], half[3, p]
                for k in range(width):
                    h0[k], h1[k], h2[k], h3[k] = output_1d(m0[k], m1[k], m2[k], m3[k], m4[k], m5[k])
            for a in range(min(4, y.shape[1] - i)):
                inside = y.shape[2] - 4 * t
                row, j = y[n, i + a], 4 * t
                y0 = row[j, channel : channel + width]
                y1 = row[j + 1, channel : channel + width] if inside > 1 else beyond
                y2 = row[j + 2, channel : channel + width] if inside > 2 else beyond
                y3 = row[j + 3, channel : channel + width] if inside > 3 else beyond
                h0, h1, h2 = half[a, 0], half[a, 1], half[a, 2]
                h3, h4, h5 = half[a, 3], half[a, 4], half[a, 5]
                for k in range(width):
                    o0, o1, o2, o3 = output_1d(h0[k], h1[k], h2[k], h3[k], h4[k], h5[k])
                    y0[k] = relu(o0 + b[k])
                    y1[k] = relu(o1 + b[k])
                    y2[k] = relu(o2 + b[k])
                    y3[k] = relu(o3 + b[k])


@jit
def relu(v):
    """max(0, v), written so that a NaN stays a NaN and is noticed."""
    return ZERO if v <= ZERO else v


# Backward ---------------------------------------------------------------------------------------
@jit
def gather_gradients(dy, y, first, last, start, dM, dbias):
    """dM[:, start:] = A g Aᵀ with g = dy where y > 0, and dbias[row] = the sum of g."""
    _, height, width, channels = dy.shape
    tile_rows, tiles = (height + 3) // 4, (width + 3) // 4
    patch = np.empty((4, 4, channels), np.float32)
    half = np.empty((6, 4, channels), np.float32)
    flat_patch, flat_half = patch.reshape(4, 4 * channels), half.reshape(6, 4 * channels)
    dy_rows, y_rows = dy.reshape(-1, width * channels), y.reshape(-1, width * channels)
    for g in range(first, last):
        n, i = g // tile_rows, 4 * (g % tile_rows)
        for t in range(tiles):
            e0 = 4 * t * channels
            e1 = min(e0 + 4 * channels, width * channels)
            if i + 4 > height or 4 * t + 4 > width:
                patch[:] = ZERO
            for a in range(min(4, height - i)):
                row = n * height + i + a
                keep_positive(dy_rows[row, e0:e1], y_rows[row, e0:e1], flat_patch[a])
            gradient_columns(flat_patch, flat_half)
            out = start + (g - first) * tiles + t
            for a in range(6):
                q0, q1, q2, q3 = half[a, 0], half[a, 1], half[a, 2], half[a, 3]
                v0, v1, v2 = dM[6 * a, out], dM[6 * a + 1, out], dM[6 * a + 2, out]
                v3, v4, v5 = dM[6 * a + 3, out], dM[6 * a + 4, out], dM[6 * a + 5, out]
                for k in range(channels):
                    v0[k], v1[k], v2[k], v3[k], v4[k], v5[k] = output_1d_adjoint(
                        q0[k], q1[k], q2[k], q3[k]
                    )
            add_pixels(patch, dbias[g])


@jit
def keep_positive(dy, y, out):
    """ReLU's backward: dy where the output y was positive, else 0."""
    for e in range(dy.shape[0]):
        out[e] = dy[e] if y[e] > ZERO else ZERO


@jit
def gradient_columns(patch, half):
    """`output_1d_adjoint` down the columns of a tile: half (6, 4·C) from patch (4, 4·C)."""
    g0, g1, g2, g3 = patch[0], patch[1], patch[2], patch[3]
    h0, h1, h2, h3, h4, h5 = half[0], half[1], half[2], half[3], half[4], half[5]
    for e in range(h0.shape[0]):
        h0[e], h1[e], h2[e], h3[e], h4[e], h5[e] = output_1d_adjoint(g0[e], g1[e], g2[e], g3[e])


@jit
def add_pixels(patch, total):
    """total += the sum over the pixels of a patch (4, 4, C)."""
    for a in range(4):
        p0, p1, p2, p3 = patch[a, 0], patch[a, 1], patch[a, 2], patch[a, 3]
        for k in range(total.shape[0]):
            total[k] += (p0[k] + p1[k]) + (p2[k] + p3[k])


@jit
def scatter_gradients(dV, first, last, channel, add_above, add_below, dx):
    """dx = B dV Bᵀ, added up where tiles overlap, for the channels from `channel` on.

    The first tile to reach a pixel writes it and later ones add, so dx need not be zeroed. The two
    rows that this block of tile rows shares with the block above (below) are added to where
    `add_above` (`add_below`) says that the neighbour has written them already.
    """
    width = dV.shape[2]
    tile_rows, tiles = (dx.shape[1] + 1) // 4, (dx.shape[2] + 1) // 4
    half = np.empty((6, 6, width), np.float32)
    patch = np.empty((6, 6, width), np.float32)
    for g in range(first, last):
        n, i = g // tile_rows, 4 * (g % tile_rows)
        above = i > 0 and (g > first or add_above)
        below = g == last - 1 and add_below and g % tile_rows < tile_rows - 1
        for t in range(tiles):
            m = (g - first) * tiles + t
            for p in range(6):
                v0, v1, v2 = dV[p, m], dV[6 + p, m], dV[12 + p, m]
                v3, v4, v5 = dV[18 + p, m], dV[24 + p, m], dV[30 + p, m]
                h0, h1, h2 = half[0, p], half[1, p], half[2, p]
                h3, h4, h5 = half[3, p], half[4, p], half[5, p]
                for c in range(width):
                    h0[c], h1[c], h2[c], h3[c], h4[c], h5[c] = input_1d_adjoint(
                        v0[c], v1[c], v2[c], v3[c], v4[c], v5[c]
                    )
            for a in range(min(6, dx.shape[1] - i)):
                h0, h1, h2 = half[a, 0], half[a, 1], half[a, 2]
                h3, h4, h5 = half[a, 3], half[a, 4], half[a, 5]
                d0, d1, d2 = patch[a, 0], patch[a, 1], patch[a, 2]
                d3, d4, d5 = patch[a, 3], patch[a, 4], patch[a, 5]
                for c in range(width):
                    d0[c], d1[c], d2[c], d3[c], d4[c], d5[c] = input_1d_adjoint(
                        h0[c], h1[c], h2[c], h3[c], h4[c], h5[c]
                    )
                add_row = (a < 2 and above) or (a >= 4 and below)
                for b in range(min(6, dx.shape[2] - 4 * t)):
                    pixel = dx[n, i + a, 4 * t + b, channel : channel + width]
                    value = patch[a, b]
                    if add_row or (b < 2 and t > 0):
                        for c in range(width):
                            pixel[c] += value[c]
                    else:
                        for c in range(width):
                            pixel[c] = value[c]
