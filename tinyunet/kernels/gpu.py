"""The operations of the network on a GPU: the one place where an operation turns to its kernels.

An operation in tinyunet/ops begins with `if gpu.handles(x, …): return gpu.conv2d_relu(x, …)` and
goes on in plain text for everything else (NumPy, float64, other kernel sizes). What a forward here
returns as its cache is a `Cache`; by it a backward knows that it belongs here. The functions have
the names, arguments and returns of the operations. Lesson: lessons/15-fast-on-a-gpu.md.

The layout is NCHW, float32 throughout. Winograd wants it: with t, the tile, as the fastest axis,
transforms and products are coalesced at any number of channels, even one; and nothing has to be
turned around between an operation here and a plain one.
"""

from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np

from tinyunet.arrays import array_module
from tinyunet.kernels import gpu_conv, gpu_ops, gpu_tensor
from tinyunet.kernels.gpu_launch import CupyGpu

PRECISIONS = ("float32", "tf32", "bf16")

_precision = ContextVar("tinyunet_precision", default="float32")
_device = ContextVar("tinyunet_gpu", default=None)
_cupy_gpus = {}  # {array module: CupyGpu}: compiled kernels live as long as the process


class Cache(tuple):
    """What a forward of this module keeps for its backward."""

    __slots__ = ()


@contextmanager
def precision(name):
    """Within the block, multiply in `name`: "float32" (strict, the default), "tf32" or "bf16".

    tf32 keeps 10 bits of a factor's mantissa, bf16 keeps 7; sums, weights and everything else stay
    float32. These two use the direct convolution on tensor cores, because Winograd would enlarge
    their rounding, and need compute capability 8.0. Raises ValueError for another name.
    """
    if name not in PRECISIONS:
        raise ValueError(f"precision {name!r} is not one of 'float32', 'tf32', 'bf16'")
    token = _precision.set(name)
    try:
        yield
    finally:
        _precision.reset(token)


@contextmanager
def running_on(device):
    """Within the block, run on `device`, a `Gpu`, in place of CuPy's (how the tests do it)."""
    token = _device.set(device)
    try:
        yield device
    finally:
        _device.reset(token)


def handles(*arrays):
    """Return whether all `arrays` are float32 on a GPU, so that the kernels here take them."""
    device = _device.get()
    xp = array_module(arrays[0])
    if (xp is np) if device is None else (xp is not device.xp):
        return False
    return all(isinstance(a, xp.ndarray) and a.dtype == np.float32 for a in arrays)


def handles_conv(x, weight, bias):
    """Return whether `conv2d` and `conv2d_relu` here take these: as `handles`, 3×3 or 1×1."""
    return handles(x, weight, bias) and weight.shape[2:] in ((3, 3), (1, 1))


def _gpu(x):
    """Return the `Gpu` that the array `x` lives on."""
    device = _device.get()
    if device is not None:
        return device
    xp = array_module(x)
    if xp not in _cupy_gpus:
        _cupy_gpus[xp] = CupyGpu(xp)
    return _cupy_gpus[xp]


def _convolutions(weight, name):
    """Return (forward, backward) for the kernel's size and the precision `name`."""
    if weight.shape[2:] == (1, 1):
        return gpu_conv.conv1x1, gpu_conv.conv1x1_backward
    if name == "float32":
        return gpu_conv.conv3x3, gpu_conv.conv3x3_backward
    return gpu_tensor.convolutions(name)


def conv2d(x, weight, bias):
    """As `ops.conv2d`, for 3×3 and 1×1 kernels."""
    name = _precision.get()
    forward, _ = _convolutions(weight, name)
    return forward(_gpu(x), x, weight, bias, False), Cache((x, weight, None, name))


def conv2d_relu(x, weight, bias):
    """As `ops.conv2d_relu`, for 3×3 and 1×1 kernels."""
    name = _precision.get()
    forward, _ = _convolutions(weight, name)
    y = forward(_gpu(x), x, weight, bias, True)
    return y, Cache((x, weight, y, name))


