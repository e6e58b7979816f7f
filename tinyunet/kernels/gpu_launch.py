"""How the GPU path starts a kernel and multiplies matrices: the one place that talks to a device.

A raw kernel validates nothing, so `Gpu.launch` checks every argument against the kernel's own
signature first: dtype, row-major order, whole numbers in range. Two subclasses start the work:
`CupyGpu` here, and in the tests one that runs the same sources, compiled for the CPU. So all
Python of the GPU path runs, and is tested, without a GPU. Lesson: lessons/15-fast-on-a-gpu.md.
"""

from math import prod

import numpy as np

from tinyunet.kernels.cuda import signatures, source

DTYPES = {"float": np.float32, "double": np.float64, "int": np.int32}
LARGEST = 2**31 - 1  # kernels count with 32-bit integers inside a map or a row of tiles


class Gpu:
    """A device that makes arrays, starts kernels and multiplies. `xp` is its array module."""

    def __init__(self, xp):
        self.xp = xp
        self._scalar = None  # (value, array) of the last `scalar`

    def empty(self, *shape, dtype=np.float32):
        """Return an uninitialised row-major array of `shape`."""
        return self.xp.empty(shape, dtype)

    def scalar(self, value):
        """Return an array of one float32; asked for the same value again, the same array."""
        if self._scalar is None or self._scalar[0] != value:
            self._scalar = value, self.xp.full(1, value, np.float32)
        return self._scalar[1]

    def contiguous(self, x):
        """Return `x`, copied only if it is not row-major."""
        return self.xp.ascontiguousarray(x)

    def launch(self, kernel, threads, *arguments):
        """Start `kernel` with at least `threads` threads, in blocks of its own size.

        Array arguments must be row-major arrays of the dtype in the kernel's signature, or None
        for a pointer that the kernel accepts as null. Raises TypeError or ValueError otherwise.
        """
        size = signatures()[kernel].threads
        self.launch_blocks(kernel, -(-threads // size), *arguments)

    def launch_blocks(self, kernel, blocks, *arguments):
        """Start `kernel` with a number of blocks of the size its signature states."""
        signature = signatures()[kernel]
        parameters = signature.parameters
        if len(arguments) != len(parameters):
            raise TypeError(f"{kernel} takes {len(parameters)} arguments: got {len(arguments)}")
        if not 0 < blocks <= LARGEST:
            raise ValueError(f"{kernel} cannot be launched with {blocks} blocks")
        checked = [
            self._checked(kernel, parameter, argument)
            for parameter, argument in zip(parameters, arguments, strict=True)
        ]
        self._start(signature.source, kernel, blocks, signature.threads, checked)

    def _checked(self, kernel, parameter, argument):
        """Return `argument` as the launch takes it, or raise and name the parameter."""
        name = f"{parameter.name} of kernel {kernel}"
        if parameter.is_pointer:
            if argument is None and parameter.may_be_null:
                return None
            wanted = np.dtype(DTYPES[parameter.type])
            if not isinstance(argument, self.xp.ndarray) or argument.dtype != wanted:
                kind = getattr(argument, "dtype", type(argument).__name__)
                raise TypeError(f"{name} must be an array of {wanted} on the device: got {kind}")
            if not argument.flags.c_contiguous:
                raise ValueError(f"{name} must be row-major: got strides {argument.strides}")
            return argument
        if parameter.type == "int":
            if not -LARGEST <= argument <= LARGEST:
                raise ValueError(f"{name} must fit 32 bits: got {argument}")
            return np.int32(argument)
        if parameter.type in DTYPES:
            return DTYPES[parameter.type](argument)
        return argument  # a struct, passed by value

    def product(self, a, b, transpose_a=False, transpose_b=False, precision="float32"):
        """Return op(a) @ op(b) for batches a, b (batch, rows, columns); op may transpose.

        One strided-batched product; nothing is copied to transpose it. `precision` is that of the
        factors, "float32", "tf32" or "bf16"; sums are float32. Raises ValueError where the shapes
        do not go together.
        """
        batch, rows, inner = _op_shape(a, transpose_a)
        batch_b, inner_b, columns = _op_shape(b, transpose_b)
        if batch != batch_b or inner != inner_b:
            raise ValueError(f"matrices {a.shape} and {b.shape} cannot be multiplied")
        for name, matrix in (("a", a), ("b", b)):
            if matrix.dtype != np.float32 or not matrix.flags.c_contiguous:
                raise ValueError(f"{name} must be row-major float32: got {matrix.dtype}")
        out = self.empty(batch, rows, columns)
        self._multiply(a, b, out, transpose_a, transpose_b, precision)
        return out


def _op_shape(x, transpose):
    batch, rows, columns = x.shape
    return (batch, columns, rows) if transpose else (batch, rows, columns)


class CupyGpu(Gpu):
    """The real device: kernels compiled by NVRTC on first use, products by cuBLAS."""

    def __init__(self, xp):
        super().__init__(xp)
        self._kernels = {}
        self._one, self._zero = np.ones(1, np.float32), np.zeros(1, np.float32)

    @property
    def compute_capability(self):
        """The current device's generation: 75 for 7.5, 90 for 9.0."""
        return int(self.xp.cuda.Device().compute_capability)

    def _start(self, source_name, kernel, blocks, threads, arguments):
        function = self._kernels.get(kernel)
        if function is None:
            module = self.xp.RawModule(code=source(source_name), options=("-std=c++17",))
            function = self._kernels[kernel] = module.get_function(kernel)
        function((blocks,), (threads,), tuple(arguments))

    def _multiply(self, a, b, out, transpose_a, transpose_b, precision):
        """cuBLAS counts column by column, where our arrays are the transposes: outᵀ = bᵀ · aᵀ.

        CUBLAS_COMPUTE_32F is strict float32: no tf32, whatever CUPY_TF32 says.
        """
        cublas = self.xp.cuda.cublas
        compute = {
            "float32": cublas.CUBLAS_COMPUTE_32F,
            "tf32": cublas.CUBLAS_COMPUTE_32F_FAST_TF32,
            "bf16": cublas.CUBLAS_COMPUTE_32F_FAST_16BF,
        }[precision]
        flags = (cublas.CUBLAS_OP_N, cublas.CUBLAS_OP_T)
        batch, rows, columns = out.shape
        inner = a.shape[1] if transpose_a else a.shape[2]
        float32 = 0  # CUDA_R_32F
        cublas.gemmStridedBatchedEx(
            self.xp.cuda.device.get_cublas_handle(),
            flags[transpose_b],
            flags[transpose_a],
            columns,
            rows,
            inner,
            self._one.ctypes.data,
            *(b.data.ptr, float32, b.shape[2], prod(b.shape[1:])),
            *(a.data.ptr, float32, a.shape[2], prod(a.shape[1:])),
            self._zero.ctypes.data,
            *(out.data.ptr, float32, columns, rows * columns),
            batch,
            compute,
            cublas.CUBLAS_GEMM_DEFAULT,
        )
