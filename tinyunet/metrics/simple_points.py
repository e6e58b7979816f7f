"""Simple points: pixels that may change colour without changing what is connected to what.

Lesson: `lessons/12-scores.md`. Source: Bertrand and Malandain (1994), as the warping error of
Jain et al. (2010) uses it: white is 4-connected, black is 8-connected.

The answer depends on nothing but the 8 neighbours, so there are 256 cases and one table.
"""

import functools

import numpy as np

# The 8 neighbours (dy, dx), clockwise from the top; neighbour k is bit k of a case.
RING = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))


def ring_components(cells, diagonal):
    """The connected components of some of the 8 neighbours, as a list of sets of (dy, dx).

    Two neighbours are connected if they share a side, or with `diagonal` at least a corner;
    the pixel in the middle connects nothing.
    """
    left = set(cells)
    components = []
    while left:
        component, frontier = set(), [left.pop()]
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


def is_simple(case):
    """True if the middle pixel of this case may be flipped; bit k of `case`: RING[k] is white.

    It must touch exactly one white component by a side, and exactly one black component: else
    flipping it would join or cut cells (white), or open or close a hole (black).
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
def simple_table():
    """`is_simple` of all 256 cases as a read-only boolean array."""
    table = np.array([is_simple(case) for case in range(256)])
    table.flags.writeable = False
    return table
