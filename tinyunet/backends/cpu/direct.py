"""3×3 convolution for an image of very few channels: the network's first layer.

Lesson: lessons/14-fast-on-a-cpu.md. With one input channel there are 9 products for each output and
nothing to save: the time goes into writing y once, so the plain sum is best. Arrays are channels
last, x (N, H, W, C) and y (N, Ho, Wo, K), and sixteen of the K output channels are made at a time.
"""

import numpy as np

from tinyunet._workspace import empty
from tinyunet.backends.cpu import threads
from tinyunet.backends.cpu.products import ROWS, add_products, put_rows
from tinyunet.backends.cpu.tracing import kernel, least, round_up, span, when, where
from tinyunet.backends.cpu.vector import (
    VECTOR,
    Sums,
    add_to,
    load,
    number,
    relu,
    relu_gradient,
    zeros,
)

PIECES = 24  # of the rows, for the sums of the backward pass


def conv3x3_relu(x, weight, bias):
    """y (N, Ho, Wo, K) = max(0, x ⋆ weight + bias) for x (N, H, W, C), all float32, C-ordered."""
    n, height, width, channels = x.shape
    out_channels, filled = len(weight), round_up(len(weight), VECTOR)
    y = empty((n, height - 2, width - 2, out_channels))
    taps, padded = np.zeros((3, 3, channels, filled), np.float32), np.zeros(filled, np.float32)
    taps[..., :out_channels] = weight.transpose(2, 3, 1, 0)
    padded[:out_channels] = bias

    def work(_, share):
        for first, last in share:
            _forward_rows(x, taps, padded, first, last, y)

    threads.run(work, threads.cut(n * (height - 2)))
    return y


def conv3x3_relu_filter_gradient(dy, x, weight, y):
    """(dweight, dbias) for dy (N, Ho, Wo, K), given conv3x3_relu's x, weight and y."""
    out_channels, channels = weight.shape[:2]
    dy, y = filled_up(dy), filled_up(y)
    n_pieces = min(PIECES, dy.shape[0] * dy.shape[1])
    dtaps = np.zeros((n_pieces, 9 * channels + 1, y.shape[3]), np.float32)

    def work(_, share):
        for first, last in share:
            _backward_rows(dy, x, y, first, last, dtaps)

    threads.run(work, threads.cut(n_pieces))
    sums = dtaps.sum(axis=0, dtype=np.float64)[:, :out_channels].astype(np.float32)
    dweight = sums[:-1].reshape(3, 3, channels, out_channels).transpose(3, 2, 0, 1)
    return np.ascontiguousarray(dweight), sums[-1]


def filled_up(image):
    """The image with zeros for the channels that its last vector lacks, or itself."""
    lacking = round_up(image.shape[3], VECTOR) - image.shape[3]
    return np.pad(image, ((0, 0),) * 3 + ((0, lacking),)) if lacking else image


@kernel
def _forward_rows(x, taps, bias, first, last, y):
    """Rows first … last - 1 of y, counted through the batch, six pixels at a time.

    A row of a window is 3·C numbers side by side. In a map of fewer than six columns each pixel is
    computed six times.
    """
    _, height, width, channels = y.shape
    _, _, x_width, pixel = x.shape
    few, filled, run = width < ROWS, taps.shape[3], 3 * pixel
    at_a_time, x_next, y_next = where(few, 1, ROWS), where(few, 0, pixel), where(few, 0, channels)
    for row in span(first, last):
        top = row // height * x.shape[1] + row % height
        for j in span(0, width, at_a_time):
            j = least(j, width - at_a_time)
            for k in span(0, channels, VECTOR):
                sums = Sums([load(bias, k)] * ROWS)
                for a in span(3):
                    at, tap = ((top + a) * x_width + j) * pixel, a * run * filled + k
                    add_products(sums, x, at, x_next, 1, taps, tap, filled, run)
                to = (row * width + j) * channels + k
                put_rows([relu(total) for total in sums], y, to, y_next, channels - k)


@kernel
def _backward_rows(dy, x, y, first, last, dtaps):
    """The sums of pieces first … last - 1 of the rows of dy, counted through the batch.

    dtaps (pieces, 9·C + 1, K): the gradient of each tap, then the bias gradient. The sums of a row,
    three taps at a time, stay in registers.
    """
    n, height, width, channels = y.shape
    pieces, n_sums, _ = dtaps.shape
    pixel, row_size, rows = x.shape[3], x.shape[2] * x.shape[3], n * height
    for piece in span(first, last):
        to = piece * n_sums * channels
        for row in span(rows * piece // pieces, rows * (piece + 1) // pieces):
            top = (row // height * x.shape[1] + row % height) * row_size
            for k in span(0, channels, VECTOR):
                for tap in span(0, 9 * pixel, 3):
                    at = top + tap // (3 * pixel) * row_size + tap % (3 * pixel)
                    sums = Sums([zeros()] * 4)
                    for j in span(width):
                        place = (row * width + j) * channels + k
                        g = relu_gradient(load(dy, place), load(y, place))
                        for e in range(3):
                            sums[e] += number(x, at + j * pixel + e) * g
                        sums[3] += g
                    for e in range(3):
                        add_to(dtaps, to + (tap + e) * channels + k, sums[e])
                    with when(tap < 1):
                        add_to(dtaps, to + 9 * pixel * channels + k, sums[3])
