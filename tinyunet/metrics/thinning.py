"""Thin the membranes of a prediction: cells grow until only one-pixel dams remain between them.

Lesson: `lessons/12-scores.md`. Source: the flooding of Vincent and Soille (1991) as the ISBI 2012
challenge runs it, so that the width of a membrane no longer counts (V_Rand and V_info "thinned").

The flooding is followed to the letter, its global flag and its order of visits included: where
two fronts meet, these decide which pixel becomes the dam, and with it the score's last digits.
"""

import numpy as np

from tinyunet._numba import jit
from tinyunet.arrays import Array

DAM = 0
UNSEEN = -1
QUEUED = -2


@jit
def _number_by_column(ids: Array, number: Array, state: Array) -> None:
    """Write to `state`, all UNSEEN, the basins numbered as they are met column by column.

    number: zeros, for each id and 0. NumPy makes the arrays: that compiles faster.
    """
    height, width = ids.shape
    last = 0
    for x in range(width):
        for y in range(height):
            basin = ids[y, x]
            if basin == 0:
                continue
            if number[basin] == 0:
                last += 1
                number[basin] = last
            state[y, x] = number[basin]


@jit
def _flood(state: Array, queue: Array) -> None:
    """Let the basins (values > 0) flow over the UNSEEN pixels of `state`, in place.

    queue: room for the index of each pixel, which is queued once.
    """
    height, width = state.shape
    tail = 0
    for x in range(width):
        for y in range(height):
            if state[y, x] != UNSEEN:
                continue
            for qy, qx in ((y, x - 1), (y - 1, x), (y, x + 1), (y + 1, x)):
                if 0 <= qy < height and 0 <= qx < width and state[qy, qx] > 0:
                    state[y, x] = QUEUED
                    queue[tail] = y * width + x
                    tail += 1
                    break
    dam_may_fall = False  # set by a dam that grew from a dam, cleared by one where basins met
    head = 0
    while head < tail:
        y, x = divmod(queue[head], width)
        head += 1
        for qy, qx in ((y, x - 1), (y - 1, x), (y, x + 1), (y + 1, x)):
            if not (0 <= qy < height and 0 <= qx < width):
                continue
            here, there = state[y, x], state[qy, qx]
            if there > 0:
                if here == QUEUED or (here == DAM and dam_may_fall):
                    state[y, x] = there
                elif here > 0 and here != there:
                    state[y, x] = DAM
                    dam_may_fall = False
            elif there == DAM:
                if here == QUEUED:
                    state[y, x] = DAM
                    dam_may_fall = True
            elif there == UNSEEN:
                state[qy, qx] = QUEUED
                queue[tail] = qy * width + qx
                tail += 1


def thin(ids: Array, count: int) -> tuple[Array, int]:
    """Grow components over the black pixels between them until dams one pixel wide remain.

    Parameters
    ----------
    ids : Array
        (H, W) int32, what `connected_components` returned for the white pixels of a slice.
    count : int
        Of components.

    Returns
    -------
    basins : Array
        (H, W) int32, 0 on dams, else 1 to `count` in the order of reading column by column.
    count : int
        Of basins. A slice without white is one: thinned, all black scores as all white.
    """
    if count == 0:
        return np.ones_like(ids), 1
    basins = np.full(ids.shape, UNSEEN, np.int32)
    _number_by_column(ids, np.zeros(count + 1, np.int32), basins)
    _flood(basins, np.empty(ids.size, np.intp))
    return basins, count
