"""Which kernel computes what on the CPU: the dispatch, by shape, the reason beside each branch.

Lesson: lessons/14-fast-on-a-cpu.md. The functions have the names, the shapes and the results of the
operations in `tinyunet/ops/`, which call them where `takes(...)` says so and stay in charge of all
checks. Arrays are (N, C, H, W) to the outside; in memory the maps made here are channels last: an
(N, H, W, C) array, handed around as its transposed view. So the kernels of the next layer
find them ready, and a map that comes in any other layout is copied once.

Where NumPy multiplies (the 1×1 convolution) BLAS is held to one thread from end to end, also for
the small products in between: a BLAS thread that was used once goes on spinning for some 25 ms,
waiting for more, and takes a core away from the kernels (a small step took 2.5 times the processor
time).
"""

import numpy as np

from tinyunet.kernels import direct, elementwise, jit, pointwise, threads, winograd
from tinyunet.kernels.workspace import empty


class Saved(tuple):
    """A cache that a function of this module made, so that its backward recognises it."""

    __slots__ = ()


def takes(*arrays):
    """Whether these kernels can work on the arrays: NumPy, float32, not empty, numba at hand.

    float64 (gradient checks) and CuPy arrays belong to the plain operations.
    """
    return jit.available() and all(
        type(array) is np.ndarray and array.dtype == np.float32 and array.size for array in arrays
    )


def takes_conv2d_relu(x, weight):
    """3×3 kernels only: others are not in the network, and the plain operation has them."""
    return weight.shape[2:] == (3, 3) and takes(x, weight)


def takes_conv2d_relu_max_pool(x, weight):
    """Where Winograd's tiles hold whole windows; else the two operations one after the other."""
    return takes_conv2d_relu(x, weight) and not direct_is_best(weight)


def takes_conv2d(x, weight):
    """1×1 kernels only."""
    return weight.shape[2:] == (1, 1) and takes(x, weight)


def conv2d_relu(x, weight, bias):
    """As `ops.conv2d_relu`, for 3×3 kernels."""
    x, weight = channels_last(x), np.ascontiguousarray(weight)
    if direct_is_best(weight):
        y = direct.conv3x3_relu(x, weight, bias)
    else:
        y = winograd.conv3x3_relu(x, weight, bias)
    return channels_first(y), Saved((x, weight, y))


def conv2d_relu_max_pool(x, weight, bias):
    """As `ops.conv2d_relu_max_pool`."""
    x, weight = channels_last(x), np.ascontiguousarray(weight)
    y, pooled = winograd.conv3x3_relu_max_pool(x, weight, bias)
    caches = Saved((x, weight, y)), Saved((y,))
    return (channels_first(y), caches[0]), (channels_first(pooled), caches[1])


def conv2d_relu_backward(dy, cache, need_dx=True):
    """As `ops.conv2d_relu_backward`."""
    x, weight, y = cache
    dy = channels_last(dy)
    if direct_is_best(weight) and not need_dx:
        return None, *direct.conv3x3_relu_filter_gradient(dy, x, weight, y)
    dx, dweight, dbias = winograd.conv3x3_relu_backward(dy, x, weight, y, need_dx)
    return (channels_first(dx) if need_dx else None), dweight, dbias


def direct_is_best(weight):
    """Whether the plain sum beats Winograd: up to 4 input channels (grey, colour, and alpha).

    Winograd saves multiplications, but these layers are bound by the memory traffic of y.
    """
    return weight.shape[1] <= 4


@threads.one_blas_thread()
def conv2d(x, weight, bias):
    """As `ops.conv2d`, for 1×1 kernels: a matrix product over the pixels."""
    x, weight = channels_last(x), np.ascontiguousarray(weight)
    return channels_first(pointwise.conv1x1(x, weight, bias)), Saved((x, weight))


@threads.one_blas_thread()
def conv2d_backward(dy, cache):
    """As `ops.conv2d_backward`."""
    x, weight = cache
    dx, dweight, dbias = pointwise.conv1x1_backward(channels_last(dy), x, weight)
    return channels_first(dx), dweight, dbias


