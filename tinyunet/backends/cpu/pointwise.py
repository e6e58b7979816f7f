"""1×1 convolution and 2×2 up-convolution: matrix products over the pixels, channels last.

Lesson: lessons/14-fast-on-a-cpu.md. In an up-convolution (section 2 of the paper) each pixel x of C
channels makes a patch y of 2×2 pixels of K channels. In a 1×1 convolution the patch is one pixel.
With the pixels and the patches as rows of two matrices, X with C columns and Y with 4·K (or K),

    Y = X · W + bias     dX = dY · Wᵀ     dW = Xᵀ · dY     dbias = the sum of dY's rows.

Forward, pixels side by side are rows of X as they stand, and the products are stored where they
belong: y may be some channels of a wider map, half of a concatenation. Backward, dy may be as well,
and some patches at a time are copied to rows of dY, side by side; where that stops being cheap is
said in `pointwise_products.py`, which has the kernels. Here the weight, (C, K, a, b), is put in the
order in which the products read it, and the work is shared out to the threads.
"""

import numpy as np

from tinyunet._workspace import empty
from tinyunet.backends.cpu import threads
from tinyunet.backends.cpu.pointwise_products import backward_pixels, forward_rows
from tinyunet.backends.cpu.tracing import round_up
from tinyunet.backends.cpu.vector import VECTOR

# Patches copied at a time for the backward pass. The sums of dW are read and written once for each
# time, and all of it should stay in the cache: 48 and 192 are no better.
AT_A_TIME = 96
# From so many input channels on each thread makes some rows of dW for all pixels, and copies all of
# dY for that. With fewer it makes all of a dW for some of the pixels, and these are added.
MANY_CHANNELS = 128


def conv1x1(x, weight, bias):
    """y (N, H, W, K) for x (N, H, W, C), weight (K, C, 1, 1)."""
    return up_conv(x, weight.transpose(1, 0, 2, 3), bias)


def conv1x1_backward(dy, x, weight):
    """(dx, dweight, dbias) for dy (N, H, W, K)."""
    dx, dweight, dbias = up_conv_backward(dy, x, weight.transpose(1, 0, 2, 3))
    return dx, np.ascontiguousarray(dweight.transpose(1, 0, 2, 3)), dbias


def up_conv(x, weight, bias):
    """y (N, s·h, s·w, K) for x (N, h, w, C), weight (C, K, s, s)."""
    n, height, width, _ = x.shape
    _, out_channels, side, _ = weight.shape
    y = empty((n, side * height, side * width, out_channels))
    up_conv_into(y.reshape(-1), out_channels, x, weight, bias)
    return y


def up_conv_into(y, step, x, weight, bias):
    """Write the up-convolution to a flat array y, its pixels `step` numbers apart."""
    n, height, width, channels = x.shape
    _, out_channels, side, _ = weight.shape
    filled = _filled_up(weight)[:channels]  # (C, K', a, b)
    W = empty((side, side, filled.shape[1] // VECTOR, channels, VECTOR))
    W[...] = filled.reshape(channels, -1, VECTOR, side, side).transpose(3, 4, 1, 0, 2)
    padded = np.zeros(filled.shape[1], np.float32)
    padded[:out_channels] = bias

    def work(_, share):
        for first, last in share:
            forward_rows(x, W, padded, first, last, y, out_channels, step, side)

    threads.run(work, threads.cut(n * height, at_least=threads.LITTLE // (width * weight.size)))


def up_conv_backward(dy, x, weight):
    """(dx, dweight, dbias) for dy (N, s·h, s·w, K), which may be a slice of a wider map."""
    channels, out_channels, side, _ = weight.shape
    dy, step = _numbers(dy)
    filled = _filled_up(weight)  # (C', K', a, b)
    rows, columns = len(filled), side * side * filled.shape[1]
    # in a 1×1 convolution to a few classes, nearly all of a filled up column would be zeros
    used = filled[:, :out_channels] if side == 1 else filled
    W = empty((rows // VECTOR, side * side * used.shape[1], VECTOR))
    panels = W.reshape(rows // VECTOR, side, side, -1, VECTOR)
    panels[...] = used.reshape(rows // VECTOR, VECTOR, -1, side, side).transpose(0, 3, 4, 2, 1)
    n_pieces, shares = _shares(x.size // channels, rows, weight.size)
    dW, dbias = empty((n_pieces, rows, columns)), np.zeros((n_pieces, columns), np.float32)
    dY = empty((len(shares), AT_A_TIME, _odd_lines(columns)))
    copied = channels % VECTOR or channels >= MANY_CHANNELS
    X = empty((len(shares), AT_A_TIME if copied else 0, _odd_lines(rows)))
    dx = empty(x.shape)

    def work(thread, share):
        for part in share:
            buffers = dY[thread], X[thread], dW, dbias
            backward_pixels(dy, out_channels, step, side, x, W, *part, *buffers, dx)

    threads.run(work, shares)
    dweight = dW.sum(axis=0) if n_pieces > 1 else dW[0]
    dweight = dweight.reshape(rows, side, side, -1)[:channels, ..., :out_channels]
    dbias = dbias.sum(axis=0, dtype=np.float64).reshape(side * side, -1).sum(axis=0)
    dbias = dbias[:out_channels].astype(np.float32)
    return dx, np.ascontiguousarray(dweight.transpose(0, 3, 1, 2)), dbias


def _shares(n_pixels, rows, pairs):
    """How many pieces of the pixels have a dW of their own, and a share for each thread.

    A share is (first piece, last piece, first row of dW, last row). The pieces do not depend on the
    number of threads, so that the sums are the same with any.
    """
    work = 2 * n_pixels * pairs
    if rows >= MANY_CHANNELS:
        parts = threads.cut(rows // VECTOR, at_least=threads.LITTLE * rows // (VECTOR * work))
        return 1, [(0, 1, VECTOR * first, VECTOR * last) for first, last in parts]
    pieces = threads.pieces(n_pixels, work // threads.LITTLE)
    return pieces, [(*part, 0, rows) for part in threads.cut(pieces)]


def _filled_up(weight):
    """weight (C, K, s, s) with both channels filled up to whole vectors."""
    channels, out_channels, side, _ = weight.shape
    if channels % VECTOR == out_channels % VECTOR == 0:
        return weight
    shape = round_up(channels, VECTOR), round_up(out_channels, VECTOR), side, side
    filled = np.zeros(shape, np.float32)
    filled[:channels, :out_channels] = weight
    return filled


def _odd_lines(size):
    """`size`, a multiple of 16, or 16 more: rows as far apart as an odd number of cache lines.

    Then no two of 64 such rows compete for the same place in the nearest cache.
    """
    return size + VECTOR * (1 - size // VECTOR % 2)


def _numbers(y):
    """The numbers of y (N, H, W, K) as they lie in memory, and how many from pixel to pixel.

    A slice of the channels of a wider map is not copied: the other channels lie between its pixels.
    """
    _, height, width, channels = y.shape
    step = y.strides[2] // y.itemsize
    pixel = step * y.itemsize
    if y.strides != (height * width * pixel, width * pixel, pixel, y.itemsize) or step < channels:
        y, step = np.ascontiguousarray(y), channels
    size = (y.size // channels - 1) * step + channels
    return np.lib.stride_tricks.as_strided(y, (size,), (y.itemsize,)), step
