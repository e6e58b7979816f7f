"""The operations of the network on a GPU: the one place where an operation turns to its kernels.

The twin of backends/cpu/operations.py: the dispatch hands over float32 arrays on a GPU; the
operations stay in charge of all checks of shapes (the functions below check once more what a
kernel would read beyond: there nothing else would notice). What a forward here returns as its cache
is a `Saved`; by it a backward knows that it belongs here. The functions have the names, arguments
and returns of the operations. Lesson: lessons/15-fast-on-a-gpu.md.

The layout is NCHW, float32 throughout. Winograd wants it: with t, the tile, as the fastest axis,
transforms and products are coalesced at any number of channels, even one; and nothing has to be
turned around between an operation here and a plain one.
"""

from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps

import numpy as np

from tinyunet import nn
from tinyunet.arrays import array_module
from tinyunet.backends.cuda import layers
from tinyunet.backends.cuda.algorithms import choose_algorithm
from tinyunet.backends.cuda.launch import CupyGpu
from tinyunet.backends.cuda.trial import is_usable
from tinyunet.nn.precision import current_precision

_device = ContextVar("tinyunet_gpu", default=None)
_cupy_gpus = {}  # {(array module, index): CupyGpu}: compiled kernels live as long as the process


class Saved(tuple):
    """What a forward of this module keeps for its backward."""

    __slots__ = ()


@contextmanager
def running_on(device):
    """Within the block, run on `device`, a `Gpu`, in place of CuPy's (how the tests do it)."""
    token = _device.set(device)
    try:
        yield device
    finally:
        _device.reset(token)


def made_here(dy, cache, *_, **__):
    """Return whether the forward pass was computed here."""
    return isinstance(cache, Saved)


def made_loss_here(cache):
    """Return whether the loss was computed here."""
    return isinstance(cache, Saved)


def supports(*arrays):
    """Return whether all `arrays` are float32, on a GPU that runs our kernels, and not empty."""
    return _are_here(arrays) and _runs_kernels(arrays[0], "float32")


def supports_conv2d(x, weight, bias):
    """Return whether the convolutions here take these: 3×3 and 1×1 kernels."""
    return weight.shape[2:] in ((3, 3), (1, 1)) and _are_here((x, weight, bias)) and runs_kernels(x)


def runs_kernels(x):
    """Return whether the GPU of `x` runs all our kernels that the precision in force may need.

    Those of float32 are among them: 1×1 convolutions and few channels have no others.
    """
    return _runs_kernels(x, "float32", current_precision())


def _are_here(arrays):
    device = _device.get()
    xp = array_module(arrays[0])
    if (xp is np) if device is None else (xp is not device.xp):
        return False
    return all(isinstance(a, xp.ndarray) and a.dtype == np.float32 and a.size for a in arrays)


def _runs_kernels(x, *precisions):
    return _device.get() is not None or all(is_usable(gpu_of(x), name) for name in precisions)


def supports_loss(logits, labels, weight_map=None):
    """Labels and weight map are converted: any dtype will do."""
    return supports(logits)


def supports_update(params, velocity, grads, lr, momentum):
    """Return whether the update can work in place: on row-major arrays."""
    return all(
        supports(param, velocity[name], grads[name])
        and all(array.flags.c_contiguous for array in (param, velocity[name], grads[name]))
        for name, param in params.items()
    )


def gpu_of(x):
    """Return the `Gpu` that the array `x` lives on."""
    device = _device.get()
    if device is not None:
        return device
    place = array_module(x), x.device.id
    if place not in _cupy_gpus:
        _cupy_gpus[place] = CupyGpu(*place)
    return _cupy_gpus[place]


def _on_its_device(function):
    """Let `function(gpu, x, …)` be called as (x, …), with the device of x as CUDA's current one.

    A network may be used from any thread, and beside another one that lives elsewhere.
    """

    @wraps(function)
    def run(x, *args, **kwargs):
        gpu = gpu_of(x)
        with gpu.current():
            return function(gpu, x, *args, **kwargs)

    return run


@_on_its_device
def conv2d(gpu, x, weight, bias):
    """As `nn.conv2d`, for 3×3 and 1×1 kernels."""
    return _convolve(gpu, x, weight, bias, relu=False)


@_on_its_device
def conv2d_relu(gpu, x, weight, bias):
    """As `nn.conv2d_relu`, for 3×3 and 1×1 kernels."""
    return _convolve(gpu, x, weight, bias, relu=True)


def _convolve(gpu, x, weight, bias, relu):
    _check_filters(x, weight, bias)
    algorithm = choose_algorithm(gpu, x, weight, current_precision())
    y, kept = algorithm.forward(gpu, x, weight, bias, relu)
    return y, Saved((x.shape, weight, y if relu else None, kept, algorithm))


def conv2d_relu_max_pool(x, weight, bias):
    """As `nn.conv2d_relu_max_pool`: Winograd's tiles hold whole windows and write their maxima.

    The other algorithms have a row's neighbours at hand but not the row below: there it is two
    kernels.
    """
    algorithm = choose_algorithm(gpu_of(x), x, weight, current_precision())
    if algorithm.with_max_pool is not None:
        return _convolve_with_max_pool(x, weight, bias, algorithm)
    y, cache = conv2d_relu(x, weight, bias)
    return (y, cache), max_pool2d(y)


