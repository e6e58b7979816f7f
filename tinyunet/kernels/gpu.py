"""The operations of the network on a GPU: the one place where an operation turns to its kernels.

The twin of kernels/cpu.py: tinyunet/ops/dispatch.py asks `takes(…)` and hands over float32 arrays
on a GPU; the operations stay in charge of all checks of shapes. What a forward here returns as its
cache is a `Saved`; by it a backward knows that it belongs here. The functions have the names,
arguments and returns of the operations. Lesson: lessons/15-fast-on-a-gpu.md.

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
TENSOR_CORES = 80  # compute capability 8.0: the first with tf32 and bf16

_precision = ContextVar("tinyunet_precision", default="float32")
_device = ContextVar("tinyunet_gpu", default=None)
_cupy_gpus = {}  # {array module: CupyGpu}: compiled kernels live as long as the process


class Saved(tuple):
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


def takes(*arrays):
    """Return whether all `arrays` are float32, on a GPU and not empty: then they belong here."""
    device = _device.get()
    xp = array_module(arrays[0])
    if (xp is np) if device is None else (xp is not device.xp):
        return False
    return all(isinstance(a, xp.ndarray) and a.dtype == np.float32 and a.size for a in arrays)


def takes_conv2d(x, weight):
    """Return whether `conv2d` and `conv2d_relu` here take these: 3×3 and 1×1 kernels."""
    return weight.shape[2:] in ((3, 3), (1, 1)) and takes(x, weight)


takes_conv2d_relu = takes_conv2d_relu_max_pool = takes_conv2d


def takes_sgd(param, grad, velocity):
    """Return whether the update can work in place: on row-major arrays."""
    return takes(param, grad, velocity) and all(
        array.flags.c_contiguous for array in (param, grad, velocity)
    )


def _gpu(x):
    """Return the `Gpu` that the array `x` lives on."""
    device = _device.get()
    if device is not None:
        return device
    xp = array_module(x)
    if xp not in _cupy_gpus:
        _cupy_gpus[xp] = CupyGpu(xp)
    return _cupy_gpus[xp]


def _convolutions(gpu, weight, name):
    """Return (forward, backward) for the kernel's size and the precision `name`."""
    if name != "float32" and gpu.compute_capability < TENSOR_CORES:
        raise ValueError(
            f"precision {name!r} needs a GPU of compute capability {TENSOR_CORES / 10}: this one "
            f"has {gpu.compute_capability / 10}"
        )
    if weight.shape[2:] == (1, 1):
        return gpu_conv.conv1x1, gpu_conv.conv1x1_backward
    if name == "float32":
        return gpu_conv.conv3x3, gpu_conv.conv3x3_backward
    return gpu_tensor.convolutions(name)


def conv2d(x, weight, bias):
    """As `ops.conv2d`, for 3×3 and 1×1 kernels."""
    _check_filters(x, weight, bias)
    name = _precision.get()
    gpu = _gpu(x)
    forward, _ = _convolutions(gpu, weight, name)
    return forward(gpu, x, weight, bias, False), Saved((x, weight, None, name))


def conv2d_relu(x, weight, bias):
    """As `ops.conv2d_relu`, for 3×3 and 1×1 kernels."""
    _check_filters(x, weight, bias)
    name = _precision.get()
    gpu = _gpu(x)
    forward, _ = _convolutions(gpu, weight, name)
    y = forward(gpu, x, weight, bias, True)
    return y, Saved((x, weight, y, name))


