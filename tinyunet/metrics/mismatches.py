"""What kind of error is a pixel that warping could not mend?

Lesson: `lessons/12-scores.md`. Source: the public evaluation scripts of the ISBI 2012 challenge.

After `warping.py` the warped label S still differs from the proposal in some pixels. What would
flipping such a pixel do to the components around it: join two (merger), cut one (split), make or
fill a hole, make or remove an object? Only mergers and splits count in the warping error.
"""

import numpy as np

from tinyunet.kernels.jit import jit

OBJECT_DELETION = 1
OBJECT_ADDITION = 2
HOLE_ADDITION = 3
HOLE_DELETION = 4
MERGER = 5
SPLIT = 6

RADIUS = 20  # half of the 41 × 41 window in which a split is looked for


@jit
def _ids_around(ids, y, x, found):
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
def _parts_without(warped, y, x, visited, stamp, stack):
    """Ids around (y, x) once that pixel is black and the rest of the world is cut away.

    Counts the white 4-connected parts that the neighbours lie in, plus one if a neighbour is
    black. Only a window of 41 × 41 pixels is looked at, and outside of the image it is black; an
    image with a side below 20 is taken whole instead, without anything outside.
    `visited` marks pixels with `stamp`, a new number each call, so it never needs clearing.
    """
    height, width = warped.shape
    windowed = min(height, width) >= RADIUS
    top, bottom, left, right = 0, height, 0, width
    if windowed:
        top, bottom = max(y - RADIUS, 0), min(y + RADIUS + 1, height)
        left, right = max(x - RADIUS, 0), min(x + RADIUS + 1, width)
    visited[y, x] = stamp  # black from now on: no path leads through it
    parts = 0
    black = 0
    for ny in range(y - 1, y + 2):
        for nx in range(x - 1, x + 2):
            if ny == y and nx == x:
                continue
            if not (0 <= ny < height and 0 <= nx < width):
                if windowed:
                    black = 1
                continue
            if not warped[ny, nx]:
                black = 1
                continue
            if visited[ny, nx] == stamp:
                continue
            parts += 1
            visited[ny, nx] = stamp
            stack[0] = ny * width + nx
            size = 1
            while size > 0:
                size -= 1
                py, px = divmod(stack[size], width)
                for qy, qx in ((py, px - 1), (py - 1, px), (py, px + 1), (py + 1, px)):
                    inside = top <= qy < bottom and left <= qx < right
                    if inside and warped[qy, qx] and visited[qy, qx] != stamp:
                        visited[qy, qx] = stamp
                        stack[size] = qy * width + qx
                        size += 1
    return parts + black


@jit
def classify(warped, ids, rows, columns):
    """The kind of each mismatch as uint8 (N,), one of this module's constants.

    warped: S after warping, bool (H, W); ids: its 4-connected components, int32, 0 on black;
    rows, columns: (N,) where S differs from the proposal.
    """
    kinds = np.zeros(len(rows), np.uint8)
    found = np.empty(8, np.int32)
    visited = np.zeros(warped.shape, np.int32)
    stack = np.empty(warped.size, np.int64)
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
            cut = _parts_without(warped, y, x, visited, k + 1, stack) > 2
            kinds[k] = SPLIT if cut else HOLE_DELETION
        else:  # three ids or more (or none: the only pixel of an image has no neighbours)
            kinds[k] = SPLIT if white else MERGER
    return kinds
