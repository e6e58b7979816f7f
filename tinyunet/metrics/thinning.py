"""Thin the membranes of a proposal: cells grow until only one-pixel dams remain between them.

Lesson: `lessons/12-scores.md`. Source: the flooding of Vincent and Soille (1991) as the ISBI 2012
challenge runs it, so that the width of a membrane no longer counts (V_Rand and V_info "thinned").

The flooding is followed to the letter, its global flag and its order of visits included: where
two fronts meet, these decide which pixel becomes the dam, and with it the score's last digits.
"""

import numpy as np

from tinyunet.kernels.jit import jit

DAM = 0
UNSEEN = -1
QUEUED = -2


@jit
def _number_by_column(ids, count):
    """Basins numbered as they are met column by column; black pixels are UNSEEN."""
    height, width = ids.shape
    number = np.zeros(count + 1, np.int32)
    state = np.full((height, width), UNSEEN, np.int32)
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
    return state


@jit
def _flood(state):
    """Let the basins (values > 0) flow over the UNSEEN pixels of `state`, in place."""
    height, width = state.shape
    queue = np.empty(height * width, np.int64)  # a pixel is queued once
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


def thin(ids, count):
    """Grow components over the black pixels between them until dams one pixel wide remain.

    ids, count: what `label_components` returned for the white pixels of a slice.
    Returns (basins, count): int32 (H, W), 0 on dams, else 1 to count in the order of reading
    column by column. A slice without white is one basin: thinned, all black scores as all white.
    """
    if count == 0:
        return np.ones_like(ids), 1
    basins = _number_by_column(ids, count)
    _flood(basins)
    return basins, count
