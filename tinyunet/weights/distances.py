"""d1 and d2 of equation 2: the two nearest distinct cells of every pixel, exactly.

Lesson: `lessons/08-weight-map.md`. Paper: section 3, equation 2.

The plain way (`naive.py`) is one Euclidean distance transform a cell, so its cost grows with the
number of cells. Here the cost does not, because no pixel needs to hear of more than two cells:

1. Down and up every column: each pixel keeps the two nearest *distinct* cells of its own column,
   as (gap in rows, cell number).
2. Along every row: for pixel (y, x), cell k and column c, dist² = (x - c)² + gap². Only the two
   kept cells of each column can matter: a third one in column c has two distinct cells before
   it there, so it is neither nearest nor second nearest. Columns are visited outwards from x,
   and the visit ends when the columns alone are farther away than the second cell found.

Distances are counted from pixel centre to pixel centre: from the pixel to the nearest pixel that
belongs to the cell. A background pixel beside a cell is at distance 1, a cell's own pixel at 0.
"""

import numpy as np

from tinyunet.kernels.jit import jit
from tinyunet.weights.instances import find_instances

NOBODY = 1 << 30  # a gap in rows longer than any image: no cell in this column
ENDLESS = NOBODY * NOBODY  # and its square, which still fits 64 bits with a column's added


def two_nearest_distances(labels, instances=None):
    """Exact Euclidean distances to the nearest and the second-nearest distinct cell.

    labels: (H, W) or (Z, H, W) as `find_instances` takes them; stacks go slice by slice.
    Returns d1, d2: float64 of the same shape, in pixels, centre to centre; d1 is 0 inside cells;
    inf where there is no such cell. Ties count: a pixel midway between two cells has d1 == d2.
    Time grows with the pixels and with how far off the second cell is, not with the cells.
    Raises ValueError as `find_instances` does.
    """
    cells = find_instances(labels, instances)
    d1, d2 = np.empty(cells.shape), np.empty(cells.shape)
    if cells.ndim == 2:
        fill_distances(*nearest_in_columns(cells), d1, d2)
        return d1, d2
    for page, page1, page2 in zip(cells, d1, d2, strict=True):
        fill_distances(*nearest_in_columns(page), page1, page2)
    return d1, d2


@jit
def nearest_in_columns(cells):
    """Each pixel's two nearest distinct cells in its own column.

    cells (H, W) int32 → gap1, who1, gap2, who2, each (H, W) int32: rows to the nearest cell and
    its number, rows to the nearest cell with another number. NOBODY and 0 where there is none.
    """
    height, width = cells.shape
    gap1 = np.empty((height, width), np.int32)
    who1 = np.empty((height, width), np.int32)
    gap2 = np.empty((height, width), np.int32)
    who2 = np.empty((height, width), np.int32)
    # What each column has met so far: the last cell, and the last one with another number.
    last1 = np.empty(width, np.int32)
    last2 = np.empty(width, np.int32)
    gone1 = np.empty(width, np.int32)
    gone2 = np.empty(width, np.int32)
    for downwards in (True, False):
        last1[:] = 0
        last2[:] = 0
        gone1[:] = NOBODY
        gone2[:] = NOBODY
        for step in range(height):
            y = step if downwards else height - 1 - step
            for x in range(width):
                if gone1[x] < NOBODY:
                    gone1[x] += 1
                if gone2[x] < NOBODY:
                    gone2[x] += 1
                cell = cells[y, x]
                if cell != 0:
                    if cell != last1[x]:
                        # The cell met last is now the nearest one with another number.
                        last2[x], gone2[x] = last1[x], gone1[x]
                        last1[x] = cell
                    gone1[x] = 0
                if downwards:
                    gap1[y, x], who1[y, x] = gone1[x], last1[x]
                    gap2[y, x], who2[y, x] = gone2[x], last2[x]
                else:
                    _offer(gap1, who1, gap2, who2, y, x, gone1[x], last1[x])
                    _offer(gap1, who1, gap2, who2, y, x, gone2[x], last2[x])
    return gap1, who1, gap2, who2


@jit
def _offer(gap1, who1, gap2, who2, y, x, gap, cell):
    """Let one more cell of the column compete for the two places of pixel (y, x)."""
    if cell == 0:
        return
    if cell == who1[y, x]:
        gap1[y, x] = min(gap, gap1[y, x])
    elif gap < gap1[y, x]:
        gap2[y, x], who2[y, x] = gap1[y, x], who1[y, x]
        gap1[y, x], who1[y, x] = gap, cell
    elif gap < gap2[y, x]:
        gap2[y, x], who2[y, x] = gap, cell


@jit
def two_nearest_squares(gap1, who1, gap2, who2, y, x, reach):
    """Squared distances of pixel (y, x) to its two nearest distinct cells: two integers.

    Exact wherever d1 + d2 <= reach. Beyond that the answer may be too large, never too small:
    whatever has not been found after `across` columns lies at least that far away, so the sum is
    at least across + min(d1, across), and the visit ends when that passes `reach`.
    """
    width = gap1.shape[1]
    best1 = ENDLESS
    best2 = ENDLESS
    cell1 = 0
    root1 = np.inf
    for across in range(max(x, width - 1 - x) + 1):
        square = across * across
        if square >= best2 or across + min(root1, across) > reach:
            break
        for side in range(2):
            column = x + across if side else x - across
            if column < 0 or column >= width or (side and across == 0):
                continue
            gap = np.int64(gap1[y, column])
            reached = square + gap * gap
            if reached >= best2:
                continue
            cell = who1[y, column]
            if cell == cell1:
                best1 = min(best1, reached)
            elif reached < best1:
                best1, best2, cell1 = reached, best1, cell
            else:
                best2 = reached
            gap = np.int64(gap2[y, column])
            reached = square + gap * gap
            cell = who2[y, column]
            if cell == cell1:
                best1 = min(best1, reached)
            elif reached < best1:
                best1, best2, cell1 = reached, best1, cell
            elif reached < best2:
                best2 = reached
            root1 = np.sqrt(best1)
    return best1, best2


@jit
def fill_distances(gap1, who1, gap2, who2, d1, d2):
    """Write both distances of every pixel into d1 and d2, (H, W) float64; inf for none."""
    height, width = gap1.shape
    for y in range(height):
        for x in range(width):
            best1, best2 = two_nearest_squares(gap1, who1, gap2, who2, y, x, np.inf)
            d1[y, x] = np.sqrt(best1) if best1 < ENDLESS else np.inf
            d2[y, x] = np.sqrt(best2) if best2 < ENDLESS else np.inf
