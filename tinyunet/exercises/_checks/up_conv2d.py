"""Check of exercise 04: the up-convolution.

Lesson: `lessons/04-up-convolution.md`.
"""

from collections.abc import Callable
from functools import cache

import numpy as np

from tinyunet.arrays import Array
from tinyunet.exercises.diagnose import TOLERANCE_FLOAT32
from tinyunet.exercises.task import Case, Mistake, Output, Task

# N, C, O, h, w: all different, and from 2h, 2w and the 4 taps; C < O, then C > O.
GENERAL = ((3, 5, 7, 6, 8), (5, 9, 3, 7, 6))
AWKWARD = ((1, 2, 1, 1, 1), (3, 1, 2, 4, 1), (2, 2, 2, 1, 3))


def up_conv2d(x: Array, weight: Array, bias: Array) -> Array:
    """The right answer: (N, O, 2h, 2w)."""
    return _woven(_patches(x, weight)) + bias[:, None, None]


def _patches(x: Array, weight: Array) -> Array:
    """What each pixel paints: (N, O, a, b, i, j)."""
    return np.einsum("ncij,coab->noabij", x, weight)


def _woven(patches: Array) -> Array:
    n, o, _, _, height, width = patches.shape
    return patches.transpose(0, 1, 4, 2, 5, 3).reshape(n, o, 2 * height, 2 * width)


def draw(n: int, c: int, o: int, height: int, width: int) -> tuple[Array, ...]:
    """Return random x, weight, bias and dy of an up-convolution."""
    rng = np.random.default_rng(4)
    shapes = ((n, c, height, width), (c, o, 2, 2), (o,), (n, o, 2 * height, 2 * width))
    return tuple(rng.standard_normal(shape) for shape in shapes)


def sizes(n: int, c: int, o: int, height: int, width: int) -> dict[str, int]:
    """Return how many there are of what in an up-convolution."""
    return {
        "images": n,
        "input channels": c,
        "output channels": o,
        "taps": 4,
        "taps of all output channels": 4 * o,
        "input pixels": height * width,
        "output pixels": 4 * height * width,
        "input pixels of all images": n * height * width,
        "output pixels of all images": 4 * n * height * width,
    }


@cache
def _cases() -> list[Case]:
    title = "up_conv2d: random maps and kernels"
    cases = [Case(title, draw(*shape)[:3], sizes(*shape)) for shape in GENERAL]
    arrays = tuple(a.astype(np.float32) for a in draw(*GENERAL[0])[:3])
    title = "up_conv2d: float32 in, float32 out"
    cases.append(Case(title, arrays, {}, 2, False, TOLERANCE_FLOAT32, np.float32))
    title = "up_conv2d: awkward sizes, one pixel, one channel, one column"
    return cases + [Case(title, draw(*shape)[:3], {}, 2, False) for shape in AWKWARD]


def _biased(patches: Callable[..., Array]) -> Callable[..., Array]:
    """The right answer from other patches."""
    return lambda x, weight, bias: _woven(patches(x, weight)) + bias[:, None, None]


def _arranged(arrange: Callable[[Array], Array]) -> Callable[..., Array]:
    """The right patches (N, O, a, b, i, j), put in other places."""

    def made(x: Array, weight: Array, bias: Array) -> Array:
        n, o, height, width = *(x.shape[0], weight.shape[1]), *x.shape[2:]
        y = arrange(_patches(x, weight)).reshape(n, o, 2 * height, 2 * width)
        return y + bias[:, None, None]

    return made


def _last(taps: bool, biased: bool) -> Callable[..., Array]:
    """`=` in the loop over input channels."""
    return lambda x, weight, bias: (
        _woven(_patches(x[:, -1:], weight[-1:])) + biased * bias[:, None, None]
    )


def _after(change: Callable[..., Array]) -> Callable[..., Array]:
    """What becomes of the products' sum, given (sum, x, bias as (O, 1, 1))."""
    return lambda x, weight, bias: change(_woven(_patches(x, weight)), x, bias[:, None, None])


def reshaped(weight: Array) -> Array:
    """(C, O, 2, 2) read as (O, C, 2, 2) by a reshape, where a transpose would be needed."""
    c, o = weight.shape[:2]
    return weight.reshape(o, c, 2, 2).swapaxes(0, 1)


def _as_output_first(x: Array, weight: Array, bias: Array) -> Array:
    """Loops that take axis 0 of the weight for the output channels: C of them come out."""
    c, o = weight.shape[:2]
    if c > o:
        raise IndexError(f"index {o} is out of bounds for axis 1 with size {o}")
    return up_conv2d(x, weight[:, :c].swapaxes(0, 1), bias[:c])


