"""Reference solution of exercise 09, with arrays."""

import numpy as np


def fold(index, n):
    index = np.abs(index) % (2 * (n - 1))
    return np.where(index < n, index, 2 * (n - 1) - index)


def displaced(image, displacement):
    height, width = image.shape
    rows, columns = np.indices(image.shape) + displacement
    top, left = np.floor(rows).astype(int), np.floor(columns).astype(int)
    down, right = rows - top, columns - left
    r0, r1 = fold(top, height), fold(top + 1, height)
    c0, c1 = fold(left, width), fold(left + 1, width)
    upper = (1 - right) * image[r0, c0] + right * image[r0, c1]
    lower = (1 - right) * image[r1, c0] + right * image[r1, c1]
    return (1 - down) * upper + down * lower
