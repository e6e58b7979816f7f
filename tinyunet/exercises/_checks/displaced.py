"""Check of exercise 09: an image, displaced and read between its pixels.

Lesson: `lessons/09-elastic-deformation.md`.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from tinyunet.arrays import Array
from tinyunet.exercises.task import Case, Mistake, Output, Task
from tinyunet.geometry import mirror

Fold = Callable[[Array, int], Array]
FAR = 64  # pixels, further than any displacement here


def _points(image: Array, displacement: Array) -> Array:
    return np.indices(image.shape) + displacement


def _read(
    image: Array, points: Array, fold: Fold = mirror, cell_of: Callable[[Array], Array] = np.floor
) -> Array:
    """Interpolate linearly at points (2, H, W); `fold` finds the pixel of an index."""
    (height, width), cell = image.shape, cell_of(points)
    shares = points - cell
    total = np.zeros(points.shape[1:])
    for a, b in np.ndindex(2, 2):
        rows = fold(cell[0].astype(int) + a, height)
        columns = fold(cell[1].astype(int) + b, width)
        share = (shares[0] if a else 1 - shares[0]) * (shares[1] if b else 1 - shares[1])
        total += share * image[rows, columns]
    return total


def displaced(image: Array, displacement: Array) -> Array:
    """The right answer."""
    return _read(image, _points(image, displacement))


def _at(points_of: Callable[[Array, Array], Array]) -> Callable[..., Array]:
    """The right answer at other points, given (grid of indices, displacement)."""
    return lambda image, d: _read(image, points_of(np.indices(image.shape), d))


def _folded(fold: Fold) -> Callable[..., Array]:
    """The right answer with another rule beyond the border."""
    return lambda image, d: _read(image, _points(image, d), fold)


def _padded(mode: Any) -> Callable[..., Array]:
    """The right answer of an image that NumPy has continued."""
    return lambda image, d: _read(np.pad(image, FAR, mode=mode), _points(image, d) + FAR)


def _nearest(image: Array, displacement: Array) -> Array:
    return _read(image, np.floor(_points(image, displacement) + 0.5))


def _rounded(image: Array, displacement: Array) -> Array:
    """round() goes to the even neighbour."""
    return _read(image, np.round(_points(image, displacement)))


def _clipped(image: Array, displacement: Array) -> Array:
    limit = np.array(image.shape)[:, None, None] - 1
    return _read(image, np.clip(_points(image, displacement), 0, limit))


def _inside_out(image: Array, displacement: Array) -> Array:
    """Each point takes most of the pixel that it is far from."""
    points = _points(image, displacement)
    cell = np.floor(points)
    return _read(image, cell + 1 - (points - cell))


def _last_of_four(image: Array, displacement: Array) -> Array:
    points = _points(image, displacement)
    cell = np.floor(points).astype(int)
    rows, columns = (mirror(cell[k] + 1, image.shape[k]) for k in (0, 1))
    return np.prod(points - cell, axis=0) * image[rows, columns]


def _one_axis(axis: int) -> Callable[..., Array]:
    """Interpolated along one axis; along the other the fraction is dropped."""

    def made(image: Array, displacement: Array) -> Array:
        points = _points(image, displacement)
        points[1 - axis] = np.floor(points[1 - axis])
        return _read(image, points)

    return made


def _scattered(image: Array, displacement: Array) -> Array:
    """Forwards: each pixel is written to where it goes, rounded."""
    out = np.zeros(image.shape)
    at = np.floor(_points(image, displacement) + 0.5).astype(int)
    rows, columns = (mirror(at[k], image.shape[k]) for k in (0, 1))
    for i, j in np.ndindex(image.shape):
        out[rows[i, j], columns[i, j]] = image[i, j]
    return out


def _wrapping_below(index: Array, size: int) -> Array:
    """Negative indices are left to Python; what is too large is mirrored."""
    return np.where(index < 0, index % size, mirror(index, size))


def _symmetric_at_the_far_end(index: Array, size: int) -> Array:
    period = 2 * size - 1
    index = np.abs(index) % period
    return np.where(index < size, index, period - index)


MISTAKES = (
    Mistake("your displacement has the wrong sign: output pixel (i, j) reads the source at "
            "(i, j) + displacement", _at(lambda grid, d: grid - d)),
    Mistake("rows and columns are swapped: displacement[0] moves along rows (down), [1] along "
            "columns", _at(lambda grid, d: grid + d[::-1])),
    Mistake("i and j are exchanged: output pixel (i, j) begins at row i and column j",
            _at(lambda grid, d: grid[::-1] + d)),
    Mistake("your image does not move: nothing of the displacement arrives",
            lambda image, d: image.copy()),
    Mistake("your image moves along the rows only: displacement[1] moves along the columns",
            _at(lambda grid, d: grid + d * [[[1]], [[0]]])),
    Mistake("your image moves along the columns only: displacement[0] moves along the rows",
            _at(lambda grid, d: grid + d * [[[0]], [[1]]])),
    Mistake("you read at the displacement itself: the source is at (i, j) + displacement",
            _at(lambda grid, d: d)),
    Mistake("you read the nearest pixel: that is for labels, an image is interpolated", _nearest),
    Mistake("you read the nearest pixel: that is for labels, an image is interpolated", _rounded),
    Mistake("you drop the fraction of the source point: four pixels share the value",
            _at(lambda grid, d: np.floor(grid + d))),
    Mistake("you drop the fraction of the displacement and round towards 0: four pixels share the "
            "value", _at(lambda grid, d: grid + np.trunc(d))),
    Mistake("you interpolate along the rows only: the columns have a fraction as well",
            _one_axis(0)),
    Mistake("you interpolate along the columns only: the rows have a fraction as well",
            _one_axis(1)),
    Mistake("your shares are swapped: a point close to a pixel takes most of *that* pixel",
            _inside_out),
    Mistake("your four pixels share equally: each counts by how near the point is",
            lambda image, d: _read(image, np.floor(_points(image, d)) + 0.5)),
    Mistake("your points lie half a pixel further down and right: pixel (i, j) is at (i, j)",
            _at(lambda grid, d: grid + d + 0.5)),
    Mistake("only the last of the four pixels counts: `+=`, not `=`", _last_of_four),
    Mistake("you round negative coordinates towards 0: floor goes down, int() does not",
            lambda image, d: _read(image, _points(image, d), cell_of=np.trunc)),
    Mistake("you write each pixel to where it goes, which leaves holes: each output pixel asks "
            "where it comes from", _scattered),
    Mistake("your displacement is halved", _at(lambda grid, d: grid + d / 2)),
    Mistake("you repeat the edge beyond the border, or clip points to it: the lesson mirrors",
            _padded("edge")),
    Mistake("you repeat the edge beyond the border, or clip points to it: the lesson mirrors",
            _clipped),
    Mistake("your mirror repeats the edge pixel: −1 reads 1, not 0 (NumPy calls it \"reflect\")",
            _padded("symmetric")),
    Mistake("your mirror repeats the edge pixel at the far end: n reads n − 2, not n − 1",
            _folded(_symmetric_at_the_far_end)),
    Mistake("your image wraps around: −1 reads 1, as in a mirror", _folded(lambda i, n: i % n)),
    Mistake("negative indices wrap around in yours: −1 reads 1, as in a mirror",
            _folded(_wrapping_below)),
    Mistake("you read 0 beyond the border: the lesson mirrors", _padded("constant")),
)  # fmt: skip


@cache
def _cases() -> list[Case]:
    rng = np.random.default_rng(9)
    small, large = rng.standard_normal((5, 7)), rng.standard_normal((8, 6))
    shift, other = np.zeros((2, 5, 7)), np.zeros((2, 8, 6))
    shift[0, :-1], other[0, 1:, 2:], other[1, 1:, 2:] = 1.0, -1.0, -2.0
    inner, second = np.zeros((2, 5, 7)), np.zeros((2, 8, 6))
    inner[:, 1:-1, 1:-1] = rng.uniform(-0.95, 0.95, (2, 3, 5))
    second[:, 2:-2, 2:-2] = rng.uniform(-1.95, 1.95, (2, 4, 2))

    def near(image: Array, reach: float) -> Array:
        return rng.uniform(-reach, reach, (2, *image.shape))

    whole = "shifts by whole pixels: one row down; one row up and two columns to the left"
    return [
        Case("no displacement changes nothing", (small, np.zeros((2, 5, 7))), general=False),
        Case(whole, (small, shift)),
        Case(whole, (large, other)),
        Case("fractions of a pixel inside the image", (small, inner)),
        Case("fractions of a pixel inside the image", (large, second)),
        Case("beyond the border: mirrored, the edge pixel not repeated", (small, near(small, 2.5)),
             level=2),
        Case("beyond the border: mirrored, the edge pixel not repeated", (large, near(large, 3.5)),
             level=2),
        Case("far beyond it: mirrored again and again", (small, near(small, 40)), level=3),
        Case("far beyond it: mirrored again and again", (large, near(large, 50)), level=3),
    ]  # fmt: skip


TASKS = (Task("displaced", displaced, (Output("image", MISTAKES, "(H, W)"),), _cases),)
