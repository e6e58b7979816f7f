"""Check of exercise 04: the up-convolution's backward pass.

Lesson: `lessons/04-up-convolution.md`.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from tinyunet.arrays import Array
from tinyunet.exercises._checks.gradients import ASSIGNED, GRADIENTS, bias_sums, upstream
from tinyunet.exercises._checks.up_conv2d import AWKWARD, GENERAL, ORDER, draw, reshaped, sizes
from tinyunet.exercises.diagnose import TOLERANCE_FLOAT32
from tinyunet.exercises.task import Case, Mistake, Output, Task


def _blocks(dy: Array) -> Array:
    """The 2×2 block under each input pixel: (N, O, i, a, j, b)."""
    n, o, height, width = dy.shape
    return dy.reshape(n, o, height // 2, 2, width // 2, 2)


def up_conv2d_backward(dy: Array, x: Array, weight: Array) -> tuple[Array, Array, Array]:
    """The right answer: (dx, dweight, dbias)."""
    return _gradients(_blocks(dy), dy, x, weight)


def _gradients(blocks: Array, dy: Array, x: Array, weight: Array) -> tuple[Array, Array, Array]:
    dx = np.einsum("noiajb,coab->ncij", blocks, weight)
    return dx, np.einsum("noiajb,ncij->coab", blocks, x), dy.sum(axis=(0, 2, 3))


@cache
def _cases() -> list[Case]:
    def inputs(shape: tuple[int, ...]) -> tuple[Array, ...]:
        x, weight, _, dy = draw(*shape)
        return dy, x, weight

    name = "up_conv2d_backward"
    title = f"{name}: for a random upstream gradient"
    cases = [Case(title, inputs(shape), sizes(*shape)) for shape in GENERAL]
    arrays = tuple(a.astype(np.float32) for a in inputs(GENERAL[0]))
    title = f"{name}: float32 in, float32 out"
    cases.append(Case(title, arrays, {}, 2, False, TOLERANCE_FLOAT32, np.float32))
    title = f"{name}: awkward sizes, one pixel, one channel, one column"
    return cases + [Case(title, inputs(shape), {}, 2, False) for shape in AWKWARD]


def _with_weight(change: Callable[[Array], Array]) -> Callable[..., Array]:
    """dx from another weight."""
    return lambda dy, x, weight: up_conv2d_backward(dy, x, change(weight))[0]


def _one_tap(a: int, b: int) -> Callable[..., Array]:
    return lambda dy, x, weight: np.einsum(
        "noij,co->ncij", dy[:, :, a::2, b::2], weight[:, :, a, b]
    )


def _from_blocks(blocks: Callable[[Array], Array]) -> Callable[..., Any]:
    """The backward pass of other 2×2 blocks (N, O, i, a, j, b) of dy."""
    return lambda dy, x, weight: _gradients(blocks(dy), dy, x, weight)


def _side_by_side(dy: Array) -> Array:
    """Blocks from the four quarters of dy."""
    n, o, height, width = dy.shape
    return dy.reshape(n, o, 2, height // 2, 2, width // 2).transpose(0, 1, 3, 2, 5, 4)


def _not_jumping(dy: Array) -> Array:
    """Blocks at (i, j) in place of (2i, 2j)."""
    rows, columns = dy.shape[2] // 2, dy.shape[3] // 2
    taps = [[dy[:, :, a : rows + a, b : columns + b] for b in (0, 1)] for a in (0, 1)]
    return np.array(taps).transpose(2, 3, 4, 0, 5, 1)


DX = (
    Mistake(
        "your dx has a flipped kernel: tap (a, b) belongs to pixel (2i + a, 2j + b)",
        _with_weight(lambda w: w[:, :, ::-1, ::-1]),
    ),
    Mistake(
        "your dx has a transposed kernel: tap (a, b) belongs to pixel (2i + a, 2j + b)",
        _with_weight(lambda w: w.swapaxes(2, 3)),
    ),
    Mistake(ORDER, _with_weight(reshaped)),
    Mistake(
        "only the last tap counts in your dx: x[i, j] went into four pixels, so `+=`",
        _one_tap(1, 1),
    ),
    Mistake(
        "only the first tap counts in your dx: x[i, j] went into four pixels", _one_tap(0, 0)
    ),
    Mistake(
        "only the last output channel counts in your dx: `+=` over channels, not `=`",
        lambda dy, x, w: up_conv2d_backward(dy[:, -1:], x, w[:, -1:])[0],
    ),
    Mistake(
        "only the last product counts in your dx: `+=` over taps and output channels, not `=`",
        lambda dy, x, w: np.einsum("nij,c->ncij", dy[:, -1, 1::2, 1::2], w[:, -1, 1, 1]),
    ),
    Mistake(
        "your dx takes x where it should take weight: the derivative of x · weight with respect "
        "to x is weight",
        lambda dy, x, w: x * dy.sum(axis=(1,), keepdims=True).reshape(
            len(x), 1, x.shape[2], 2, x.shape[3], 2).sum(axis=(3, 5)),
    ),
)  # fmt: skip
DWEIGHT = (
    Mistake(
        "your dweight takes weight where it should take x: the derivative of x · weight with "
        "respect to weight is x",
        lambda dy, x, w: w * _blocks(dy).sum(axis=(0, 2, 4))[None],
    ),
    Mistake(
        "your dweight is the same for all four taps: tap (a, b) met the pixels dy[a::2, b::2]",
        lambda dy, x, w: np.broadcast_to(
            np.einsum("noiajb,ncij->co", _blocks(dy), x)[:, :, None, None], w.shape
        ),
    ),
    Mistake(
        "your dweight takes the first image for all of them: x[n], not x[0]",
        lambda dy, x, w: up_conv2d_backward(dy, np.broadcast_to(x[:1], x.shape), w)[1],
    ),
    Mistake(
        ORDER,
        lambda dy, x, w: up_conv2d_backward(dy, x, w)[1].swapaxes(0, 1).reshape(w.shape),
    ),
    Mistake(
        ASSIGNED,
        lambda dy, x, w: np.einsum("oab,c->coab", _blocks(dy)[-1, :, -1, :, -1], x[-1, :, -1, -1]),
    ),
)  # fmt: skip
DBIAS = (
    *bias_sums(),
    Mistake(
        "your dbias sums every second pixel: the bias went into all four of a block",
        lambda dy, x, w: dy[:, :, ::2, ::2].sum(axis=(0, 2, 3)),
    ),
    Mistake(
        "your dbias sums the bottom right pixels only: `+=` over taps, not `=`",
        lambda dy, x, w: dy[:, :, 1::2, 1::2].sum(axis=(0, 2, 3)),
    ),
)
MISTAKES = (
    *upstream(up_conv2d_backward),
    Mistake(
        "your {name} takes dy in quarters: the block of pixel (i, j) lies at (2i, 2j), so tap "
        "(a, b) met the pixels dy[a::2, b::2]",
        _from_blocks(_side_by_side),
    ),
    Mistake(
        "your {name} takes the block at dy[i, j]: pixel (i, j) painted the one at (2i, 2j)",
        _from_blocks(_not_jumping),
    ),
)

TASKS = (
    Task(
        "up_conv2d_backward",
        up_conv2d_backward,
        (
            Output(GRADIENTS[0], DX, "that of x,"),
            Output(GRADIENTS[1], DWEIGHT, "that of weight,"),
            Output(GRADIENTS[2], DBIAS, "that of bias,"),
        ),
        _cases,
        MISTAKES,
    ),
)
