"""Reference solution of exercise 08, with arrays."""

import numpy as np


def weight_map(cells, w0, sigma):
    inside = cells > 0
    n, n_cells = cells.size, inside.sum()
    if n_cells in (0, n):
        return np.ones(cells.shape)
    weights = np.where(inside, n / (2 * n_cells), n / (2 * (n - n_cells)))
    rows, columns = np.indices(cells.shape)
    distances = []
    for cell in np.unique(cells[inside]):
        r, c = np.nonzero(cells == cell)
        squares = (rows[..., None] - r) ** 2 + (columns[..., None] - c) ** 2
        distances.append(np.sqrt(squares.min(axis=-1)))
    if len(distances) > 1:
        d1, d2 = np.sort(distances, axis=0)[:2]
        border = w0 * np.exp(-((d1 + d2) ** 2) / (2 * sigma**2))
        weights = weights + np.where(inside, 0, border)
    return weights
