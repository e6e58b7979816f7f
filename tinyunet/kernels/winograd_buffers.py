"""The shapes and buffers of Winograd's convolution: tiles, panels of channels, filters.

Lesson: lessons/14-fast-on-a-cpu.md. Channels are filled up to whole vectors of sixteen.

    V, M    (T, 36·C + 16)     a row for each tile: all channels of the first position, the next …
    U       (36, C·K + 16)     panels of sixteen of the K channels, in each a row for each of the C
    dU      (36, K·C + 16)     a row of C for each of the K

The sixteen numbers at the end nobody uses. Without them the rows would lie a multiple of 4096 bytes
apart for most numbers of channels, and a cache has eight places only for numbers as far apart as
that: what goes to or comes from 36 rows or many tiles, one after the other, would fall out of it.
Where this was measured the products over the tiles took twice as long.
"""

import numpy as np

from tinyunet.kernels import threads
from tinyunet.kernels.vector import LANES, sixteens
from tinyunet.kernels.winograd_filters import transform_filters
from tinyunet.kernels.winograd_products import ROWS
from tinyunet.kernels.workspace import empty

FEW_PAIRS = 2**13  # of channels: transforming less is not worth waking a thread for


def tile_grid(shape):
    """(rows of tiles in the whole batch, tiles in a row) for an input of this shape."""
    n, height, width, _ = shape
    return n * ((height + 1) // 4), (width + 1) // 4


def cut_rows(shape, weight, products=1):
    """Cut the rows of tiles into a share for each thread, but no share of too little work."""
    rows, tiles = tile_grid(shape)
    return threads.cut(
        rows, at_least=-(-threads.LITTLE // (36 * weight.size // 9 * tiles * products))
    )


def tile_buffer(tiles, channels, lanes=()):
    """Memory for V, M or a gradient of theirs, of `tiles` filled up to whole blocks.

    With `lanes` one for each thread, (lanes, tiles, …): memory is asked for once, not by each.
    """
    return empty((*lanes, -(-tiles // ROWS) * ROWS, 36 * sixteens(channels) + LANES))


def filter_buffer(rows, channels):
    """Memory for U or dU, `channels` filled up to whole vectors."""
    return empty((36, rows * sixteens(channels) + LANES))


def all_filters(weight, transposed):
    """U of weight (K, C, 3, 3) for the forward, the work shared out to the threads.

    If `transposed`, as the gradient of the input needs it, K and C exchanged.
    """
    lanes, rows = weight.shape[1::-1] if transposed else weight.shape[:2]
    U = filter_buffer(rows, lanes)

    def work(_, share):
        for first, last in share:
            transform_filters(weight, transposed, 0, lanes, first, last, U)

    threads.run(work, threads.cut(rows, at_least=FEW_PAIRS // lanes))
    return U


def padded(bias):
    """The bias with zeros for the channels that its last vector lacks."""
    filled = np.zeros(sixteens(len(bias)), np.float32)
    filled[: len(bias)] = bias
    return filled
