"""A `Gpu` that computes nothing: it counts launches, bytes, operations and memory.

Its arrays have a shape and an address and hold nothing, so a step of the paper's network on a tile
of 4096 pixels takes a moment on any machine. All of the GPU path's Python runs, with every check of
a launch. Lesson: lessons/15-fast-on-a-gpu.md; table: benchmarks/gpu_count.py.
"""

import mmap
import weakref
from collections import Counter
from functools import lru_cache
from math import prod
from typing import Any, NamedTuple

import numpy as np

from tinyunet import nn
from tinyunet.backends.cuda import fused
from tinyunet.backends.cuda.launch import Gpu
from tinyunet.backends.cuda.operations import running_on
from tinyunet.backends.cuda.pool import Block, Pool
from tinyunet.backends.cuda.sources import signatures
from tinyunet.backends.cuda.winograd import tile_counts
from tinyunet.nn.operation import with_kernels
from tinyunet.nn.precision import precision as use_precision
from tinyunet.nn.unet import UNet

# Private memory that nobody may write to: the system sets none aside for it, however large.
READ_ONLY = (
    {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, "prot": mmap.PROT_READ}
    if hasattr(mmap, "MAP_PRIVATE")
    else {}
)


class Launch(NamedTuple):
    """One kernel's launch, or one product of cuBLAS (`kernel` is then "product").

    `bytes` counts every array once, as if each number were moved once; `operations` is 0 for
    kernels that wait for memory. `shape` is (batch, rows, columns, inner) of a product, whatever
    else multiplies, else ().
    """

    kernel: str
    blocks: int
    bytes: int
    operations: int
    shape: tuple[int, ...]


