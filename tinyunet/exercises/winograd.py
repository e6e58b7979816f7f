"""Checks of exercises 14 and 15: Winograd's convolution with fewer products, and its adjoint.

Lesson: `lessons/14-fast-on-a-cpu.md`. Source: Lavin and Gray, arXiv 1509.09308.
"""

import numpy as np

from tinyunet.exercises.diagnose import compare
from tinyunet.exercises.learner import Wrong, results
from tinyunet.kernels.cook_toom import cook_toom
from tinyunet.ops import naive

POINTS = (0, 1, -1, 2, -2)  # Lavin and Gray's; the package takes others for less rounding
TOLERANCE = 1e-9


def matrices():
    """Return Aᵀ (4, 6), G (6, 3) and Bᵀ (6, 6) of F(4×4, 3×3), float64."""
    return [np.array(matrix, dtype=np.float64) for matrix in cook_toom(POINTS)]


class Counted:
    """A number that counts how often two of its kind are multiplied."""

    products = 0

    def __init__(self, value):
        self.value = float(value)

    def __add__(self, other):
        return Counted(self.value + _value(other))

    def __sub__(self, other):
        return Counted(self.value - _value(other))

    def __rsub__(self, other):
        return Counted(_value(other) - self.value)

    def __neg__(self):
        return Counted(-self.value)

    def __mul__(self, other):
        Counted.products += isinstance(other, Counted)
        return Counted(self.value * _value(other))

    __radd__ = __add__
    __rmul__ = __mul__

    def __truediv__(self, other):
        return Counted(self.value / _value(other))


def _value(number):
    return number.value if isinstance(number, Counted) else number


def check_forward(learner):
    """Exercise 14: `f23_filter(g)`, `f23(d, u)` and `winograd_tile(d, g, at, gm, bt)`."""
    f23_filter, f23 = learner.function("f23_filter"), learner.function("f23")
    tile = learner.function("winograd_tile")
    rng = np.random.default_rng(14)
    yield "f23_filter: three taps become four"
    g, d = rng.standard_normal(3), rng.standard_normal(4)
    u = np.array([g[0], g.sum() / 2, (g[0] - g[1] + g[2]) / 2, g[2]])
    compare("u", f23_filter(g), u, (
        (u * [1, 2, 2, 1], "your u misses its halves: (g0 + g1 + g2) / 2, (g0 − g1 + g2) / 2"),
        (u[[0, 2, 1, 3]], "the two middle values of your u are swapped: plus first"),
        (u[::-1], "your filter is flipped: u[0] is g[0]"),
    ))  # fmt: skip
    yield "f23: two outputs of a 1-D convolution"
    want, second = np.array([d[0:3] @ g, d[1:4] @ g]), np.array([0.0, 1.0])
    compare("y", f23(d, u), want, (
        (np.array([d[0:3] @ g[::-1], d[1:4] @ g[::-1]]), "your kernel is flipped: y[i] takes "
         "g[a] · d[i + a]"),
        (want + second * (2 * u[3] * (d[1] - d[3])),
         "m3 has the wrong sign in your y1: m1 − m2 − m3 with m3 = (d1 − d3) · u3"),
        (want + second * (2 * u[2] * (d[2] - d[1])),
         "m2 has the wrong sign in your y1: m1 − m2 − m3 with m2 = (d2 − d1) · u2"),
    ))  # fmt: skip
    yield "f23: in four products instead of six"
    Counted.products = 0
    f23(np.array([Counted(v) for v in d]), np.array([Counted(v) for v in u]))
    if Counted.products != 4:
        raise Wrong(
            f"your f23 multiplies data by filter {Counted.products} times: the direct way takes 6, "
            "Winograd's 4 (sums of the data first, then one product each)"
        )
    yield "winograd_tile: 4×4 outputs of 6×6 inputs against the loops"
    for seed in range(2):
        _compare_tile(tile, seed)


def _draw(seed):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape) for shape in ((4, 4), (6, 6), (3, 3))]


