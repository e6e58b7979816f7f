"""The kernels against the texts that they stand in for: the rows that `tinyunet gradcheck` adds.

A lesson explains the text of an operation; a training in float32 runs a kernel instead. What makes
the one a statement about the other is this check: for every row of `dispatch.py` that applies on a
device, output and all gradients of the kernel in float32 are compared with those of the text in
float64, on sizes that leave remainders everywhere. Lesson: lessons/14-fast-on-a-cpu.md.
"""

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np

from tinyunet import nn
from tinyunet.arrays import Array, select_device, to_numpy
from tinyunet.nn.gradcheck import relative_error
from tinyunet.nn.operation import find_implementation

# Winograd's rounding makes 5e-6 at most, a wrong kernel 1e-2 at least (lesson 14).
LIMIT = 2e-5

_Function: TypeAlias = Callable[..., Any]


def all_kernel_checks(device: str) -> list[dict[str, Any]]:
    """Return a list of {"device", "what", "gradient", "error", "limit"}, one a row."""
    return [
        {"device": device, "what": what, "gradient": name, "error": error, "limit": LIMIT}
        for what, name, error in kernel_checks(device)
    ]


def kernel_checks(device: str) -> Iterator[tuple[str, str, float]]:
    """Yield (what, output or gradient, relative error) for every operation that has a kernel here.

    `device` is a name such as "cpu". Nothing is yielded where no kernel can run.
    """
    to = select_device(device).asarray
    rng = np.random.default_rng(0)

    def normal(*shape: int) -> Array:
        return rng.standard_normal(shape)

    def conv(n: int, c: int, o: int, h: int, w: int, k: int) -> list[Array]:
        return [normal(n, c, h, w), normal(o, c, k, k) / (k * np.sqrt(c)), normal(o)]

    def up(n: int, c: int, o: int, h: int, w: int) -> list[Array]:
        return [normal(n, c, h, w), normal(c, o, 2, 2) / np.sqrt(c), normal(o)]

    dconv = ("dx", "dweight", "dbias")
    cases: list[tuple[str, _Function, _Function, list[Array], tuple[str, ...]]] = [
        ("conv2d 1×1", nn.conv2d, nn.conv2d_backward, conv(2, 19, 3, 7, 9, 1), dconv),
        # one channel in; Winograd by tiles; by channels; a map narrower than a tile
        *(
            (f"conv2d_relu {c}→{o}, {h}×{w}", nn.conv2d_relu, nn.conv2d_relu_backward,
             conv(n, c, o, h, w, 3), dconv)
            for n, c, o, h, w in ((2, 1, 17, 11, 14), (2, 18, 33, 15, 21), (1, 130, 70, 9, 12),
                                  (3, 5, 4, 4, 3))
        ),
        ("max_pool2d", nn.max_pool2d, nn.max_pool2d_backward, [normal(2, 19, 6, 10)], ("dx",)),
        ("up_conv2d", nn.up_conv2d, nn.up_conv2d_backward, up(2, 21, 18, 5, 7), dconv),
        ("center_crop_concat", nn.center_crop_concat, nn.center_crop_concat_backward,
         [normal(2, 17, 9, 12), normal(2, 5, 4, 7)], ("dskip", "dx")),
    ]  # fmt: skip
    for what, forward, backward, inputs, names in cases:
        narrow = [to(array, dtype=np.float32) for array in inputs]
        if find_implementation(forward, *narrow) is None:
            continue
        y, cache = forward(*narrow)
        wanted, wanted_cache = _in_float64(forward, inputs)
        yield what, "output", relative_error(y, wanted)
        # A ReLU that rounding opens or closes is no error: such pixels get no gradient.
        dy = rng.standard_normal(wanted.shape) * _decided(forward, wanted)
        got = _as_tuple(backward(to(dy, dtype=np.float32), cache))
        right = _as_tuple(backward(dy, wanted_cache))
        for name, gradient, expected in zip(names, got, right, strict=True):
            yield what, name, relative_error(gradient, expected)
        if forward is nn.conv2d_relu:  # as the first layer, whose image needs no gradient
            _, alone, _ = backward(to(dy, dtype=np.float32), cache, need_dx=False)
            yield what, "dweight without dx", relative_error(alone, right[1])
    yield from _fused_checks(to, rng)
    yield from _loss_checks(to, rng)
    yield from _update_checks(to, rng)


def _in_float64(forward: _Function, inputs: list[Array]) -> tuple[Array, Any]:
    """Return what the text computes, on the CPU."""
    return forward(*(np.asarray(array, np.float64) for array in inputs))


def _as_tuple(gradients: Array | tuple[Array, ...]) -> tuple[Array, ...]:
    return gradients if isinstance(gradients, tuple) else (gradients,)


def _decided(forward: _Function, y: Array) -> Array:
    return (y == 0) | (y > 1e-4) if forward is nn.conv2d_relu else np.ones_like(y, dtype=bool)


