"""The weight map and the borders, written as the sentences of the paper: slow and plain.

Lesson: `lessons/08-weight-map.md`. Paper: section 3, equation 2.

This is the usual way: one Euclidean distance transform for every cell, stacked and sorted, so
that time and memory grow with the number of cells. The fast path (`distances.py`,
`equation2.py`, `separate.py`) is tested equal to it.
"""

import numpy as np

from tinyunet.arrays import Array
from tinyunet.weight_map.equation2 import class_weights


def two_nearest_distances(cells: Array) -> tuple[Array, Array]:
    """Return d1 and d2 of every pixel.

    Parameters
    ----------
    cells : Array
        (H, W) instance labels, 0 on background.

    Returns
    -------
    d1, d2 : Array
        (H, W) float64, pixels, inf where there is no such cell.
    """
    from scipy.ndimage import distance_transform_edt

    distances = [distance_transform_edt(cells != cell) for cell in np.unique(cells[cells != 0])]
    nobody = np.full(cells.shape, np.inf)
    d1, d2 = np.sort(np.stack([*distances, nobody, nobody]), axis=0)[:2]
    return d1, d2


def weight_map(cells: Array, w0: float = 10.0, sigma: float = 5.0, balance: bool = True) -> Array:
    """Return equation 2 for one image of instance labels.

    Parameters
    ----------
    cells : Array
        (H, W) instance labels, 0 on background.
    w0, sigma : float
        Height and width (pixels) of the border term.
    balance : bool
        False for w_c = 1.

    Returns
    -------
    Array
        (H, W) float32.
    """
    d1, d2 = two_nearest_distances(cells)
    background, foreground = class_weights(cells) if balance else (1.0, 1.0)
    border = w0 * np.exp(-((d1 + d2) ** 2) / (2.0 * sigma**2))  # exp(-inf) is 0: no second cell
    return np.where(cells != 0, foreground, background + border).astype(np.float32)


def separate_touching(cells: Array, width: int) -> Array:
    """Cut a border between touching cells, pair by pair with SciPy's dilations.

    Parameters
    ----------
    cells : Array
        (H, W) instance labels, 0 on background.
    width : int
        Of the border, in pixels.

    Returns
    -------
    Array
        A copy with the border at 0. Cells that the cut removes altogether do not get their
        innermost pixel back here.
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