def conv2d_relu_backward(dy, cache, need_dx=True):
    """As `ops.conv2d_relu_backward`; dy must have the shape of y."""
    x, weight, y, name = cache
    shape = (len(x), len(weight), *(x.shape[i] - weight.shape[i] + 1 for i in (2, 3)))
    _check_gradient(dy, shape)
    _, backward = _convolutions(weight, name)
    return backward(_gpu(x), dy, x, weight, y, need_dx)


conv2d_backward = conv2d_relu_backward  # the cache says whether there was a ReLU


def max_pool2d(x):
    """As `ops.max_pool2d`."""
    y, x = gpu_ops.max_pool2d(_gpu(x), x)
    return y, Cache((x,))


def max_pool2d_backward(dy, cache):
    """As `ops.max_pool2d_backward`."""
    (x,) = cache
    _check_gradient(dy, (*x.shape[:2], x.shape[2] // 2, x.shape[3] // 2))
    return gpu_ops.max_pool2d_backward(_gpu(x), dy, x)


def up_conv2d(x, weight, bias):
    """As `ops.up_conv2d`."""
    name = _precision.get()
    y = gpu_ops.up_conv2d(_gpu(x), x, weight, bias, name)
    return y, Cache((x, weight, name))


def up_conv2d_backward(dy, cache):
    """As `ops.up_conv2d_backward`."""
    x, weight, name = cache
    _check_gradient(dy, (len(x), weight.shape[1], 2 * x.shape[2], 2 * x.shape[3]))
    return gpu_ops.up_conv2d_backward(_gpu(x), dy, x, weight, name)


def center_crop_concat(skip, x):
    """As `ops.center_crop_concat`."""
    return gpu_ops.center_crop_concat(_gpu(x), skip, x), Cache((skip.shape, x.shape))


def center_crop_concat_backward(dy, cache):
    """As `ops.center_crop_concat_backward`."""
    skip_shape, x_shape = cache
    _check_gradient(dy, (x_shape[0], skip_shape[1] + x_shape[1], *x_shape[2:]))
    return gpu_ops.center_crop_concat_backward(_gpu(dy), dy, skip_shape, x_shape)


def dropout(x, rate, rng):
    """As `ops.dropout`, for rates above 0. `rng.random` may return an array on the device."""
    gpu = _gpu(x)
    drawn = gpu.xp.asarray(rng.random(x.shape, dtype="float32"))
    y, mask = gpu_ops.dropout(gpu, x, drawn, rate)
    return y, Cache((mask,))


def dropout_backward(dy, cache):
    """As `ops.dropout_backward`."""
    (mask,) = cache
    _check_gradient(dy, mask.shape)
    return gpu_ops.dropout_backward(_gpu(dy), dy, mask)


def softmax_cross_entropy(logits, labels, weights=None):
    """As `ops.softmax_cross_entropy`; the gradient is made in the same pass and kept."""
    loss, dlogits = gpu_ops.softmax_cross_entropy(_gpu(logits), logits, labels, weights)
    return loss, Cache((dlogits,))


def softmax_cross_entropy_backward(cache):
    """As `ops.softmax_cross_entropy_backward`."""
    return cache[0]


def momentum_update(params, velocity, grads, rate, momentum):
    """Do v ← momentum·v + g and p ← p − rate·v, in place, for three dicts of the same names.

    `rate` is a number, or an array of one float32 on the device.
    """
    names = list(params)
    gpu = _gpu(params[names[0]])
    if isinstance(rate, float | int):
        rate = gpu.xp.full(1, rate, np.float32)
    lists = [[d[name] for name in names] for d in (params, velocity, grads)]
    lists[2] = [gpu.contiguous(g) for g in lists[2]]
    gpu_ops.momentum_update(gpu, *lists, rate, momentum)


def _check_gradient(dy, shape):
    """Raise ValueError unless dy has the shape of the output it is the gradient of."""
    if tuple(dy.shape) != tuple(shape):
        raise ValueError(f"dy has shape {dy.shape}, but the output has {tuple(shape)}")