def _fused_checks(to: _Function, rng: np.random.Generator) -> Iterator[tuple[str, str, float]]:
    """Two operations in one: both maps, and the gradient of a map that was used twice."""
    x, weight, bias = (
        rng.standard_normal((2, 18, 14, 20)),
        rng.standard_normal((33, 18, 3, 3)) / 13,
        rng.standard_normal(33),
    )
    narrow = [to(array, dtype=np.float32) for array in (x, weight, bias)]
    if find_implementation(nn.conv2d_relu_max_pool, *narrow) is not None:
        (y, cache), (pooled, pool_cache) = nn.conv2d_relu_max_pool(*narrow)
        (wanted, wanted_cache), (wanted_pooled, _) = nn.conv2d_relu_max_pool(x, weight, bias)
        yield "conv2d_relu_max_pool", "output", relative_error(y, wanted)
        yield "conv2d_relu_max_pool", "pooled", relative_error(pooled, wanted_pooled)
        # The pooling's decisions are the kernel's own map's, in both forms.
        _, own_cache = nn.max_pool2d(to_numpy(y).astype(np.float64))
        dpooled, dy = rng.standard_normal(wanted_pooled.shape), rng.standard_normal((2, 38, 7, 9))
        crop = wanted.shape, (2, 5, 7, 9)
        got: Any = nn.max_pool2d_skip_backward(
            to(dpooled, dtype=np.float32), pool_cache, (to(dy, dtype=np.float32), crop)
        )
        expected: Any = nn.max_pool2d_skip_backward(dpooled, own_cache, (dy, crop))
        yield "max_pool2d_skip", "dx", relative_error(got, expected)
        dy = rng.standard_normal(wanted.shape) * _decided(nn.conv2d_relu, wanted)
        got = nn.conv2d_relu_backward(to(dy, dtype=np.float32), cache)
        expected = nn.conv2d_relu_backward(dy, wanted_cache)
        for name, gradient, right in zip(("dx", "dweight", "dbias"), got, expected, strict=True):
            yield "conv2d_relu_max_pool", name, relative_error(gradient, right)
    up = [
        rng.standard_normal((2, 21, 5, 7)),
        rng.standard_normal((21, 18, 2, 2)) / 5,
        rng.standard_normal(18),
        rng.standard_normal((2, 17, 13, 16)),
    ]
    narrow = [to(array, dtype=np.float32) for array in up]
    if find_implementation(nn.up_conv2d_concat, *narrow) is not None:
        y, *caches = nn.up_conv2d_concat(*narrow)
        wanted, *wanted_caches = nn.up_conv2d_concat(*up)
        yield "up_conv2d_concat", "output", relative_error(y, wanted)
        dy = rng.standard_normal(wanted.shape)
        got = _up_concat_backward(to(dy, dtype=np.float32), *caches)
        expected = _up_concat_backward(dy, *wanted_caches)
        for name, gradient in got.items():
            yield "up_conv2d_concat", name, relative_error(gradient, expected[name])


def _up_concat_backward(dy: Array, up_cache: Any, concat_cache: Any) -> dict[str, Array]:
    """Return the gradients of skip, x, weight and bias, as the network's backward pass does."""
    dskip, dup = nn.center_crop_concat_backward(dy, concat_cache)
    dx, dweight, dbias = nn.up_conv2d_backward(dup, up_cache)
    return {"dskip": dskip, "dx": dx, "dweight": dweight, "dbias": dbias}


def _loss_checks(to: _Function, rng: np.random.Generator) -> Iterator[tuple[str, str, float]]:
    logits, weight_map = rng.standard_normal((2, 3, 7, 9)), rng.random((2, 7, 9))
    labels = rng.integers(0, 3, (2, 7, 9))
    narrow = to(logits, dtype=np.float32), to(labels), to(weight_map, dtype=np.float32)
    if find_implementation(nn.softmax_cross_entropy, *narrow) is None:
        return
    for what, count in (("cross-entropy, weighted", 3), ("cross-entropy", 2)):
        loss, cache = nn.softmax_cross_entropy(*narrow[:count])
        wanted, wanted_cache = nn.softmax_cross_entropy(*(logits, labels, weight_map)[:count])
        yield what, "loss", relative_error(np.asarray(float(loss)), np.asarray(wanted))
        got = nn.softmax_cross_entropy_backward(cache)
        expected = nn.softmax_cross_entropy_backward(wanted_cache)
        yield what, "dlogits", relative_error(got, expected)


def _update_checks(to: _Function, rng: np.random.Generator) -> Iterator[tuple[str, str, float]]:
    shapes = {"weight": (33, 18, 3, 3), "bias": (33,)}
    wide = [{n: rng.standard_normal(s) for n, s in shapes.items()} for _ in range(3)]
    narrow = [{n: to(a.copy(), dtype=np.float32) for n, a in part.items()} for part in wide]
    if find_implementation(nn.momentum_update, *narrow, 0.03, 0.9) is None:
        return
    nn.momentum_update(*narrow, 0.03, 0.9)  # type: ignore[call-arg, arg-type]
    nn.momentum_update(*wide, 0.03, 0.9)  # type: ignore[call-arg, arg-type]
    for what, got, expected in zip(("parameters", "velocity"), narrow, wide, strict=False):
        error = max(relative_error(got[name], expected[name]) for name in shapes)
        yield "momentum_update", what, error
