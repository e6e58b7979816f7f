"""Pooling, crop-and-concatenate, softmax with loss, momentum: one pass over memory each.

Lesson: lessons/14-fast-on-a-cpu.md. These do next to no arithmetic; their time is the bytes they
move. NumPy's expressions walk through memory once for each operator, these loops once altogether.
Maps are channels last and C-ordered; rows are counted through the batch, row r of image r // H.
"""

import math
from itertools import accumulate

import numpy as np

from tinyunet.kernels import threads
from tinyunet.kernels.jit import jit
from tinyunet.kernels.vector import LANES, load, store, where_greater, zeros
from tinyunet.kernels.workspace import empty

ZERO = np.float32(0)
LITTLE = 2**20  # numbers: a second thread is not worth waking to move fewer
SOFTMAX = 32  # numbers could be moved in the time that the softmax of one takes


def max_pool2x2(x):
    """y (N, H/2, W/2, C): the largest of each 2×2 window of x (N, H, W, C)."""
    n, height, width, channels = x.shape
    y = empty((n, height // 2, width // 2, channels))
    _over_rows(
        _pool_rows,
        n * height // 2,
        x.size + y.size,
        x.reshape(-1, width, channels),
        y.reshape(-1, width // 2, channels),
    )
    return y


def max_pool2x2_backward(dy, x, dconcat=None):
    """dx (N, H, W, C): dy (N, H/2, W/2, C) at each window's first maximum of x, 0 elsewhere.

    The first C channels of dconcat (N, h, w, C + …) are added in the centre.
    """
    dx = empty(x.shape)
    if dconcat is None:
        dconcat = np.empty((len(x), 0, 0, x.shape[3]), np.float32)
    top, left = (x.shape[1] - dconcat.shape[1]) // 2, (x.shape[2] - dconcat.shape[2]) // 2
    moved = dy.size + 2 * x.size
    _over_rows(_pool_back_rows, dy.shape[0] * dy.shape[1], moved, dy, x, dconcat, top, left, dx)
    return dx


def crop_concat(skip, x):
    """y (N, h, w, C1 + C2): the centre of skip (N, H, W, C1), then x (N, h, w, C2)."""
    y = empty((*x.shape[:3], skip.shape[3] + x.shape[3]))
    crop_into(skip, 0, y)
    crop_into(x, skip.shape[3], y)
    return y


def crop_into(source, channel, y):
    """Copy the centre of source (N, H, W, C1) to y (N, h, w, C), from `channel` on."""
    n, height, width, _ = y.shape
    top, left = (source.shape[1] - height) // 2, (source.shape[2] - width) // 2
    moved = 2 * n * height * width * source.shape[3]
    _over_rows(_crop_rows, n * height, moved, source, top, left, channel, y)


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
        SOFTMAX * logits.size,
        logits.reshape(*shape, n_classes),
        labels.reshape(shape),
        weights.reshape(shape),
        scale,
        losses,
        dlogits.reshape(*shape, n_classes),
    )
    return losses.sum() / labels.size, dlogits


def momentum_update(params, grads, velocities, rate, momentum):
    """velocity ← momentum · velocity + grad; param ← param - rate · velocity, in place.

    Three lists of C-ordered arrays. They are shared out to the threads together, as if they were
    one long array: waking a thread takes longer than updating most of them.
    """
    flat = [
        [m.reshape(-1) for m in arrays] for arrays in zip(params, grads, velocities, strict=True)
    ]
    ends = list(accumulate(param.size for param in params))
    rate, momentum = np.float32(rate), np.float32(momentum)

    def walk(first, last):
        for arrays, end in zip(flat, ends, strict=True):
            start = end - arrays[0].size
            if first < end and start < last:
                _momentum(
                    max(first, start) - start, min(last, end) - start, *arrays, rate, momentum
                )

    _over_rows(walk, ends[-1], 5 * ends[-1])


def _over_rows(kernel, n_rows, moved, *arguments):
    """kernel(first, last, *arguments) for as many ranges of rows as threads are worth waking.

    `moved` is how many numbers all rows together read and write.
    """

    def work(_, share):
        for first, last in share:
            kernel(first, last, *arguments)

    threads.run(work, threads.cut(n_rows, at_least=LITTLE * n_rows // moved + 1))


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
def _pool_back_rows(first, last, dy, x, dconcat, top, left, dx):
    _, height, width, channels = x.shape
    _, inner_height, inner_width, both = dconcat.shape
    for row in range(first, last):
        _pool_back_row(dy, row, x, width, channels, dx)
        for below in range(2):  # each row of dx, while it is in the cache
            n, i = (2 * row + below) // height, (2 * row + below) % height - top
            if 0 <= i < inner_height:
                at = (n * inner_height + i) * inner_width * both
                to = ((2 * row + below) * width + left) * channels
                _add_pixels(dconcat, at, both, dx, to, channels, inner_width)


@jit
def _pool_back_row(dy, row, x, width, channels, dx):
    """The two rows of dx that belong to a row of dy, counted through the batch."""
    gs, xs, dxs, whole = dy.reshape(-1), x.reshape(-1), dx.reshape(-1), channels // LANES * LANES
    for j in range(width // 2):
        up = (row * (width // 2) + j) * channels
        a = (2 * row * width + 2 * j) * channels  # the window's four pixels, in reading order
        b, c, d = a + channels, a + width * channels, a + width * channels + channels
        for k in range(0, whole, LANES):
            da, db, dc, dd = _window_gradient(
                load(x, a + k),
                load(x, b + k),
                load(x, c + k),
                load(x, d + k),
                load(dy, up + k),
                zeros(),
            )
            store(da, dx, a + k)
            store(db, dx, b + k)
            store(dc, dx, c + k)
            store(dd, dx, d + k)
        for k in range(whole, channels):
            dxs[a + k], dxs[b + k], dxs[c + k], dxs[d + k] = _window_gradient(
                xs[a + k], xs[b + k], xs[c + k], xs[d + k], gs[up + k], ZERO
            )


@jit
def _window_gradient(a, b, c, d, g, zero):
    """g for the first largest of a, b, c, d, zero for the others: of vectors or of numbers."""
    upper, lower = where_greater(b, a, b, a), where_greater(d, c, d, c)
    above, below = where_greater(lower, upper, zero, g), where_greater(lower, upper, g, zero)
    return (
        where_greater(b, a, zero, above),
        where_greater(b, a, above, zero),
        where_greater(d, c, zero, below),
        where_greater(d, c, below, zero),
    )


@jit
def _add_pixels(source, at, step, target, to, channels, pixels):
    """Add the first `channels` numbers of so many pixels, `step` apart, to pixels of as many."""
    numbers, sums, whole = source.reshape(-1), target.reshape(-1), channels // LANES * LANES
    for j in range(pixels):
        for c in range(0, whole, LANES):
            place = to + j * channels + c
            store(load(target, place) + load(source, at + j * step + c), target, place)
        for c in range(whole, channels):
            sums[to + j * channels + c] += numbers[at + j * step + c]


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
def _crop_rows(first, last, source, top, left, channel, y):
    _, height, width, both = y.shape
    _, source_height, source_width, channels = source.shape
    for row in range(first, last):
        n, i = row // height, row % height
        at = ((n * source_height + top + i) * source_width + left) * channels
        to = row * width * both + channel
        _copy_pixels(source, at, channels, y, to, both, width, channels)


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
def _momentum(first, last, param, grad, velocity, rate, momentum):
    for e in range(first, last):
        velocity[e] = momentum * velocity[e] + grad[e]
        param[e] -= rate * velocity[e]
