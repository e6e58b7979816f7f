"""What kind of error is a pixel that warping could not mend?

Lesson: `lessons/12-scores.md`. Source: the public evaluation scripts of the ISBI 2012 challenge.

After `warping.py` the warped labels S still differ from the prediction in some pixels. What would
flipping such a pixel do to the components around it: join two (merger), cut one (split), make or
fill a hole, make or remove an object? Only mergers and splits count in the warping error.
"""

import numpy as np

from tinyunet._numba import jit
from tinyunet.arrays import Array

OBJECT_DELETION = 1
OBJECT_ADDITION = 2
HOLE_ADDITION = 3
HOLE_DELETION = 4
MERGER = 5
SPLIT = 6

RADIUS = 20  # half of the 41 × 41 window in which a split is looked for
WHITE = -1  # in a window: white and not yet claimed
TURN = 8  # pixels that one flooding front takes before it is the next one's turn


@jit
def _ids_around(ids: Array, y: int, x: int, found: Array) -> int:
    """Put the different ids among the neighbours inside the image into `found`; return how many."""
    height, width = ids.shape
    count = 0
    for qy in range(max(y - 1, 0), min(y + 2, height)):
        for qx in range(max(x - 1, 0), min(x + 2, width)):
            if qy == y and qx == x:
                continue
            known = False
            for k in range(count):
                known = known or found[k] == ids[qy, qx]
            if not known:
                found[count] = ids[qy, qx]
                count += 1
    return count


@jit
def _copy_window(warped: Array, y: int, x: int, cells: Array) -> tuple[int, int]:
    """Copy what a split at (y, x) may see into `cells`; return (row length, index of (y, x)).

    cells: int8, flat; afterwards WHITE or 0, framed by zeros so that floods need no bounds.
    The window is 41 × 41 and black outside of the image; an image with a side below 20 is taken
    whole instead.
    """
    height, width = warped.shape
    top, left, rows, columns = y - RADIUS, x - RADIUS, 2 * RADIUS + 1, 2 * RADIUS + 1
    if min(height, width) < RADIUS:
        top, left, rows, columns = 0, 0, height, width
    stride = columns + 2
    cells[: (rows + 2) * stride] = 0
    for row in range(max(top, 0), min(top + rows, height)):
        start = (row - top + 1) * stride - left + 1
        for column in range(max(left, 0), min(left + columns, width)):
            cells[start + column] = WHITE * warped[row, column]
    return stride, (y - top + 1) * stride + x - left + 1


@jit
def _root(parent: Array, front: int) -> int:
    """The front that stands for everything `front` has met."""
    while parent[front] != front:
        front = parent[front]
    return front


@jit
def _step(
    front: int, cells: Array, stride: int, queue: Array, head: Array, tail: Array, parent: Array
) -> None:
    """Take the front's next pixel: claim its white 4-neighbours, join fronts that own one."""
    p = queue[front, head[front]]
    head[front] += 1
    for q in (p - 1, p - stride, p + 1, p + stride):
        owner = cells[q]
        if owner == WHITE:
            cells[q] = front + 1
            queue[front, tail[front]] = q
            tail[front] += 1
        elif owner > 0 and owner != front + 1:
            parent[_root(parent, owner - 1)] = _root(parent, front)


@jit
def _splits(cells: Array, stride: int, middle: int, black: int, queue: Array, state: Array) -> bool:
    """True if there are more than 2 ids around `middle` once that white pixel is black.

    cells, stride, middle: from `_copy_window`; black: 1 if a neighbour is black, which is an id
    too; the others are the white 4-connected parts in which the neighbours lie.

    From each white neighbour a front floods the window, all in turn, a few pixels each. Fronts
    that meet are one part; a part that can grow no further is complete. So the search ends when
    all parts but one are complete or all fronts have met, long before the window is full.
    A pixel that a front has claimed holds front + 1.
    """
    head, tail, parent = state
    for front in range(8):
        head[front], tail[front], parent[front] = 0, 1, front
    cells[middle] = 0
    fronts = 0
    for row in (middle - stride, middle, middle + stride):
        for q in (row - 1, row, row + 1):
            if cells[q] == WHITE:
                cells[q] = fronts + 1
                queue[fronts, 0] = q
                fronts += 1
    while True:
        for front in range(fronts):
            for _ in range(min(TURN, tail[front] - head[front])):
                _step(front, cells, stride, queue, head, tail, parent)
        growing = 0  # bit r: the part that front r stands for can still grow
        for front in range(fronts):
            if head[front] < tail[front]:
                growing |= 1 << _root(parent, front)
        parts = complete = 0
        for front in range(fronts):
            if parent[front] == front:
                parts += 1
                complete += 1 - (growing >> front & 1)
        if parts + black <= 2:
            return False
        if complete + (complete < parts) + black > 2:
            return True


@jit
def _black_around(warped: Array, y: int, x: int) -> int:
    """1 if a neighbour of (y, x) is black; outside counts as black unless the image is small."""
    height, width = warped.shape
    for qy in range(y - 1, y + 2):
        for qx in range(x - 1, x + 2):
            if 0 <= qy < height and 0 <= qx < width:
                if not warped[qy, qx]:
                    return 1
            elif min(height, width) >= RADIUS:
                return 1
    return 0


def classify(warped: Array, ids: Array, rows: Array, columns: Array) -> Array:
    """Name the kind of each mismatch.

    Parameters
    ----------
    warped : Array
        (H, W) bool, S after warping.
    ids : Array
        (H, W) int32, its 4-connected components, 0 on black.
    rows, columns : Array
        (N,) where S differs from the prediction.

    Returns
    -------
    Array
        (N,) uint8, one of this module's constants.
    """
    height, width = warped.shape
    side = 2 * RADIUS + 3
    room = side * side if min(height, width) >= RADIUS else (height + 2) * (width + 2)
    cells, queue = np.zeros(room, np.int8), np.empty((8, room), np.intp)
    kinds, found = np.zeros(len(rows), np.uint8), np.empty(8, np.int32)
    scratch = cells, queue, found, np.empty((3, 8), np.intp)
    _classify(warped, ids, rows, columns, kinds, *scratch)
    return kinds


@jit
def _classify(
    warped: Array,
    ids: Array,
    rows: Array,
    columns: Array,
    kinds: Array,
    cells: Array,
    queue: Array,
    found: Array,
    state: Array,
) -> None:
    """Write the kinds; the last four are scratch memory (NumPy makes it: that compiles faster)."""
    for k in range(len(rows)):
        y, x = rows[k], columns[k]
        white = warped[y, x]
        around = _ids_around(ids, y, x, found)
        if around == 1 and found[0] == 0:
            kinds[k] = OBJECT_DELETION if white else OBJECT_ADDITION
        elif around == 1:
            kinds[k] = HOLE_ADDITION if white else HOLE_DELETION
        elif around == 2 and not white:
            kinds[k] = HOLE_ADDITION
        elif around == 2:
            stride, middle = _copy_window(warped, y, x, cells)
            black = _black_around(warped, y, x)
            kinds[k] = (
                SPLIT if _splits(cells, stride, middle, black, queue, state) else HOLE_DELETION
            )
        else:  # three ids or more (or none: the only pixel of an image has no neighbours)
            kinds[k] = SPLIT if white else MERGER