def conv2d_relu_max_pool(x, weight, bias):
    """As `ops.conv2d_relu_max_pool`: Winograd's tiles hold whole windows and write their maxima.

    Tensor cores have a row's neighbours at hand but not the row below: there it is two kernels.
    """
    if _precision.get() != "float32" or weight.shape[2:] == (1, 1):
        y, cache = conv2d_relu(x, weight, bias)
        return (y, cache), max_pool2d(y)
    _check_filters(x, weight, bias)
    _check_shape("x", x, (*x.shape[:2], x.shape[2] // 2 * 2, x.shape[3] // 2 * 2))
    y, pooled = gpu_conv.conv3x3_max_pool(_gpu(x), x, weight, bias)
    return (y, Saved((x, weight, y, "float32"))), (pooled, Saved((y,)))


def conv2d_relu_backward(dy, cache, need_dx=True):
    """As `ops.conv2d_relu_backward`; dy must have the shape of y."""
    x, weight, y, name = cache
    shape = (len(x), len(weight), *(x.shape[i] - weight.shape[i] + 1 for i in (2, 3)))
    _check_shape("dy", dy, shape)
    gpu = _gpu(x)
    _, backward = _convolutions(gpu, weight, name)
    return backward(gpu, dy, x, weight, y, need_dx)


conv2d_backward = conv2d_relu_backward  # the cache says whether there was a ReLU


def max_pool2d(x):
    """As `ops.max_pool2d`."""
    _check_shape("x", x, (*x.shape[:2], x.shape[2] // 2 * 2, x.shape[3] // 2 * 2))
    y, x = gpu_ops.max_pool2d(_gpu(x), x)
    return y, Saved((x,))


def max_pool2d_backward(dy, cache, onto=None):
    """As `ops.max_pool2d_backward`; with `onto` the gradient is added to it, in place."""
    (x,) = cache
    _check_shape("dy", dy, (*x.shape[:2], x.shape[2] // 2, x.shape[3] // 2))
    if onto is not None:
        _check_shape("onto", onto, x.shape)
    return gpu_ops.max_pool2d_backward(_gpu(x), dy, x, onto)


def up_conv2d(x, weight, bias):
    """As `ops.up_conv2d`."""
    _check_shape("weight", weight, (x.shape[1], weight.shape[1], 2, 2))
    _check_shape("bias", bias, weight.shape[1:2])
    name = _precision.get()
    y = gpu_ops.up_conv2d(_gpu(x), x, weight, bias, name)
    return y, Saved((x, weight, name))


def up_conv2d_backward(dy, cache):
    """As `ops.up_conv2d_backward`."""
    x, weight, name = cache
    _check_shape("dy", dy, (len(x), weight.shape[1], 2 * x.shape[2], 2 * x.shape[3]))
    return gpu_ops.up_conv2d_backward(_gpu(x), dy, x, weight, name)


def center_crop_concat(skip, x):
    """As `ops.center_crop_concat`."""
    if len(skip) != len(x) or any(skip.shape[i] < x.shape[i] for i in (2, 3)):
        raise ValueError(f"skip {skip.shape} cannot be cropped to x {x.shape}")
    return gpu_ops.center_crop_concat(_gpu(x), skip, x), Saved((skip.shape, x.shape))


def up_conv2d_concat(x, weight, bias, skip):
    """As `ops.up_conv2d_concat`, one after the other."""
    up, up_cache = up_conv2d(x, weight, bias)
    y, cache = center_crop_concat(skip, up)
    return y, up_cache, cache


def center_crop_concat_backward(dy, cache):
    """As `ops.center_crop_concat_backward`."""
    skip_shape, x_shape = cache
    _check_shape("dy", dy, (x_shape[0], skip_shape[1] + x_shape[1], *x_shape[2:]))
    return gpu_ops.center_crop_concat_backward(_gpu(dy), dy, skip_shape, x_shape)


def dropout(x, rate, rng):
    """As `ops.dropout`, for rates above 0. `rng.random` may return an array on the device."""
    gpu = _gpu(x)
    drawn = gpu.xp.asarray(rng.random(x.shape, dtype="float32"))
    y, mask = gpu_ops.dropout(gpu, x, drawn, rate)
    return y, Saved((mask,))


def dropout_backward(dy, cache):
    """As `ops.dropout_backward`."""
    (mask,) = cache
    _check_shape("dy", dy, mask.shape)
    return gpu_ops.dropout_backward(_gpu(dy), dy, mask)


def softmax_cross_entropy(logits, labels, weights=None):
    """As `ops.softmax_cross_entropy`; the gradient is made in the same pass and kept."""
    _check_shape("labels", labels, (len(logits), *logits.shape[2:]))
    if weights is not None:
        _check_shape("weights", weights, labels.shape)
    loss, dlogits = gpu_ops.softmax_cross_entropy(_gpu(logits), logits, labels, weights)
    return loss, Saved((dlogits,))


def softmax_cross_entropy_backward(cache):
    """As `ops.softmax_cross_entropy_backward`."""
    return cache[0]


def sgd_momentum_(param, grad, velocity, rate, momentum):
    """velocity ← momentum · velocity + grad; param ← param − rate · velocity, in place."""
    momentum_update({"": param}, {"": velocity}, {"": grad}, rate, momentum)


def momentum_update(params, velocity, grads, rate, momentum):
    """Do the same for all parameters in one launch: three dicts of the same names.

    `rate` is a number, or an array of one float32 on the device.
    """
    gpu = _gpu(next(iter(params.values())))
    lists = [[arrays[name] for name in params] for arrays in (params, velocity, grads)]
    lists[2] = [gpu.contiguous(g) for g in lists[2]]
    if isinstance(rate, float | int):
        rate = gpu.scalar(rate)
    gpu_ops.momentum_update(gpu, *lists, rate, momentum)


def _check_filters(x, weight, bias):
    """Raise ValueError unless weight and bias go with x, and the kernel fits into it."""
    _check_shape("weight", weight, (len(weight), x.shape[1], *weight.shape[2:]))
    _check_shape("bias", bias, weight.shape[:1])
    if x.shape[2] < weight.shape[2] or x.shape[3] < weight.shape[3]:
        raise ValueError(f"x {x.shape} is smaller than the kernel of weight {weight.shape}")


def _check_shape(name, array, shape):
    """Raise ValueError unless `array` has `shape`: a kernel would read beyond it."""
    if tuple(array.shape) != tuple(shape):
        raise ValueError(f"{name} has shape {array.shape}, not {tuple(shape)}")
