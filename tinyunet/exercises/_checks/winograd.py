"""Check of exercise 14: Winograd's convolution with fewer products.

Lesson: `lessons/14-fast-on-a-cpu.md`. Source: Lavin and Gray, arXiv 1509.09308.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from tinyunet.arrays import Array
from tinyunet.exercises.learner import Wrong
from tinyunet.exercises.task import Case, Mistake, Output, Task

# F(4×4, 3×3) of Lavin and Gray, points 0, ±1, ±2 and infinity; the package takes others.
AT = np.array([[1.0, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0],
               [0, 1, -1, 8, -8, 1]])  # fmt: skip
G = np.array([[1 / 4, 0, 0], [-1 / 6, -1 / 6, -1 / 6], [-1 / 6, 1 / 6, -1 / 6],
              [1 / 24, 1 / 12, 1 / 6], [1 / 24, -1 / 12, 1 / 6], [0, 0, 1]])  # fmt: skip
BT = np.array([[4.0, 0, -5, 0, 1, 0], [0, -4, -4, 1, 1, 0], [0, 4, -4, -1, 1, 0],
               [0, -2, -1, 2, 1, 0], [0, 2, -1, -2, 1, 0], [0, 4, 0, -5, 0, 1]])  # fmt: skip


class Counted:
    """A number that counts how often two of its kind are multiplied.

    Parameters
    ----------
    value : float
        The number.
    """

    products = 0

    def __init__(self, value: float) -> None:
        self.value = float(value)

    def __add__(self, other: Any) -> "Counted":
        return Counted(self.value + _value(other))

    def __sub__(self, other: Any) -> "Counted":
        return Counted(self.value - _value(other))

    def __rsub__(self, other: Any) -> "Counted":
        return Counted(_value(other) - self.value)

    def __neg__(self) -> "Counted":
        return Counted(-self.value)

    def __mul__(self, other: Any) -> "Counted":
        Counted.products += isinstance(other, Counted)
        return Counted(self.value * _value(other))

    def __truediv__(self, other: Any) -> "Counted":
        return Counted(self.value / _value(other))

    __radd__ = __add__
    __rmul__ = __mul__


def _value(number: Any) -> float:
    return number.value if isinstance(number, Counted) else number


def f23_filter(g: Array) -> Array:
    """The right answer: three taps become four."""
    return np.array([g[0], g.sum() / 2, (g[0] - g[1] + g[2]) / 2, g[2]])


def f23(d: Array, u: Array) -> Array:
    """The right answer: two outputs in four products."""
    return _combined(_products(d, u))


def _products(d: Array, u: Array) -> Array:
    return np.array([d[0] - d[2], d[1] + d[2], d[2] - d[1], d[1] - d[3]]) * u


def _combined(m: Array) -> Array:
    return np.array([m[0] + m[1] + m[2], m[1] - m[2] - m[3]])


def _counting(function: Callable[..., Any], d: Array, u: Array) -> Any:
    """Call the learner's `f23`, and once more with numbers that count."""
    result = function(d, u)
    if isinstance(result, np.ndarray) and np.allclose(result, f23(d, u)):
        Counted.products = 0
        boxes = [np.array([Counted(v) for v in values], dtype=object) for values in (d, u)]
        function(*boxes)
        if Counted.products != 4:
            raise Wrong(
                f"your f23 multiplies data by filter {Counted.products} times: the direct way "
                "takes 6, Winograd's 4 (sums of the data first, then one product each)"
            )
    return result


def _signs(*signs: float) -> Callable[[Array, Array], Array]:
    """y with the eight terms m0, m1, m2, m3 of y0 and of y1 added with these signs."""

    def made(d: Array, u: Array) -> Array:
        return np.array(signs).reshape(2, 4) @ _products(d, u)

    return made


def _data(change: Callable[..., tuple]) -> Callable[[Array, Array], Array]:
    """y from other sums of the data, given (d0, d1, d2, d3)."""
    return lambda d, u: _combined(np.array(change(*d)) * u)