def _one_apart(x: Array, weight: Array, bias: Array) -> Array:
    """Block (i, j) at pixel (i, j): each overwrites most of the one before."""
    height, width = x.shape[2:]
    y = np.zeros((len(x), weight.shape[1], 2 * height, 2 * width), x.dtype)
    i, j = (np.minimum(np.arange(n + 1), n - 1) for n in (height, width))
    rows, columns = np.ix_(i, j)
    a, b = np.arange(height + 1)[:, None] - rows, np.arange(width + 1) - columns
    blocks = _patches(x, weight) + bias[:, None, None, None, None]
    y[:, :, : height + 1, : width + 1] = blocks[:, :, a, b, rows, columns]
    return y


ORDER = (
    "your weight has its channels in the wrong order: it is (C, O, 2, 2), input channels first; "
    "(O, C, …) is the convolution's"
)

FORWARD = (
    Mistake(
        "your kernel is flipped: tap (a, b) writes pixel (2i + a, 2j + b) (lesson 04)",
        _biased(lambda x, w: _patches(x, w[:, :, ::-1, ::-1])),
    ),
    Mistake(
        "your kernel is transposed: tap (a, b) writes row 2i + a and column 2j + b",
        _biased(lambda x, w: _patches(x, w.swapaxes(2, 3))),
    ),
    Mistake(
        "your blocks lie side by side, not interleaved: pixel (i, j) becomes the 2×2 block at "
        "(2i, 2j), so tap (a, b) is written to rows a::2 and columns b::2",
        _arranged(lambda p: p.transpose(0, 1, 2, 4, 3, 5)),
    ),
    Mistake(
        "your patches are not woven: reshape moves no number, so transpose (N, O, a, b, i, j) to "
        "(N, O, i, a, j, b) first (lesson 04, \"The trap\")",
        _arranged(lambda p: p),
    ),
    Mistake(
        "your patches are not woven: reshape moves no number, so transpose (N, O, i, j, a, b) to "
        "(N, O, i, a, j, b) first (lesson 04, \"The trap\")",
        _arranged(lambda p: p.transpose(0, 1, 4, 5, 2, 3)),
    ),
    Mistake(
        "your patches are woven the wrong way round: the axes must be (N, O, i, a, j, b), so that "
        "the row is 2i + a",
        _arranged(lambda p: p.transpose(0, 1, 5, 2, 4, 3)),
    ),
    Mistake("your blocks lie one pixel apart: pixel (i, j) becomes the block at (2i, 2j)",
            _one_apart),
    Mistake(ORDER, _as_output_first),
    Mistake(ORDER, _biased(lambda x, w: _patches(x, reshaped(w)))),
    Mistake("your y has no bias: each output starts from bias[o]", _after(lambda s, x, b: s)),
    Mistake("your bias has the wrong sign", _after(lambda s, x, b: s - b)),
    *(
        Mistake(
            f"your bias is added once a {what}: it is added once for each output pixel",
            _after(lambda s, x, b, count=count: s + b * count(x)),
        )
        for what, count in (
            ("channel", lambda x: x.shape[1]),
            ("channel", lambda x: x.shape[1] + 1),
            ("tap", lambda x: 4),
            ("tap", lambda x: 5),
        )
    ),
    *(
        Mistake(
            "only the last input channel counts: `+=` over channels, not `=`", _last(True, biased)
        )
        for biased in (True, False)
    ),
    Mistake(
        "only the first input channel counts: the sum runs over all channels",
        _biased(lambda x, w: _patches(x[:, :1], w[:1])),
    ),
    Mistake(
        "all four pixels of a block are equal: each has a tap of its own, weight[c, o, a, b]",
        _biased(lambda x, w: _patches(x, np.broadcast_to(w[:, :, :1, :1], w.shape))),
    ),
    Mistake(
        "only the top left pixel of each block is painted: there are four taps",
        _biased(lambda x, w: _patches(x, w * np.array([[1, 0], [0, 0]]))),
    ),
    Mistake(
        "only the bottom right pixel of each block is painted: does each tap write a new y?",
        _biased(lambda x, w: _patches(x, w * np.array([[0, 0], [0, 1]]))),
    ),
    Mistake(
        "your y is a mean over input channels: they are added up",
        _after(lambda s, x, b: s / x.shape[1] + b),
    ),
    Mistake(
        "your y is cut off at 0: there is no ReLU behind an up-convolution",
        _after(lambda s, x, b: np.maximum(s + b, 0)),
    ),
    Mistake(
        "all your images give the y of the first: x[n], not x[0]",
        _biased(lambda x, w: _patches(np.broadcast_to(x[:1], x.shape), w)),
    ),
)  # fmt: skip


TASKS = (Task("up_conv2d", up_conv2d, (Output("y", FORWARD, "(N, O, 2h, 2w)"),), _cases),)
