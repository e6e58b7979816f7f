"""Reference solution."""

import numpy as np


def up_conv2d(x, weight, bias):
    n_images, _, height, width = x.shape
    out_channels = weight.shape[1]
    y = np.zeros((n_images, out_channels, 2 * height, 2 * width), x.dtype)
    for a, b in np.ndindex(2, 2):
        y[:, :, a::2, b::2] = np.einsum("nchw,co->nohw", x, weight[:, :, a, b])
    y += bias[:, None, None]
    return y


def up_conv2d_backward(dy, x, weight):
    dx, dweight = np.zeros_like(x), np.zeros_like(weight)
    for a, b in np.ndindex(2, 2):
        up = dy[:, :, a::2, b::2]
        dx += np.einsum("nohw,co->nchw", up, weight[:, :, a, b])
        dweight[:, :, a, b] = np.einsum("nchw,nohw->co", x, up)
    dbias = dy.sum(axis=(0, 2, 3))
    return dx, dweight, dbias
