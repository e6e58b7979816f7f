"""The weight map and the borders, written as the sentences of the paper: slow and plain.

Lesson: `lessons/08-weight-map.md`. Paper: section 3, equation 2.

This is the usual way: one Euclidean distance transform for every cell, stacked and sorted, so
that time and memory grow with the number of cells. The fast path (`distances.py`,
`equation2.py`, `separate.py`) is tested equal to it.
"""

import numpy as np

from tinyunet.weights.equation2 import class_weights


def two_nearest_distances(cells):
    """d1, d2 of every pixel: (H, W) int labels → two (H, W) float64, inf where there is none."""
    from scipy.ndimage import distance_transform_edt

    distances = [distance_transform_edt(cells != cell) for cell in np.unique(cells[cells != 0])]
    nobody = np.full(cells.shape, np.inf)
    d1, d2 = np.sort(np.stack([*distances, nobody, nobody]), axis=0)[:2]
    return d1, d2


def weight_map(cells, w0=10.0, sigma=5.0, balance=True):
    """Equation 2 for one image of instance labels, (H, W) → float32."""
    d1, d2 = two_nearest_distances(cells)
    background, foreground = class_weights(cells) if balance else (1.0, 1.0)
    border = w0 * np.exp(-((d1 + d2) ** 2) / (2.0 * sigma**2))  # exp(-inf) is 0: no second cell
    return np.where(cells != 0, foreground, background + border).astype(np.float32)


def separate_touching(cells, width):
    """Cut a border between touching cells, pair by pair with scipy's dilations: (H, W) labels.

    Cells that the cut removes altogether are not looked after here.
    """
    from scipy.ndimage import binary_dilation

    result = cells.copy()
    numbers, sizes = np.unique(cells[cells != 0], return_counts=True)
    size_of = dict(zip(numbers.tolist(), sizes.tolist(), strict=True))
    for cell in size_of:
        here = cells == cell
        around = binary_dilation(here, np.ones((3, 3))) & ~here
        for other in set(cells[around].tolist()) - {0}:
            gives_way = (size_of[cell], cell) > (size_of[other], other)
            depth = (width + 1) // 2 if gives_way else width // 2
            contact = around & (cells == other)
            square = np.ones((2 * depth + 1, 2 * depth + 1))
            result[here & binary_dilation(contact, square)] = 0
    return result
