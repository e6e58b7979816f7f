"""Reference solution of exercise 04, with arrays."""

import numpy as np


def up_conv2d(x, weight, bias):
    n, c, height, width = x.shape
    out = weight.shape[1]
    patches = weight.reshape(c, -1).T @ x.reshape(n, c, -1)
    patches = patches.reshape(n, out, 2, 2, height, width)
    y = patches.transpose(0, 1, 4, 2, 5, 3).reshape(n, out, 2 * height, 2 * width)
    return y + bias[:, None, None]


def up_conv2d_backward(dy, x, weight):
    dx, dweight = np.zeros_like(x), np.zeros_like(weight)
    for a, b in np.ndindex(2, 2):
        up = dy[:, :, a::2, b::2]
        dx += np.einsum("nohw,co->nchw", up, weight[:, :, a, b])
        dweight[:, :, a, b] = np.einsum("nchw,nohw->co", x, up)
    dbias = dy.sum(axis=(0, 2, 3))
    return dx, dweight, dbias
