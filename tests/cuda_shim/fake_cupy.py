"""A CuPy of NumPy: arrays on the CPU, kernels behind the shim, and cublas.cpp for cuBLAS.

`FakeCupy` has the part of CuPy that the package uses, under CuPy's names and signatures (which
tests/test_cuda_cupy.py compares with the real ones where CuPy is installed), and CuPy's rules:
copies only of the same dtype, cuBLAS not through CuPy while a stream is recorded, no reading back
then. A recorded graph replays exactly the launches, products and copies that were asked for while
it was recorded, with the same addresses.
"""

import ctypes
import subprocess
import tempfile
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tinyunet.kernels.cuda import SOURCES, signatures, source

from . import COMPILER, FLAGS, libraries, start


class OutOfMemoryError(MemoryError):
    """As cupy.cuda.memory.OutOfMemoryError."""


class CUDARuntimeError(RuntimeError):
    """As cupy.cuda.runtime.CUDARuntimeError."""


class _Recording:
    """What a capture notes down: launches, products and copies in their order, and their arrays."""

    def __init__(self):
        self.work, self.arrays, self._products = [], [], cublas().products_noted()

    def add(self, work=None):
        """Note down the products asked for since the last call, then `work`."""
        for which in range(self._products, cublas().products_noted()):
            self.work.append(partial(cublas().replay, which))
        self._products = cublas().products_noted()
        if work is not None:
            self.work.append(work)


_recordings = []  # the one of the capture that is going on, if there is one


def _do(work):
    """Do `work` now, or note it down while a stream is recorded."""
    if _recordings:
        _recordings[-1].add(work)
    else:
        work()


def _kept(array):
    """Return `array`; while a stream is recorded its memory stays, as in a graph's own pool."""
    if _recordings:
        _recordings[-1].arrays.append(array)
    return array.view(FakeArray)


class FakeArray(np.ndarray):
    """An array "on the GPU"."""

    @property
    def data(self):
        return SimpleNamespace(ptr=self.ctypes.data)

    def set(self, arr, stream=None):
        assert type(arr) is np.ndarray
        assert (arr.dtype, arr.shape) == (self.dtype, self.shape)
        assert stream is None or not stream.is_capturing()
        self[...] = arr

    def get(self, stream=None, order="C", out=None, blocking=True):
        assert not _recordings, "reading back while a stream is recorded"
        return np.array(self)

    def item(self):
        return self.get().item()

    def copy(self, order="C"):
        out = _kept(np.empty(self.shape, self.dtype))
        _do(lambda: np.copyto(out, self))
        return out

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **options):
        plain = [x.view(np.ndarray) if isinstance(x, FakeArray) else x for x in inputs]
        if out is not None:
            options["out"] = tuple(x.view(np.ndarray) for x in out)
            _do(lambda: getattr(ufunc, method)(*plain, **options))
            return out[0]
        result = getattr(ufunc, method)(*plain, **options)
        if not isinstance(result, np.ndarray):
            return result
        if _recordings:  # `result` has its shape; its numbers come with each replay
            _do(lambda: np.copyto(result, getattr(ufunc, method)(*plain, **options)))
        return _kept(result)


class Event:
    def __init__(self, block=False, disable_timing=False, interprocess=False):
        pass

    def record(self, stream=None):
        pass

    def synchronize(self):
        assert not _recordings


class Stream:
    """Does everything at once, or notes it down between begin_capture and end_capture."""

    current = ()  # the streams entered, the innermost last

    def __init__(self, null=False, non_blocking=False, ptds=False, priority=None):
        self.non_blocking, self._capturing, self.ptr = non_blocking, False, 0 if null else id(self)

    def __enter__(self):
        Stream.current = (*Stream.current, self)
        return self

    def __exit__(self, *_):
        assert Stream.current[-1] is self
        Stream.current = Stream.current[:-1]

    def record(self, event=None):
        return Event() if event is None else event

    def wait_event(self, event):
        assert isinstance(event, Event)

    def is_capturing(self):
        return self._capturing

    def begin_capture(self, mode=None):
        assert self.non_blocking
        assert Stream.current[-1] is self
        if Graph.refused is not None:
            raise CUDARuntimeError(Graph.refused)
        self._capturing = True
        _recordings.append(_Recording())
        cublas().record(1)

    def end_capture(self):
        if not self._capturing:
            raise CUDARuntimeError("not capturing")
        self._capturing = False
        cublas().record(0)
        _recordings[-1].add()
        return Graph(_recordings.pop())


Stream.null = Stream(null=True)


class Graph:
    """What a capture noted down."""

    refused = None  # a test's reason why nothing can be recorded

    def __init__(self, recording):
        self._recording = recording

    def launch(self, stream=None):
        assert isinstance(stream, Stream)
        for work in self._recording.work:
            work()


