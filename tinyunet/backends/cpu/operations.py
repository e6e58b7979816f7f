"""The operations on the CPU: which kernel computes what, by shape, the reason beside each branch.

Lesson: lessons/14-fast-on-a-cpu.md. The functions have the names, the shapes and the results of the
operations in `tinyunet/nn/` and stand in for them by the rows of `backends/dispatch.py`; all checks
were made before. Arrays are (N, C, H, W) to the outside; in memory the maps made here are channels
last: an (N, H, W, C) array, handed around as its transposed view. The kernels of the next layer
take it as it is; a map that comes in any other layout is copied once.

Nothing here goes through BLAS. Its threads go on spinning for some 25 ms after a product, waiting
for more, and take the cores away from the kernels (a small step took 2.5 times the processor time);
to hold them to one thread means to change a setting of the whole process.
"""

import numpy as np

from tinyunet import _numba
from tinyunet._workspace import empty
from tinyunet.backends.cpu import direct, layers, pointwise, winograd


class Saved(tuple):
    """A cache that a function of this module made, so that its backward pass recognises it."""

    __slots__ = ()


def made_here(dy, cache, *_, **__):
    """Whether the forward pass was computed here."""
    return isinstance(cache, Saved)


def made_loss_here(cache):
    """Whether the loss was computed here."""
    return isinstance(cache, Saved)


def supports(*arrays):
    """Whether these kernels can work on the arrays: NumPy, float32, not empty, numba at hand.

    float64 (gradient checks) and CuPy arrays belong to the operations' own texts.
    """
    return _numba.available() and all(
        type(array) is np.ndarray and array.dtype == np.float32 and array.size for array in arrays
    )


def supports_3x3(x, weight, bias):
    """3×3 kernels only: others are not in the network."""
    return weight.shape[2:] == (3, 3) and supports(x, weight, bias)


def supports_3x3_pool(x, weight, bias):
    """Where Winograd's tiles hold whole windows; else the two operations one after the other."""
    return supports_3x3(x, weight, bias) and not direct_is_best(weight)


def supports_1x1(x, weight, bias):
    """1×1 kernels only: the other convolutions of the network have a ReLU behind them."""
    return weight.shape[2:] == (1, 1) and supports(x, weight, bias)


def supports_loss(logits, labels, weight_map=None):
    """Labels and weight map are converted: any dtype will do."""
    return supports(logits)


def supports_update(params, velocity, grads, lr, momentum):
    """Whether the one-pass update can work in place: it walks through all three alike."""
    return all(
        supports(param, velocity[name], grads[name])
        and all(
            a.shape == param.shape and a.flags.c_contiguous
            for a in (param, velocity[name], grads[name])
        )
        for name, param in params.items()
    )


def conv2d_relu(x, weight, bias):
    """As `nn.conv2d_relu`, for 3×3 kernels."""
    x, weight = channels_last(x), np.ascontiguousarray(weight)
    if direct_is_best(weight):
        y = direct.conv3x3_relu(x, weight, bias)
    else:
        y = winograd.conv3x3_relu(x, weight, bias)
    return channels_first(y), Saved((x, weight, y))


def conv2d_relu_max_pool(x, weight, bias):
    """As `nn.conv2d_relu_max_pool`."""
    x, weight = channels_last(x), np.ascontiguousarray(weight)
    y, pooled = winograd.conv3x3_relu_max_pool(x, weight, bias)
    caches = Saved((x, weight, y)), Saved((y,))
    return (channels_first(y), caches[0]), (channels_first(pooled), caches[1])


def conv2d_relu_backward(dy, cache, need_dx=True):
    """As `nn.conv2d_relu_backward`."""
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


def conv2d(x, weight, bias):
    """As `nn.conv2d`, for 1×1 kernels: a matrix product over the pixels."""
    x, weight = channels_last(x), np.ascontiguousarray(weight)
    return channels_first(pointwise.conv1x1(x, weight, bias)), Saved((x, weight))


