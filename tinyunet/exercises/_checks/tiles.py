"""Check of exercise 10: mirrored indices, and a plan of tiles.

Lesson: `lessons/10-overlap-tile.md`.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from tinyunet import geometry
from tinyunet.arrays import Array
from tinyunet.exercises.learner import Wrong, results
from tinyunet.exercises.task import Case, Mistake, Output, Task

Plan = list[tuple[int, int]]


def _each(function: Callable[..., Any], indices: Array, size: int) -> Array:
    """Call the learner's `mirror` with one index after another."""
    return np.array([_whole(function(int(index), size)) for index in indices])


def _whole(value: Any) -> int:
    if not isinstance(value, int | np.integer):
        raise Wrong(f"mirror must return a whole number, yours returns {type(value).__name__}")
    return int(value)


def _once(index: Array, size: int) -> Array:
    index = np.where(index < 0, -index, index)
    return np.where(index >= size, 2 * (size - 1) - index, index)


def _symmetric(index: Array, size: int) -> Array:
    index = index % (2 * size)
    return np.where(index < size, index, 2 * size - 1 - index)


def _far_edge_twice(index: Array, size: int) -> Array:
    period = 2 * size - 1
    index = np.abs(index) % period
    return np.where(index < size, index, period - index)


def _without_abs(index: Array, size: int) -> Array:
    """A remainder that keeps the sign, as in other languages; then mirrored at the far end."""
    index = np.fmod(index, 2 * (size - 1))
    return np.where(index < size, index, 2 * (size - 1) - index)


MIRROR = (
    Mistake("your mirror repeats the edge pixel: −1 reads 1 and not 0; the period is "
            "2 · (size − 1)", _symmetric),
    Mistake("your mirror repeats the edge pixel at the far end: size reads size − 2, so the period "
            "is 2 · (size − 1)", _far_edge_twice),
    Mistake("your mirror repeats the edge for ever: −2 reads 2",
            lambda i, n: np.clip(i, 0, n - 1)),
    Mistake("your image wraps around: −1 reads 1, as in a mirror", lambda i, n: i % n),
    Mistake("your mirror works once: far outside, the mirror image is mirrored again, with a "
            "period of 2 · (size − 1)", _once),
    Mistake("your mirror works at the low end only: size reads size − 2", lambda i, n: np.abs(i)),
    Mistake("your mirror works at the low end and then wraps around: size reads size − 2",
            lambda i, n: np.abs(i) % n),
    Mistake("your mirror works at the far end only: −1 reads 1", _without_abs),
    Mistake("your indices are folded to 0 … period − 1, but the second half must run back: size "
            "reads size − 2", lambda i, n: np.abs(i) % (2 * (n - 1))),
    Mistake("your second half of the period runs back to the wrong pixel: size reads size − 2, "
            "that is 2 · (size − 1) − index",
            lambda i, n: np.where(np.abs(i) % (2 * n - 2) < n, np.abs(i) % (2 * n - 2),
                                  2 * n - 1 - np.abs(i) % (2 * n - 2))),
)  # fmt: skip


@cache
def _mirror_cases() -> list[Case]:
    near = "mirror: images of five and seven pixels, read a little way outside"
    far = "mirror: far outside, images of two pixels, of three"
    return [
        Case(near, (np.arange(-4, 9), 5)),
        Case(near, (np.arange(-6, 13), 7)),
        *(Case(far, (np.arange(-23, 24), size), level=2) for size in (5, 8, 3)),
        Case(far, (np.arange(-23, 24), 2), level=2, general=False),
    ]


def _step(tile: int, depth: int, s: int | None = None) -> int:
    s = s or geometry.scale(depth)
    return geometry.output_size(tile, depth) // s * s


def tiles(size: int, tile: int, depth: int) -> Plan:
    """The right answer: as few tiles as there can be."""
    return _planned(size, _step(tile, depth), geometry.output_size(tile, depth))


