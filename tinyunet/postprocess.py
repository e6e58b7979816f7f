"""From probabilities to cells: threshold, connected parts, clean up, and grow the border back.

Lesson: `lessons/13-touching-cells.md`. Paper: section 3 (the weight map makes the network leave a
black border between touching cells; here the cells get that border back) and section 4, table 2.
"""

import math
import operator

import numpy as np


def cells_from_mask(mask):
    """Number the 4-connected parts of a boolean (H, W) mask: int32, 0 outside, 1 to n by rows."""
    from scipy import ndimage  # loaded when needed: scipy costs start-up time

    return ndimage.label(mask)[0].astype(np.int32)


def remove_small(cells, min_size):
    """Set cells of fewer than `min_size` pixels to 0; the other numbers stay as they are."""
    sizes = np.bincount(cells.ravel())
    return np.where(sizes[cells] < min_size, 0, cells)


def fill_cell_holes(cells):
    """Give holes to the cell around them: background that no path leads out of, by sides.

    A path along background goes over corners too, as cells connect over sides only. What lies
    between several cells is no hole of any of them and stays background.
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


def grow_cells(cells, distance):
    """Give background pixels within `distance` of a cell to the nearest cell.

    cells: int (H, W); distance: in pixels, Euclidean, between pixel centres, inclusive. A pixel as
    near to two cells goes to the one with the smaller number; cells never merge, as each pixel
    gets one number. Works through the offsets of a disc by length, nearest first.
    """
    grown = cells.copy()
    height, width = cells.shape
    reach = math.floor(distance)
    by_length = {}
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


def close_borders(cells, width):
    """Give the background between two cells back to the nearer one, where it is narrow.

    cells: int (H, W); width: pixels across. Training cuts such a border between touching cells
    (`separate_touching`), and the network learns to leave it. Between two straight sides that are
    `width` pixels apart every pixel has d1 + d2 = width + 1, the distances of equation 2; so that
    sum tells how wide the gap is at a pixel, and where only one cell is near nothing grows.
    """
    from tinyunet.weights import two_nearest_distances

    d1, d2 = two_nearest_distances(cells, instances=True)
    return np.where(d1 + d2 <= width + 1, grow_cells(cells, width), cells)


def _check_probability(probability):
    probability = np.asarray(probability)
    if probability.dtype.kind not in "bf":
        raise ValueError(
            f"probability must be floats in 0..1 or booleans, got dtype {probability.dtype}"
        )
    if probability.ndim != 2 or probability.size == 0:
        raise ValueError(
            f"probability must be (H, W) with at least one pixel, got shape {probability.shape}"
        )
    if not (probability.min() >= 0 and probability.max() <= 1):  # False for NaN too
        raise ValueError(
            "probability must lie in 0..1 without NaN, "
            f"got {probability.min():g} to {probability.max():g}"
        )
    return probability


def _check_settings(threshold, min_size, grow, border):
    if not 0 <= threshold < 1:
        raise ValueError(f"threshold must be at least 0 and below 1, got {threshold}")
    if operator.index(min_size) < 0:
        raise ValueError(f"min_size must be 0 or more pixels, got {min_size}")
    if not 0 <= grow < math.inf:
        raise ValueError(f"grow must be 0 or more pixels and finite, got {grow}")
    if not 0 <= border < math.inf:
        raise ValueError(f"border must be 0 or more pixels and finite, got {border}")


def probabilities_to_cells(
    probability, threshold=0.5, min_size=0, fill_holes=True, grow=0, border=0
):
    """Turn the probability of "cell" into numbered cells.

    probability: (H, W), float in 0..1 or bool; threshold: a pixel is cell if above it.
    In this order: 4-connected parts; those of fewer than `min_size` pixels are removed (0 keeps
    all); holes that a single cell encloses are filled; each cell grows by up to `grow` pixels
    (Euclidean) into the background, to the nearest cell, equals to the smaller number; background
    between two cells, at most `border` pixels wide, is given to the nearer one, equals likewise.
    Returns int32 (H, W), 0 background, cells 1 to n in the order in which reading row by row meets
    them before they grow.
    Raises ValueError, one line, on wrong shapes, values or settings, TypeError on a min_size that
    is not a whole number.
    """
    probability = _check_probability(probability)
    _check_settings(threshold, min_size, grow, border)
    # In double precision, as the scores do: float32(0.7) is below 0.7.
    cells = cells_from_mask(probability.astype(np.float64) > threshold)
    cells = remove_small(cells, min_size)
    if fill_holes:
        cells = fill_cell_holes(cells)
    cells = np.unique(np.append(0, cells), return_inverse=True)[1][1:].reshape(cells.shape)
    cells = grow_cells(cells.astype(np.int32), grow)
    return close_borders(cells, border) if border else cells


def cells_to_uint16(cells):
    """Cells as uint16, as the Cell Tracking Challenge's `mask000.tif` wants them.

    cells: (H, W) whole numbers 0 to 65535; ValueError if one does not fit.
    """
    cells = np.asarray(cells)
    if cells.size and (cells.min() < 0 or cells.max() > 65535):
        raise ValueError(
            f"cells must be numbered 0 to 65535 for 16 bit, got {cells.min()} to {cells.max()}"
        )
    return cells.astype(np.uint16)