def conv2d_backward(dy, cache):
    """As `nn.conv2d_backward`."""
    x, weight = cache
    dx, dweight, dbias = pointwise.conv1x1_backward(channels_last(dy), x, weight)
    return channels_first(dx), dweight, dbias


def up_conv2d(x, weight, bias):
    """As `nn.up_conv2d`: a product whose rows are stored as the 2×2 patches they are."""
    x, weight = channels_last(x), np.ascontiguousarray(weight)
    return channels_first(pointwise.up_conv(x, weight, bias)), Saved((x, weight))


def up_conv2d_concat(x, weight, bias, skip):
    """As `nn.up_conv2d_concat`: the patches are stored in their channels of the concatenation."""
    x, weight, skip = channels_last(x), np.ascontiguousarray(weight), channels_last(skip)
    n, height, width, _ = x.shape
    first, channels = skip.shape[3], weight.shape[1]
    y = empty((n, 2 * height, 2 * width, first + channels))
    layers.crop_into(skip, 0, y)
    pointwise.up_conv_into(y.reshape(-1)[first:], first + channels, x, weight, bias)
    shapes = channels_first(skip).shape, (n, channels, 2 * height, 2 * width)
    return channels_first(y), Saved((x, weight)), shapes


def up_conv2d_backward(dy, cache):
    """As `nn.up_conv2d_backward`. dy may be a slice of a channels-last map: it is not copied."""
    x, weight = cache
    dy = np.asarray(dy, np.float32).transpose(0, 2, 3, 1)
    dx, dweight, dbias = pointwise.up_conv_backward(dy, x, weight)
    return channels_first(dx), dweight, dbias


def max_pool2d(x):
    """As `nn.max_pool2d`."""
    x = channels_last(x)
    return channels_first(layers.max_pool2x2(x)), Saved((x,))


def max_pool2d_backward(dy, cache):
    """As `nn.max_pool2d_backward`."""
    (x,) = cache
    return channels_first(layers.max_pool2x2_backward(channels_last(dy), x))


def max_pool2d_skip_backward(dy, cache, dskip):
    """As `nn.max_pool2d_skip_backward`, with both gradients written in one pass."""
    (x,) = cache
    dconcat, _ = dskip
    dx = layers.max_pool2x2_backward(channels_last(dy), x, channels_last(dconcat))
    return channels_first(dx)


def center_crop_concat(skip, x):
    """As `nn.center_crop_concat`. The network's backward needs no kernel: it is a view."""
    y = layers.crop_concat(channels_last(skip), channels_last(x))
    return channels_first(y), (skip.shape, x.shape)


def softmax_cross_entropy(logits, labels, weight_map=None):
    """As `nn.softmax_cross_entropy`, the gradient made in the same pass."""
    if weight_map is None:
        weight_map = np.ones(labels.shape, np.float32)
    labels = np.ascontiguousarray(labels, np.int64)
    weight_map = np.ascontiguousarray(weight_map, np.float32)
    loss, dlogits = layers.softmax_cross_entropy(channels_last(logits), labels, weight_map)
    return loss, Saved((channels_first(dlogits),))


def softmax_cross_entropy_backward(cache):
    """As `nn.softmax_cross_entropy_backward`."""
    return cache[0]


def momentum_update(params, velocity, grads, lr, momentum):
    """As `nn.momentum_update`, all parameters in one launch."""
    lists = [[arrays[name] for name in params] for arrays in (params, grads, velocity)]
    layers.momentum_update(*lists, lr, momentum)


def channels_last(x):
    """x (N, C, H, W) as a C-ordered float32 (N, H, W, C) array, without a copy if it is one."""
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1), np.float32)


def channels_first(x):
    """The (N, C, H, W) view of an (N, H, W, C) array."""
    return x.transpose(0, 3, 1, 2)
