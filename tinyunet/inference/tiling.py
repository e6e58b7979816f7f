"""How a large image is cut into tiles: where they lie, what they read, how large they may be.

Lesson: `lessons/10-overlap-tile.md`. Paper: section 2 and figure 2.

Sizes are in pixels along one axis. A tile of `tile` input pixels predicts `tile - 2·margin` of
them; the input windows of neighbouring tiles overlap by the margins. Two things make the result
seamless, that is, equal to the whole image in one pass:

- Context. A window reads the image itself around its output; only beyond the image's edge it
  reads the mirror image.
- Phase. A 2×2 pooling takes pixels in pairs, (0, 1), (2, 3), ..., counted from the window's first
  pixel. A tile sees the pairs of the whole pass only if its window starts on a multiple of
  s = 2^(depth-1). So tiles are laid a multiple of s apart, though the output of a tile need not
  be one: 388 at depth 5, where tiles lie 384 apart and the last 4 pixels are left to the next.
"""

import numpy as np

from tinyunet._machine import free_memory
from tinyunet.arrays import Array
from tinyunet.geometry import (
    check_size,
    input_size,
    legal_sizes,
    mirror,
    output_size,
    scale,
)
from tinyunet.nn.memory import prediction_memory
from tinyunet.nn.unet import UNet

LARGEST_TILE = 2048  # beyond this the margins cost less than a fifth: more memory buys little


def read_window(image: Array, top: int, left: int, height: int, width: int) -> Array:
    """Copy a window out of an image, mirrored beyond the image's edges.

    Touches no more of `image` than the window covers, so that it may be a memory map.

    Parameters
    ----------
    image : array, shape (C, H, W)
        Any dtype.
    top, left : int
        Where the window begins, in the image's pixels; may be negative.
    height, width : int
        How large it is; it may reach beyond the image.

    Returns
    -------
    array, shape (C, height, width)
        A copy.
    """
    rows = mirror(np.arange(top, top + height), image.shape[1])
    columns = mirror(np.arange(left, left + width), image.shape[2])
    first_row, first_column = rows.min(), columns.min()
    seen = image[:, first_row : rows.max() + 1, first_column : columns.max() + 1]
    return np.asarray(seen)[:, (rows - first_row)[:, None], columns - first_column]


def plan_axis(size: int, tile: int, depth: int) -> list[tuple[int, int, int]]:
    """Cover the output pixels along one axis by tiles.

    Parameters
    ----------
    size : int
        How many output pixels.
    tile : int
        Input pixels of a tile.
    depth : int
        Of the network.

    Returns
    -------
    list of (start, count, window)
        Pixels start ... start+count-1 come from a window of ``window <= tile`` input pixels, whose
        first one is start - margin. Every pixel is in exactly one entry; every start is a multiple
        of 2^(depth-1); the last window is no larger than it must be.

    Raises
    ------
    ValueError
        For a tile that does not fit the depth, and for one whose output is too narrow to lay tiles
        side by side.
    """
    check_size(tile, depth, "tile")
    inside, s = output_size(tile, depth), scale(depth)
    step = inside // s * s
    if inside < size and step == 0:
        raise ValueError(
            f"tile {tile} at depth {depth} predicts {inside} pixels, too few to lay tiles "
            f"{s} pixels apart: the smallest that can is {input_size(s, depth)}"
        )
    plan, start = [], 0
    while start < size:
        count = size - start if size - start <= inside else step
        plan.append((start, count, input_size(count, depth)))
        start += count
    return plan


def choose_tile(net: UNet, height: int, width: int, budget: int | None = None) -> tuple[int, int]:
    """Choose the largest tile that the memory allows.

    Parameters
    ----------
    net : UNet
        The network.
    height, width : int
        Pixels of the image.
    budget : int, optional
        Bytes that a tile may take; None is half of the memory that is free.

    Returns
    -------
    tuple of int
        (rows, columns) of input pixels: no more than the image needs, nor than `LARGEST_TILE`.

    Raises
    ------
    MemoryError
        Where not even the smallest tile fits.
    """
    budget = free_memory(net.device) // 2 if budget is None else budget

    def needed(tile: tuple[int, int]) -> int:
        return prediction_memory(net.layers, *tile, net.dtype.itemsize)

    whole = input_size(height, net.depth), input_size(width, net.depth)
    smallest = input_size(scale(net.depth), net.depth)
    sizes = [size for size in legal_sizes(net.depth, LARGEST_TILE) if size >= smallest]
    for size in reversed(sizes or [smallest]):
        tile = min(size, whole[0]), min(size, whole[1])
        if needed(tile) <= budget:
            return tile
    raise MemoryError(
        f"the smallest tile, {tile[0]}×{tile[1]} pixels, needs about "
        f"{needed(tile) / 2**20:.0f} MiB and {budget / 2**20:.0f} MiB may be used: "
        "give tile= or a smaller network"
    )
