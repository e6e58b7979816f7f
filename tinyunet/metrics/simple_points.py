"""Simple points: pixels that may change colour without changing what is connected to what.

Lesson: `lessons/12-scores.md`. Source: Bertrand and Malandain (1994), as the warping error of
Jain et al. (2010) uses it: white is 4-connected, black is 8-connected.

The answer depends on nothing but the 8 neighbours, so there are 256 cases and one table.
"""

import functools
from collections.abc import Iterable

import numpy as np

from tinyunet.arrays import Array

Place = tuple[int, int]  # (dy, dx)

# The 8 neighbours (dy, dx), clockwise from the top; neighbour k is bit k of a case.
RING = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))


def ring_components(cells: Iterable[Place], diagonal: bool) -> list[set[Place]]:
    """Return the connected components of some of the 8 neighbours.

    Parameters
    ----------
    cells : iterable of (int, int)
        Of RING's places; the pixel in the middle connects nothing.
    diagonal : bool
        False: neighbours that share a side are connected; True: a corner is enough.

    Returns
    -------
    list of set of (int, int)
        The places of each component.
    """
    left = set(cells)
    components = []
    while left:
        component: set[Place] = set()
        frontier = [left.pop()]
        while frontier:
            y, x = frontier.pop()
            component.add((y, x))
            for other in sorted(left):
                dy, dx = abs(other[0] - y), abs(other[1] - x)
                if dy + dx == 1 or (diagonal and max(dy, dx) == 1):
                    left.remove(other)
                    frontier.append(other)
        components.append(component)
    return components


def is_simple(case: int) -> bool:
    """Return whether the middle pixel may be flipped.

    It must touch exactly one white component by a side, and exactly one black component: else
    flipping it would join or cut cells (white), or open or close a hole (black).

    Parameters
    ----------
    case : int
        0 to 255; bit k is set if RING[k] is white.

    Returns
    -------
    bool
        True for a simple point.
    """
    white = {place for k, place in enumerate(RING) if case >> k & 1}
    touching = [
        component
        for component in ring_components(white, diagonal=False)
        if any(abs(y) + abs(x) == 1 for y, x in component)
    ]
    black = ring_components(set(RING) - white, diagonal=True)
    return len(touching) == 1 and len(black) == 1


@functools.cache
def simple_table() -> Array:
    """Return `is_simple` of all 256 cases.

    Returns
    -------
    Array
        (256,) bool, read-only.
    """
    table = np.array([is_simple(case) for case in range(256)])
    table.flags.writeable = False
    return table
