"""Reference solution of exercise 01, with loops."""

import numpy as np


def conv2d(x, weight, bias, stride=1):
    n_images, channels, height, width = x.shape
    out_channels, _, kh, kw = weight.shape
    out_height, out_width = (height - kh) // stride + 1, (width - kw) // stride + 1
    y = np.zeros((n_images, out_channels, out_height, out_width), x.dtype)
    for n, o, i, j in np.ndindex(y.shape):
        total = bias[o]
        for c, a, b in np.ndindex(channels, kh, kw):
            total += weight[o, c, a, b] * x[n, c, i * stride + a, j * stride + b]
        y[n, o, i, j] = total
    return y
