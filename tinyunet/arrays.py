"""Which array module an array belongs to, and how arrays travel between CPU and GPU.

This is the only file that imports CuPy, and it does so guarded: without a GPU everything imports,
trains and tests on NumPy. An operation that runs on both starts with `xp = array_module(x)` and
then reads the same for either. Lesson: lessons/15-fast-on-a-gpu.md.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from tinyunet._text import first_line

Array: TypeAlias = np.ndarray  # in annotations: an array of NumPy's, or the like of CuPy's

try:
    import cupy
except ImportError as error:  # not installed, or installed without the CUDA libraries it needs
    cupy, _WHY_NO_CUPY = None, first_line(error)
else:
    _WHY_NO_CUPY = ""


@dataclass(frozen=True)
class Device:
    """Where a network lives.

    Attributes
    ----------
    name : str
        "cpu" or "gpu:<index>".
    xp : module
        Of its arrays: `numpy` or `cupy`.
    index : int
        Which GPU; 0 on the CPU.
    """

    name: str
    xp: ModuleType
    index: int = 0

    @property
    def is_gpu(self) -> bool:
        """True for a CUDA device."""
        return self.name != "cpu"

    def __reduce__(self) -> tuple[Callable[..., "Device"], tuple[str]]:
        """Copies and pickles hold the name: the module that stands behind it has neither."""
        return select_device, (self.name,)

    def asarray(self, array: Array, dtype: npt.DTypeLike | None = None) -> Array:
        """Return an array on this device.

        Parameters
        ----------
        array : Array
            NumPy's or CuPy's, from any device.
        dtype : dtype, optional
            Of the result; the array's own by default.

        Returns
        -------
        Array
            The same numbers; a copy only where device or dtype ask for one.
        """
        if not self.is_gpu:
            return np.asarray(to_numpy(array), dtype=dtype)
        with self.current():
            return self.xp.asarray(array, dtype=dtype)

    def current(self) -> AbstractContextManager[Any]:
        """Make CuPy work here, in this thread.

        Returns
        -------
        context manager
            Within it this is the current device; on the CPU it does nothing.
        """
        return self.xp.cuda.Device(self.index) if self.is_gpu else nullcontext()


def array_module(x: Array) -> Any:
    """Return the module whose functions work on an array.

    Parameters
    ----------
    x : Array
        NumPy's or CuPy's.

    Returns
    -------
    module
        `numpy` or `cupy`.
    """
    return np if cupy is None else cupy.get_array_module(x)


def to_numpy(x: Array) -> np.ndarray:
    """Return an array as a NumPy array, copied from the GPU if it lives there.

    Parameters
    ----------
    x : Array
        NumPy's or CuPy's.

    Returns
    -------
    numpy.ndarray
        `x` itself if it is one.
    """
    return np.asarray(x) if array_module(x) is np else cupy.asnumpy(x)


def on_device_of(x: Array | None) -> AbstractContextManager[Any]:
    """Make CuPy work where an array lives, in this thread.

    Parameters
    ----------
    x : Array or None
        NumPy's or CuPy's; None stands for no array.

    Returns
    -------
    context manager
        Within it the array's device is the current one; on the CPU it does nothing.
    """
    if x is None or array_module(x) is np:
        return nullcontext()
    device: Any = x.device  # CuPy's
    return device


def as_array(value: object, name: str) -> np.ndarray:
    """Return an argument as a NumPy array, if NumPy can take it for one without losing anything.

    Parameters
    ----------
    value : array_like
        An array, or nested sequences of numbers of equal lengths.
    name : str
        What messages call the argument.

    Returns
    -------
    numpy.ndarray
        Of the dtype that came; a masked array without masked elements is taken for its data.

    Raises
    ------
    ValueError
        For nested sequences of unequal lengths, and for masked elements, which `numpy.asarray`
        would take for numbers without a word.
    """
    if np.ma.is_masked(value):
        count = np.ma.count_masked(value)
        raise ValueError(f"{name} must not be masked, got {count} masked elements: fill them first")
    try:
        return np.asarray(value)
    except ValueError:
        raise ValueError(f"{name} must be an array, got sequences of unequal lengths") from None


def as_real(value: Any, name: str) -> Array:
    """Return an argument as an array of real numbers.

    Parameters
    ----------
    value : array_like
        As for `as_array`.
    name : str
        What messages call the argument.

    Returns
    -------
    numpy.ndarray or cupy.ndarray
        Booleans, whole numbers or floats, of the dtype that came; CuPy's array stays where it is.

    Raises
    ------
    ValueError
        As `as_array` does, and for every other kind: complex numbers, dates, text, objects.
    """
    on_gpu = cupy is not None and isinstance(value, cupy.ndarray)
    array = value if on_gpu else as_array(value, name)
    if array.dtype.kind not in "buif":
        raise ValueError(f"{name} must hold real numbers, got dtype {array.dtype}")
    return array


def gpu_errors() -> tuple[type[Exception], ...]:
    """Return what CuPy raises where a GPU fails or is full, for an `except` clause.

    Returns
    -------
    tuple of type
        Empty without CuPy. The error of a full GPU is a MemoryError, too.
    """
    if cupy is None:
        return ()
    cuda = cupy.cuda
    return cuda.runtime.CUDARuntimeError, cuda.driver.CUDADriverError, cuda.memory.OutOfMemoryError


def nccl_group(size: int, rank: int) -> Any:
    """Return NCCL's communicator between the current GPUs of MPI's processes.

    Parameters
    ----------
    size : int
        How many processes there are.
    rank : int
        The number of this one.

    Returns
    -------
    cupyx.distributed.NCCLBackend
        Has `all_to_all` and `all_gather`.
    """
    from cupyx.distributed import init_process_group

    return init_process_group(size, rank, use_mpi=True)


def gpu_problem() -> str | None:
    """Return what keeps a GPU from being used.

    Returns
    -------
    str or None
        One line that says what is missing; None where a GPU can be used.
    """
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
            f"CuPy and a GPU are there, but not all of the CUDA toolkit ({first_line(error)}); "
            "install it with `pip install 'cupy-cuda12x[ctk]'` or `'cupy-cuda13x[ctk]'`"
        )
    return None


def select_device(device: "str | Device" = "auto") -> Device:
    """Return a device by its name.

    Parameters
    ----------
    device : {"auto", "cpu", "gpu", "gpu:<index>"} or Device
        "auto" takes the first GPU where CuPy finds one and the CPU otherwise.

    Returns
    -------
    Device
        A `Device` that is given comes back as it is.

    Raises
    ------
    ValueError
        For a name that is none of these, and for a GPU that cannot be used, with the reason.
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


def _gpu(index: int) -> Device:
    if index >= (count := cupy.cuda.runtime.getDeviceCount()):
        raise ValueError(f"device 'gpu:{index}' does not exist: this machine has {count} GPU(s)")
    return Device(f"gpu:{index}", cupy, index)
