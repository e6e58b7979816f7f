"""Which way a convolution is computed on the GPU: one table, asked from top to bottom.

    forward(gpu, x, weight, bias, relu)             → y and what is kept for the backward pass
    backward(gpu, dy, weight, y, kept, need_dx)     → (dx or None, dweight, dbias)
    with_max_pool(gpu, x, weight, bias)             → y after a ReLU, its 2×2 maxima, what is kept

y is given to a backward pass if there was a ReLU, whose mask it is, and None otherwise. Where
with_max_pool is None, the pooling is a kernel of its own.
Lesson: lessons/15-fast-on-a-gpu.md.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from tinyunet.arrays import Array
from tinyunet.backends.cuda import direct, fused, pointwise, tensor_cores, winograd
from tinyunet.backends.cuda.launch import Gpu

TENSOR_CORES = 80  # compute capability 8.0: the first with tf32 and bf16


class Algorithm(NamedTuple):
    """A way to compute a convolution."""

    name: str
    forward: Callable[[Gpu, Array, Array, Array, bool], tuple[Array, Any]]
    backward: Callable[..., tuple[Array | None, Array, Array]]
    with_max_pool: Callable[[Gpu, Array, Array, Array], tuple[Array, Array, Any]] | None = None


POINTWISE = Algorithm("pointwise", pointwise.conv1x1, pointwise.conv1x1_backward)
DIRECT = Algorithm("direct", direct.conv3x3, direct.conv3x3_backward)
FUSED = Algorithm("fused", fused.conv3x3, fused.conv3x3_backward, fused.conv3x3_max_pool)
WINOGRAD = Algorithm(
    "winograd", winograd.conv3x3, winograd.conv3x3_backward, winograd.conv3x3_max_pool
)
TENSOR = {
    name: Algorithm(
        name,
        partial(tensor_cores.conv3x3, precision=name),
        partial(tensor_cores.conv3x3_backward, precision=name),
    )
    for name in ("tf32", "bf16")
}


def choose_algorithm(gpu: Gpu, x: Array, weight: Array, precision: str) -> Algorithm:
    """Return the `Algorithm` for x (N, C, H, W) and weight (O, C, 3, 3) or (O, C, 1, 1).

    Raises ValueError for a GPU without the tensor cores that the precision needs.
    """
    if precision != "float32" and gpu.compute_capability < TENSOR_CORES:
        raise ValueError(
            f"precision {precision!r} needs a GPU of compute capability {TENSOR_CORES / 10}: this "
            f"one has {gpu.compute_capability / 10}"
        )
    if weight.shape[2:] == (1, 1):
        return POINTWISE
    if weight.shape[1] <= direct.CHANNELS:
        return DIRECT
    if precision != "float32":
        return TENSOR[precision]
    return FUSED if fused.is_faster(x, weight) else WINOGRAD
