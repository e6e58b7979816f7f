"""How the GPU path starts a kernel and multiplies matrices: the one place that talks to a device.

A raw kernel validates nothing, so `Gpu.launch` checks every argument against the kernel's own
signature first: dtype, row-major order, whole numbers in range. Two subclasses start the work:
`CupyGpu` here, and in the tests one that runs the same sources, compiled for the CPU. So all
Python of the GPU path runs, and is tested, without a GPU. Lesson: lessons/15-fast-on-a-gpu.md.
"""

import numpy as np

from tinyunet.kernels.cuda import signatures, source
from tinyunet.kernels.gpu_cublas import Cublas

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
        self._modules, self._kernels = {}, {}  # by source; by device and kernel
        self._cublas = None

    @property
    def compute_capability(self):
        """The current device's generation: 75 for 7.5, 90 for 9.0."""
        return int(self.xp.cuda.Device().compute_capability)

    def _start(self, source_name, kernel, blocks, threads, arguments):
        place = self.xp.cuda.runtime.getDevice(), kernel
        if place not in self._kernels:
            if source_name not in self._modules:
                code, options = source(source_name), ("-std=c++17",)
                self._modules[source_name] = self.xp.RawModule(code=code, options=options)
            self._kernels[place] = self._modules[source_name].get_function(kernel)
        self._kernels[place]((blocks,), (threads,), tuple(arguments))

    def _multiply(self, *arguments):
        if self._cublas is None:
            self._cublas = Cublas(self.xp)
        self._cublas.multiply(*arguments)
