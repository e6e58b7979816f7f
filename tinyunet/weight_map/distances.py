"""d1 and d2 of equation 2: the two nearest distinct cells of every pixel, exactly.

Lesson: `lessons/08-weight-map.md`. Paper: section 3, equation 2.

The plain version (`reference.py`) takes one Euclidean distance transform a cell, so its cost grows
with the number of cells. Here it does not, because no pixel depends on more than two cells:

1. Along every row, there and back: each pixel keeps the two nearest *distinct* cells of its own
   row, as (gap in columns, cell number).
2. Up and down every column: from pixel (y, x) to the cells kept at (r, x), dist² = (y - r)² + gap².
   Only the two kept cells of each row can matter: a third one in row r has two distinct cells
   before it there, so it is neither nearest nor second nearest. Rows are visited outwards from y,
   and the visit ends when the rows alone are farther away than the second cell found.

Distances are counted from pixel centre to pixel centre: from the pixel to the nearest pixel that
belongs to the cell. A background pixel beside a cell is at distance 1, a cell's own pixel at 0.
"""

import numpy as np

from tinyunet._numba import jit
from tinyunet.arrays import Array
from tinyunet.images.instances import find_instances

NOBODY = 1 << 30  # a gap in columns longer than any image: no such cell in this row
ENDLESS = NOBODY * NOBODY  # and its square, which still fits 64 bits with a row's added


def two_nearest_distances(labels: object, instances: bool | None = None) -> tuple[Array, Array]:
    """Exact Euclidean distances to the nearest and the second-nearest distinct cell.

    Parameters
    ----------
    labels : array_like
        (H, W) or (Z, H, W) as `find_instances` takes them; stacks go slice by slice.
    instances : bool, optional
        What the labels mean, as in `find_instances`.

    Returns
    -------
    d1, d2 : Array
        float64 of the same shape, in pixels, centre to centre; d1 is 0 inside cells; inf where
        there is no such cell. A pixel midway between two cells has d1 == d2.

    Raises
    ------
    ValueError
        As `find_instances` does.

    Notes
    -----
    Time grows with the pixels and with how far off the second cell is, not with the cells.
    """
    cells = find_instances(labels, instances)
    d1, d2 = np.empty(cells.shape), np.empty(cells.shape)
    if cells.ndim == 2:
        fill_distances(nearest_in_rows(cells), d1, d2)
        return d1, d2
    for page, page1, page2 in zip(cells, d1, d2, strict=True):
        fill_distances(nearest_in_rows(page), page1, page2)
    return d1, d2


def nearest_in_rows(cells: Array) -> Array:
    """Find each pixel's two nearest distinct cells in its own row.

    Parameters
    ----------
    cells : Array
        (H, W) int32, 0 on background.

    Returns
    -------
    Array
        near, (H, W, 4) int32: columns to the nearest cell, its number, columns to the nearest cell
        with another number, its number. NOBODY and 0 where there is none. The four lie side by
        side in memory, because the second pass always wants them together.
    """
    near = np.empty((*cells.shape, 4), np.int32)
    _fill_nearest(cells, near)
    return near


@jit(error_model="numpy")
def _fill_nearest(cells: Array, near: Array) -> None:
    """Write `near` of `nearest_in_rows`; whole numbers are int64 throughout: one type, one body."""
    height, width = cells.shape
    for y in range(height):
        # What the walk has met so far: the last cell, and the last one with another number.
        gap1 = gap2 = np.int64(NOBODY)
        cell1 = cell2 = np.int64(0)
        for x in range(width):
            cell = np.int64(cells[y, x])
            gap1, cell1, gap2, cell2 = _walk_on(cell, gap1, cell1, gap2, cell2)
            near[y, x, 0], near[y, x, 1] = gap1, cell1
            near[y, x, 2], near[y, x, 3] = gap2, cell2
        gap1 = gap2 = np.int64(NOBODY)
        cell1 = cell2 = np.int64(0)
        for x in range(width - 1, -1, -1):
            cell = np.int64(cells[y, x])
            gap1, cell1, gap2, cell2 = _walk_on(cell, gap1, cell1, gap2, cell2)
            best1, name1 = np.int64(near[y, x, 0]), np.int64(near[y, x, 1])
            best2, name2 = np.int64(near[y, x, 2]), np.int64(near[y, x, 3])
            best1, name1, best2, name2 = _offer(gap1, cell1, best1, name1, best2, name2)
            best1, name1, best2, name2 = _offer(gap2, cell2, best1, name1, best2, name2)
            near[y, x, 0], near[y, x, 1] = best1, name1
            near[y, x, 2], near[y, x, 3] = best2, name2