def _planned(size: int, step: int, last: int) -> Plan:
    """Tiles `step` apart; the last one may predict up to `last`."""
    plan: Plan = []
    start = 0
    while start < size and len(plan) < 10_000:
        count = size - start if size - start <= last else step
        plan.append((start, count))
        start += max(count, 1)
    return plan


def _right(size: int, tile: int, depth: int) -> Array:
    return np.array(tiles(size, tile, depth))


def _as_plan(function: Callable[..., Any], size: int, tile: int, depth: int) -> Array:
    """Call the learner's `tiles` and make an array (tiles, 2) of its list."""
    case, plan = f"tiles({size}, {tile}, {depth})", function(size, tile, depth)
    if not isinstance(plan, list):
        raise Wrong(f"{case} must return a list of (start, count), yours returns {plan!r}")
    for entry in plan:
        for number in results("tiles", entry, ("start", "count")):
            if not isinstance(number, int | np.integer):
                raise Wrong(f"{case} must return whole numbers, yours has {number!r}")
    return np.array(plan, dtype=np.int64).reshape(-1, 2)


def _made(plan: Callable[[int, int, int], Plan]) -> Callable[..., Array]:
    return lambda *inputs: np.array(plan(*inputs), dtype=np.int64).reshape(-1, 2)


def _changed(change: Callable[..., Any]) -> Callable[..., Array]:
    """The right plan, changed: (array, size, tile, depth) → array or list."""
    return lambda *inputs: np.array(change(_right(*inputs), *inputs)).reshape(-1, 2)


def _by(step: Callable[[int, int], int], last: Callable[[int, int], int]) -> Callable[..., Array]:
    """A plan with other sizes of tiles, given (tile, depth)."""
    return _made(lambda size, tile, depth: _planned(size, step(tile, depth), last(tile, depth)))


def _uncut(size: int, tile: int, depth: int) -> Plan:
    """All tiles of one size, the last one hanging over."""
    step = _step(tile, depth)
    return [(start, step) for start in range(0, size, step)]


def _whole_ones(size: int, tile: int, depth: int) -> Plan:
    """Only tiles that fit as a whole."""
    step = _step(tile, depth)
    return [(start, step) for start in range(0, size - step + 1, step)]


def _shifted_back(size: int, tile: int, depth: int) -> Plan:
    """The last tile moved back so that it ends at the image's end."""
    step = _step(tile, depth)
    starts = [*range(0, max(size - step, 0), step), max(size - step, 0)]
    return [(start, min(step, size)) for start in starts]


def _read_apart(size: int, tile: int, depth: int) -> Plan:
    """Tiles laid by what they read."""
    step = _step(tile, depth)
    return [(start, min(step, size - start)) for start in range(0, size, tile)]


