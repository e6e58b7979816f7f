"""3×3 convolution for an image of very few channels: the network's first layer.

Lesson: lessons/14-fast-on-a-cpu.md. With one input channel there are 9 products for each output and
nothing to save: the time goes into writing y once, so the plain sum is best. Arrays are channels
last, x (N, H, W, C) and y (N, Ho, Wo, K), and the innermost loops run over the K output channels.
"""

import numpy as np

from tinyunet.kernels import threads
from tinyunet.kernels.jit import jit
from tinyunet.kernels.workspace import empty

ZERO = np.float32(0)


def conv3x3_relu(x, weight, bias):
    """y (N, Ho, Wo, K) = max(0, x ⋆ weight + bias) for x (N, H, W, C), all float32, C-ordered."""
    n, height, width, _ = x.shape
    y = empty((n, height - 2, width - 2, len(weight)))
    taps = np.ascontiguousarray(weight.transpose(2, 1, 3, 0))  # (3, C, 3, K)

    def work(_, share):
        for first, last in share:
            _forward_rows(x, taps, bias, first, last, y)

    threads.run(work, threads.cut(n * (height - 2)))
    return y


def conv3x3_relu_filter_gradient(dy, x, weight, y):
    """(dweight, dbias) for dy (N, Ho, Wo, K), given conv3x3_relu's x, weight and y."""
    out_channels, channels = weight.shape[:2]
    lanes = threads.cut(dy.shape[0] * dy.shape[1])
    dtaps = np.zeros((len(lanes), 3, channels, 3, out_channels), np.float32)
    dbias = np.zeros((len(lanes), out_channels), np.float32)

    def work(lane, share):
        for first, last in share:
            _backward_rows(dy, x, y, first, last, dtaps[lane], dbias[lane])

    threads.run(work, lanes)
    return np.ascontiguousarray(dtaps.sum(axis=0).transpose(3, 1, 0, 2)), dbias.sum(axis=0)


@jit
def _forward_rows(x, taps, bias, first, last, y):
    """Rows first … last - 1 of y, counted through the batch."""
    _, height, width, out_channels = y.shape
    for row in range(first, last):
        n, i = row // height, row % height
        for j in range(width):
            out = y[n, i, j]
            for k in range(out_channels):
                out[k] = bias[k]
            for a in range(3):
                for c in range(x.shape[3]):
                    x0, x1, x2 = x[n, i + a, j, c], x[n, i + a, j + 1, c], x[n, i + a, j + 2, c]
                    w0, w1, w2 = taps[a, c, 0], taps[a, c, 1], taps[a, c, 2]
                    for k in range(out_channels):
                        out[k] += x0 * w0[k] + x1 * w1[k] + x2 * w2[k]
            for k in range(out_channels):
                out[k] = ZERO if out[k] <= ZERO else out[k]  # a NaN stays


@jit
def _backward_rows(dy, x, y, first, last, dtaps, dbias):
    """Add what rows first … last - 1 of dy contribute; `sums` hold one row, so they stay small."""
    _, height, width, out_channels = y.shape
    g = np.empty(out_channels, np.float32)
    sums = np.empty(dtaps.shape, np.float32)
    bias_sums = np.empty(out_channels, np.float32)
    for row in range(first, last):
        n, i = row // height, row % height
        sums[:] = ZERO
        bias_sums[:] = ZERO
        for j in range(width):
            upstream, output = dy[n, i, j], y[n, i, j]
            for k in range(out_channels):
                g[k] = upstream[k] if output[k] > ZERO else ZERO
                bias_sums[k] += g[k]
            for a in range(3):
                for c in range(x.shape[3]):
                    x0, x1, x2 = x[n, i + a, j, c], x[n, i + a, j + 1, c], x[n, i + a, j + 2, c]
                    s0, s1, s2 = sums[a, c, 0], sums[a, c, 1], sums[a, c, 2]
                    for k in range(out_channels):
                        s0[k] += x0 * g[k]
                        s1[k] += x1 * g[k]
                        s2[k] += x2 * g[k]
        dtaps += sums
        dbias += bias_sums
