"""CuPy has every name that the package uses, with the signature that the tests' fake of it has.

Needs CuPy, but no GPU. What has no signature to be asked for (Cython's functions) says it in the
first line of its docstring.
"""

import importlib.util
import inspect
import re

import pytest
from cuda_shim import fake_cupy

from tinyunet.kernels import gpu_cublas

if importlib.util.find_spec("cupy") is None:
    pytest.skip("CuPy is not installed", allow_module_level=True)
cupy = pytest.importorskip("cupy", exc_type=ImportError)

NAMES = """
    ndarray RawModule get_array_module asnumpy asarray empty zeros full ascontiguousarray repeat
    get_default_memory_pool
    cuda.Stream cuda.Stream.null cuda.Event cuda.Device cuda.Graph cuda.MemoryPool cuda.alloc
    cuda.alloc_pinned_memory cuda.using_allocator cuda.get_current_stream cuda.get_elapsed_time
    cuda.cublas.__file__ cuda.nvrtc.getVersion cuda.device.get_cublas_handle
    cuda.memory.OutOfMemoryError
    cuda.runtime.CUDARuntimeError cuda.runtime.getDevice cuda.runtime.getDeviceCount
    cuda.runtime.getDeviceProperties cuda.runtime.memGetInfo cuda.runtime.runtimeGetVersion
"""
METHODS = [
    *((fake_cupy.FakeArray, "ndarray", name) for name in ("set", "get", "item", "copy")),
    *((fake_cupy.Stream, "cuda.Stream", name) for name in ("record", "wait_event")),
    *((fake_cupy.Stream, "cuda.Stream", name) for name in ("begin_capture", "end_capture")),
    (fake_cupy.Stream, "cuda.Stream", "is_capturing"),
    *((fake_cupy.Event, "cuda.Event", name) for name in ("record", "synchronize")),
    (fake_cupy.Graph, "cuda.Graph", "launch"),
]


def _find(name):
    found = cupy
    for part in name.split("."):
        found = getattr(found, part)
    return found


def _parameters(function):
    """Names of a function's parameters, `self` left out, by its signature or its docstring."""
    try:
        names = list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        listed = re.search(r"\(([^)]*)\)", function.__doc__.splitlines()[0])[1]
        names = [part.split("=")[0].split()[-1] for part in listed.split(",") if part.strip()]
    return [name for name in names if name not in ("self", "*")]


@pytest.mark.parametrize("name", re.findall(r"\S+", NAMES))
def test_cupy_has_it(name):
    assert _find(name) is not None


@pytest.mark.parametrize(("fake", "path", "method"), METHODS)
def test_a_method_has_the_fakes_parameters(fake, path, method):
    assert _parameters(getattr(fake, method)) == _parameters(getattr(_find(path), method))


def test_functions_take_what_they_are_given():
    assert _parameters(cupy.cuda.Stream)[:2] == ["null", "non_blocking"]
    assert _parameters(cupy.cuda.using_allocator) == ["allocator"]
    assert _parameters(cupy.cuda.alloc_pinned_memory) == ["size"]
    assert _parameters(cupy.cuda.alloc) == ["size"]
    assert _parameters(cupy.cuda.get_elapsed_time) == ["start_event", "end_event"]
    assert _parameters(cupy.cuda.device.get_cublas_handle) == []
    assert {"code", "options"} <= set(re.findall(r"\w+", cupy.RawModule.__doc__))
    assert issubclass(cupy.cuda.runtime.CUDARuntimeError, RuntimeError)


def test_cublas_is_called_with_the_arguments_that_cupys_own_call_has():
    """CuPy's binding lists the same arguments in the same order, NVIDIA's."""
    listed = _parameters(cupy.cuda.cublas.gemmStridedBatchedEx)
    order = (
        "handle transa transb m n k alpha A Atype lda strideA B Btype ldb strideB beta C Ctype "
        "ldc strideC batchCount computeType algo"
    )
    assert " ".join(listed) == order
    assert len(gpu_cublas.FUNCTIONS["cublasGemmStridedBatchedEx"]) == len(listed)


def test_cublas_constants_are_cupys():
    module = cupy.cuda.cublas
    assert gpu_cublas.OP_N == module.CUBLAS_OP_N
    assert gpu_cublas.OP_T == module.CUBLAS_OP_T
    assert gpu_cublas.GEMM_DEFAULT == module.CUBLAS_GEMM_DEFAULT
    assert gpu_cublas.COMPUTE == {
        "float32": module.CUBLAS_COMPUTE_32F,
        "tf32": module.CUBLAS_COMPUTE_32F_FAST_TF32,
        "bf16": module.CUBLAS_COMPUTE_32F_FAST_16BF,
    }


def test_cublas_is_found_in_cupys_library():
    cublas = gpu_cublas.Cublas(cupy)
    for name, function in cublas._functions.items():
        assert function.argtypes == gpu_cublas.FUNCTIONS[name]
    with pytest.raises(RuntimeError, match="^cublasSetStream_v2 failed with cuBLAS's status 1$"):
        cublas._call("cublasSetStream_v2", None, None)  # no handle: CUBLAS_STATUS_NOT_INITIALIZED
