"""From probabilities to cells: threshold, connected parts, clean up, and grow the border back.

Lesson: `lessons/13-touching-cells.md`. Paper: section 3 (the weight map makes the network leave a
black border between touching cells; here the cells get that border back) and section 4, table 2.

`probabilities_to_cells` checks what comes in; the steps before it take what it hands on.
"""

import math
import operator

import numpy as np

from tinyunet.arrays import Array, as_array
from tinyunet.images.instances import MOST_PIXELS, number_parts
from tinyunet.weight_map import two_nearest_distances


def remove_small(cells: Array, min_size: int) -> Array:
    """Remove small cells; the other numbers stay as they are.

    Parameters
    ----------
    cells : Array
        (H, W) cells numbered 1, 2, …, 0 on background.
    min_size : int
        Cells of fewer pixels become background.

    Returns
    -------
    Array
        A copy of the same dtype.
    """
    sizes = np.bincount(cells.ravel())
    return np.where(sizes[cells] < min_size, 0, cells)


def fill_cell_holes(cells: Array) -> Array:
    """Give holes to the cell around them: background that no path leads out of, by sides.

    A path along background goes over corners too, as cells connect over sides only. What lies
    between several cells is no hole of any of them and stays background.

    Parameters
    ----------
    cells : Array
        (H, W) cells by number, 0 on background.

    Returns
    -------
    Array
        A copy of the same dtype.
    """
    from scipy import ndimage

    background, count = ndimage.label(cells == 0, structure=np.ones((3, 3)))
    filled = cells.copy()
    edge = np.zeros(count + 1, bool)
    for border in (background[0], background[-1], background[:, 0], background[:, -1]):
        edge[border] = True
    # The cells that touch each piece of background by a side, as pairs (piece, cell).
    first = [background[1:], background[:-1], background[:, 1:], background[:, :-1]]
    second = [cells[:-1], cells[1:], cells[:, :-1], cells[:, 1:]]
    touch = np.concatenate(
        [np.stack([a.ravel(), b.ravel()], 1) for a, b in zip(first, second, strict=True)]
    )
    pairs = np.unique(touch[(touch[:, 0] > 0) & (touch[:, 1] > 0)], axis=0)
    neighbours = np.bincount(pairs[:, 0], minlength=count + 1)
    owner = np.zeros(count + 1, cells.dtype)
    owner[pairs[:, 0]] = pairs[:, 1]
    owner[(neighbours != 1) | edge] = 0
    owner[0] = 0
    hole = background > 0
    filled[hole] = owner[background[hole]]
    return filled


def grow_cells(cells: Array, distance: float) -> Array:
    """Give background pixels within a distance of a cell to the nearest cell.

    A pixel as near to two cells goes to the one with the smaller number; cells never merge, as
    each pixel gets one number.

    Parameters
    ----------
    cells : Array
        (H, W) integers, 0 on background.
    distance : float
        In pixels, Euclidean, between pixel centres, inclusive.

    Returns
    -------
    Array
        A copy of the same dtype.
    """
    # The offsets of a disc by length, nearest first; SciPy's and scikit-image's distance transforms
    # leave open which of two equally near cells a pixel gets.
    grown = cells.copy()
    height, width = cells.shape
    reach = math.floor(distance)
    by_length: dict[int, list[tuple[int, int]]] = {}
    for dy in range(-min(reach, height - 1), min(reach, height - 1) + 1):
        for dx in range(-min(reach, width - 1), min(reach, width - 1) + 1):
            if 0 < dy * dy + dx * dx <= distance * distance:
                by_length.setdefault(dy * dy + dx * dx, []).append((dy, dx))
    unclaimed = np.iinfo(cells.dtype).max
    for _, offsets in sorted(by_length.items()):
        if grown.all():
            break
        nearest = np.full(cells.shape, unclaimed, cells.dtype)
        for dy, dx in offsets:
            there = (slice(max(dy, 0), height + min(dy, 0)), slice(max(dx, 0), width + min(dx, 0)))
            here = (slice(max(-dy, 0), height - max(dy, 0)), slice(max(-dx, 0), width - max(dx, 0)))
            seen = np.where(cells[there] > 0, cells[there], unclaimed)
            nearest[here] = np.minimum(nearest[here], seen)
        grown = np.where((grown == 0) & (nearest < unclaimed), nearest, grown)
    return grown


