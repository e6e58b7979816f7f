"""Reference solution of exercise 03, with arrays."""

import numpy as np


def relu(x):
    return np.maximum(x, 0)


def relu_backward(dy, x):
    return dy * (x > 0)


def max_pool2d(x):
    n, c, height, width = x.shape
    return x.reshape(n, c, height // 2, 2, width // 2, 2).max(axis=(3, 5))


def max_pool2d_backward(dy, x):
    dx = np.zeros_like(x)
    y = max_pool2d(x)
    unmet = np.ones(y.shape, bool)
    for a, b in ((0, 0), (0, 1), (1, 0), (1, 1)):
        first = (x[:, :, a::2, b::2] == y) & unmet
        dx[:, :, a::2, b::2] = dy * first
        unmet &= ~first
    return dx
