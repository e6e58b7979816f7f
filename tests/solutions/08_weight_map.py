"""Reference solution of exercise 08, with loops."""

import numpy as np


def weight_map(cells, w0, sigma):
    inside = cells != 0
    n, n_cells = cells.size, inside.sum()
    n_background = n - n_cells
    if n_cells == 0 or n_background == 0:
        return np.ones(cells.shape)
    weights = np.where(inside, n / (2 * n_cells), n / (2 * n_background))
    pixels = [np.argwhere(cells == cell) for cell in np.unique(cells[inside])]
    if len(pixels) < 2:
        return weights
    for y, x in np.argwhere(~inside):
        nearest = sorted(np.sqrt(((p - [y, x]) ** 2).sum(axis=1)).min() for p in pixels)
        d1, d2 = nearest[:2]
        weights[y, x] += w0 * np.exp(-((d1 + d2) ** 2) / (2 * sigma**2))
    return weights
