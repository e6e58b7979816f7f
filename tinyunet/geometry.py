"""The arithmetic of valid convolutions: 572 → 388, which sizes fit, how wide the border is.

Every unpadded 3×3 convolution takes one pixel off each side; every pooling halves; every
up-convolution doubles. Let b be the size of the map that leaves the bottom of the U, and
s = 2^(depth-1) the factor by which it is smaller than the input. Walking outwards from the bottom:

    input  = s·(b + 4) + 4·(s − 1)      down: undo two convolutions (+4), undo the pooling (×2)
    output = s·b       − 4·(s − 1)      up:   up-convolution (×2), two convolutions (−4)

so input − output = 12·s − 8, whatever the tile: 184 pixels, 92 a side, at the paper's depth of 5.
Sizes are in pixels along one axis; height and width obey the same rule independently.
Paper: section 2, figure 1. Lesson: lessons/05-the-u.md.
"""

import math
from numbers import Integral

import numpy as np

from tinyunet.arrays import Array

DEEPEST = 30  # its smallest tile has 6 billion pixels a side


def mirror(index: Array | int, size: int) -> Array:
    """Return where an image is read for positions that may lie outside of it.

    The edge pixel is not repeated (NumPy's "reflect": -1 reads 1), and the mirror image is
    mirrored again as often as it takes: positions run 0 ... size-1 ... 0 ... with a period of
    2·(size-1). An image of one pixel is that pixel everywhere.

    Parameters
    ----------
    index : Array or int
        Integers of any shape: positions along one axis.
    size : int
        Pixels along that axis.

    Returns
    -------
    Array
        Integers of the same shape, 0 to size - 1.
    """
    if size == 1:
        return np.zeros_like(index)
    index = np.abs(index) % (2 * (size - 1))
    return np.where(index < size, index, 2 * (size - 1) - index)


def _check_depth(depth: int) -> int:
    """The depth as an int, if it is one that a U can have."""
    if not isinstance(depth, Integral) or depth < 1:
        raise ValueError(f"depth {depth} is not a whole number of at least 1")
    if depth > DEEPEST:
        raise ValueError(f"depth {depth} is more than {DEEPEST}")
    return int(depth)


def scale(depth: int) -> int:
    """Return how many input pixels one pixel at the bottom of the U stands for, along an axis.

    Parameters
    ----------
    depth : int
        Levels of the U, 5 in the paper.

    Returns
    -------
    int
        2^(depth-1).

    Raises
    ------
    ValueError
        For a depth that is not a whole number from 1 to 30; so do all functions here.
    """
    return 2 ** (_check_depth(depth) - 1)


def margin(depth: int) -> int:
    """Return how many pixels the output is narrower than the input on each side.

    Parameters
    ----------
    depth : int
        Levels of the U, 5 in the paper.

    Returns
    -------
    int
        92 at depth 5.
    """
    return 6 * scale(depth) - 4


def _smallest_bottom(depth: int) -> int:
    """The smallest bottom size b whose output s·b − 4(s−1) has at least one pixel."""
    s = scale(depth)
    return 4 * (s - 1) // s + 1


def _input_for_bottom(bottom: int, depth: int) -> int:
    """The input size whose bottom has `bottom` pixels."""
    s = scale(depth)
    return s * (bottom + 4) + 4 * (s - 1)


def smallest_size(depth: int) -> int:
    """Return the smallest input size that gives any output.

    Parameters
    ----------
    depth : int
        Levels of the U, 5 in the paper.

    Returns
    -------
    int
        Pixels; 188, which gives 4, at depth 5.
    """
    return _input_for_bottom(_smallest_bottom(depth), depth)


def fits(size: int, depth: int) -> bool:
    """Return whether an input meets an even size at every pooling.

    Parameters
    ----------
    size : int
        Pixels along one axis.
    depth : int
        Levels of the U, 5 in the paper.

    Returns
    -------
    bool
        True for a legal input size.
    """
    return size >= smallest_size(depth) and (size - smallest_size(depth)) % scale(depth) == 0


def nearest_sizes(size: int, depth: int) -> list[int]:
    """Return the legal input sizes next to a size.

    Parameters
    ----------
    size : int
        Pixels along one axis.
    depth : int
        Levels of the U, 5 in the paper.

    Returns
    -------
    list of int
        One below (if any) and one above, or the size itself.
    """
    smallest, s = smallest_size(depth), scale(depth)
    if size <= smallest:
        return [smallest]
    below = smallest + (int(size) - smallest) // s * s
    return [below] if below == size else [below, below + s]


def check_size(size: int, depth: int, name: str = "size") -> None:
    """Raise unless an input of a size fits.

    Parameters
    ----------
    size : int
        Pixels along one axis.
    depth : int
        Levels of the U, 5 in the paper.
    name : str
        What the message calls the size.

    Raises
    ------
    ValueError
        Naming the nearest sizes that fit.
    """
    if not fits(size, depth):
        near = nearest_sizes(size, depth)
        nearest = f"sizes are {near[0]} and {near[1]}" if len(near) > 1 else f"size is {near[0]}"
        raise ValueError(f"{name} {size} does not fit depth {depth}: the nearest {nearest}")


def output_size(size: int, depth: int) -> int:
    """Return the output size of an input size.

    Parameters
    ----------
    size : int
        Pixels along one axis.
    depth : int
        Levels of the U, 5 in the paper.

    Returns
    -------
    int
        Pixels along the same axis.

    Raises
    ------
    ValueError
        If the size does not fit.
    """
    check_size(size, depth)
    return size - 2 * margin(depth)


def input_size(output: int, depth: int) -> int:
    """Return the smallest legal input size whose output covers a number of pixels.

    Parameters
    ----------
    output : int
        Pixels along one axis, at least 1.
    depth : int
        Levels of the U, 5 in the paper.

    Returns
    -------
    int
        Pixels along the same axis.

    Raises
    ------
    ValueError
        For an output below 1.
    """
    if output < 1:
        raise ValueError(f"output {output} is not at least 1 pixel")
    smallest, s = smallest_size(depth), scale(depth)
    steps = max(0, math.ceil((output + 2 * margin(depth) - smallest) / s))
    return smallest + steps * s


def legal_sizes(depth: int, at_most: int = 1024) -> list[int]:
    """Return the input sizes that fit.

    Parameters
    ----------
    depth : int
        Levels of the U, 5 in the paper.
    at_most : int
        The largest that is wanted.

    Returns
    -------
    list of int
        Smallest first.
    """
    return list(range(smallest_size(depth), int(at_most) + 1, scale(depth)))