class RawModule:
    """Kernels of a source, compiled for the CPU."""

    def __init__(self, *, code=None, options=(), backend="nvrtc"):
        names = [name for name in SOURCES if source(name) == code]
        assert names, "not one of the package's sources"
        assert isinstance(options, tuple)
        self._name = names[0]

    def get_function(self, name):
        signature = signatures()[name]
        assert signature.source == self._name

        def function(grid, block, args):
            assert isinstance(args, tuple)
            for argument, parameter in zip(args, signature.parameters, strict=True):
                _check_argument(argument, parameter)
            library = libraries()[self._name]
            _do(lambda: start(library, name, *grid, *block, args))

        return function


def _check_argument(argument, parameter):
    """CuPy passes its arrays by address, NumPy's of one element and NumPy's scalars by value."""
    if parameter.is_pointer:
        assert argument is None or isinstance(argument, FakeArray), parameter
    else:
        assert not isinstance(argument, FakeArray)
        assert isinstance(argument, np.generic) or argument.size == 1, parameter


@cache
def cublas_file():
    """Compile cublas.cpp and return its path."""
    folder = Path(tempfile.mkdtemp())  # the file must stay while it is loaded
    path = folder / "libcublas.so"
    text = Path(__file__).with_name("cublas.cpp")
    subprocess.run([COMPILER, *FLAGS, str(text), "-o", str(path)], check=True)
    return str(path)


def cublas():
    """The library behind `FakeCupy.cuda.cublas`, for tests that look into it."""
    return ctypes.CDLL(cublas_file())


class FakeCupy:
    """The module."""

    ndarray, RawModule = FakeArray, RawModule
    __version__ = "0"

    def __init__(self):
        if COMPILER is None:
            pytest.skip("no C++ compiler (g++, c++ or clang++) to run the CUDA kernels on the CPU")
        Stream.current, Graph.refused = (Stream.null,), None
        self.allocators, self.n_devices, self.problem = [], 1, None
        self.cuda = SimpleNamespace(
            Stream=Stream,
            Event=Event,
            Device=_Device,
            Graph=Graph,
            MemoryPool=lambda allocator=None: SimpleNamespace(malloc=lambda size: None),
            PinnedMemoryPointer=bytearray,
            alloc=lambda size: SimpleNamespace(ptr=2**20 + size),
            alloc_pinned_memory=lambda size: bytearray(size),
            using_allocator=self._using_allocator,
            get_current_stream=lambda device_id=-1: Stream.current[-1],
            get_elapsed_time=lambda start_event, end_event: 1.0,
            cublas=SimpleNamespace(__file__=cublas_file(), getVersion=lambda handle: 120900),
            nvrtc=SimpleNamespace(getVersion=lambda: (12, 9)),
            device=SimpleNamespace(get_cublas_handle=lambda: 4711),
            memory=SimpleNamespace(OutOfMemoryError=OutOfMemoryError),
            runtime=SimpleNamespace(
                CUDARuntimeError=CUDARuntimeError,
                getDevice=lambda: 0,
                getDeviceCount=self._count,
                getDeviceProperties=lambda device: {"name": b"fake", "multiProcessorCount": 1},
                memGetInfo=lambda: (2**33, 2**33),
                runtimeGetVersion=lambda: 12090,
            ),
        )

    def _count(self):
        if self.problem is not None:
            raise CUDARuntimeError(self.problem)
        return self.n_devices

    @contextmanager
    def _using_allocator(self, allocator=None):
        self.allocators.append(allocator)
        yield

    def get_default_memory_pool(self):
        return SimpleNamespace(free_bytes=lambda: 0)

    def get_array_module(self, *arrays):
        return self if any(isinstance(a, FakeArray) for a in arrays) else np

    def asnumpy(self, a):
        return a.get() if isinstance(a, FakeArray) else np.asarray(a)

    def asarray(self, a, dtype=None):
        return (
            np.array(a, dtype).view(FakeArray)
            if type(a) is not FakeArray
            else (a if dtype is None else a.astype(dtype, copy=False))
        )

    def empty(self, shape, dtype=float):
        whole = np.empty(shape, dtype)
        whole.fill(np.nan if whole.dtype.kind == "f" else -1)  # what nobody wrote is seen
        return _kept(whole)

    def ascontiguousarray(self, a, dtype=None):
        assert isinstance(a, FakeArray)
        return a if a.flags.c_contiguous else a.copy()

    def repeat(self, a, repeats, axis=None):
        out = _kept(np.repeat(np.asarray(a), repeats, axis))
        _do(lambda: np.copyto(out, np.repeat(np.asarray(a), repeats, axis)))
        return out

    def __getattr__(self, name):
        attribute = getattr(np, name)
        if isinstance(attribute, type | np.ufunc) or not callable(attribute):
            return attribute

        def call(*arguments, **options):
            assert not _recordings, f"{name} is not followed by the fake's graphs"
            result = attribute(*arguments, **options)
            return result.view(FakeArray) if isinstance(result, np.ndarray) else result

        return call


class _Device:
    compute_capability = "80"

    def __init__(self, device=None):
        self.id = device or 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def use(self):
        pass

    def synchronize(self):
        assert not _recordings