FILTER = (
    Mistake("both middle values of your u miss their ½: (g0 + g1 + g2) / 2, (g0 − g1 + g2) / 2",
            lambda g: f23_filter(g) * [1, 2, 2, 1]),
    Mistake("your u1 misses its ½: (g0 + g1 + g2) / 2", lambda g: f23_filter(g) * [1, 2, 1, 1]),
    Mistake("your u2 misses its ½: (g0 − g1 + g2) / 2", lambda g: f23_filter(g) * [1, 1, 2, 1]),
    Mistake("only g2 is halved in your u: brackets, (g0 + g1 + g2) / 2",
            lambda g: np.array([g[0], g[0] + g[1] + g[2] / 2, g[0] - g[1] + g[2] / 2, g[2]])),
    Mistake("your whole u is halved: u0 = g0 and u3 = g2 are not", lambda g: f23_filter(g)
            * [0.5, 1, 1, 0.5]),
    Mistake("the two middle values of your u are exchanged: plus first",
            lambda g: f23_filter(g)[[0, 2, 1, 3]]),
    Mistake("your u0 and u3 are exchanged: u0 is g0", lambda g: f23_filter(g)[[3, 1, 2, 0]]),
    Mistake("your filter is flipped: u0 is g0, and u2 has the middle tap negative",
            lambda g: f23_filter(g)[::-1]),
    Mistake("your u2 has the wrong sign: (g0 − g1 + g2) / 2",
            lambda g: f23_filter(g) * [1, 1, -1, 1]),
    Mistake("your u2 subtracts g2: (g0 − g1 + g2) / 2",
            lambda g: f23_filter(g) - [0, 0, g[2], 0]),
    Mistake("your u2 does not subtract g1: (g0 − g1 + g2) / 2",
            lambda g: f23_filter(g)[[0, 1, 1, 3]]),
    Mistake("your middle values lack g1: (g0 + g1 + g2) / 2, (g0 − g1 + g2) / 2",
            lambda g: np.array([g[0], (g[0] + g[2]) / 2, (g[0] + g[2]) / 2, g[2]])),
    Mistake("your middle values are divided by 3: by 2", lambda g: f23_filter(g)
            * [1, 2 / 3, 2 / 3, 1]),
)  # fmt: skip
F23 = (
    Mistake("m3 has the wrong sign in your y1: m1 − m2 − m3 with m3 = (d1 − d3) · u3",
            _signs(1, 1, 1, 0, 0, 1, -1, 1)),
    Mistake("m2 has the wrong sign in your y1: m1 − m2 − m3 with m2 = (d2 − d1) · u2",
            _signs(1, 1, 1, 0, 0, 1, 1, -1)),
    Mistake("m2 and m3 have the wrong sign in your y1: m1 − m2 − m3",
            _signs(1, 1, 1, 0, 0, 1, 1, 1)),
    Mistake("m2 has the wrong sign in your y0: m0 + m1 + m2", _signs(1, 1, -1, 0, 0, 1, -1, -1)),
    Mistake("m2 has the wrong sign in both outputs: m2 = (d2 − d1) · u2",
            _data(lambda a, b, c, d: (a - c, b + c, b - c, b - d))),
    Mistake("m0 is d2 − d0 in yours: m0 = (d0 − d2) · u0",
            _data(lambda a, b, c, d: (c - a, b + c, c - b, b - d))),
    Mistake("m0 adds where it subtracts: m0 = (d0 − d2) · u0",
            _data(lambda a, b, c, d: (a + c, b + c, c - b, b - d))),
    Mistake("m1 subtracts where it adds: m1 = (d1 + d2) · u1",
            _data(lambda a, b, c, d: (a - c, b - c, c - b, b - d))),
    Mistake("m0 is missing in your y0: m0 + m1 + m2", _signs(0, 1, 1, 0, 0, 1, -1, -1)),
    Mistake("m3 is missing in your y1: m1 − m2 − m3", _signs(1, 1, 1, 0, 0, 1, -1, 0)),
    Mistake("your y0 and y1 are exchanged", lambda d, u: f23(d, u)[::-1]),
    Mistake("your y is halved: the ½ is in u already", lambda d, u: f23(d, u) / 2),
    Mistake("the middle products are halved once more: the ½ is in u already",
            lambda d, u: _combined(_products(d, u) * [1, 0.5, 0.5, 1])),
    Mistake("your y is the sum of both outputs: return the two numbers, y0 and y1",
            lambda d, u: f23(d, u).sum()),
)  # fmt: skip