def _compare_tile(tile, seed):
    at, gm, bt = matrices()
    _, d, g = _draw(seed)

    def direct(kernel):
        return naive.conv2d(d[None, None], kernel[None, None], np.zeros(1))[0, 0]

    u, v = gm @ g @ gm.T, bt @ d @ bt.T
    compare("y", tile(d, g, at, gm, bt), direct(g), (
        (direct(g[::-1, ::-1]), "your kernel is flipped: Winograd's construction runs as the "
         "convolution of lesson 01 does"),
        (direct(g.T), "your kernel is transposed: G g Gᵀ, in this order"),
        (at @ (u @ v) @ at.T, "you multiply U and V as matrices: ⊙ is element by element"),
        (at @ (v @ u) @ at.T, "you multiply V and U as matrices: ⊙ is element by element"),
        (at @ (u * (bt.T @ d @ bt)) @ at.T, "your input transform is Bᵀ's transpose: V = Bᵀ d B"),
        (u * v, "your y is still in Winograd's 6×6 space: Y = Aᵀ M A"),
    ), tolerance=TOLERANCE)  # fmt: skip


def check_backward(learner):
    """Exercise 15: `winograd_tile_backward(dy, d, g, at, gm, bt)` → dd, dg."""
    backward = learner.function("winograd_tile_backward")
    yield "dg and dd against the loops, for a random upstream gradient"
    for seed in range(3):
        _compare_tile_backward(backward, seed)
    yield "the adjoint: ⟨dy, y(d, g)⟩ = ⟨dd, d⟩ = ⟨dg, g⟩"
    dy, d, g = _draw(9)
    y = naive.conv2d(d[None, None], g[None, None], np.zeros(1))[0, 0]
    dd, dg = results("winograd_tile_backward", backward(dy, d, g, *matrices()), ("dd", "dg"))
    compare("⟨dd, d⟩", np.vdot(dd, d), np.vdot(dy, y))
    compare("⟨dg, g⟩", np.vdot(dg, g), np.vdot(dy, y))


def _compare_tile_backward(backward, seed):
    at, gm, bt = matrices()
    dy, d, g = _draw(seed)

    def by_loops(dy, g=g):
        dx, dweight, _ = naive.conv2d_backward(
            dy[None, None], d[None, None], np.ascontiguousarray(g)[None, None]
        )
        return dx[0, 0], dweight[0, 0]

    got = results("winograd_tile_backward", backward(dy, d, g, at, gm, bt), ("dd", "dg"))
    dd, dg = by_loops(dy)
    ones = by_loops(np.ones_like(dy))
    dm = at.T @ dy @ at
    u, v = gm @ g @ gm.T, bt @ d @ bt.T
    compare("dg", got[1], dg, (
        (ones[1], "your dg is right only for an all-ones upstream gradient"),
        (gm.T @ (dm * u) @ gm, "your dg multiplies dM by U: the derivative by U is the *other* "
         "factor, V"),
        (gm.T @ (dm @ v) @ gm, "you multiply dM and V as matrices: ⊙ is element by element, and so "
         "is its backward"),
        (dm * v, "your dg is still dU, 6×6: go back through G with Gᵀ dU G"),
        (gm.T @ (dm * v * 2) @ gm, "your dg is counted twice"),
    ), tolerance=TOLERANCE)  # fmt: skip
    compare("dd", got[0], dd, (
        (ones[0], "your dd is right only for an all-ones upstream gradient"),
        (by_loops(dy, g[::-1, ::-1])[0], "your dd has a flipped kernel"),
        (bt.T @ (dm * v) @ bt, "your dd multiplies dM by V: the derivative by V is the *other* "
         "factor, U"),
        (bt @ (dm * u) @ bt.T, "you go back through Bᵀ with Bᵀ itself: the adjoint of d ↦ Bᵀ d B "
         "is dV ↦ B dV Bᵀ"),
        (dm * u, "your dd is still dV: go back with B dV Bᵀ"),
        (bt.T @ (dm @ u) @ bt, "you multiply dM and U as matrices: ⊙ is element by element"),
    ), tolerance=TOLERANCE)  # fmt: skip