_INSIDE = geometry.output_size
PLANS = (
    Mistake("your tiles predict fewer pixels than they could: starts must be multiples of "
            "2^(depth − 1), not of 2^depth",
            _by(lambda t, d: _step(t, d, 2**d), _INSIDE)),
    Mistake("your tiles predict fewer pixels than they could: starts must be multiples of "
            "2^(depth − 1), not of 2^depth",
            _by(lambda t, d: _step(t, d, 2**d), lambda t, d: _step(t, d, 2**d))),
    Mistake("what is left at the end fits into one tile, and yours takes two: the last tile may "
            "predict all that it can, since none begins behind it",
            _by(_step, _step)),
    Mistake("your tiles lie as far apart as they predict: each must begin at a multiple of "
            "2^(depth − 1), or its poolings take other pairs of pixels than the whole image's",
            _by(_INSIDE, _INSIDE)),
    Mistake("your tiles begin at multiples of 2^(depth − 2): there are depth − 1 poolings, so "
            "2^(depth − 1)",
            _by(lambda t, d: _step(t, d, max(2 ** (d - 2), 1)), _INSIDE)),
    Mistake("your tiles predict as many pixels as they read: the margin is lost on each side",
            _by(lambda t, d: t, lambda t, d: t)),
    Mistake("your tiles lose the margin on one side only: it is lost on both",
            _by(lambda t, d: t - geometry.margin(d), lambda t, d: t - geometry.margin(d))),
    Mistake("your tiles are inside // s pixels large: the largest multiple of s is inside // s * s",
            _by(lambda t, d: _step(t, d) // geometry.scale(d), _INSIDE)),
    Mistake("your last tile hangs over the image's end: it predicts what is left",
            _made(_uncut)),
    Mistake("what is left behind the last whole tile is missing: a smaller one must follow",
            _made(_whole_ones)),
    Mistake("your last tile is moved back to the image's end, so pixels are predicted twice: it "
            "begins where the one before ends", _made(_shifted_back)),
    Mistake("you lay tiles by what they read: they lie side by side by what they predict",
            _made(_read_apart)),
    Mistake("you return (start, end): it is (start, count)",
            _changed(lambda plan, *_: plan @ [[1, 1], [0, 1]])),
    Mistake("you return (count, start): it is (start, count)",
            _changed(lambda plan, *_: plan[:, ::-1])),
    Mistake("your starts are those of the windows, a margin further left: start is the first pixel "
            "that is predicted",
            _changed(lambda plan, size, tile, depth: plan - [[geometry.margin(depth), 0]])),
    Mistake("your plan begins with the second tile", _changed(lambda plan, *_: plan[1:])),
    Mistake("your plan lacks its last tile", _changed(lambda plan, *_: plan[:-1])),
    Mistake("your plan ends with a tile of no pixels: stop when start reaches size",
            _changed(lambda plan, size, *_: [*plan, (size, 0)])),
)  # fmt: skip


def _structure(function: Callable[..., Any], case: Case) -> str | None:
    """What is wrong with a plan, pixel by pixel."""
    size, tile, depth = case.inputs
    name = f"tiles({size}, {tile}, {depth})"
    inside, s = geometry.output_size(tile, depth), geometry.scale(depth)
    expected = 0
    for start, count in function(*case.inputs).tolist():
        if start > expected:
            return f"{name} leaves a gap: nothing predicts pixel {expected}"
        if start < expected:
            return f"{name} predicts pixel {start} twice: what tiles predict lies side by side"
        if count < 1:
            return f"{name} has a tile of {count} pixels, at {start}"
        if count > inside:
            return (f"{name} asks {count} pixels of one tile: {tile} input pixels predict "
                    f"{inside}, the others are the margin (lesson 10)")  # fmt: skip
        if start % s:
            return (f"{name} has a tile at {start}, no multiple of {s}: its poolings take other "
                    "pairs of pixels than the whole image's: a seam shows")  # fmt: skip
        expected = start + count
    if expected < size:
        return f"{name} ends at pixel {expected}: the last {size - expected} are missing"
    if expected > size:
        return f"{name} goes on to pixel {expected}, the image ends at {size}"
    least = len(tiles(*case.inputs))
    return f"{name} takes {len(function(*case.inputs))} tiles where {least} are enough"


@cache
def _plan_cases() -> list[Case]:
    one = "tiles: one that is large enough by itself"
    many = "tiles: several, a whole number of them and a remainder"
    phase = "tiles: the phase of the pooling (388 at depth 5 lie 384 apart), as few as possible"
    return [
        Case(one, (4, 20, 2), general=False),
        Case(one, (11, 28, 2), general=False),
        *(Case(many, (size, 28, 2)) for size in (24, 30, 31, 100)),
        *(Case(many, (size, 60, 3)) for size in (57, 130)),
        Case(many, (50, 30, 2)),
        *(Case(phase, (size, tile, 5), level=2) for tile in (572, 588) for size in (1000, 3000)),
        *(Case(phase, (size, 132, 4), level=2) for size in (84, 150, 200)),
        Case(phase, (388, 572, 5), level=2, general=False),
        Case(phase, (772, 572, 5), level=2, general=False),
    ]


TASKS = (
    Task("mirror", geometry.mirror, (Output("mirror", MIRROR),), _mirror_cases, through=_each),
    Task("tiles", _right, (Output("plan", PLANS),), _plan_cases, through=_as_plan,
         probes=(_structure,)),
)  # fmt: skip