def close_borders(cells: Array, width: float) -> Array:
    """Give the background between two cells back to the nearer one, where it is narrow.

    Training cuts such a border between touching cells (`separate_touching`), and the network
    learns to leave it. Between two straight sides that are `width` pixels apart every pixel has
    d1 + d2 = width + 1, the distances of equation 2; so that sum tells how wide the gap is at a
    pixel, and where only one cell is near nothing grows.

    Parameters
    ----------
    cells : Array
        (H, W) integers, 0 on background.
    width : float
        Pixels across.

    Returns
    -------
    Array
        A copy of the same dtype.
    """
    d1, d2 = two_nearest_distances(cells, instances=True)
    return np.where(d1 + d2 <= width + 1, grow_cells(cells, width), cells)


def _check_probability(probability: object) -> Array:
    """The probability as an array, if it is one."""
    array = as_array(probability, "probability")
    if array.dtype.kind not in "bf":
        raise ValueError(f"probability must be floats in 0..1 or booleans, got dtype {array.dtype}")
    if array.ndim != 2 or array.size == 0:
        raise ValueError(
            f"probability must be (H, W) with at least one pixel, got shape {array.shape}"
        )
    if array.size > MOST_PIXELS:
        raise ValueError(f"probability must hold at most 2**31 - 1 pixels, got shape {array.shape}")
    if not (array.min() >= 0 and array.max() <= 1):  # False for NaN too
        raise ValueError(
            f"probability must lie in 0..1 without NaN, got {array.min():g} to {array.max():g}"
        )
    return array


def _check_settings(threshold: float, min_size: int, grow: float, border: float) -> None:
    """Raise for a number out of range."""
    if not 0 <= threshold < 1:
        raise ValueError(f"threshold must be at least 0 and below 1, got {threshold}")
    if operator.index(min_size) < 0:
        raise ValueError(f"min_size must be 0 or more pixels, got {min_size}")
    if not 0 <= grow < math.inf:
        raise ValueError(f"grow must be 0 or more pixels and finite, got {grow}")
    if not 0 <= border < math.inf:
        raise ValueError(f"border must be 0 or more pixels and finite, got {border}")


def probabilities_to_cells(
    probability: object,
    threshold: float = 0.5,
    min_size: int = 0,
    fill_holes: bool = True,
    grow: float = 0,
    border: float = 0,
) -> Array:
    """Turn the probability of "cell" into numbered cells.

    The steps come in the order of the parameters, between `threshold` and `min_size` the
    4-connected parts.

    Parameters
    ----------
    probability : array_like
        (H, W), float in 0..1 or bool.
    threshold : float
        A pixel is cell if above it; at least 0 and below 1.
    min_size : int
        Cells of fewer pixels are removed (0 keeps all).
    fill_holes : bool
        Fill holes that a single cell encloses.
    grow : float
        Let each cell grow by up to so many pixels (Euclidean) into the background, to the nearest
        cell, equals to the smaller number.
    border : float
        Give background between two cells, at most so many pixels wide, to the nearer one, equals
        likewise.

    Returns
    -------
    Array
        int32 (H, W), 0 on background, cells 1 to n in the order in which reading row by row meets
        them before they grow.

    Raises
    ------
    ValueError
        In one line, on wrong shapes, values or settings.
    TypeError
        On a setting that is no number, and a min_size that is not a whole number.
    """
    inside = _check_probability(probability)
    _check_settings(threshold, min_size, grow, border)
    # In double precision, as the scores do: float32(0.7) is below 0.7.
    cells = number_parts(inside.astype(np.float64) > threshold)
    cells = remove_small(cells, min_size)
    if fill_holes:
        cells = fill_cell_holes(cells)
    cells = np.unique(np.append(0, cells), return_inverse=True)[1][1:].reshape(cells.shape)
    cells = grow_cells(cells.astype(np.int32), grow)
    return close_borders(cells, border) if border else cells
