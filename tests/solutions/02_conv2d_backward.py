"""Reference solution of exercise 02, with loops."""

import numpy as np


def conv2d_backward(dy, x, weight, stride=1):
    _, channels, kh, kw = weight.shape
    dx, dweight = np.zeros_like(x), np.zeros_like(weight)
    dbias = np.zeros(len(weight), weight.dtype)
    for n, o, i, j in np.ndindex(dy.shape):
        up = dy[n, o, i, j]
        dbias[o] += up
        for c, a, b in np.ndindex(channels, kh, kw):
            dweight[o, c, a, b] += up * x[n, c, i * stride + a, j * stride + b]
            dx[n, c, i * stride + a, j * stride + b] += up * weight[o, c, a, b]
    return dx, dweight, dbias
