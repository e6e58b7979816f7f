"""Pooling, crop-and-concatenate, softmax with loss, momentum: one pass over memory each.

Lesson: lessons/14-fast-on-a-cpu.md. These do next to no arithmetic; their time is the bytes they
move. NumPy's expressions walk through memory once for each operator, these loops once altogether.
Maps are channels last and C-ordered; rows are counted through the batch, row r of image r // H.
"""

import math

import numpy as np

from tinyunet.kernels import threads
from tinyunet.kernels.jit import jit
from tinyunet.kernels.vector import LANES, load, store
from tinyunet.kernels.workspace import empty

ZERO = np.float32(0)
LITTLE = 2**15  # numbers: a second thread is not worth waking for fewer


def max_pool2x2(x):
    """y (N, H/2, W/2, C): the largest of each 2×2 window of x (N, H, W, C)."""
    n, height, width, channels = x.shape
    y = empty((n, height // 2, width // 2, channels))
    _over_rows(
        _pool_rows,
        n * height // 2,
        x.reshape(-1, width, channels),
        y.reshape(-1, width // 2, channels),
    )
    return y


def max_pool2x2_backward(dy, x, onto):
    """Add dy (N, H/2, W/2, C) to `onto` (N, H, W, C) at each window's first maximum of x."""
    flat = (m.reshape(-1, *m.shape[2:]) for m in (dy, x, onto))
    _over_rows(_pool_back_rows, dy.shape[0] * dy.shape[1], *flat)
    return onto


def crop_concat(skip, x):
    """y (N, h, w, C1 + C2): the centre of skip (N, H, W, C1), then x (N, h, w, C2)."""
    n, height, width, channels = x.shape
    y = empty((n, height, width, skip.shape[3] + channels))
    top, left = (skip.shape[1] - height) // 2, (skip.shape[2] - width) // 2
    _over_rows(_concat_rows, n * height, skip, x, top, left, y)
    return y


def crop_back(dy, skip_shape):
    """dskip (N, H, W, C1): the first C1 channels of dy (N, h, w, C) in the centre, else 0."""
    dskip = empty(skip_shape)
    top, left = (skip_shape[1] - dy.shape[1]) // 2, (skip_shape[2] - dy.shape[2]) // 2
    _over_rows(_crop_back_rows, skip_shape[0] * skip_shape[1], dy, top, left, dskip)
    return dskip


def softmax_cross_entropy(logits, labels, weights):
    """(loss, dlogits) for logits (N, H, W, K), labels (N, H, W), weights (N, H, W).

    The loss is the mean over the pixels of -w · log p at the label, dlogits its gradient.
    """
    n_classes = logits.shape[3]
    dlogits = empty(logits.shape)
    n_rows = logits.shape[0] * logits.shape[1]
    losses = np.zeros(n_rows)
    scale = np.float32(1 / labels.size)
    shape = (n_rows, logits.shape[2])
    _over_rows(
        _softmax_rows,
        n_rows,
        logits.reshape(*shape, n_classes),
        labels.reshape(shape),
        weights.reshape(shape),
        scale,
        losses,
        dlogits.reshape(*shape, n_classes),
    )
    return losses.sum() / labels.size, dlogits


def sgd_momentum_(param, grad, velocity, rate, momentum):
    """velocity ← momentum · velocity + grad; param ← param - rate · velocity, in place."""
    flat = (m.reshape(-1) for m in (param, grad, velocity))
    _over_rows(
        _momentum_rows, param.size, *flat, np.float32(rate), np.float32(momentum), row_size=1
    )


def _over_rows(kernel, n_rows, *arguments, row_size=LITTLE):
    """kernel(first, last, *arguments) for as many ranges of rows as there are threads.

    Less than LITTLE numbers, with `row_size` of them in a row, are not shared out.
    """

    def work(_, share):
        for first, last in share:
            kernel(first, last, *arguments)

    threads.run(work, threads.cut(n_rows, at_least=LITTLE // row_size))


@jit
def _larger(a, b):
    """max(a, b), and NaN if either is."""
    return b if (b > a or b != b) else a


@jit
def _pool_rows(first, last, x, y):
    for i in range(first, last):
        for j in range(y.shape[1]):
            a, b = x[2 * i, 2 * j], x[2 * i, 2 * j + 1]
            c, d = x[2 * i + 1, 2 * j], x[2 * i + 1, 2 * j + 1]
            out = y[i, j]
            for k in range(out.shape[0]):
                out[k] = _larger(_larger(a[k], b[k]), _larger(c[k], d[k]))


@jit
def _pool_back_rows(first, last, dy, x, dx):
    for i in range(first, last):
        for j in range(dy.shape[1]):
            a, b = x[2 * i, 2 * j], x[2 * i, 2 * j + 1]
            c, d = x[2 * i + 1, 2 * j], x[2 * i + 1, 2 * j + 1]
            da, db = dx[2 * i, 2 * j], dx[2 * i, 2 * j + 1]
            dc, dd = dx[2 * i + 1, 2 * j], dx[2 * i + 1, 2 * j + 1]
            upstream = dy[i, j]
            for k in range(upstream.shape[0]):
                upper, lower = max(a[k], b[k]), max(c[k], d[k])
                above, g = upper >= lower, upstream[k]
                left, left_below = a[k] >= b[k], c[k] >= d[k]
                da[k] += g if above and left else ZERO
                db[k] += g if above and not left else ZERO
                dc[k] += g if not above and left_below else ZERO
                dd[k] += g if not above and not left_below else ZERO


@jit
def _copy_pixels(source, at, step, target, to, to_step, pixels, channels):
    """Copy `channels` numbers from at, at + step … to to, to + to_step …, for so many pixels."""
    numbers, copy, whole = source.reshape(-1), target.reshape(-1), channels // LANES * LANES
    for j in range(pixels):
        for c in range(0, whole, LANES):
            store(load(source, at + j * step + c), target, to + j * to_step + c)
        for c in range(whole, channels):
            copy[to + j * to_step + c] = numbers[at + j * step + c]


@jit
def _concat_rows(first, last, skip, x, top, left, y):
    _, height, width, channels = x.shape
    _, skip_height, skip_width, skip_channels = skip.shape
    both = skip_channels + channels
    for row in range(first, last):
        n, i, to = row // height, row % height, row * width * both
        at = ((n * skip_height + top + i) * skip_width + left) * skip_channels
        _copy_pixels(skip, at, skip_channels, y, to, both, width, skip_channels)
        _copy_pixels(
            x, row * width * channels, channels, y, to + skip_channels, both, width, channels
        )


@jit
def _crop_back_rows(first, last, dy, top, left, dskip):
    _, height, width, channels = dskip.shape
    _, inner_height, inner_width, both = dy.shape
    numbers = dskip.reshape(-1)
    for row in range(first, last):
        n, i, to = row // height, row % height - top, row * width * channels
        begin, end = to + left * channels, to + (left + inner_width) * channels
        if not 0 <= i < inner_height:
            begin = end
        numbers[to:begin] = ZERO
        numbers[end : to + width * channels] = ZERO
        if begin < end:
            at = (n * inner_height + i) * inner_width * both
            _copy_pixels(dy, at, both, dskip, begin, channels, inner_width, channels)


@jit
def _softmax_rows(first, last, logits, labels, weights, scale, losses, dlogits):
    n_classes = logits.shape[2]
    for row in range(first, last):
        loss = 0.0
        for j in range(logits.shape[1]):
            z, d, label = logits[row, j], dlogits[row, j], labels[row, j]
            largest = z[0]
            for k in range(1, n_classes):
                largest = max(largest, z[k])
            total = ZERO
            for k in range(n_classes):
                d[k] = math.exp(z[k] - largest)
                total += d[k]
            loss += weights[row, j] * (math.log(total) - (z[label] - largest))
            share = weights[row, j] * scale
            for k in range(n_classes):
                d[k] = share * (d[k] / total)
            d[label] -= share
        losses[row] = loss


@jit
def _momentum_rows(first, last, param, grad, velocity, rate, momentum):
    for e in range(first, last):
        velocity[e] = momentum * velocity[e] + grad[e]
        param[e] -= rate * velocity[e]
