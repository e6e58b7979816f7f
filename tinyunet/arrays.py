"""Which array module an array belongs to, and how arrays travel between CPU and GPU.

This is the only file that imports CuPy, and it does so guarded: without a GPU everything imports,
trains and tests on NumPy. An operation that runs on both starts with `xp = array_module(x)` and
then reads the same for either. Lesson: lessons/15-fast-on-a-gpu.md.
"""

from dataclasses import dataclass
from types import ModuleType

import numpy as np


def _first_line(error):
    return str(error).strip().splitlines()[0]


try:
    import cupy
except ImportError as error:  # not installed, or installed without the CUDA libraries it needs
    cupy, _WHY_NO_CUPY = None, _first_line(error)
else:
    _WHY_NO_CUPY = ""


@dataclass(frozen=True)
class Device:
    """Where a network lives: `name` is "cpu" or "gpu:<index>", `xp` the module of its arrays."""

    name: str
    xp: ModuleType
    index: int = 0

    @property
    def is_gpu(self):
        """True for a CUDA device."""
        return self.name != "cpu"

    def asarray(self, array, dtype=None):
        """Return `array` (NumPy or CuPy, from any device) as an array on this device."""
        if not self.is_gpu:
            return np.asarray(to_numpy(array), dtype=dtype)
        with self.xp.cuda.Device(self.index):
            return self.xp.asarray(array, dtype=dtype)


def array_module(x):
    """Return the module, `numpy` or `cupy`, whose functions work on the array `x`."""
    return np if cupy is None else cupy.get_array_module(x)


def to_numpy(x):
    """Return `x` as a NumPy array, copied from the GPU if it lives there."""
    return np.asarray(x) if array_module(x) is np else cupy.asnumpy(x)


def out_of_gpu_memory():
    """Return the exceptions that mean that the GPU's memory is full, for an `except` clause."""
    return () if cupy is None else (cupy.cuda.memory.OutOfMemoryError,)


def gpu_problem():
    """Return None where a GPU can be used, else one line that says what is missing."""
    if cupy is None:
        return (
            f"CuPy cannot be imported ({_WHY_NO_CUPY}); install it with "
            "`pip install 'tinyunet[cuda12]'` or `'tinyunet[cuda13]'`, whichever CUDA your driver "
            "has (`nvidia-smi` tells)"
        )
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        return f"CuPy is installed but finds no working NVIDIA driver ({error})"
    if not count:
        return "CuPy is installed but the driver reports no GPU"
    try:  # CuPy loads a library when something of it is asked for
        compiler, _ = (getattr(cupy.cuda, name, None) for name in ("nvrtc", "cublas"))
        if compiler is not None:
            compiler.getVersion()
    except (ImportError, RuntimeError) as error:
        return (
            f"CuPy and a GPU are there, but not all of the CUDA toolkit ({_first_line(error)}); "
            "install it with `pip install 'cupy-cuda12x[ctk]'` or `'cupy-cuda13x[ctk]'`"
        )
    return None


def select_device(device="auto"):
    """Return the `Device` called `device`: "auto", "cpu", "gpu" or "gpu:<index>".

    "auto" takes the first GPU when CuPy finds one and the CPU otherwise. Raises ValueError for a
    name that is none of these, and for a GPU that is asked for and cannot be used, with the reason.
    """
    if isinstance(device, Device):
        return device
    kind, _, index = str(device).partition(":")
    if kind not in ("auto", "cpu", "gpu") or (index and (kind != "gpu" or not index.isdigit())):
        raise ValueError(f"device {device!r} is not one of 'auto', 'cpu', 'gpu', 'gpu:<index>'")
    if kind == "cpu":
        return Device("cpu", np)
    problem = gpu_problem()
    if problem is None:
        return _gpu(int(index or 0))
    if kind == "auto":
        return Device("cpu", np)
    raise ValueError(f"device {device!r} cannot be used: {problem}")


def _gpu(index):
    count = cupy.cuda.runtime.getDeviceCount()
    if index >= count:
        raise ValueError(f"device 'gpu:{index}' does not exist: this machine has {count} GPU(s)")
    cupy.cuda.Device(index).use()  # kernels are launched on the current device
    return Device(f"gpu:{index}", cupy, index)
