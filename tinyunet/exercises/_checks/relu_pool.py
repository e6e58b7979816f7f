"""Check of exercise 03: ReLU and max-pooling, forward and backward.

Lesson: `lessons/03-relu-and-pool.md`.
"""

from collections.abc import Callable
from functools import cache, partial

import numpy as np

from tinyunet.arrays import Array
from tinyunet.exercises._checks.gradients import ASSIGNED, ONES, RETURNED, upstream
from tinyunet.exercises.diagnose import TOLERANCE_FLOAT32
from tinyunet.exercises.task import Case, Mistake, Output, Task

SHAPES = ((2, 3, 10, 14), (5, 7, 12, 16))
AWKWARD = ((1, 1, 2, 2), (3, 2, 6, 2), (2, 1, 2, 4))
FLOAT32 = "float32 in, float32 out"


def _random(shape: tuple[int, ...], seed: int = 3) -> Array:
    """Random numbers with exact zeros among them."""
    x = np.random.default_rng(seed).standard_normal(shape)
    x[..., 1::3, ::2] = np.round(x[..., 1::3, ::2])
    return x


def _sizes(shape: tuple[int, ...]) -> dict[str, int]:
    n, c, height, width = shape
    return {"images": n, "channels": c, "pixels of a window": 4, "windows": height * width // 4}


def relu(x: Array) -> Array:
    """The right answer."""
    return np.maximum(x, 0)


def relu_backward(dy: Array, x: Array) -> Array:
    """The right answer."""
    return dy * (x > 0)


def _windows(x: Array) -> Array:
    """Return the windows (N, C, H/2, W/2, 4) of x, pixels in reading order."""
    n, c, height, width = x.shape
    split = x.reshape(n, c, height // 2, 2, width // 2, 2)
    return split.transpose(0, 1, 2, 4, 3, 5).reshape(n, c, height // 2, width // 2, 4)


def _unwindowed(windows: Array) -> Array:
    """The reverse: (N, C, h, w, 4) → (N, C, 2h, 2w)."""
    n, c, height, width, _ = windows.shape
    split = windows.reshape(n, c, height, width, 2, 2).transpose(0, 1, 2, 4, 3, 5)
    return split.reshape(n, c, 2 * height, 2 * width)


def max_pool2d(x: Array) -> Array:
    """The right answer."""
    return _windows(x).max(axis=-1)


def max_pool2d_backward(dy: Array, x: Array) -> Array:
    """The right answer."""
    return _routed(lambda w: _one_hot(np.argmax(w, axis=-1)))(dy, x)


def _one_hot(winner: Array) -> Array:
    return (winner[..., None] == np.arange(4)) * 1.0


def _routed(shares: Callable[[Array], Array]) -> Callable[..., Array]:
    """A backward pass that hands each window's dy out by shares (N, C, h, w, 4) of its pixels."""
    return lambda dy, x: _unwindowed(shares(_windows(x)) * dy[..., None]).astype(dy.dtype)


@cache
def _relu_cases() -> list[Case]:
    shapes = [("positive, negative and zero", shape) for shape in SHAPES]
    cases = [Case(f"relu: {title}", (_random(s),), _sizes(s)) for title, s in shapes]
    x = _random(SHAPES[0]).astype(np.float32)
    title = f"relu: {FLOAT32}"
    cases.append(Case(title, (x,), {}, 2, False, TOLERANCE_FLOAT32, np.float32))
    return cases


@cache
def _relu_backward_cases() -> list[Case]:
    title = "relu_backward: for a random upstream gradient, with zeros in x"
    cases = [
        Case(title, (np.random.default_rng(1).standard_normal(s), _random(s)), _sizes(s))
        for s in SHAPES
    ]
    arrays = tuple(a.astype(np.float32) for a in cases[0].inputs)
    title = f"relu_backward: {FLOAT32}"
    cases.append(Case(title, arrays, {}, 2, False, TOLERANCE_FLOAT32, np.float32))
    return cases


@cache
def _pool_cases() -> list[Case]:
    cases = [Case("max_pool2d: random maps", (_random(s),), _sizes(s)) for s in SHAPES]
    title = "max_pool2d: awkward sizes, one window, one column of windows"
    cases += [Case(title, (_random(s),), {}, 2, False) for s in AWKWARD]
    x = _random(SHAPES[0]).astype(np.float32)
    title = f"max_pool2d: {FLOAT32}"
    cases.append(Case(title, (x,), {}, 2, False, TOLERANCE_FLOAT32, np.float32))
    return cases


@cache
def _pool_backward_cases() -> list[Case]:
    rng = np.random.default_rng(33)

    def pair(x: Array) -> tuple[Array, Array]:
        n, c, height, width = x.shape
        return rng.standard_normal((n, c, height // 2, width // 2)), x

    def case(title: str, x: Array, level: int, general: bool = False) -> Case:
        return Case(f"max_pool2d_backward: {title}", pair(x), _sizes(x.shape), level, general)

    title = "ties: who gets the gradient where maxima are equal?"
    cases = [
        *(case("for a random upstream gradient", rng.standard_normal(s), 1, True) for s in SHAPES),
        *(case(title, rng.integers(-1, 2, s) * 1.0, 2, True) for s in SHAPES),
        case(title, np.zeros(SHAPES[0]), 2),
        *(case("awkward sizes, one window", rng.standard_normal(s), 3) for s in AWKWARD),
    ]
    arrays = tuple(a.astype(np.float32) for a in cases[0].inputs)
    title = f"max_pool2d_backward: {FLOAT32}"
    cases.append(Case(title, arrays, {}, 3, False, TOLERANCE_FLOAT32, np.float32))
    return cases


RELU = (
    Mistake("your relu mirrors what is negative: it must become 0, not |x|", np.abs),
    Mistake("your relu keeps the negative side: y = max(x, 0)", lambda x: np.minimum(x, 0)),
    Mistake("your relu returns where x > 0, not x there", lambda x: (x > 0) * 1.0),
    Mistake("your relu returns x as it is", lambda x: x),
    Mistake("your relu is cut off at 1: y = max(x, 0) has no upper end", lambda x: x.clip(0, 1)),
    Mistake("your relu raises every value to the largest of x: compare each with 0",
            lambda x: np.full_like(x, max(x.max(), 0))),
    *(Mistake(f"your relu lets {slope} of the negative side through (a leaky ReLU): here it "
              "becomes 0", lambda x, slope=slope: np.where(x > 0, x, slope * x))
      for slope in (0.01, 0.1, 0.2)),
    Mistake("that is the softplus log(1 + exp(x)), a smooth ReLU: y = max(x, 0)",
            lambda x: np.logaddexp(0, x)),
    Mistake("that is the sigmoid: y = max(x, 0)", lambda x: 1 / (1 + np.exp(-x))),
)  # fmt: skip
RELU_BACKWARD = (
    Mistake(ONES, lambda dy, x: (x > 0) * 1.0),
    Mistake(ONES, lambda dy, x: (x >= 0) * 1.0),
    Mistake("your {name} lets the gradient through where x is exactly 0: lesson 03 takes 0 there, "
            "x > 0 and not x >= 0", lambda dy, x: dy * (x >= 0)),
    Mistake("your {name} halves the gradient where x is exactly 0: lesson 03 takes 0 there",
            lambda dy, x: dy * np.heaviside(x, 0.5)),
    Mistake("your {name} asks for the sign of dy: it is x that decides",
            lambda dy, x: dy * (dy > 0)),
    Mistake("your {name} asks for the signs of both: dy may be negative, x decides",
            lambda dy, x: dy * (dy > 0) * (x > 0)),
    Mistake("your {name} is dy times relu(x): the slope is 1 or 0, not x",
            lambda dy, x: dy * np.maximum(x, 0)),
    Mistake("your {name} is dy times x: the slope is 1 or 0, not x", lambda dy, x: dy * x),
    Mistake("your {name} passes where x < 0: it is the other way round",
            lambda dy, x: dy * (x < 0)),
    Mistake("your {name} passes where x <= 0: it is the other way round",
            lambda dy, x: dy * (x <= 0)),
    Mistake("your {name} takes the sign of x for the slope: it is 1 or 0, not 1 or −1",
            lambda dy, x: dy * np.sign(x)),
    Mistake("your {name} passes everything: where x <= 0 nothing went through",
            lambda dy, x: dy),
    Mistake("your {name} is relu(x): the backward pass multiplies dy by the slope",
            lambda dy, x: np.maximum(x, 0)),
)  # fmt: skip


def _split_wrongly(x: Array) -> Array:
    n, c, height, width = x.shape
    return x.reshape(n, c, 2, height // 2, 2, width // 2).max(axis=(2, 4))


def _four_in_a_row(x: Array) -> Array:
    n, c, height, width = x.shape
    return x.reshape(n, c, height // 2, width // 2, 4).max(axis=-1)


POOL = (
    Mistake("your {name} is the mean of each window: it should be the maximum",
            lambda x: _windows(x).mean(axis=-1)),
    Mistake("your {name} is the sum of each window: it should be the maximum",
            lambda x: _windows(x).sum(axis=-1)),
    *(Mistake(f"your {{name}} is the {which} pixel of each window, not the largest",
              lambda x, k=k: _windows(x)[..., k])
      for k, which in enumerate(("top left", "top right", "bottom left", "bottom right"))),
    Mistake("your {name} is the smallest pixel of each window: it should be the largest",
            lambda x: _windows(x).min(axis=-1)),
    Mistake("your {name} is never negative: begin with the window's first pixel, not with 0",
            lambda x: np.maximum(_windows(x).max(axis=-1), 0)),
    Mistake("your {name} is the largest |x| of each window: it should be the largest x",
            lambda x: np.abs(_windows(x)).max(axis=-1)),
    Mistake("your windows are four pixels of one row: reshape moves no number. Split both axes, "
            "(N, C, H/2, 2, W/2, 2), and take the maximum over axes 3 and 5", _four_in_a_row),
    Mistake("your windows are spread over the image: split H into (H/2, 2), not into (2, H/2), so "
            "that the two rows of a window lie next to each other", _split_wrongly),
    Mistake("your windows overlap: they lie side by side, 2 apart (a stride of 2)",
            lambda x: np.maximum.reduce([x[:, :, :-1, :-1], x[:, :, 1:, :-1], x[:, :, :-1, 1:],
                                         x[:, :, 1:, 1:]])),
    Mistake("your windows do not jump: window (i, j) begins at x[2i, 2j]",
            lambda x: np.maximum.reduce([x[:, :, a : x.shape[2] // 2 + a, b : x.shape[3] // 2 + b]
                                         for a in (0, 1) for b in (0, 1)])),
    Mistake("your {name} compares the two pixels of a row only: a window has two rows",
            lambda x: _windows(x)[..., :2].max(axis=-1)),
    Mistake("your {name} compares the two pixels of a column only: a window has two columns",
            lambda x: _windows(x)[..., ::2].max(axis=-1)),
    Mistake("your {name} is the maximum over channels as well: each channel is pooled by itself",
            lambda x: np.broadcast_to(_windows(x).max(axis=(1, -1))[:, None],
                                      (*x.shape[:2], x.shape[2] // 2, x.shape[3] // 2))),
)  # fmt: skip


def _every(windows: Array) -> Array:
    return (windows == windows.max(axis=-1, keepdims=True)) * 1.0


def _first_of(windows: Array, order: list[int]) -> Array:
    """The first maximum of each window, visited in an order of pixels."""
    return _one_hot(np.array(order)[np.argmax(windows[..., order], axis=-1)])


def _from_zero(windows: Array) -> Array:
    """Winners of a search that begins with a largest value of 0, and pixel 0."""
    return _one_hot(np.where(windows.max(axis=-1) > 0, np.argmax(windows, axis=-1), -1))


def _from_zero_first(windows: Array) -> Array:
    return _one_hot(np.where(windows.max(axis=-1) > 0, np.argmax(windows, axis=-1), 0))


ROUTES = (
    ("your gradient goes to every maximum where several are equal: the lesson gives it to the "
     "first in reading order, so that what flows back is what came", _every),
    ("your gradient is shared among equal maxima: the first in reading order gets all of it",
     lambda w: _every(w) / _every(w).sum(axis=-1, keepdims=True)),
    ("your gradient goes to the last of equal maxima: the first in reading order gets it (is there "
     ">= where > should be?)", partial(_first_of, order=[3, 2, 1, 0])),
    ("your equal maxima are visited column by column: reading order goes along the rows, (0, 0), "
     "(0, 1), (1, 0), (1, 1)", partial(_first_of, order=[0, 2, 1, 3])),
    ("your gradient goes to all four pixels of a window: only the largest went through",
     np.ones_like),
    ("your gradient is spread as for a mean: only the largest pixel went through",
     lambda w: np.full_like(w, 0.25)),
    ("your gradient goes to the smallest pixel of each window",
     lambda w: _one_hot(np.argmin(w, axis=-1))),
    ("your gradient goes to the top left pixel of each window, whichever is the largest",
     lambda w: _one_hot(np.zeros(w.shape[:-1]))),
    ("your gradient has rows and columns of the winner exchanged: pixel k of a window is in row "
     "k // 2 and column k % 2", lambda w: _one_hot(np.array([0, 2, 1, 3])[np.argmax(w, axis=-1)])),
    ("windows without a positive pixel pass no gradient in yours: begin the search for the maximum "
     "with the window's first pixel, not with 0", _from_zero),
    ("windows without a positive pixel give their gradient to the top left in yours: begin the "
     "search for the maximum with the window's first pixel, not with 0", _from_zero_first),
    ("your gradient is multiplied by x: the slope of a maximum is 1 or 0",
     lambda w: _one_hot(np.argmax(w, axis=-1)) * w),
    ("your gradient goes to the pixel of the largest |x|: the largest x went through",
     lambda w: _one_hot(np.argmax(np.abs(w), axis=-1))),
)  # fmt: skip
POOL_BACKWARD = (
    *(Mistake(says, _routed(shares)) for says, shares in ROUTES),
    *(m for m in upstream(max_pool2d_backward) if m.says not in (ASSIGNED, RETURNED)),
)

TASKS = (
    Task("relu", relu, (Output("y of relu", RELU),), _relu_cases),
    Task(
        "relu_backward",
        relu_backward,
        (Output("dx of relu_backward", RELU_BACKWARD),),
        _relu_backward_cases,
    ),
    Task("max_pool2d", max_pool2d, (Output("y of max_pool2d", POOL, "(N, C, H/2, W/2)"),),
         _pool_cases),
    Task(
        "max_pool2d_backward",
        max_pool2d_backward,
        (Output("dx of max_pool2d_backward", POOL_BACKWARD, "that of x,"),),
        _pool_backward_cases,
    ),
)  # fmt: skip
