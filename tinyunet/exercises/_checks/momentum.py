"""Check of exercise 07: the width of the first weights, and the step with momentum.

Lesson: `lessons/07-initialisation-and-momentum.md`.
"""

import math
from collections.abc import Callable
from functools import cache

import numpy as np

from tinyunet.arrays import Array
from tinyunet.exercises.task import Case, Mistake, Output, Task

Shape = tuple[int, ...]
UP = "up-convolution"
# Channels and taps all different; the products of any two as well.
SHAPES = (
    ((16, 3, 3, 3), "convolution"),
    ((5, 48, 3, 3), "convolution"),
    ((2, 64, 1, 1), "convolution"),
    ((11, 7, 1, 1), "convolution"),
    ((10, 3, 2, 2), UP),
    ((64, 32, 2, 2), UP),
)


def _incoming(shape: Shape, kind: str) -> int:
    return shape[0] if kind == UP else math.prod(shape[1:])


def _outgoing(shape: Shape, kind: str) -> int:
    return shape[1] * 4 if kind == UP else shape[0] * shape[2] * shape[3]


def he_deviation(shape: Shape, kind: str) -> float:
    """The right answer."""
    return math.sqrt(2 / _incoming(shape, kind))


def _counting(count: Callable[[Shape, str], float]) -> Callable[..., float]:
    """√(2/N) with another N."""
    return lambda shape, kind: math.sqrt(2 / count(shape, kind))


DEVIATION = (
    Mistake("that is the variance 2/N: take its square root",
            lambda shape, kind: 2 / _incoming(shape, kind)),
    Mistake("that is √(1/N): a ReLU throws half of the square away, so √(2/N)",
            lambda shape, kind: math.sqrt(1 / _incoming(shape, kind))),
    Mistake("that is 1/N: the deviation is √(2/N)", lambda shape, kind: 1 / _incoming(shape, kind)),
    Mistake("that is √2/N: the root is over the fraction, √(2/N)",
            lambda shape, kind: math.sqrt(2) / _incoming(shape, kind)),
    Mistake("that is √(6/N), the limit of a uniform distribution of that deviation: √(2/N)",
            lambda shape, kind: math.sqrt(6 / _incoming(shape, kind))),
    Mistake("that is √(N/2): it is the other way round, √(2/N)",
            lambda shape, kind: math.sqrt(_incoming(shape, kind) / 2)),
    Mistake("your N counts what goes out of a pixel: N is what comes in", _counting(_outgoing)),
    Mistake("that is Glorot's (Xavier's) √(2/(in + out)): He's rule takes what comes in",
            _counting(lambda shape, kind: _incoming(shape, kind) + _outgoing(shape, kind))),
    Mistake("your N for a convolution forgets the taps of the kernel: k · k · channels",
            _counting(lambda shape, kind: shape[0] if kind == UP else shape[1])),
    Mistake("your N takes the taps along one side only: k · k · channels",
            _counting(lambda shape, kind: shape[0] if kind == UP else shape[1] * shape[2])),
    Mistake("your N for an up-convolution counts four taps: its patches do not overlap, so only "
            "one tap a channel arrives at a pixel",
            _counting(lambda shape, kind: math.prod(shape[1:]) if kind != UP else 4 * shape[0])),
    Mistake("you treat the up-convolution as a convolution: its shape is (in, out, 2, 2), and one "
            "tap a channel arrives at a pixel",
            _counting(lambda shape, kind: math.prod(shape[1:]))),
    Mistake("your N for an up-convolution takes axis 1: its shape is (in, out, 2, 2)",
            _counting(lambda shape, kind: shape[1] if kind == UP else math.prod(shape[1:]))),
    Mistake("your N for a convolution takes axis 0: its shape is (out, in, k, k)",
            _counting(lambda shape, kind: shape[0] if kind == UP else math.prod(shape) / shape[1])),
    Mistake("you treat the convolution as an up-convolution: its shape is (out, in, k, k)",
            _counting(lambda shape, kind: shape[0])),
    Mistake("your N counts the output channels too: it belongs to one neuron",
            _counting(lambda shape, kind: math.prod(shape))),
    Mistake("your N counts the bias as well: it starts at 0 and is none of the N",
            _counting(lambda shape, kind: _incoming(shape, kind) + 1)),
)  # fmt: skip


@cache
def _deviation_cases() -> list[Case]:
    titles = ("3×3 convolutions", "1×1 convolutions", "up-convolutions")
    return [
        Case(f"he_deviation: {titles[k // 2]}", arguments) for k, arguments in enumerate(SHAPES)
    ]


def sgd_momentum(
    param: Array, grad: Array, velocity: Array, lr: float, momentum: float
) -> tuple[Array, Array]:
    """The right answer: (param, velocity)."""
    velocity = momentum * velocity + grad
    return param - lr * velocity, velocity


def _with(
    velocity_of: Callable[..., Array], param_of: Callable[..., Array]
) -> Callable[..., tuple]:
    """A step with other formulas: v(v, g, lr, m) and p(p, new v, g, lr, m, old v)."""

    def made(p: Array, g: Array, v: Array, lr: float, m: float) -> tuple[Array, Array]:
        new = velocity_of(v, g, lr, m)
        return param_of(p, new, g, lr, m, v), new

    return made


