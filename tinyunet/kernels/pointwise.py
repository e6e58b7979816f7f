"""1×1 convolution and 2×2 up-convolution: matrix products over the pixels, channels last.

Lesson: lessons/14-fast-on-a-cpu.md. With channels last a map is a matrix (pixels, channels) as it
stands. The 1×1 convolution is NumPy's product of it: with a few classes as output it is bound by
reading and writing the map, which a kernel of our own would not change. In the up-convolution the
rows of the product are 2×2 patches, which lie in two rows of y, and for the backward in a map of
twice the channels. Its products are in `up_products.py`; here its weight (C, K, 2, 2) is put in the
order in which they read it, and the pixels are dealt out to the threads.
"""

import numpy as np

from tinyunet.kernels import threads
from tinyunet.kernels.up_products import backward_pixels, forward_rows
from tinyunet.kernels.vector import LANES, sixteens
from tinyunet.kernels.workspace import empty

CHUNK = 2**18  # bytes of x worked on at a time: the bias is added while y is still in the cache
# Patches gathered at a time for the backward. The sums of dW are read and written once for each
# time, and all of it should stay in the cache: 48 and 192 are no better.
AT_A_TIME = 96


def conv1x1(x, weight, bias):
    """y (N, H, W, K) for x (N, H, W, C), weight (K, C, 1, 1)."""
    pixels = x.reshape(-1, x.shape[3])
    taps = np.ascontiguousarray(weight.reshape(weight.shape[:2]).T)  # (C, K)
    y = empty((len(pixels), len(weight)))

    def work(_, share):
        for first, last in share:
            part = y[first:last]
            np.matmul(pixels[first:last], taps, out=part)
            part += bias

    threads.run(work, threads.cut(len(pixels), CHUNK // (4 * x.shape[3])))
    return y.reshape(*x.shape[:3], len(weight))


def conv1x1_backward(dy, x, weight):
    """(dx, dweight, dbias) for dy (N, H, W, K)."""
    out_channels, channels = weight.shape[:2]
    pixels, upstream = x.reshape(-1, channels), dy.reshape(-1, out_channels)
    taps = weight.reshape(out_channels, channels)
    dx = empty(pixels.shape)
    chunks = threads.cut(len(pixels), CHUNK // (4 * channels))
    dtaps = np.zeros((threads.get_threads(), out_channels, channels), np.float32)
    dbias = np.zeros((threads.get_threads(), out_channels), np.float32)

    def work(lane, share):
        for first, last in share:
            part = upstream[first:last]
            np.matmul(part, taps, out=dx[first:last])
            dtaps[lane] += part.T @ pixels[first:last]
            dbias[lane] += np.ones(len(part), np.float32) @ part

    threads.run(work, chunks)
    return dx.reshape(x.shape), dtaps.sum(axis=0).reshape(weight.shape), dbias.sum(axis=0)


def up_conv2x2(x, weight, bias):
    """y (N, 2h, 2w, K) for x (N, h, w, C), weight (C, K, 2, 2)."""
    n, height, width, _ = x.shape
    y = empty((n, 2 * height, 2 * width, weight.shape[1]))
    up_conv2x2_into(y.reshape(-1), weight.shape[1], x, weight, bias)
    return y


def up_conv2x2_into(y, step, x, weight, bias):
    """Write the up-convolution to a flat array y, its pixels `step` numbers apart."""
    n, height, width, channels = x.shape
    out_channels = weight.shape[1]
    filled = _filled_up(weight)[:channels]  # (C, K', a, b)
    W = empty((2, 2, filled.shape[1] // LANES, channels, LANES))
    W[...] = filled.reshape(channels, -1, LANES, 2, 2).transpose(3, 4, 1, 0, 2)
    W = W.reshape(-1, channels, LANES)
    biases = np.zeros((4, filled.shape[1]), np.float32)
    biases[:, :out_channels] = bias

    def work(_, share):
        for first, last in share:
            forward_rows(x, W, biases.reshape(-1), first, last, y, (out_channels, step, 2))

    threads.run(work, threads.cut(n * height, at_least=threads.LITTLE // (width * weight.size)))


def up_conv2x2_backward(dy, x, weight):
    """(dx, dweight, dbias) for dy (N, 2h, 2w, K), which may be a slice of a wider map."""
    channels, out_channels = weight.shape[:2]
    dy, step = _numbers(dy)
    filled = _filled_up(weight)  # (C', K', a, b)
    rows, columns = len(filled), 4 * filled.shape[1]
    W = empty((rows // LANES, columns, LANES))
    panels = W.reshape(rows // LANES, 2, 2, -1, LANES)
    panels[...] = filled.reshape(rows // LANES, LANES, -1, 2, 2).transpose(0, 3, 4, 2, 1)
    shares = threads.cut(x.size // channels, at_least=threads.LITTLE // weight.size)
    dY, X = (empty((len(shares), AT_A_TIME, _odd_lines(size))) for size in (columns, rows))
    dW = empty((len(shares), rows, columns))
    dbias = np.zeros((len(shares), columns), np.float32)
    dx = empty(x.shape)

    def work(lane, share):
        dY[lane], X[lane], dW[lane] = 0, 0, 0  # what fills up the channels must be zero
        sums = dW[lane], dbias[lane]
        for first, last in share:
            layout = (out_channels, step, 2)
            backward_pixels(dy, layout, x, W, first, last, dY[lane], X[lane], *sums, dx)

    threads.run(work, shares)
    for other in dW[1:]:
        dW[0] += other
    dweight = dW[0, :channels].reshape(channels, 2, 2, -1)[..., :out_channels]
    dbias = dbias.sum(axis=0).reshape(4, -1).sum(axis=0)[:out_channels]
    return dx, np.ascontiguousarray(dweight.transpose(0, 3, 1, 2)), dbias


def _filled_up(weight):
    """weight (C, K, 2, 2) with both channels filled up to whole vectors."""
    channels, out_channels = weight.shape[:2]
    if channels % LANES == out_channels % LANES == 0:
        return weight
    filled = np.zeros((sixteens(channels), sixteens(out_channels), 2, 2), np.float32)
    filled[:channels, :out_channels] = weight
    return filled


def _odd_lines(size):
    """`size`, a multiple of 16, or 16 more: rows as far apart as an odd number of cache lines.

    Then no two of 64 such rows compete for the same place in the nearest cache.
    """
    return size + LANES * (1 - size // LANES % 2)


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
