"""Connected components: white pixels that share a side are one cell.

Lesson: `lessons/12-scores.md`. Cells that touch only at a corner are two cells, so a diagonal
membrane one pixel wide still separates.
"""

import numpy as np

from tinyunet.kernels.jit import jit


@jit
def label_components(white):
    """Number the 4-connected components of a (H, W) boolean mask.

    Returns (ids, count): ids int32 (H, W), 0 where black, else 1 to count in the order in which
    reading row by row meets the components. Background is 0 however it is connected.
    """
    height, width = white.shape
    ids = np.zeros((height, width), np.int32)
    stack = np.empty(height * width, np.int64)  # a pixel enters once: it is numbered when pushed
    count = 0
    for y in range(height):
        for x in range(width):
            if not white[y, x] or ids[y, x] != 0:
                continue
            count += 1
            ids[y, x] = count
            stack[0] = y * width + x
            size = 1
            while size > 0:
                size -= 1
                py, px = divmod(stack[size], width)
                for qy, qx in ((py, px - 1), (py - 1, px), (py, px + 1), (py + 1, px)):
                    inside = 0 <= qy < height and 0 <= qx < width
                    if inside and white[qy, qx] and ids[qy, qx] == 0:
                        ids[qy, qx] = count
                        stack[size] = qy * width + qx
                        size += 1
    return ids, count
