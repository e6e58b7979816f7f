"""1×1 convolution and 2×2 up-convolution: matrix products over the pixels, channels last.

Lesson: lessons/14-fast-on-a-cpu.md. With channels last a map is a matrix (pixels, channels) as it
stands, and both layers are products of that matrix. The up-convolution's output needs no
interleaving afterwards: for the upper (a = 0) and the lower row (a = 1) of the 2×2 patches

    y (N, 2h, 2w, K), seen as (N, h, a, w, 2·K):    y[n, i, a] = x[n, i] · weight_a,

with weight_a (C, 2·K), holds each row of the output where it belongs.
"""

import numpy as np

from tinyunet.kernels import threads
from tinyunet.kernels.workspace import empty

CHUNK = 2**18  # bytes of y made at a time: the bias is added while they are still in the cache


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
    n, height, width, channels = x.shape
    out_channels = weight.shape[1]
    taps = _row_taps(weight)  # (a, C, 2·K)
    y = empty((n * height, 2, width, 2 * out_channels))
    rows = x.reshape(n * height, 1, width, channels)
    bias = np.tile(bias, 2)

    def work(_, share):
        for first, last in share:
            part = y[first:last]
            np.matmul(rows[first:last], taps, out=part)
            part += bias

    threads.run(work, threads.cut(len(rows), CHUNK // (16 * width * out_channels)))
    return y.reshape(n, 2 * height, 2 * width, out_channels)


def up_conv2x2_backward(dy, x, weight):
    """(dx, dweight, dbias) for dy (N, 2h, 2w, K), which may be a slice of a wider map."""
    n, height, width, channels = x.shape
    out_channels = weight.shape[1]
    both = np.concatenate(_row_taps(weight).transpose(0, 2, 1))  # (a·2·K, C)
    rows = x.reshape(n * height, width, channels)
    upstream = dy.reshape(n * height, 2, width, 2, out_channels)  # row i of x: a, j, b
    dx = empty(rows.shape)
    chunks = threads.cut(len(rows), CHUNK // (16 * width * out_channels))
    dtaps = np.zeros((threads.get_threads(), channels, 4 * out_channels), np.float32)

    dbias = np.zeros((threads.get_threads(), 4 * out_channels), np.float32)

    def work(lane, share):
        for first, last in share:
            # (i, a, j, b, k) → (i·j, a·b·k): each row the patch that one pixel of x painted
            patches = upstream[first:last].transpose(0, 2, 1, 3, 4).reshape(-1, 4 * out_channels)
            pixels = rows[first:last].reshape(-1, channels)
            np.matmul(patches, both, out=dx[first:last].reshape(-1, channels))
            dtaps[lane] += pixels.T @ patches
            dbias[lane] += np.ones(len(patches), np.float32) @ patches

    threads.run(work, chunks)
    dweight = dtaps.sum(axis=0).reshape(channels, 2, 2, out_channels).transpose(0, 3, 1, 2)
    dbias = dbias.sum(axis=0).reshape(4, out_channels).sum(axis=0)
    return dx.reshape(x.shape), np.ascontiguousarray(dweight), dbias


def _row_taps(weight):
    """weight (C, K, 2, 2) as (a, C, b·K): one matrix for each row of the patches."""
    channels, out_channels = weight.shape[:2]
    return np.ascontiguousarray(weight.transpose(2, 0, 3, 1)).reshape(2, channels, 2 * out_channels)
