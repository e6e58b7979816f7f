"""cuBLAS's strided-batched matrix product, called past CuPy, so that a CUDA graph can record it.

CuPy's own functions for cuBLAS raise NotImplementedError while a stream is being recorded (CuPy
13 and 14, `setStream` in cupy_backends/cuda/libs/cublas.pyx; github.com/cupy/cupy/issues/6290),
though cuBLAS itself can be recorded. So we take the library that CuPy has loaded and the handle
that it has made, and call them as C does. Types and order of the arguments are those of NVIDIA's
cublas_api.h. Lesson: lessons/15-fast-on-a-gpu.md.
"""

import ctypes
import os
from contextlib import contextmanager
from contextvars import ContextVar

_handle = _pointer = ctypes.c_void_p
_int, _stride = ctypes.c_int, ctypes.c_longlong
_matrix = (_pointer, _int, _int, _stride)  # address, type, leading dimension, stride of the batch
FUNCTIONS = {
    "cublasSetStream_v2": (_handle, _pointer),
    "cublasSetWorkspace_v2": (_handle, _pointer, ctypes.c_size_t),
    "cublasGemmStridedBatchedEx": (
        *(_handle, _int, _int),  # which of the factors are transposed
        *(_int, _int, _int),  # rows and columns of the product, length of its sums
        *(_pointer, *_matrix, *_matrix),  # alpha, a, b
        *(_pointer, *_matrix),  # beta, c
        *(_int, _int, _int),  # batch, precision, algorithm
    ),
}
OP_N, OP_T = 0, 1  # cublasOperation_t
CUDA_R_32F = 0  # cudaDataType: float
GEMM_DEFAULT = -1  # cublasGemmAlgo_t: cuBLAS chooses
COMPUTE = {  # cublasComputeType_t: the sums are float32 in all three
    "float32": 68,  # CUBLAS_COMPUTE_32F: strict
    "tf32": 77,  # CUBLAS_COMPUTE_32F_FAST_TF32
    "bf16": 75,  # CUBLAS_COMPUTE_32F_FAST_16BF
}
WORKSPACE = 32 << 20  # bytes, what NVIDIA's manual advises for Hopper (older: 4 MiB)


class Cublas:
    """The library that the array module `xp` (CuPy) has loaded; found on the first product.

    Looking a name up in CuPy's extension finds it in the library that the extension is linked with,
    whatever CUDA's version and wherever it lies; Windows looks no further than the file itself.
    """

    def __init__(self, xp):
        self._xp = xp
        self._functions = {}
        self._one, self._zero = ctypes.c_float(1), ctypes.c_float(0)
        self._own = None  # the null stream's workspace
        self._given = ContextVar("tinyunet_cublas_workspace", default=None)

    @contextmanager
    def working_in(self, workspace):
        """Within the block, products work in `workspace`, WORKSPACE bytes of the device's memory.

        A graph goes on using the addresses that it recorded, so each needs memory of its own; it is
        given back with the graph.
        """
        token = self._given.set(workspace)
        try:
            yield
        finally:
            self._given.reset(token)

    def multiply(self, a, b, out, transpose_a, transpose_b, precision):
        """Do out = op(a) @ op(b) for row-major float32 batches, on the current stream.

        cuBLAS counts column by column, where our arrays are the transposes: outᵀ = bᵀ · aᵀ.
        Raises RuntimeError if cuBLAS reports an error.
        """
        batch, rows, columns = out.shape
        inner = a.shape[1] if transpose_a else a.shape[2]
        handle = self._handle()
        self._call(
            "cublasGemmStridedBatchedEx",
            handle,
            OP_T if transpose_b else OP_N,
            OP_T if transpose_a else OP_N,
            *(columns, rows, inner),
            *(ctypes.addressof(self._one), *_described(b), *_described(a)),
            *(ctypes.addressof(self._zero), *_described(out)),
            *(batch, COMPUTE[precision], GEMM_DEFAULT),
        )

    def _handle(self):
        """Return CuPy's handle for the current device, set to the current stream and a workspace.

        With a workspace of one size cuBLAS computes the same bits, recorded or not. Streams must
        not share one: outside `working_in` the null stream has ours, any other has cuBLAS's own.
        """
        cuda, workspace = self._xp.cuda, self._given.get()
        handle, stream = cuda.device.get_cublas_handle(), cuda.get_current_stream().ptr
        self._call("cublasSetStream_v2", handle, stream)  # which forgets the workspace
        if workspace is None and stream == 0:
            workspace = self._own = self._own or cuda.alloc(WORKSPACE)
        if workspace is not None:
            self._call("cublasSetWorkspace_v2", handle, workspace.ptr, WORKSPACE)
        return handle

    def _call(self, name, *arguments):
        if not self._functions:
            self._load()
        status = self._functions[name](*arguments)
        if status != 0:
            raise RuntimeError(f"{name} failed with cuBLAS's status {status}")

    def _load(self):
        if os.name == "nt":
            version = self._xp.cuda.runtime.runtimeGetVersion()
            library = ctypes.CDLL(f"cublas64_{version // 1000}.dll")
        else:
            library = ctypes.CDLL(self._xp.cuda.cublas.__file__)
        for name, types in FUNCTIONS.items():
            function = self._functions[name] = getattr(library, name)
            function.argtypes, function.restype = types, ctypes.c_int


def _described(x):
    """Return address, type, leading dimension and stride of a batch of row-major matrices."""
    _, rows, columns = x.shape
    between = x.strides[1] // x.itemsize if rows > 1 else columns
    return x.data.ptr, CUDA_R_32F, max(between, columns), x.strides[0] // x.itemsize
