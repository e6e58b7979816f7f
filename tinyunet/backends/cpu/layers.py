"""Pooling, crop-and-concatenate, softmax with loss, momentum: one pass over memory each.

Lesson: lessons/14-fast-on-a-cpu.md. These do next to no arithmetic; their time is the bytes they
move. NumPy's expressions walk through memory once for each operator, these loops once altogether.
Maps are channels last and C-ordered; rows are counted through the batch, row r of image r // H.
"""

import math
from itertools import accumulate

import numpy as np

from tinyunet._numba import jit
from tinyunet._workspace import empty
from tinyunet.backends.cpu import threads
from tinyunet.backends.cpu.tracing import cases, kernel, span, when, where
from tinyunet.backends.cpu.vector import VECTOR, larger, later_wins, load, store

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
        x,
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
    dlogits = empty(logits.shape)
    n_rows = logits.shape[0] * logits.shape[1]
    losses, scale = np.zeros(n_rows), np.float32(1 / labels.size)
    flat = [array.reshape(-1) for array in (logits, labels, weights)]
    _over_rows(
        _softmax_rows, n_rows, SOFTMAX * logits.size, *flat, scale, losses, dlogits.reshape(-1)
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


# nn.max_pool2d.
@kernel
def _pool_rows(first, last, x, y):
    _, width, channels = y.shape
    for row in span(first, last):
        for j in span(width):
            for k in span(0, channels, VECTOR):
                at, to = (4 * row * width + 2 * j) * channels + k, (row * width + j) * channels + k
                places = [at + (2 * i * width + j) * channels for i in (0, 1) for j in (0, 1)]
                for small in cases(channels - k < VECTOR):
                    n = channels - k if small else None
                    a, b, c, d = (load(x, place, n) for place in places)
                    store(larger(larger(a, b), larger(c, d)), y, to, n)


# nn.max_pool2d_backward and, with dconcat, nn.max_pool2d_skip_backward.
@kernel
def _pool_back_rows(first, last, dy, x, dconcat, top, left, dx):
    _, height, width, channels = x.shape
    _, inner_height, inner_width, both = dconcat.shape
    for row in span(first, last):
        for j in span(width // 2):
            for k in span(0, channels, VECTOR):
                up, at = (
                    (row * (width // 2) + j) * channels + k,
                    (row * width + j) * 2 * channels + k,
                )
                places = [at + (i * width + j) * channels for i in (0, 1) for j in (0, 1)]
                for small in cases(channels - k < VECTOR):
                    n = channels - k if small else None
                    pixels = [load(x, place, n) for place in places]
                    gradients = _window_gradient(*pixels, load(dy, up, n))
                    for gradient, place in zip(gradients, places, strict=True):
                        store(gradient, dx, place, n)
        for below in span(2):  # each row of dx, while it is in the cache
            whole_row = 2 * row + below
            n, i = whole_row // height, whole_row % height - top
            with when((i >= 0) & (i < inner_height)):
                at = (n * inner_height + i) * inner_width * both
                to = (whole_row * width + left) * channels
                for pixel in span(inner_width):
                    place = at + pixel * both, to + pixel * channels
                    _copy_channels(dconcat, dx, *place, channels, add=True)


def _window_gradient(a, b, c, d, g):
    """g for the maximum of a window, the first of equal ones, and 0 for the other three.

    A NaN is a maximum, and the last one counts, as in PyTorch.
    """
    right, below_right = later_wins(a, b), later_wins(c, d)
    below = later_wins(where(right, b, a), where(below_right, d, c))
    upper, lower = where(below, 0, g), where(below, g, 0)
    return (
        where(right, 0, upper),
        where(right, upper, 0),
        where(below_right, 0, lower),
        where(below_right, lower, 0),
    )


def _copy_channels(source, target, at, to, channels, add=False):
    """Copy or add the channels of a pixel."""

    def put(k, n=None):
        value = load(source, at + k, n)
        store(load(target, to + k, n) + value if add else value, target, to + k, n)

    whole = channels // VECTOR * VECTOR
    for k in span(0, whole, VECTOR):
        put(k)
    with when(whole < channels):
        put(whole, channels - whole)


# nn.center_crop_concat, and the skip of nn.up_conv2d_concat.
@kernel
def _crop_rows(first, last, source, top, left, channel, y):
    _, height, width, both = y.shape
    _, source_height, source_width, channels = source.shape
    for row in span(first, last):
        from_row = row // height * source_height + top + row % height
        for j in span(width):
            at = (from_row * source_width + left + j) * channels
            _copy_channels(source, y, at, (row * width + j) * both + channel, channels)


# nn.softmax_cross_entropy, forward and backward at once.
@jit(error_model="numpy")
def _softmax_rows(first, last, logits, labels, weights, scale, losses, dlogits):
    """logits and dlogits (pixels · K), labels and weights (pixels), losses (rows)."""
    n_classes, width = logits.shape[0] // labels.shape[0], labels.shape[0] // losses.shape[0]
    for row in range(first, last):
        loss = 0.0
        for pixel in range(row * width, (row + 1) * width):
            begin, label = pixel * n_classes, labels[pixel]
            end, largest = begin + n_classes, logits[begin]
            for k in range(begin + 1, end):
                if logits[k] > largest or logits[k] != logits[k]:
                    largest = logits[k]
            total = ZERO
            for k in range(begin, end):
                dlogits[k] = math.exp(logits[k] - largest)
                total += dlogits[k]
            loss += weights[pixel] * (math.log(total) - (logits[begin + label] - largest))
            share = weights[pixel] * scale
            for k in range(begin, end):
                dlogits[k] = share * (dlogits[k] / total)
            dlogits[begin + label] -= share
        losses[row] = loss


# nn.momentum_update.
@jit
def _momentum(first, last, param, grad, velocity, rate, momentum):
    for e in range(first, last):
        velocity[e] = momentum * velocity[e] + grad[e]
        param[e] -= rate * velocity[e]
