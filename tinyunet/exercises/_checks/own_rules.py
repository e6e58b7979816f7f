"""The U of exercise 16 with switches: each a mistake that is usual.

Lesson: `lessons/05a-forward-and-backward.md`. The operations have the signatures of the exercises:
no caches.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from tinyunet.arrays import Array
from tinyunet.exercises._checks import (
    conv2d,
    conv2d_backward,
    crop_concat,
    cross_entropy,
    cross_entropy_backward,
    relu_pool,
    up_conv2d,
    up_conv2d_backward,
)


def _fitting(function: Callable[..., Any], position: int, axis: int) -> Callable[..., Any]:
    """A convolution that says when channels do not fit, instead of repeating a single one."""

    def checked(*arrays: Any) -> Any:
        x, weight = arrays[position : position + 2]
        if x.shape[1] != weight.shape[axis]:
            raise ValueError(
                f"x has {x.shape[1]} channels, a weight of shape {weight.shape} takes "
                f"{weight.shape[axis]}"
            )
        return function(*arrays)

    return checked


OPERATIONS = SimpleNamespace(
    conv2d=_fitting(conv2d.conv2d, 0, 1),
    conv2d_backward=_fitting(conv2d_backward.conv2d_backward, 1, 1),
    relu=relu_pool.relu,
    relu_backward=relu_pool.relu_backward,
    max_pool2d=relu_pool.max_pool2d,
    max_pool2d_backward=relu_pool.max_pool2d_backward,
    up_conv2d=_fitting(up_conv2d.up_conv2d, 0, 0),
    up_conv2d_backward=_fitting(up_conv2d_backward.up_conv2d_backward, 1, 0),
    center_crop_concat=crop_concat.center_crop_concat,
    center_crop_concat_backward=crop_concat.center_crop_concat_backward,
    softmax_cross_entropy=cross_entropy.loss,
    softmax_cross_entropy_backward=cross_entropy_backward.gradient,
)


@dataclass(frozen=True)
class Rules:
    """What a pass does; the defaults are right."""

    relu: str = "12"  # which convolutions of a level have one
    up_relu: bool = True  # whether those of the expanding path do
    down_relu: bool = True
    last_relu: bool = False
    last_softmax: bool = False
    relu_after_up: bool = False
    relu_order: bool = False  # relu_backward(z, dy)
    skip: str = "y"  # "y", "z" (before the ReLU), "conv1" or "zero"
    x_first: bool = False
    biases: str = "cuo"  # of convolutions (c), up-convolutions (u), the output (o)
    add: str = "both"  # what a map that was used twice gets
    pool_ones: bool = False
    zero_skip: bool = False  # the concatenation's first channels taken for x's

    def has_relu(self, name: str) -> bool:
        """Whether there is a ReLU behind a convolution such as "down1.conv2"."""
        path = self.up_relu if name.startswith("up") else self.down_relu
        return path and name[-1] in self.relu


class _Pass:
    """What both passes share: parameters, rules, what is kept, gradients."""

    def __init__(self, params: dict[str, Array], rules: Rules, kept: dict[str, Any]) -> None:
        self.params, self.rules, self.kept = params, rules, kept
        self.grads: dict[str, Array] = {}

    def _weights(self, name: str, kind: str) -> tuple[Array, Array]:
        bias = self.params[f"{name}.bias"]
        return self.params[f"{name}.weight"], bias if kind in self.rules.biases else 0 * bias

    def conv_relu(self, name: str, x: Array) -> Array:
        z = OPERATIONS.conv2d(x, *self._weights(name, "c"))
        self.kept[name] = x, z
        return OPERATIONS.relu(z) if self.rules.has_relu(name) else z

    def up(self, name: str, x: Array) -> Array:
        y = OPERATIONS.up_conv2d(x, *self._weights(name, "u"))
        self.kept[name] = x, y
        return OPERATIONS.relu(y) if self.rules.relu_after_up else y

    def conv_relu_backward(self, name: str, dy: Array) -> Array:
        x, z = self.kept[name]
        if self.rules.has_relu(name):
            pair = (z, dy) if self.rules.relu_order else (dy, z)
            dy = OPERATIONS.relu_backward(*pair)
        return self.store(name, OPERATIONS.conv2d_backward(dy, x, self.params[f"{name}.weight"]))

    def up_backward(self, name: str, dy: Array) -> Array:
        x, y = self.kept[name]
        if self.rules.relu_after_up:
            dy = OPERATIONS.relu_backward(dy, y)
        weight = self.params[f"{name}.weight"]
        return self.store(name, OPERATIONS.up_conv2d_backward(dy, x, weight))

    def store(self, name: str, gradients: tuple[Array, Array, Array]) -> Array:
        dx, self.grads[f"{name}.weight"], self.grads[f"{name}.bias"] = gradients
        return dx


def forward(
    x: Array, params: dict[str, Array], depth: int, rules: Rules
) -> tuple[Array, dict[str, Any]]:
    """Return (logits, what is kept for the backward pass)."""
    run, skips = _Pass(params, rules, {}), {}
    for level in range(1, depth + 1):
        if level > 1:
            run.kept[f"pool{level}"] = x
            x = OPERATIONS.max_pool2d(x)
        middle = run.conv_relu(f"down{level}.conv1", x)
        x = run.conv_relu(f"down{level}.conv2", middle)
        kinds = {"y": x, "z": run.kept[f"down{level}.conv2"][1], "conv1": middle, "zero": 0 * x}
        skips[level] = kinds[rules.skip]
    for level in range(depth - 1, 0, -1):
        x = run.up(f"up{level}.upconv", x)
        run.kept[f"concat{level}"] = skips[level], x
        skip, up = OPERATIONS.center_crop_concat(skips[level], x), x.shape[1]
        x = np.concatenate([skip[:, -up:], skip[:, :-up]], 1) if rules.x_first else skip
        x = run.conv_relu(f"up{level}.conv1", x)
        x = run.conv_relu(f"up{level}.conv2", x)
    logits = OPERATIONS.conv2d(x, *run._weights("out", "o"))
    run.kept["out"] = x, logits
    if rules.last_softmax:
        logits = np.exp(cross_entropy.log_softmax(logits))
    return np.maximum(logits, 0) if rules.last_relu else logits, run.kept


def backward(
    dlogits: Array, kept: dict[str, Any], params: dict[str, Array], depth: int, rules: Rules
) -> dict[str, Array]:
    """Return {name: gradient}."""
    run, dskips = _Pass(params, rules, kept), {}
    x, logits = kept["out"]
    if rules.last_relu:
        dlogits = OPERATIONS.relu_backward(dlogits, logits)
    dx = run.store("out", OPERATIONS.conv2d_backward(dlogits, x, params["out.weight"]))
    for level in range(1, depth):
        dx = run.conv_relu_backward(f"up{level}.conv2", dx)
        dx = run.conv_relu_backward(f"up{level}.conv1", dx)
        skip, up = kept[f"concat{level}"]
        first = dx[:, : up.shape[1]]
        dskips[level], dx = OPERATIONS.center_crop_concat_backward(dx, skip, up)
        dx = run.up_backward(f"up{level}.upconv", first if rules.zero_skip else dx)
    for level in range(depth, 0, -1):
        if level < depth:
            dx = _added(dx, dskips[level], rules.add)
        dx = run.conv_relu_backward(f"down{level}.conv2", dx)
        dx = run.conv_relu_backward(f"down{level}.conv1", dx)
        if level > 1:
            pooled = kept[f"pool{level}"]
            if rules.pool_ones:
                dx = dx.repeat(2, axis=2).repeat(2, axis=3)
            else:
                dx = OPERATIONS.max_pool2d_backward(dx, pooled)
    return run.grads


def _added(pool: Array, skip: Array, how: str) -> Array:
    """What a map that went to the pooling and to the skip gets."""
    return {
        "both": pool + skip,
        "pool": pool,
        "skip": skip,
        "twice": pool + 2 * skip,
        "mean": (pool + skip) / 2,
        "minus": pool - skip,
    }[how]
