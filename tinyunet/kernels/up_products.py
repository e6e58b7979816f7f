"""The matrix products of the up-convolution, in blocks that stay in registers.

Lesson: lessons/14-fast-on-a-cpu.md. In an up-convolution (section 2 of the paper) each pixel x of C
channels paints a patch y of 2×2 pixels of K channels. With the pixels and the patches as rows of
two matrices, X with C columns and Y with 4·K,

    Y = X · W + bias     dX = dY · Wᵀ     dW = Xᵀ · dY     dbias = the sum of dY's rows.

The columns of Y are the pixels of a patch in reading order and their channels, filled up to whole
vectors. W and Wᵀ come in panels of sixteen columns (panels, rows, 16), as the blocks read them.
x and dx are (N, h, w, C). y and dy are flat, with a layout (channels, numbers from pixel to pixel,
side of a patch): they may be some channels of a wider map, half of a concatenation. X is such a map
as well, with patches of one pixel.
"""

import numpy as np

from tinyunet.kernels.jit import jit
from tinyunet.kernels.vector import LANES, NONE, load, multiply_add, store, zeros

BLOCK, ONE = np.intp(6), np.intp(1)  # rows in a block


@jit
def forward_rows(x, W, bias, first, last, y, layout):
    """The patches of rows first … last - 1 of x, counted through the batch.

    Pixels side by side are rows of X as they stand, and the products are stored where they belong.
    """
    _, _, width, channels = x.shape
    out_channels, step, side = layout
    pixels, panels = x.reshape(-1), W.shape[0] // (side * side)
    edge = np.empty(BLOCK * LANES, np.float32)
    for row in range(first, last):
        at = row * width * channels
        for tap in range(side * side):
            to, block = place(row * width, tap, side, width) * step, (tap * panels, out_channels)
            multiply(pixels, at, channels, width, W, block, bias, y, to, side * step, edge)


@jit
def backward_pixels(dy, layout, x, W, first, last, dY, X, dW, dbias, dx):
    """dx of pixels first … last - 1, counted through the batch, and what they add to dW and dbias.

    dY and X are scratch memory, (pixels at a time, numbers from row to row). Without it the rows of
    a patch would be read from afar for every block, and with many channels they are 4 or 8 KB
    apart: memory at such distances competes for the same places in the cache.
    """
    _, _, width, channels = x.shape
    pixels, gradients, out = x.reshape(-1), dY.reshape(-1), dx.reshape(-1)
    nothing = np.zeros(W.shape[0] * LANES, np.float32)
    edge = np.empty(BLOCK * LANES, np.float32)
    for start in range(first, last, X.shape[0]):
        n, to = min(X.shape[0], last - start), start * channels
        gather(dy, layout, width, start, n, dY)
        gather(pixels, (channels, channels, ONE), width, start, n, X)
        add_sums(dY, n, dbias)
        add_transposed(X, dY, n, dW)
        block = (NONE, channels)
        multiply(gradients, NONE, dY.shape[1], n, W, block, nothing, out, to, channels, edge)


@jit
def place(pixel, tap, side, width):
    """Which pixel of y, counted through the batch, is number `tap` of the patch of `pixel`."""
    row, column = pixel // width * side + tap // side, pixel % width * side + tap % side
    return row * width * side + column


@jit
def gather(y, layout, width, first, n, Y):
    """Copy n patches, from that of pixel `first` on, to the rows of Y: what fills up is left."""
    channels, step, side = layout
    filled, room = (channels + LANES - 1) // LANES * LANES, Y.shape[1]
    numbers = Y.reshape(-1)
    pixel, last = first, first + n
    while pixel < last:
        run = min(last - pixel, width - pixel % width)  # pixels side by side
        for tap in range(side * side):
            at, to = place(pixel, tap, side, width) * step, (pixel - first) * room + tap * filled
            for k in range(0, channels, LANES):
                if channels - k >= LANES:
                    for p in range(run):
                        store(load(y, at + p * side * step + k), Y, to + p * room + k)
                else:
                    for p in range(run):
                        for e in range(k, channels):
                            numbers[to + p * room + e] = y[at + p * side * step + e]
        pixel += run


