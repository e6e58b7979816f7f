"""Reference solution of exercise 04, with loops."""

import numpy as np


def up_conv2d(x, weight, bias):
    n_images, channels, height, width = x.shape
    out_channels = weight.shape[1]
    y = np.zeros((n_images, out_channels, 2 * height, 2 * width), x.dtype)
    for n, o, i, j, a, b in np.ndindex(n_images, out_channels, height, width, 2, 2):
        total = bias[o]
        for c in range(channels):
            total += x[n, c, i, j] * weight[c, o, a, b]
        y[n, o, 2 * i + a, 2 * j + b] = total
    return y


def up_conv2d_backward(dy, x, weight):
    n_images, channels, height, width = x.shape
    out_channels = weight.shape[1]
    dx, dweight = np.zeros_like(x), np.zeros_like(weight)
    dbias = np.zeros(out_channels, weight.dtype)
    for n, o, i, j, a, b in np.ndindex(n_images, out_channels, height, width, 2, 2):
        up = dy[n, o, 2 * i + a, 2 * j + b]
        dbias[o] += up
        for c in range(channels):
            dx[n, c, i, j] += up * weight[c, o, a, b]
            dweight[c, o, a, b] += up * x[n, c, i, j]
    return dx, dweight, dbias
