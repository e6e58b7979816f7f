"""Reference solution of exercise 09, with loops."""

import math

import numpy as np


def reflect(index, n):
    index %= 2 * (n - 1)
    return index if index < n else 2 * (n - 1) - index


def displaced(image, displacement):
    height, width = image.shape
    out = np.zeros((height, width))
    for i, j in np.ndindex(height, width):
        row, column = i + displacement[0, i, j], j + displacement[1, i, j]
        top, left = math.floor(row), math.floor(column)
        down, right = row - top, column - left
        for a, row_share in ((0, 1 - down), (1, down)):
            for b, column_share in ((0, 1 - right), (1, right)):
                pixel = image[reflect(top + a, height), reflect(left + b, width)]
                out[i, j] += row_share * column_share * pixel
    return out