@jit
def multiply(X, x, x_step, n, W, block, bias, Y, y, y_step, edge):
    """n rows of Y, from `y` on, = those of X, from `x` on, times panels of W, plus bias.

    `block`: the first of the panels, and how many columns Y has. Six rows and sixteen columns at a
    time; the last six rows end with the last, so some may be computed twice. Where there are fewer
    than six, each is computed six times.
    """
    panel, columns = block
    rows, at_a_time, x_next, y_next = W.shape[1], BLOCK, x_step, y_step
    if n < BLOCK:
        at_a_time, x_next, y_next = ONE, NONE, NONE
    for k in range(0, columns, LANES):
        begin, w = load(bias, panel * LANES + k), (panel * LANES + k) * rows
        for p in range(0, n, at_a_time):
            p = min(p, n - at_a_time)
            y0 = y1 = y2 = y3 = y4 = y5 = begin
            at = x + p * x_step
            for c in range(rows):
                row = load(W, w + c * LANES)
                y0 = multiply_add(X, at + c, row, y0)
                y1 = multiply_add(X, at + x_next + c, row, y1)
                y2 = multiply_add(X, at + 2 * x_next + c, row, y2)
                y3 = multiply_add(X, at + 3 * x_next + c, row, y3)
                y4 = multiply_add(X, at + 4 * x_next + c, row, y4)
                y5 = multiply_add(X, at + 5 * x_next + c, row, y5)
            to = y + p * y_step + k
            if columns - k >= LANES:
                store_six(y0, y1, y2, y3, y4, y5, Y, to, y_next)
            else:
                store_six(y0, y1, y2, y3, y4, y5, edge, NONE, LANES)
                for e in range(at_a_time * LANES):
                    if e % LANES < columns - k:
                        Y[to + e // LANES * y_next + e % LANES] = edge[e]


@jit
def store_six(y0, y1, y2, y3, y4, y5, Y, y, step):
    """Store six vectors at `y`, `y + step` …"""
    store(y0, Y, y)
    store(y1, Y, y + step)
    store(y2, Y, y + 2 * step)
    store(y3, Y, y + 3 * step)
    store(y4, Y, y + 4 * step)
    store(y5, Y, y + 5 * step)


@jit
def add_transposed(X, dY, n, dW):
    """dW += Xᵀ · dY over the first n rows, eight rows by sixteen columns at a time.

    Those n are summed apart: one sum over all pixels would add small numbers to large ones.
    """
    x_step, y_step, step = X.shape[1], dY.shape[1], dW.shape[1]
    for c in range(0, dW.shape[0], 8):
        for k in range(0, step, LANES):
            w0 = w1 = w2 = w3 = w4 = w5 = w6 = w7 = zeros()
            for p in range(n):
                row, at = load(dY, p * y_step + k), p * x_step + c
                w0 = multiply_add(X, at, row, w0)
                w1 = multiply_add(X, at + 1, row, w1)
                w2 = multiply_add(X, at + 2, row, w2)
                w3 = multiply_add(X, at + 3, row, w3)
                w4 = multiply_add(X, at + 4, row, w4)
                w5 = multiply_add(X, at + 5, row, w5)
                w6 = multiply_add(X, at + 6, row, w6)
                w7 = multiply_add(X, at + 7, row, w7)
            to = c * step + k
            add(w0, dW, to)
            add(w1, dW, to + step)
            add(w2, dW, to + 2 * step)
            add(w3, dW, to + 3 * step)
            add(w4, dW, to + 4 * step)
            add(w5, dW, to + 5 * step)
            add(w6, dW, to + 6 * step)
            add(w7, dW, to + 7 * step)


@jit
def add_sums(dY, n, dbias):
    """Add the sum of the first n rows to dbias."""
    step = dY.shape[1]
    for k in range(0, dbias.shape[0], LANES):
        even = odd = zeros()  # two sums: one would wait for each addition to come through
        for p in range(0, n - 1, 2):
            even = even + load(dY, p * step + k)
            odd = odd + load(dY, (p + 1) * step + k)
        if n % 2:
            even = even + load(dY, (n - 1) * step + k)
        add(even + odd, dbias, k)


@jit
def add(value, target, at):
    """Add sixteen numbers to those at `at`."""
    store(load(target, at) + value, target, at)
