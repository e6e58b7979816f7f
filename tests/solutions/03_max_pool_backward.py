"""Reference solution of exercise 03, with loops."""

import numpy as np


def relu(x):
    y = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        if x[index] > 0:
            y[index] = x[index]
    return y


def relu_backward(dy, x):
    dx = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        if x[index] > 0:
            dx[index] = dy[index]
    return dx


def max_pool2d(x):
    n_images, channels, height, width = x.shape
    y = np.zeros((n_images, channels, height // 2, width // 2), x.dtype)
    for n, c, i, j in np.ndindex(y.shape):
        largest = x[n, c, 2 * i, 2 * j]
        for a, b in np.ndindex(2, 2):
            if x[n, c, 2 * i + a, 2 * j + b] > largest:
                largest = x[n, c, 2 * i + a, 2 * j + b]
        y[n, c, i, j] = largest
    return y


def max_pool2d_backward(dy, x):
    dx = np.zeros_like(x)
    for n, c, i, j in np.ndindex(dy.shape):
        best, largest = (2 * i, 2 * j), x[n, c, 2 * i, 2 * j]
        for a, b in np.ndindex(2, 2):
            if x[n, c, 2 * i + a, 2 * j + b] > largest:
                best, largest = (2 * i + a, 2 * j + b), x[n, c, 2 * i + a, 2 * j + b]
        dx[n, c, best[0], best[1]] = dy[n, c, i, j]
    return dx
