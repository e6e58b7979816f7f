"""What a training or a prediction compiles, on arrays as small as can be.

Lesson: lessons/14-fast-on-a-cpu.md. `_numba.warm_up(tasks(), progress)` before a clock starts.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from tinyunet import _numba
from tinyunet.arrays import Array
from tinyunet.backends.cpu import operations, spin_wait

Task: TypeAlias = tuple[str, Callable[[], object]]

MANY_TILES = 18  # a side: 16 channels are shared out by tiles; with 6 by channels


def tasks(training: bool = True) -> list[Task]:
    """[(name, function)] for `_numba.warm_up`; none where nothing can be compiled."""
    if not _numba.available():
        return []
    forward: list[Task] = [
        ("waiting for a thread", lambda: spin_wait.Count().wait(0)),
        ("first layer", lambda: _layer(1)),
        ("3×3 convolution", lambda: _layer(16)),
        ("up-convolution", _up_conv),
    ]
    backward: list[Task] = [
        ("gradients of the first layer", lambda: _layer_backward(1)),
        ("gradients of a 3×3 convolution of many tiles", lambda: _layer_backward(16, MANY_TILES)),
        ("gradients of a 3×3 convolution of many channels", lambda: _layer_backward(16)),
        ("gradients of an up-convolution", _up_conv_backward),
        ("gradient of the pooling", _pool_backward),
        ("loss", _loss),
        ("update", _update),
    ]
    return forward + backward * training


def _ones(*shape: int) -> Array:
    return np.ones(shape, np.float32)


def _layer(channels: int, size: int = 6) -> tuple[tuple[Array, Any], Any]:
    """(y, cache) and (pooled, cache) of a 3×3 layer."""
    x, weight = _ones(1, channels, size, size), _ones(channels, channels, 3, 3)
    if channels == 1:
        return operations.conv2d_relu(x, weight, _ones(1)), None
    return operations.conv2d_relu_max_pool(x, weight, _ones(channels))


def _layer_backward(channels: int, size: int = 6) -> None:
    (y, cache), _ = _layer(channels, size)
    operations.conv2d_relu_backward(y, cache, need_dx=channels > 1)


def _up_conv() -> tuple[Array, Any, Any]:
    skip = _ones(1, 1, 4, 4)
    return operations.up_conv2d_concat(_ones(1, 1, 2, 2), _ones(1, 1, 2, 2), _ones(1), skip)


def _up_conv_backward() -> None:
    y, cache, _ = _up_conv()
    operations.up_conv2d_backward(y[:, 1:], cache)


def _pool_backward() -> None:
    (y, _), (pooled, cache) = _layer(16)
    operations.max_pool2d_skip_backward(pooled, cache, (y, (y.shape, y.shape)))


def _loss() -> None:
    operations.softmax_cross_entropy(_ones(1, 2, 1, 1), np.zeros((1, 1, 1), np.int64))


def _update() -> None:
    operations.momentum_update(*({"": _ones(1)} for _ in range(3)), 0.1, 0.9)  # type: ignore[call-arg]