@jit(error_model="numpy")
def _walk_on(cell: int, gap1: int, cell1: int, gap2: int, cell2: int) -> tuple[int, int, int, int]:
    """One pixel further along the row, onto a pixel of `cell` (0: background)."""
    gap1, gap2 = min(gap1 + 1, NOBODY), min(gap2 + 1, NOBODY)
    if cell == 0:
        return gap1, cell1, gap2, cell2
    if cell == cell1:
        return 0, cell1, gap2, cell2
    # The cell met last is now the nearest one with another number.
    return 0, cell, gap1, cell1


@jit(error_model="numpy")
def _offer(
    far: int, cell: int, best1: int, cell1: int, best2: int, cell2: int
) -> tuple[int, int, int, int]:
    """Let `cell`, `far` away, compete for the first two places; each cell holds one at most."""
    if far >= best2:
        return best1, cell1, best2, cell2
    if cell == cell1:
        return min(best1, far), cell1, best2, cell2
    if far < best1:
        return far, cell, best1, cell1
    return best1, cell1, far, cell


@jit(error_model="numpy")
def two_nearest_squares(near: Array, y: int, x: int, reach: float) -> tuple[int, int]:
    """Squared distances of one pixel to its two nearest distinct cells.

    Exact wherever d1 + d2 <= reach. Beyond that the answer may be too large, never too small:
    what has not been found before the rows `away` lies at least `away` pixels off, so d2 >= away
    and d1 + d2 >= away + min(d1, away); the visit ends when that passes `reach`.

    Parameters
    ----------
    near : Array
        What `nearest_in_rows` returned.
    y, x : int
        Row and column of the pixel.
    reach : float
        The largest d1 + d2 that matters, in pixels.

    Returns
    -------
    best1, best2 : int
        Square pixels; ENDLESS where there is no such cell.
    """
    height = near.shape[0]
    best1 = best2 = np.int64(ENDLESS)
    cell1 = cell2 = np.int64(0)
    for away in range(max(y, height - 1 - y) + 1):
        square = away * away
        left = reach - away
        # Squared with its sign kept: a negative `left` is passed by every distance.
        if square >= best2 or (away > left and best1 > left * abs(left)):
            break
        for row in (y - away, y + away):
            if row < 0 or row >= height:
                continue
            for place in (0, 2):
                gap = np.int64(near[row, x, place])
                cell = np.int64(near[row, x, place + 1])
                far = square + gap * gap  # ENDLESS or more where there is no cell: refused
                best1, cell1, best2, cell2 = _offer(far, cell, best1, cell1, best2, cell2)
    return best1, best2


@jit(error_model="numpy")
def fill_distances(near: Array, d1: Array, d2: Array) -> None:
    """Write both distances of every pixel.

    Parameters
    ----------
    near : Array
        What `nearest_in_rows` returned.
    d1, d2 : Array
        (H, W) float64, written to: pixels, inf where there is no such cell.
    """
    height, width = d1.shape
    for y in range(height):
        for x in range(width):
            best1, best2 = two_nearest_squares(near, y, x, np.inf)
            d1[y, x] = np.sqrt(best1) if best1 < ENDLESS else np.inf
            d2[y, x] = np.sqrt(best2) if best2 < ENDLESS else np.inf