@_on_its_device
def _convolve_with_max_pool(gpu, x, weight, bias, algorithm):
    _check_filters(x, weight, bias)
    _check_shape("x", x, (*x.shape[:2], x.shape[2] // 2 * 2, x.shape[3] // 2 * 2))
    y, pooled, kept = algorithm.with_max_pool(gpu, x, weight, bias)
    return (y, Saved((x.shape, weight, y, kept, algorithm))), (pooled, Saved((y,)))


@_on_its_device
def conv2d_relu_backward(gpu, dy, cache, need_dx=True):
    """As `nn.conv2d_relu_backward`; dy must have the shape of y."""
    x_shape, weight, y, kept, algorithm = cache
    shape = (x_shape[0], len(weight), *(x_shape[i] - weight.shape[i] + 1 for i in (2, 3)))
    _check_shape("dy", dy, shape)
    return algorithm.backward(gpu, dy, weight, y, kept, need_dx)


def conv2d_backward(dy, cache):
    """As `nn.conv2d_backward`; the cache says that there was no ReLU."""
    return conv2d_relu_backward(dy, cache)


@_on_its_device
def max_pool2d(gpu, x):
    """As `nn.max_pool2d`."""
    _check_shape("x", x, (*x.shape[:2], x.shape[2] // 2 * 2, x.shape[3] // 2 * 2))
    y, x = layers.max_pool2d(gpu, x)
    return y, Saved((x,))


def max_pool2d_backward(dy, cache):
    """As `nn.max_pool2d_backward`."""
    return _max_pool2d_backward(dy, cache, None)


def max_pool2d_skip_backward(dy, cache, dskip):
    """As `nn.max_pool2d_skip_backward`: the pooling's gradient is added to the skip's, in place."""
    from_skip, _ = nn.center_crop_concat_backward(*dskip)
    return _max_pool2d_backward(dy, cache, from_skip)


@_on_its_device
def _max_pool2d_backward(gpu, dy, cache, onto):
    (x,) = cache
    _check_shape("dy", dy, (*x.shape[:2], x.shape[2] // 2, x.shape[3] // 2))
    if onto is not None:
        _check_shape("onto", onto, x.shape)
    return layers.max_pool2d_backward(gpu, dy, x, onto)


@_on_its_device
def up_conv2d(gpu, x, weight, bias):
    """As `nn.up_conv2d`."""
    _check_shape("weight", weight, (x.shape[1], weight.shape[1], 2, 2))
    _check_shape("bias", bias, weight.shape[1:2])
    name = current_precision()
    y = layers.up_conv2d(gpu, x, weight, bias, name)
    return y, Saved((x, weight, name))


@_on_its_device
def up_conv2d_backward(gpu, dy, cache):
    """As `nn.up_conv2d_backward`."""
    x, weight, name = cache
    _check_shape("dy", dy, (len(x), weight.shape[1], 2 * x.shape[2], 2 * x.shape[3]))
    return layers.up_conv2d_backward(gpu, dy, x, weight, name)


@_on_its_device
def center_crop_concat(gpu, skip, x):
    """As `nn.center_crop_concat`."""
    if len(skip) != len(x) or any(skip.shape[i] < x.shape[i] for i in (2, 3)):
        raise ValueError(f"skip {skip.shape} cannot be cropped to x {x.shape}")
    return layers.center_crop_concat(gpu, skip, x), Saved((skip.shape, x.shape))


def up_conv2d_concat(x, weight, bias, skip):
    """As `nn.up_conv2d_concat`, one after the other."""
    up, up_cache = up_conv2d(x, weight, bias)
    y, cache = center_crop_concat(skip, up)
    return y, up_cache, cache


@_on_its_device
def center_crop_concat_backward(gpu, dy, cache):
    """As `nn.center_crop_concat_backward`."""
    skip_shape, x_shape = cache
    _check_shape("dy", dy, (x_shape[0], skip_shape[1] + x_shape[1], *x_shape[2:]))
    return layers.center_crop_concat_backward(gpu, dy, skip_shape, x_shape)


@_on_its_device
def softmax_cross_entropy(gpu, logits, labels, weight_map=None):
    """As `nn.softmax_cross_entropy`; the gradient is made in the same pass and kept."""
    _check_shape("labels", labels, (len(logits), *logits.shape[2:]))
    if weight_map is not None:
        _check_shape("weight_map", weight_map, labels.shape)
    loss, dlogits = layers.softmax_cross_entropy(gpu, logits, labels, weight_map)
    return loss, Saved((dlogits,))


def softmax_cross_entropy_backward(cache):
    """As `nn.softmax_cross_entropy_backward`."""
    return cache[0]


def momentum_update(params, velocity, grads, lr, momentum):
    """As `nn.momentum_update`, all parameters in one launch.

    `lr` and `momentum` are numbers, or arrays of one float32 on the device.
    """
    gpu = gpu_of(next(iter(params.values())))
    lists = [[arrays[name] for name in params] for arrays in (params, velocity, grads)]
    with gpu.current():
        lists[2] = [gpu.contiguous(g) for g in lists[2]]
        numbers = (gpu.scalar(n) if isinstance(n, float | int) else n for n in (lr, momentum))
        layers.momentum_update(gpu, *lists, *numbers)


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
