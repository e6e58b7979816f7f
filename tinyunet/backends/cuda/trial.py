"""Every kernel once on a few numbers, before the first real work: does this card run them?

What does not compile or cannot be started here is found while nothing depends on it. One warning
names it, and from then on the operations' own texts compute on the GPU's arrays, by CuPy.
Lesson: lessons/15-fast-on-a-gpu.md.
"""

import warnings

import numpy as np

from tinyunet._text import first_line
from tinyunet.arrays import Array
from tinyunet.backends.cuda import fused, layers, winograd
from tinyunet.backends.cuda.algorithms import (
    DIRECT,
    FUSED,
    POINTWISE,
    TENSOR,
    TENSOR_CORES,
    WINOGRAD,
    Algorithm,
)
from tinyunet.backends.cuda.errors import KernelError, is_out_of_memory
from tinyunet.backends.cuda.launch import CupyGpu, Gpu

PLAIN = "the operations' plain texts compute instead, by CuPy (TINYUNET_BACKEND=plain asks for it)"


def is_usable(gpu: CupyGpu, precision: str) -> bool:
    """Return whether the kernels of `precision` run on `gpu`; tries them the first time.

    Raises KernelError if a kernel did such harm that nothing runs on the device any more, and
    the error of a full card where there is no room for a trial: it tells nothing of the kernels.
    """
    if precision not in gpu.problems:
        problem = gpu.problems[precision] = find_problem(gpu, precision)
        if problem is not None:
            warnings.warn(f"{problem}: {PLAIN}")
    return gpu.problems[precision] is None


def find_problem(gpu: CupyGpu, precision: str) -> str | None:
    """Return None, or one line that says what went wrong with which kernel; raise as above."""
    if precision != "float32" and gpu.compute_capability < TENSOR_CORES:
        return None  # it will be refused, with the reason, when it is asked for
    run = run_float32 if precision == "float32" else run_tensor_cores
    try:
        with gpu.current(), gpu.blocking():
            run(gpu, precision)
    except Exception as error:  # of the compiler, of CUDA, of a library that is not there
        if is_out_of_memory(error):
            raise
        problem = first_line(error)
        try:
            gpu.synchronize()
        except Exception as broken:
            raise KernelError(
                f"{problem}; nothing runs on this GPU any more: start again with "
                "TINYUNET_BACKEND=plain (or --backend plain)"
            ) from broken
        return problem
    return None


def _numbers(gpu: Gpu, *shape: int) -> Array:
    """Return a float32 array of small numbers that differ."""
    numbers = np.arange(int(np.prod(shape)), dtype=np.float32) % 7 - 3
    return gpu.xp.asarray(numbers.reshape(shape))


def _there_and_back(gpu: Gpu, algorithm: Algorithm, x: Array, weight: Array, bias: Array) -> Array:
    """Run a convolution with ReLU forward and backward."""
    y, kept = algorithm.forward(gpu, x, weight, bias, True)
    algorithm.backward(gpu, y, weight, y, kept, need_dx=x.shape[1] > 1)
    return y


def run_float32(gpu: Gpu, _: str) -> None:
    """Launch every kernel of the float32 path, on one image of 8×8 pixels."""
    image, bias = _numbers(gpu, 1, 1, 8, 8), _numbers(gpu, 6)
    x = _there_and_back(gpu, DIRECT, image, _numbers(gpu, 6, 1, 3, 3), bias)  # (1, 6, 6, 6)
    weight = _numbers(gpu, 6, 6, 3, 3)
    for algorithm, ways in ((WINOGRAD, winograd), (FUSED, fused)):
        _there_and_back(gpu, algorithm, x, weight, bias)
        y, pooled, _ = ways.conv3x3_max_pool(gpu, x, weight, bias)
    _there_and_back(gpu, FUSED, x, _numbers(gpu, 20, 6, 3, 3), _numbers(gpu, 20))
    layers.max_pool2d_backward(gpu, pooled, layers.max_pool2d(gpu, y)[1], None)
    up_weight = _numbers(gpu, 6, 3, 2, 2)
    up = layers.up_conv2d(gpu, pooled, up_weight, bias[:3], "float32")  # (1, 3, 4, 4)
    layers.up_conv2d_backward(gpu, up, pooled, up_weight, "float32")
    joined = layers.center_crop_concat(gpu, x, up)
    layers.center_crop_concat_backward(gpu, joined, x.shape, up.shape)
    last = _numbers(gpu, 2, 3, 1, 1)
    logits = _there_and_back(gpu, POINTWISE, up, last, bias[:2])
    layers.softmax_cross_entropy(gpu, logits, gpu.xp.zeros((1, 4, 4), np.int32), None)
    rates = gpu.scalar(0.1), gpu.scalar(0.9)
    layers.momentum_update(gpu, [weight], [weight.copy()], [weight.copy()], *rates)


def run_tensor_cores(gpu: Gpu, precision: str) -> None:
    """Launch every kernel of the tensor cores in `precision`: 64 and 128 rows are two each."""
    for out_channels in (8, 72):
        x, weight = _numbers(gpu, 1, 8, 6, 6), _numbers(gpu, out_channels, 8, 3, 3)
        _there_and_back(gpu, TENSOR[precision], x, weight, _numbers(gpu, out_channels))
    x, weight = _numbers(gpu, 1, 72, 6, 6), _numbers(gpu, 8, 72, 3, 3)
    _there_and_back(gpu, TENSOR[precision], x, weight, _numbers(gpu, 8))
