"""What `predict_tiled` accepts, and the words for what it does not.

Lesson: lessons/10-overlap-tile.md.
"""

import os
from typing import TypeAlias

import numpy as np

from tinyunet.arrays import Array, as_real
from tinyunet.nn.unet import UNet

LARGEST_AVERAGE = 8

Tile: TypeAlias = int | tuple[int, int] | None


def check_image(net: UNet, image: Array) -> Array:
    """Check an image against a network.

    Parameters
    ----------
    net : UNet
        The network.
    image : array
        What a caller gave.

    Returns
    -------
    array, shape (C, H, W)
        The image.

    Raises
    ------
    ValueError
        For all else.
    """
    as_real(image, "image")
    image = np.asanyarray(image)  # a memory map stays one: see `check_out`
    if image.ndim == 2:
        image = image[None]
    if image.ndim != 3 or image.size == 0:
        raise ValueError(f"image must be (H, W) or (C, H, W) and not empty, got {image.shape}")
    if image.shape[0] != net.in_channels:
        raise ValueError(
            f"image {image.shape} has {image.shape[0]} channels, the network takes "
            f"{net.in_channels} (for a stack of images see predict_stack)"
        )
    return image


def check_average(average: int) -> int:
    """Check a number of versions to average over.

    Parameters
    ----------
    average : int
        What a caller gave.

    Returns
    -------
    int
        1 to 8.

    Raises
    ------
    ValueError
        For all else.
    """
    whole = isinstance(average, (int, np.integer)) and not isinstance(average, bool)
    if not whole or not 1 <= average <= LARGEST_AVERAGE:
        raise ValueError(f"average must be a whole number from 1 to 8, got {average!r}")
    return int(average)


def check_tile(tile: Tile) -> tuple[int, int]:
    """Check that a tile is one or two whole numbers.

    Parameters
    ----------
    tile : int or (rows, columns)
        What a caller gave.

    Returns
    -------
    tuple of int
        (rows, columns).

    Raises
    ------
    ValueError
        For all else.
    """
    pair = tile if isinstance(tile, (tuple, list)) else (tile, tile)
    sizes = [int(size) for size in pair if isinstance(size, (int, np.integer))]
    if len(pair) != 2 or len(sizes) != 2:
        raise ValueError(f"tile must be a whole number or (rows, columns), got {tile!r}")
    return sizes[0], sizes[1]


def check_out(out: Array | None, shape: tuple[int, ...], image: Array) -> Array:
    """Find the array to write into.

    Parameters
    ----------
    out : array or None
        What a caller gave.
    shape : tuple of int
        What it must have.
    image : array
        What is read meanwhile.

    Returns
    -------
    array
        `out`, or a new one for None.

    Raises
    ------
    ValueError
        For all else.
    """
    if out is None:
        return np.empty(shape, np.float32)
    if getattr(out, "shape", None) != shape or out.dtype not in (np.float32, np.float64):
        raise ValueError(
            f"out must be a float32 or float64 array of shape {shape}, got "
            f"{getattr(out, 'dtype', type(out).__name__)} {getattr(out, 'shape', '')}"
        )
    if np.shares_memory(out, image) or _one_file(out, image):
        raise ValueError("out must not share memory with image: it would be read after the change")
    return out


def _one_file(first: Array, second: Array) -> bool:
    """Whether both arrays are memory maps of the same file, which NumPy does not notice."""
    names = [getattr(array, "filename", None) or "" for array in (first, second)]
    return all(map(os.path.exists, names)) and os.path.samefile(names[0], names[1])
