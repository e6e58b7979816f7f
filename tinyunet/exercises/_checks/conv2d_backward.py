"""Check of exercise 02: the backward pass of the convolution with a stride.

Lesson: `lessons/02-convolution-backward.md`, which has no stride; that part is for the learner.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from tinyunet.arrays import Array
from tinyunet.exercises._checks.conv2d import AWKWARD, GENERAL, conv2d, draw, sizes, windows
from tinyunet.exercises._checks.gradients import (
    ASSIGNED,
    GRADIENTS,
    bias_sums,
    upstream,
)
from tinyunet.exercises.diagnose import TOLERANCE_FLOAT32
from tinyunet.exercises.task import Case, Mistake, Output, Task

Gradients = tuple[Array, Array, Array]
TITLES = {
    1: "dx, dweight and dbias for a random upstream gradient, all axes of different length",
    2: "strides of 2 and 3: where did each window lie? Pixels in no window get 0",
}


def conv2d_backward(dy: Array, x: Array, weight: Array, stride: int = 1) -> Gradients:
    """The right answer: (dx, dweight, dbias)."""
    dweight = np.einsum("noij,ncijab->ocab", dy, windows(x, weight, stride))
    return _dx(dy, x, weight, stride), dweight, dy.sum(axis=(0, 2, 3))


def _dx(dy: Array, x: Array, weight: Array, stride: int = 1) -> Array:
    dx = np.zeros_like(x)
    for a, b in np.ndindex(weight.shape[2:]):
        _reached(dx, dy, a, b, stride)[...] += np.einsum("noij,oc->ncij", dy, weight[:, :, a, b])
    return dx


def _reached(x: Array, dy: Array, a: int, b: int, stride: int) -> Array:
    """The view of x that tap (a, b) meets, a pixel for each output."""
    height, width = dy.shape[2:]
    rows = slice(a, a + stride * (height - 1) + 1, stride)
    return x[:, :, rows, slice(b, b + stride * (width - 1) + 1, stride)]


@cache
def _cases() -> list[Case]:
    cases = []
    for _, shape, stride in GENERAL:
        x, weight, _, dy = arrays = draw(*shape, stride=stride)
        level = 1 if stride == 1 else 2
        inputs = (dy, x, weight) if stride == 1 else (dy, x, weight, stride)
        cases.append(Case(TITLES[level], inputs, sizes(arrays), level))
    x, weight, _, dy = (a.astype(np.float32) for a in draw(2, 3, 4, 6, 7, (3, 3)))
    title = "float32 in, float32 out"
    cases.append(Case(title, (dy, x, weight), {}, 2, False, TOLERANCE_FLOAT32, np.float32))
    for shape, stride in AWKWARD:
        x, weight, _, dy = draw(*shape, stride=stride)
        title = "awkward sizes: an image as small as the kernel, 1×1 and 2×3 kernels"
        cases.append(Case(title, (dy, x, weight, stride), {}, 2, False))
    return cases


def _assigned_by_loops(dy: Array, x: Array, weight: Array, stride: int = 1) -> Gradients:
    """`=` in the innermost of the loops over n, o, i, j, c, a, b."""
    dx, (kh, kw) = np.zeros_like(x), weight.shape[2:]
    for i, j in np.ndindex(dy.shape[2:]):
        stamp = np.einsum("n,cab->ncab", dy[:, -1, i, j], weight[-1])
        dx[:, :, stride * i : stride * i + kh, stride * j : stride * j + kw] = stamp
    last = windows(x, weight, stride)[-1, :, -1, -1]
    return dx, np.einsum("o,cab->ocab", dy[-1, :, -1, -1], last), dy[-1, :, -1, -1]


def _assigned_by_windows(dy: Array, x: Array, weight: Array, stride: int = 1) -> Gradients:
    """`=` in loops over i and j, with products over all channels."""
    dx, (kh, kw) = np.zeros_like(x), weight.shape[2:]
    for i, j in np.ndindex(dy.shape[2:]):
        stamp = np.einsum("no,ocab->ncab", dy[:, :, i, j], weight)
        dx[:, :, stride * i : stride * i + kh, stride * j : stride * j + kw] = stamp
    last = windows(x, weight, stride)[:, :, -1, -1]
    return dx, np.einsum("no,ncab->ocab", dy[:, :, -1, -1], last), dy[:, :, -1, -1].sum(axis=0)


def _assigned_by_taps(dy: Array, x: Array, weight: Array, stride: int = 1) -> Array:
    """`=` in loops over a and b, with products over all channels: dx."""
    dx = np.zeros_like(x)
    for a, b in np.ndindex(weight.shape[2:]):
        _reached(dx, dy, a, b, stride)[...] = np.einsum("noij,oc->ncij", dy, weight[:, :, a, b])
    return dx


def _without_stride(dy: Array, x: Array, weight: Array, stride: int = 1) -> Gradients:
    """The windows taken side by side, as with a stride of 1."""
    (height, width), (kh, kw) = dy.shape[2:], weight.shape[2:]
    dx = np.zeros_like(x)
    near = x[:, :, : height + kh - 1, : width + kw - 1]
    dx[:, :, : height + kh - 1, : width + kw - 1], dweight, dbias = conv2d_backward(
        dy, near, weight
    )
    return dx, dweight, dbias


def _indexed(rows: Callable[..., Any], columns: Callable[..., Any]) -> Callable[..., Gradients]:
    """The loops with other places in x: rows(i, a, b, s) and columns(j, a, b, s)."""

    def made(dy: Array, x: Array, weight: Array, stride: int = 1) -> Gradients:
        dx, dweight = np.zeros_like(x), np.zeros_like(weight)
        i, j = np.ogrid[: dy.shape[2], : dy.shape[3]]
        for a, b in np.ndindex(weight.shape[2:]):
            at = np.broadcast_arrays(rows(i, a, b, stride), columns(j, a, b, stride))
            met = x[:, :, at[0], at[1]]
            dweight[:, :, a, b] = np.einsum("noij,ncij->oc", dy, met)
            share = np.einsum("noij,oc->ncij", dy, weight[:, :, a, b])
            place: Any = (slice(None), slice(None), at[0], at[1])
            np.add.at(dx, place, share)
        return dx, dweight, dy.sum(axis=(0, 2, 3))

    return made


def _flipped(dy: Array, x: Array, weight: Array, stride: int = 1) -> Array:
    return _dx(dy, x, weight[:, :, ::-1, ::-1], stride)


def _dx_of_x(dy: Array, x: Array, weight: Array, stride: int = 1) -> Array:
    """`dx += dy · x` in place of `dx += dy · weight`."""
    return x * _dx(dy, x, np.ones_like(weight), stride)


def _dx_of_image(dy: Array, x: Array, weight: Array, stride: int = 1) -> Array:
    """dx of a kernel turned, transposed axes forgotten: weight[o, c] taken for every pair."""
    return _dx(dy, x, np.broadcast_to(weight[:, :1], weight.shape), stride)


def _dx_in_the_first(dy: Array, x: Array, weight: Array, stride: int = 1) -> Array:
    dx = np.zeros_like(x)
    dx[0] = _dx(dy, x, weight, stride).sum(axis=0)
    return dx


def _spread(dy: Array, stride: int) -> Array:
    """dy with stride − 1 zeros between its values."""
    n, o, height, width = dy.shape
    wide = np.zeros((n, o, stride * (height - 1) + 1, stride * (width - 1) + 1), dy.dtype)
    wide[:, :, ::stride, ::stride] = dy
    return wide


def _valid(dy: Array, x: Array, weight: Array, stride: int = 1) -> Array:
    """The convolution with the turned kernel, without zeros around dy: too small."""
    turned = weight[:, :, ::-1, ::-1].swapaxes(0, 1)
    return conv2d(_spread(dy, stride), turned, np.zeros(len(turned)))


def _unspread(dy: Array, x: Array, weight: Array, stride: int = 1) -> Array:
    """The full convolution of dy itself, whatever the stride: too small, but at stride 1."""
    kh, kw = weight.shape[2:]
    padded = np.pad(dy, ((0, 0), (0, 0), (kh - 1, kh - 1), (kw - 1, kw - 1)))
    turned = weight[:, :, ::-1, ::-1].swapaxes(0, 1)
    return conv2d(padded, turned, np.zeros(len(turned)))


def _without_rest(dy: Array, x: Array, weight: Array, stride: int = 1) -> Array:
    """The full convolution of the spread dy, without the pixels that no window reaches."""
    return _unspread(_spread(dy, stride), x, weight)


DX = (
    Mistake(
        "your dx has a flipped kernel: as a convolution over the padded dy, dx takes the kernel "
        "turned by 180°; as a loop, it takes weight[o, c, a, b] as it stands (lesson 02)",
        _flipped,
    ),
    Mistake(ASSIGNED, _assigned_by_taps),
    Mistake("your dx takes x where it should take weight: the derivative of weight · x with "
            "respect to x is weight", _dx_of_x),
    Mistake("your dx takes the kernel of input channel 0 for all of them", _dx_of_image),
    Mistake("the dx of all images is added up in dx[0]: dx[n]", _dx_in_the_first),
    Mistake("your dx comes from a valid convolution: pad dy with k − 1 zeros on every side first, "
            "so that the border pixels of x get their share", _valid),
    Mistake("your dx is too small where windows jump: put s − 1 zeros between the values of dy "
            "before the full convolution, since outputs side by side lie s pixels apart in x",
            _unspread),
    Mistake("your dx ends at the last window: pixels behind it were read by none, and get 0",
            _without_rest),
)  # fmt: skip
DWEIGHT = (
    Mistake("your dweight takes weight where it should take x: the derivative of weight · x with "
            "respect to weight is x",
            lambda dy, x, w, s=1: w * dy.sum(axis=(0, 2, 3))[:, None, None, None]),
    Mistake("your dweight takes the first image for all of them: x[n], not x[0]",
            lambda dy, x, w, s=1: conv2d_backward(dy, np.broadcast_to(x[:1], x.shape), w, s)[1]),
)  # fmt: skip
MISTAKES = (
    *upstream(conv2d_backward),
    Mistake(ASSIGNED, _assigned_by_loops),
    Mistake(ASSIGNED, _assigned_by_windows),
    Mistake("your {name} belongs to a stride of 1: output (i, j) came from the window at "
            "x[s·i, s·j]", _without_stride),
    Mistake("your {name} has a and b exchanged: weight[o, c, a, b] met row i + a and column j + b",
            _indexed(lambda i, a, b, s: s * i + b, lambda j, a, b, s: s * j + a)),
    Mistake("your {name} walks backwards: x[i - a, j - b] reads from the other end where indices "
            "are negative; the forward met x[i + a, j + b]",
            _indexed(lambda i, a, b, s: s * i - a, lambda j, a, b, s: s * j - b)),
    Mistake("your {name} moves the taps apart instead of the windows: x[s·i + a], not x[i + s·a]",
            _indexed(lambda i, a, b, s: i + s * a, lambda j, a, b, s: j + s * b)),
)  # fmt: skip

TASKS = (
    Task(
        "conv2d_backward",
        conv2d_backward,
        (
            Output(GRADIENTS[0], DX, "that of x,"),
            Output(GRADIENTS[1], DWEIGHT, "that of weight,"),
            Output(GRADIENTS[2], bias_sums(), "that of bias,"),
        ),
        _cases,
        MISTAKES,
    ),
)