def up_conv2d(x, weight, bias):
    """As `ops.up_conv2d`: a product whose rows are stored as the 2×2 patches they are."""
    x, weight = channels_last(x), np.ascontiguousarray(weight)
    return channels_first(pointwise.up_conv2x2(x, weight, bias)), Saved((x, weight))


def up_conv2d_concat(x, weight, bias, skip):
    """As `ops.up_conv2d_concat`: the patches are stored in their channels of the concatenation."""
    x, weight, skip = channels_last(x), np.ascontiguousarray(weight), channels_last(skip)
    n, height, width, _ = x.shape
    first, channels = skip.shape[3], weight.shape[1]
    y = empty((n, 2 * height, 2 * width, first + channels))
    elementwise.crop_into(skip, 0, y)
    pointwise.up_conv2x2_into(y.reshape(-1)[first:], first + channels, x, weight, bias)
    shapes = channels_first(skip).shape, (n, channels, 2 * height, 2 * width)
    return channels_first(y), Saved((x, weight)), shapes


def up_conv2d_backward(dy, cache):
    """As `ops.up_conv2d_backward`. dy may be a slice of a channels-last map: it is not copied."""
    x, weight = cache
    dy = np.asarray(dy, np.float32).transpose(0, 2, 3, 1)
    dx, dweight, dbias = pointwise.up_conv2x2_backward(dy, x, weight)
    return channels_first(dx), dweight, dbias


def max_pool2d(x):
    """As `ops.max_pool2d`."""
    x = channels_last(x)
    return channels_first(elementwise.max_pool2x2(x)), Saved((x,))


def max_pool2d_backward(dy, cache, onto=None):
    """As `ops.max_pool2d_backward`; with `onto` the gradient is added to it, in place."""
    (x,) = cache
    dx = channels_first(elementwise.max_pool2x2_backward(channels_last(dy), x))
    if onto is None:
        return dx
    onto += dx
    return onto


def max_pool2d_skip_backward(dy, cache, dskip):
    """As `ops.max_pool2d_skip_backward`, with both gradients written in one pass."""
    (x,) = cache
    dconcat, _ = dskip
    dx = elementwise.max_pool2x2_backward(channels_last(dy), x, channels_last(dconcat))
    return channels_first(dx)


def center_crop_concat(skip, x):
    """As `ops.center_crop_concat`. The network's backward needs no kernel: it is a view."""
    y = elementwise.crop_concat(channels_last(skip), channels_last(x))
    return channels_first(y), (skip.shape, x.shape)


def softmax_cross_entropy(logits, labels, weights=None):
    """As `ops.softmax_cross_entropy`, the gradient made in the same pass."""
    if weights is None:
        weights = np.ones(labels.shape, np.float32)
    labels = np.ascontiguousarray(labels, np.int64)
    weights = np.ascontiguousarray(weights, np.float32)
    loss, dlogits = elementwise.softmax_cross_entropy(channels_last(logits), labels, weights)
    return loss, Saved((channels_first(dlogits),))


def softmax_cross_entropy_backward(cache):
    """As `ops.softmax_cross_entropy_backward`."""
    return cache[0]


def takes_sgd(param, grad, velocity):
    """Whether the one-pass update can work in place: it walks through all three alike."""
    three = param, grad, velocity
    alike = all(a.shape == param.shape and a.flags.c_contiguous for a in three)
    return alike and takes(*three)


def momentum_update(params, velocity, grads, rate, momentum):
    """velocity ← momentum · velocity + grad; param ← param - rate · velocity, in place.

    Three dicts of arrays that `takes_sgd` takes; the names are those of `params`.
    """
    lists = [[arrays[name] for name in params] for arrays in (params, grads, velocity)]
    elementwise.momentum_update(*lists, rate, momentum)


def channels_last(x):
    """x (N, C, H, W) as a C-ordered float32 (N, H, W, C) array, without a copy if it is one."""
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1), np.float32)


def channels_first(x):
    """The (N, C, H, W) view of an (N, H, W, C) array."""
    return x.transpose(0, 3, 1, 2)
