"""3×3 convolution for an image of very few channels: the network's first layer.

Lesson: lessons/14-fast-on-a-cpu.md. With one input channel there are 9 products for each output and
nothing to save: the time goes into writing y once, so the plain sum is best. Arrays are channels
last, x (N, H, W, C) and y (N, Ho, Wo, K), and sixteen of the K output channels are made at a time.
"""

import numpy as np

from tinyunet.kernels import threads
from tinyunet.kernels.jit import jit
from tinyunet.kernels.vector import (
    LANES,
    keep_positive,
    load,
    multiply_add,
    relu,
    sixteens,
    store,
    zeros,
)
from tinyunet.kernels.workspace import empty


def conv3x3_relu(x, weight, bias):
    """y (N, Ho, Wo, K) = max(0, x ⋆ weight + bias) for x (N, H, W, C), all float32, C-ordered."""
    n, height, width, _ = x.shape
    out_channels = len(weight)
    y = empty((n, height - 2, width - 2, sixteens(out_channels)))
    taps = empty((3, 3, weight.shape[1], y.shape[3]))
    taps[..., :out_channels] = weight.transpose(2, 3, 1, 0)  # (3, 3, C, K)
    taps[..., out_channels:] = 0
    padded = np.zeros(y.shape[3], np.float32)
    padded[:out_channels] = bias

    def work(_, share):
        for first, last in share:
            _forward_rows(x, taps, padded, first, last, y)

    threads.run(work, threads.cut(n * (height - 2)))
    return np.ascontiguousarray(y[..., :out_channels])


def conv3x3_relu_filter_gradient(dy, x, weight, y):
    """(dweight, dbias) for dy (N, Ho, Wo, K), given conv3x3_relu's x, weight and y."""
    out_channels, channels = weight.shape[:2]
    dy, y = filled_up(dy), filled_up(y)
    lanes = threads.cut(dy.shape[0] * dy.shape[1])
    dtaps = np.zeros((len(lanes), 3, 3, channels, y.shape[3]))
    dbias = np.zeros((len(lanes), y.shape[3]))

    def work(lane, share):
        for first, last in share:
            _backward_rows(dy, x, y, first, last, dtaps[lane], dbias[lane])

    threads.run(work, lanes)
    dweight = dtaps.sum(axis=0)[..., :out_channels].transpose(3, 2, 0, 1)
    dbias = dbias.sum(axis=0)[:out_channels]
    return np.ascontiguousarray(dweight, np.float32), dbias.astype(np.float32)


def filled_up(image):
    """The image with zeros for the channels that its last vector lacks, or itself."""
    lacking = sixteens(image.shape[3]) - image.shape[3]
    return np.pad(image, ((0, 0),) * 3 + ((0, lacking),)) if lacking else image


@jit
def _forward_rows(x, taps, bias, first, last, y):
    """Rows first … last - 1 of y, counted through the batch. A row of a window is 3·C numbers."""
    _, height, width, out_channels = y.shape
    run, row_size = 3 * x.shape[3], x.shape[2] * x.shape[3]
    for row in range(first, last):
        top = (row // height * x.shape[1] + row % height) * row_size
        for j in range(width):
            for k in range(0, out_channels, LANES):
                total = load(bias, k)
                for a in range(3):
                    at, tap = top + a * row_size + j * x.shape[3], a * run * out_channels + k
                    for e in range(run):
                        total = multiply_add(x, at + e, load(taps, tap + e * out_channels), total)
                store(relu(total), y, (row * width + j) * out_channels + k)


@jit
def _backward_rows(dy, x, y, first, last, dtaps, dbias):
    """Add what rows first … last - 1 of dy contribute to dtaps and dbias, which are float64.

    The sums of a row, three taps at a time, stay in registers.
    """
    _, height, width, out_channels = y.shape
    run, row_size = 3 * x.shape[3], x.shape[2] * x.shape[3]
    sums = np.empty((4, LANES), np.float32)
    for row in range(first, last):
        top = (row // height * x.shape[1] + row % height) * row_size
        for k in range(0, out_channels, LANES):
            for tap in range(0, 3 * run, 3):
                at = top + tap // run * row_size + tap % run
                s0 = s1 = s2 = total = zeros()
                for j in range(width):
                    to = (row * width + j) * out_channels + k
                    g = keep_positive(load(dy, to), load(y, to))
                    s0 = multiply_add(x, at + j * x.shape[3], g, s0)
                    s1 = multiply_add(x, at + j * x.shape[3] + 1, g, s1)
                    s2 = multiply_add(x, at + j * x.shape[3] + 2, g, s2)
                    total = total + g
                store(s0, sums, 0 * LANES)
                store(s1, sums, 1 * LANES)
                store(s2, sums, 2 * LANES)
                store(total, sums, 3 * LANES)
                for e in range(3):
                    for c in range(LANES):
                        place = tap + e
                        a, b = place // run, place % run
                        dtaps[a, b // x.shape[3], b % x.shape[3], k + c] += sums[e, c]
                if tap == 0:
                    for c in range(LANES):
                        dbias[k + c] += sums[3, c]
