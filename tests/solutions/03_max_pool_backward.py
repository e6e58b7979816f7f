"""Reference solution."""

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
    for n, c, i, j in np.ndindex(dy.shape):
        window = x[n, c, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2]
        winner = np.argmax(window)
        dx[n, c, 2 * i + winner // 2, 2 * j + winner % 2] = dy[n, c, i, j]
    return dx
