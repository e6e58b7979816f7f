"""Reference solution of exercise 01, with arrays."""

import numpy as np


def conv2d(x, weight, bias, stride=1):
    windows = np.lib.stride_tricks.sliding_window_view(x, weight.shape[2:], axis=(2, 3))
    windows = windows[:, :, ::stride, ::stride]
    n, _, height, width, _, _ = windows.shape
    columns = windows.transpose(0, 1, 4, 5, 2, 3).reshape(n, weight[0].size, height * width)
    y = weight.reshape(len(weight), -1) @ columns
    y += bias[:, None]
    return y.reshape(n, len(weight), height, width)
