"""Run the package's CUDA kernels on the CPU: the same sources, a C++ compiler, a few names.

`ShimGpu` is a `Gpu` whose arrays are NumPy's. Its fresh arrays are full of NaN and fenced: a kernel
that leaves an element unwritten, or writes beyond its array, is found out.
"""

import ctypes
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from cuda_shim.translate import COMPILER, FLAGS, translated
from tinyunet.backends.cuda.launch import Gpu
from tinyunet.backends.cuda.sources import SOURCES, source

FENCE = 64  # elements before and behind every array
FENCE_VALUE = 7.0


def shim_gpu():
    """Return a fresh `ShimGpu`, or skip the test where there is no C++ compiler."""
    if COMPILER is None:
        pytest.skip("no C++ compiler (g++, c++ or clang++) to run the CUDA kernels on the CPU")
    return ShimGpu(libraries())


@cache
def libraries():
    """Compile every CUDA source for this CPU; return {source name: library}."""
    with tempfile.TemporaryDirectory() as folder:
        running = {}
        for name in SOURCES:
            path = Path(folder) / f"{name}.cpp"
            path.write_text(translated(source(name)), encoding="utf-8")
            running[name] = subprocess.Popen([COMPILER, *FLAGS, path, "-o", f"{path}.so"])
        failed = [name for name, process in running.items() if process.wait()]
        if failed:
            raise RuntimeError(f"these sources do not compile for the CPU: {', '.join(failed)}")
        return {name: ctypes.CDLL(f"{folder}/{name}.cpp.so") for name in SOURCES}


class ShimGpu(Gpu):
    """A `Gpu` that runs the kernels on the CPU. `launched` counts the launches of each kernel."""

    compute_capability = 80

    def __init__(self, libraries):
        super().__init__(np)
        self._libraries = libraries
        self._fenced = []
        self.launched = {}

    def empty(self, *shape, dtype=np.float32):
        size = int(np.prod(shape))
        unwritten = np.nan if np.dtype(dtype).kind == "f" else np.iinfo(dtype).max
        whole = np.full(size + 2 * FENCE, unwritten, dtype)
        whole[:FENCE] = whole[size + FENCE :] = FENCE_VALUE
        self._fenced = [*self._fenced[-31:], whole]
        return whole[FENCE : size + FENCE].reshape(shape)

    def _start(self, source_name, kernel, blocks, threads, arguments):
        self.launched[kernel] = self.launched.get(kernel, 0) + 1
        start(self._libraries[source_name], kernel, blocks, threads, arguments)
        for whole in self._fenced:
            if (whole[:FENCE] != FENCE_VALUE).any() or (whole[-FENCE:] != FENCE_VALUE).any():
                raise AssertionError(f"{kernel} wrote beyond an array")

    def _multiply(self, a, b, out, transpose_a, transpose_b, precision):
        a, b = rounded(a, precision), rounded(b, precision)
        a = a.transpose(0, 2, 1) if transpose_a else a
        b = b.transpose(0, 2, 1) if transpose_b else b
        np.matmul(a, b, out=out)


def start(library, kernel, blocks, threads, arguments):
    """Run `kernel` of a compiled source with a tuple of NumPy arrays and scalars."""
    values = [_as_value(a) for a in arguments]
    pointers = [v if isinstance(v, int) else ctypes.addressof(v) for v in values]
    array = (ctypes.c_void_p * len(values))(*pointers)
    bind = getattr(library, f"bind_{kernel}")
    bind.restype = ctypes.c_void_p
    sizes = ((ctypes.c_uint * 3)(n, 1, 1) for n in (blocks, threads))
    bound = ctypes.c_void_p(bind(*sizes, array, None))
    if library.run_bound(bound):
        raise AssertionError(f"{kernel}: not all threads of a block reach the same barriers")


def _as_value(argument):
    """Return a ctypes value that holds `argument`, or a struct's address (an int)."""
    if argument is None:
        return ctypes.c_void_p(None)
    if isinstance(argument, np.ndarray) and argument.dtype.fields:
        return argument.ctypes.data
    if isinstance(argument, np.ndarray):
        return ctypes.c_void_p(argument.ctypes.data)
    kind = {"f": ctypes.c_float, "d": ctypes.c_double, "i": ctypes.c_int}
    return kind[argument.dtype.char](argument.item())


def rounded(x, precision):
    """Return float32 `x` rounded to tf32 (10 bits, ties away) or bf16 (7 bits, ties to even)."""
    if precision == "float32":
        return x
    bits = np.ascontiguousarray(x).view(np.uint32)
    if precision == "tf32":
        bits = (bits + np.uint32(0x1000)) & np.uint32(0xFFFFE000)
    else:
        bits = (bits + np.uint32(0x7FFF) + ((bits >> 16) & 1)) & np.uint32(0xFFFF0000)
    return bits.astype(np.uint32).view(np.float32)