def _right_velocity(v: Array, g: Array, lr: float, m: float) -> Array:
    return m * v + g


def _right_param(p: Array, new: Array, g: Array, lr: float, m: float, v: Array) -> Array:
    return p - lr * new


STEP = (
    Mistake("you return (velocity, param): the parameter comes first",
            lambda *a: sgd_momentum(*a)[::-1]),
    Mistake("you return the gradient in the place of the velocity",
            lambda p, g, v, lr, m: (sgd_momentum(p, g, v, lr, m)[0], g)),
    Mistake("your velocity damps the gradient by 1 − momentum: the lesson adds it whole, "
            "v ← momentum · v + g", _with(lambda v, g, lr, m: m * v + (1 - m) * g, _right_param)),
    Mistake("the learning rate is in your velocity: it comes in when the parameter moves",
            _with(lambda v, g, lr, m: m * v + lr * g, lambda p, new, *_: p - new)),
    Mistake("the learning rate is in your velocity, and again in the step: only the step has it",
            _with(lambda v, g, lr, m: m * v + lr * g, _right_param)),
    Mistake("your velocity is −lr · g added up: here v ← momentum · v + g, and p ← p − lr · v",
            _with(lambda v, g, lr, m: m * v - lr * g, lambda p, new, *_: p + new)),
    Mistake("your velocity points downhill already: here v ← momentum · v + g, and the step "
            "subtracts",
            _with(lambda v, g, lr, m: m * v - g, lambda p, new, g, lr, *_: p + lr * new)),
    Mistake("your velocity subtracts the gradient: v ← momentum · v + g",
            _with(lambda v, g, lr, m: m * v - g, _right_param)),
    Mistake("momentum multiplies the gradient as well: v ← momentum · v + g",
            _with(lambda v, g, lr, m: m * (v + g), _right_param)),
    Mistake("momentum multiplies the gradient in place of the velocity: v ← momentum · v + g",
            _with(lambda v, g, lr, m: v + m * g, _right_param)),
    Mistake("your velocity forgets nothing: v ← momentum · v + g",
            _with(lambda v, g, lr, m: v + g, _right_param)),
    Mistake("your velocity is the gradient alone: v ← momentum · v + g",
            _with(lambda v, g, lr, m: g, _right_param)),
    Mistake("your velocity stays as it was: v ← momentum · v + g",
            _with(lambda v, g, lr, m: v, _right_param)),
    Mistake("your velocity lacks the gradient: v ← momentum · v + g",
            _with(lambda v, g, lr, m: m * v, _right_param)),
    Mistake("your step goes uphill: p ← p − lr · v",
            _with(_right_velocity, lambda p, new, g, lr, *_: p + lr * new)),
    Mistake("your parameter moves along the gradient: it is the velocity that moves p",
            _with(_right_velocity, lambda p, new, g, lr, *_: p - lr * g)),
    Mistake("your parameter moves along the old velocity: update v first",
            _with(_right_velocity, lambda p, new, g, lr, m, v: p - lr * v)),
    Mistake("that is Nesterov's momentum, which looks a step ahead: p ← p − lr · v",
            _with(_right_velocity, lambda p, new, g, lr, m, v: p - lr * (g + m * new))),
    Mistake("your step has no learning rate: p ← p − lr · v",
            _with(_right_velocity, lambda p, new, *_: p - new)),
    Mistake("your step divides by the learning rate: p ← p − lr · v",
            _with(_right_velocity, lambda p, new, g, lr, *_: p - new / lr)),
    Mistake("your step multiplies by momentum once more: p ← p − lr · v",
            _with(_right_velocity, lambda p, new, g, lr, m, *_: p - lr * m * new)),
    Mistake("your step has 1 − momentum in front: p ← p − lr · v",
            _with(_right_velocity, lambda p, new, g, lr, m, *_: p - lr * (1 - m) * new)),
    Mistake("you return the step instead of the new parameter: p − lr · v",
            _with(_right_velocity, lambda p, new, g, lr, *_: -lr * new)),
    Mistake("you return the step instead of the new parameter: p − lr · v",
            _with(_right_velocity, lambda p, new, g, lr, *_: lr * new)),
    Mistake("your parameter stays as it was: p ← p − lr · v",
            _with(_right_velocity, lambda p, *_: p)),
)  # fmt: skip


@cache
def _step_cases() -> list[Case]:
    rng = np.random.default_rng(7)

    def case(title: str, lr: float, momentum: float, moving: bool, shape: Shape) -> Case:
        param, grad, velocity = rng.standard_normal((3, *shape))
        inputs = (param, grad, velocity * moving, lr, momentum)
        return Case(f"sgd_momentum: {title}", inputs, general=moving)

    return [
        case("the first step, from velocity 0", 0.04, 0.9, False, (3, 4)),
        case("a later step, from a random velocity", 0.04, 0.9, True, (3, 4)),
        case("a later step, from a random velocity", 0.003, 0.95, True, (5, 2, 3, 3)),
        case("no momentum is plain gradient descent", 0.1, 0.0, True, (7,)),
    ]


TASKS = (
    Task("he_deviation", he_deviation, (Output("deviation", DEVIATION, number=True),),
         _deviation_cases),
    Task("sgd_momentum", sgd_momentum, (Output("param"), Output("velocity")), _step_cases, STEP,
         joint=True),
)  # fmt: skip
