"""The cases in which every kernel's results are compared: operations, shapes, what comes out.

A case is a function of the operations to run (`tinyunet.nn` for the references, the GPU's for the
comparison), of `upstream` and of its inputs; it returns {result: array}. `upstream(name, shape,
undecided)` gives a gradient of that shape. `undecided` says, where the references are computed, at
which elements a rounding error could decide: the gradient is zero there. Shapes: tiles cut at every
side, several slices, both block sizes.
"""

from typing import NamedTuple

import numpy as np

from tinyunet import nn

CLOSE = (
    1e-3  # nearer to a decision than this, float32 may decide otherwise: its sums are off by 1e-5
)
LARGEST = 4  # of the upstream gradients, whole numbers: a sum of two is exact in bf16 as well


def rounded(x):
    """Return float32 x rounded to bf16."""
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    bits = (bits + np.uint32(0x7FFF) + ((bits >> 16) & 1)) & np.uint32(0xFFFF0000)
    return bits.astype(np.uint32).view(np.float32)


def never():
    """For operations that decide nothing."""
    return False


def near_zero(x, weight, bias):
    """Return a function that says where a ReLU's argument is near zero."""
    return lambda: np.abs(nn.conv2d(x, weight, bias)[0]) < CLOSE


def near_ties(x, weight, bias):
    """Return a function that says in which 2×2 windows the maximum after a ReLU is uncertain."""

    def undecided():
        before = nn.conv2d(x, weight, bias)[0]
        n, channels, h, w = before.shape
        windows = before.reshape(n, channels, h // 2, 2, w // 2, 2).transpose(0, 1, 2, 4, 3, 5)
        least, largest = np.sort(np.maximum(windows.reshape(n, channels, h // 2, w // 2, 4), 0))[
            ..., -2:
        ].transpose(4, 0, 1, 2, 3)
        is_zero = windows.max(axis=(4, 5)) < -CLOSE  # all four, and the first is taken
        return (largest - least < CLOSE) & ~is_zero

    return undecided


def convolution(ops, upstream, x, weight, bias):
    """A convolution with ReLU, forward and backward."""
    y, cache = ops.conv2d_relu(x, weight, bias)
    dy = upstream("dy", y.shape, near_zero(x, weight, bias))
    dx, dweight, dbias = ops.conv2d_relu_backward(dy, cache)
    return {"y": y, "dx": dx, "dweight": dweight, "dbias": dbias}


def first_convolution(ops, upstream, x, weight, bias):
    """The network's first, whose input's gradient nobody asks for."""
    y, cache = ops.conv2d_relu(x, weight, bias)
    dy = upstream("dy", y.shape, near_zero(x, weight, bias))
    _, dweight, dbias = ops.conv2d_relu_backward(dy, cache, need_dx=False)
    return {"y": y, "dweight": dweight, "dbias": dbias}


def linear_convolution(ops, upstream, x, weight, bias):
    """A convolution without ReLU."""
    y, cache = ops.conv2d(x, weight, bias)
    dx, dweight, dbias = ops.conv2d_backward(upstream("dy", y.shape, never), cache)
    return {"y": y, "dx": dx, "dweight": dweight, "dbias": dbias}


def pooled_convolution(ops, upstream, x, weight, bias):
    """A contracting level's end: both maps, and both gradients of the map that is used twice."""
    (y, cache), (pooled, pool_cache) = ops.conv2d_relu_max_pool(x, weight, bias)
    n, channels, h, w = y.shape
    dpooled = upstream("dpooled", pooled.shape, near_ties(x, weight, bias))
    centre = slice(2, h - 2), slice(1, w - 1)
    near = near_zero(x, weight, bias)
    dskip = upstream("dskip", (n, channels, h - 4, w - 2), lambda: near()[(..., *centre)])
    sizes = (n, channels, h, w), (n, 0, h - 4, w - 2)
    dy = ops.max_pool2d_skip_backward(dpooled, pool_cache, (dskip, sizes))
    dx, dweight, dbias = ops.conv2d_relu_backward(dy, cache)
    return {"y": y, "pooled": pooled, "dx": dx, "dweight": dweight, "dbias": dbias}


def up_convolution(ops, upstream, x, weight, bias):
    """An up-convolution, forward and backward."""
    y, cache = ops.up_conv2d(x, weight, bias)
    dx, dweight, dbias = ops.up_conv2d_backward(upstream("dy", y.shape, never), cache)
    return {"y": y, "dx": dx, "dweight": dweight, "dbias": dbias}


def pooling(ops, upstream, x):
    """Pooling, forward and backward."""
    y, cache = ops.max_pool2d(x)
    return {"y": y, "dx": ops.max_pool2d_backward(upstream("dy", y.shape, never), cache)}


def concatenation(ops, upstream, skip, x):
    """Crop and concatenate, forward and backward."""
    y, cache = ops.center_crop_concat(skip, x)
    dskip, dx = ops.center_crop_concat_backward(upstream("dy", y.shape, never), cache)
    return {"y": y, "dskip": dskip, "dx": dx}


def loss(ops, _, logits, labels, weight_map):
    """The weighted cross-entropy and its gradient."""
    value, cache = ops.softmax_cross_entropy(logits, labels, weight_map)
    return {"loss": value, "dlogits": ops.softmax_cross_entropy_backward(cache)}


def update(ops, _, *arrays):
    """A step of the optimiser on several parameters, of which the largest has several blocks."""
    third = len(arrays) // 3
    params, velocity, grads = (
        dict(enumerate(arrays[start : start + third])) for start in (0, third, 2 * third)
    )
    ops.momentum_update(params, velocity, grads, 0.125, 0.75)
    found = {f"parameter {k}": p for k, p in params.items()}
    return found | {f"velocity {k}": v for k, v in velocity.items()}


class Case(NamedTuple):
    """What is run, and the shapes of its inputs."""

    run: object
    shapes: list


def _filters(n, channels, h, w, out_channels, kernel=3):
    """Return the shapes of a convolution's inputs."""
    return [(n, channels, h, w), (out_channels, channels, kernel, kernel), (out_channels,)]


CASES = {
    "conv, one image of one channel": Case(first_convolution, _filters(1, 1, 60, 44, 64)),
    "conv, few channels": Case(convolution, _filters(2, 3, 13, 18, 7)),
    "conv, batch of odd maps": Case(convolution, _filters(2, 6, 15, 11, 7)),
    "conv, wide": Case(convolution, _filters(1, 70, 34, 66, 130)),
    "conv, slices": Case(convolution, _filters(1, 64, 140, 136, 64)),
    "conv and pooling": Case(pooled_convolution, _filters(2, 20, 26, 20, 36)),
    "conv without ReLU": Case(linear_convolution, _filters(1, 32, 22, 30, 96)),
    "conv 1x1": Case(linear_convolution, _filters(2, 64, 20, 28, 2, 1)),
    "conv 1x1 with ReLU": Case(convolution, _filters(1, 5, 9, 14, 6, 1)),
    "conv, into many channels": Case(convolution, _filters(1, 8, 9, 7, 72)),
    "conv, out of many channels": Case(convolution, _filters(1, 72, 9, 7, 8)),
    "up-conv, small": Case(up_convolution, [(2, 6, 5, 7), (6, 3, 2, 2), (3,)]),
    "up-conv": Case(up_convolution, [(1, 128, 28, 20), (128, 64, 2, 2), (64,)]),
    "pooling": Case(pooling, [(2, 3, 10, 6)]),
    "crop and concat": Case(concatenation, [(2, 3, 17, 9), (2, 2, 14, 6)]),
    "loss": Case(loss, [(2, 3, 37, 21), (2, 37, 21), (2, 37, 21)]),
    "update": Case(update, 3 * [(3, 5), (1,), (2, 4097)]),
    "conv, fused": Case(convolution, _filters(2, 6, 131, 257, 7)),  # 64 × 64 tiles or more
    "conv and pooling, fused": Case(pooled_convolution, _filters(1, 5, 258, 258, 17)),
}
SMALL = [name for name, case in CASES.items() if max(map(np.prod, case.shapes)) < 10_000]


def inputs(name):
    """Return the inputs of a case, and a function that draws an upstream gradient of a shape."""
    case = CASES[name]
    rng = np.random.default_rng(list(CASES).index(name))
    arrays = [rounded(rng.standard_normal(shape, dtype=np.float32)) for shape in case.shapes]
    if case.run is loss:
        logits, labels, weights = arrays
        labels = np.clip(np.rint(labels) + 1, 0, 2).astype(np.int32)  # one of three classes
        arrays = [logits, labels, np.abs(weights)]

    def draw(shape):
        return rng.integers(-LARGEST, LARGEST + 1, shape).astype(np.float32)

    return arrays, draw