class CountingGpu(Gpu):
    """Notes down every launch in `launches`; `live` and `peak` are bytes of its arrays.

    `reserved` are the bytes that CuPy's pool takes from a GPU for them.

    Parameters
    ----------
    compute_capability : int, optional
        What it says it is: 90 is an H100's.
    """

    def __init__(self, compute_capability: int = 90) -> None:
        super().__init__(np)
        self.compute_capability = compute_capability
        self.launches: list[Launch] = []
        self.live = self.peak = 0
        self._pool = Pool()

    @property
    def reserved(self) -> int:
        """Bytes that CuPy's pool would have taken for all arrays so far, holes included."""
        return self._pool.total

    def empty(self, *shape: int, dtype: type = np.float32) -> np.ndarray:
        """Return an array that has an address and cannot be written: it takes no memory."""
        size = prod(shape) * np.dtype(dtype).itemsize
        promised = np.frombuffer(mmap.mmap(-1, max(size, 1), **READ_ONLY), np.uint8, size)
        self.live += size
        self.peak = max(self.peak, self.live)
        weakref.finalize(promised, self._free, size, self._pool.take(size))
        return promised.view(dtype).reshape(shape)

    def contiguous(self, x: np.ndarray) -> np.ndarray:
        """Return `x`, or the place of a copy: nothing is read, there is nothing in it."""
        return x if x.flags.c_contiguous else self.empty(*x.shape, dtype=x.dtype.type)

    def _free(self, size: int, block: Block) -> None:
        self.live -= size
        self._pool.give_back(block)

    def counts(self) -> Counter[str]:
        """Return {kernel: its launches}."""
        return Counter(launch.kernel for launch in self.launches)

    def _start(
        self, source: str, kernel: str, blocks: int, threads: int, arguments: list[Any]
    ) -> None:
        arrays = [a for a in arguments if isinstance(a, np.ndarray) and not a.dtype.fields]
        moved = sum(a.nbytes for a in arrays) + _moved_besides(kernel, arguments, arrays)
        operations, shape = _products(kernel, dict(zip(_names(kernel), arguments, strict=True)))
        self.launches.append(Launch(kernel, blocks, moved, operations, shape))

    def _multiply(
        self,
        a: np.ndarray,
        b: np.ndarray,
        out: np.ndarray,
        transpose_a: bool,
        transpose_b: bool,
        precision: str,
    ) -> None:
        batch, rows, columns = out.shape
        inner = a.shape[1] if transpose_a else a.shape[2]
        moved = 4 * batch * (rows * inner + inner * columns + rows * columns)
        operations = 2 * batch * rows * columns * inner
        blocks = batch * -(-rows // 128) * -(-columns // 128)
        shape = (batch, rows, columns, inner)
        self.launches.append(Launch("product", blocks, moved, operations, shape))


def _names(kernel: str) -> list[str]:
    return [parameter.name for parameter in signatures()[kernel].parameters]


def _moved_besides(kernel: str, arguments: list[Any], arrays: list[np.ndarray]) -> int:
    """Return the bytes that a kernel moves besides every array once, or fewer than that."""
    if kernel == "add_bias":  # in place
        return arrays[0].nbytes
    if kernel == "crop_gradient":  # of dy, only the skip's half
        return arrays[1].nbytes - arrays[0].nbytes if arrays[1].nbytes < arrays[0].nbytes else 0
    if kernel == "max_pool_backward" and arguments[-1]:  # adds to one number of each window
        return -arrays[2].nbytes // 2
    if kernel == "momentum_update":  # its arrays are in a struct: p, v, g; p, v
        return 20 * int(arguments[0]["size"].sum())
    return 0


def _products(kernel: str, given: dict[str, Any]) -> tuple[int, tuple[int, ...]]:
    """Return the operations of a kernel that multiplies matrices, and their shape."""
    shape: tuple[int, ...]
    if kernel.startswith("conv_"):
        y, filters = given["y"], given["filters"]
        pixels = y.size // y.shape[1]
        per_word = 2 if "bf16" in kernel else 1
        shape = (1, y.shape[1], pixels, 9 * filters.shape[2] * per_word)
    elif kernel.startswith("filters_"):
        dy, partial = given["dy"], given["partial"]
        shape = (1, partial.shape[1], partial.shape[2], dy.size // dy.shape[3])
    elif kernel.startswith("fused_conv_"):
        shape = _fused_shape(kernel, given["channels"], fused.DEPTH, given["y"], given)
    elif kernel.startswith("fused_gradient_"):
        shape = _fused_shape(kernel, given["channels"], fused.IN, given["dy"], given)
    elif kernel.startswith("direct_"):
        y, x = given["dy" if "gradient" in kernel else "y"], given["x"]
        shape = (1, y.shape[1], y.size // y.shape[1], 9 * x.shape[1])
    else:
        return 0, ()
    return 2 * prod(shape), shape


def _fused_shape(
    kernel: str, channels: int, whole: int, y: np.ndarray, given: dict[str, Any]
) -> tuple[int, ...]:
    """Return (36, output channels, tiles, channels): those that whole blocks compute."""
    block = int(kernel.rpartition("_")[2])
    tiles = int(given["images"]) * prod(tile_counts(*y.shape[2:]))
    rows = -(-int(given["out_channels"]) // block) * block
    return 36, rows, tiles, -(-int(channels) // whole) * whole


def count_training_step(
    size: int,
    depth: int = 5,
    base_channels: int = 64,
    in_channels: int = 1,
    n_classes: int = 2,
    batch: int = 1,
    precision: str = "float32",
) -> CountingGpu:
    """Count one step: forward, loss, backward and update, without drop-out.

    Parameters
    ----------
    size : int
        Pixels of the square tiles along one axis.
    depth, base_channels, in_channels, n_classes : int, optional
        As for `UNet`.
    batch : int, optional
        Tiles of a step.
    precision : {"float32", "tf32", "bf16"}, optional
        Of the products.

    Returns
    -------
    CountingGpu
        With all launches of the step, and its memory beside parameters and velocities.

    Raises
    ------
    ValueError
        If `size` does not fit the depth.
    """
    net, velocity = _network(depth, base_channels, in_channels, n_classes)
    gpu = CountingGpu()
    with running_on(gpu), use_precision(precision), with_kernels():
        logits, cache = net.forward(gpu.empty(batch, in_channels, size, size), train=True)
        maps = (batch, *logits.shape[2:])
        labels, weight_map = gpu.empty(*maps, dtype=np.int32), gpu.empty(*maps)
        _, loss_cache = nn.softmax_cross_entropy(logits, labels, weight_map)
        dlogits = nn.softmax_cross_entropy_backward(loss_cache)
        grads = net.backward(dlogits, cache, consume=True)
        nn.momentum_update(net.params, velocity, grads, 0.1, 0.9)
    return gpu


@lru_cache(maxsize=4)
def _network(
    depth: int, base_channels: int, in_channels: int, n_classes: int
) -> tuple[UNet, dict[str, np.ndarray]]:
    """Return a network on the CPU and room for its velocities."""
    net = UNet(in_channels, n_classes, depth, base_channels, dropout=0, device="cpu")
    return net, {name: np.empty_like(p) for name, p in net.params.items()}