def direct(d: Array, g: Array) -> Array:
    """Return the valid convolution of a tile (6, 6) with a filter (3, 3)."""
    windows = np.lib.stride_tricks.sliding_window_view(d, g.shape)
    return np.einsum("ijab,ab->ij", windows, g)


def _right(d: Array, g: Array, at: Array, gm: Array, bt: Array) -> Array:
    return direct(d, g)


def _of(formula: Callable[..., Array]) -> Callable[..., Array]:
    """Another formula of (U, V, A transposed)."""
    return lambda d, g, at, gm, bt: formula(gm @ g @ gm.T, bt @ d @ bt.T, at)


TILE = (
    Mistake("your kernel is flipped: Winograd's construction runs as the convolution of lesson 01 "
            "does", lambda d, g, *_: direct(d, g[::-1, ::-1])),
    Mistake("your kernel is transposed: G g Gᵀ, in this order", lambda d, g, *_: direct(d, g.T)),
    Mistake("your tile is transposed: V = Bᵀ d B, in this order", lambda d, g, *_: direct(d.T, g)),
    Mistake("you multiply U and V as matrices: ⊙ is element by element",
            _of(lambda u, v, at: at @ (u @ v) @ at.T)),
    Mistake("you multiply V and U as matrices: ⊙ is element by element",
            _of(lambda u, v, at: at @ (v @ u) @ at.T)),
    Mistake("your input transform is Bᵀ's transpose: bt is Bᵀ already, V = bt d btᵀ",
            lambda d, g, at, gm, bt: at @ ((gm @ g @ gm.T) * (bt.T @ d @ bt)) @ at.T),
    Mistake("your input transform has Bᵀ on both sides: V = Bᵀ d B, and B is btᵀ",
            lambda d, g, at, gm, bt: at @ ((gm @ g @ gm.T) * (bt @ d @ bt)) @ at.T),
    Mistake("your input transform has B on one side only: V = Bᵀ d B, rows and columns",
            lambda d, g, at, gm, bt: at @ ((gm @ g @ gm.T) * (bt @ d)) @ at.T),
    Mistake("your input is not transformed: V = Bᵀ d B",
            lambda d, g, at, gm, bt: at @ ((gm @ g @ gm.T) * d) @ at.T),
    Mistake("you add U and V: ⊙ is their product, element by element",
            _of(lambda u, v, at: at @ (u + v) @ at.T)),
    Mistake("your y is still in Winograd's 6×6 space: Y = Aᵀ M A", _of(lambda u, v, at: u * v)),
    Mistake("your y is transformed along one axis only: Y = Aᵀ M A",
            _of(lambda u, v, at: at @ (u * v))),
    Mistake("your y is the top left corner of M: Y = Aᵀ M A",
            _of(lambda u, v, at: (u * v)[:4, :4])),
)  # fmt: skip


def draw(seed: int) -> tuple[Array, Array, Array]:
    """Return random dy (4, 4), d (6, 6) and g (3, 3)."""
    rng = np.random.default_rng(seed)
    shapes = ((4, 4), (6, 6), (3, 3))
    dy, d, g = (rng.standard_normal(shape) for shape in shapes)
    return dy, d, g


@cache
def _cases(what: str) -> list[Case]:
    rng = np.random.default_rng(14)
    taps, data = rng.standard_normal((2, 3)), rng.standard_normal((2, 4))
    if what == "filter":
        return [Case("f23_filter: three taps become four", (g,)) for g in taps]
    if what == "f23":
        title = "f23: two outputs of a 1-D convolution, in four products"
        pairs = zip(data, taps, strict=True)
        return [Case(title, (d, f23_filter(g))) for d, g in pairs]
    title = "winograd_tile: 4×4 outputs of 6×6 inputs against the loops"
    return [Case(title, (*draw(seed)[1:], AT, G, BT)) for seed in (0, 1)]


TASKS = (
    Task("f23_filter", f23_filter, (Output("u", FILTER),), lambda: _cases("filter")),
    Task("f23", f23, (Output("y", F23),), lambda: _cases("f23"), through=_counting),
    Task("winograd_tile", _right, (Output("y", TILE, "(4, 4)"),), lambda: _cases("tile")),
)
