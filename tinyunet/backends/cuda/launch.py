"""How the GPU path starts a kernel and multiplies matrices, and nobody else.

A raw kernel validates nothing, so `Gpu.launch` checks every argument against the kernel's own
signature first: dtype, row-major order, whole numbers in range. Two subclasses start the work:
`CupyGpu` here, and in the tests one that runs the same sources, compiled for the CPU. So all
Python of the GPU path runs, and is tested, without a GPU. Lesson: lessons/15-fast-on-a-gpu.md.
"""

from contextlib import contextmanager, nullcontext

import numpy as np

from tinyunet.backends.cuda.cublas import Cublas
from tinyunet.backends.cuda.errors import KernelError, is_out_of_memory
from tinyunet.backends.cuda.sources import signatures, source

# Beside these CuPy passes -ftz=true: numbers below 1.2e-38 become 0. Tests that compile for a GPU
# do so too; kernels that they run on the CPU keep such numbers.
OPTIONS = ("-std=c++17",)
DTYPES = {
    "float": np.float32,
    "double": np.float64,
    "int": np.int32,
    "unsigned": np.uint32,
}
LARGEST = 2**31 - 1  # kernels count with 32-bit integers inside a map or a row of tiles
KEPT_SCALARS = 4  # an update takes two: the learning rate, which may change, and the momentum


class Gpu:
    """A device that makes arrays, starts kernels and multiplies. `xp` is its array module."""

    compute_capability: int  # the generation that a subclass says it is: 75 for 7.5

    def __init__(self, xp):
        self.xp = xp
        self._scalars = {}  # arrays of the last few values; replaced whole, since threads share it

    def empty(self, *shape, dtype=np.float32):
        """Return an uninitialised row-major array of `shape`."""
        return self.xp.empty(shape, dtype)

    def scalar(self, value):
        """Return an array of one float32; asked for the same value again, the same array."""
        array = self._scalars.get(value)
        if array is None:
            array = self.xp.full(1, value, np.float32)
            newest = list(self._scalars.items())[1 - KEPT_SCALARS :]
            self._scalars = dict([*newest, (value, array)])
        return array

    def current(self):
        """Return a context manager for work on this device; nothing to do where there is one."""
        return nullcontext()

    def contiguous(self, x):
        """Return `x`, copied only if it is not row-major."""
        return self.xp.ascontiguousarray(x)

    def launch(self, kernel, threads, *arguments):
        """Start `kernel` with at least `threads` threads, in blocks of its own size.

        Array arguments must be row-major arrays of the dtype in the kernel's signature, or None
        for a pointer that the kernel accepts as null. Raises TypeError or ValueError otherwise.
        """
        size = signatures()[kernel].threads
        if threads > LARGEST - size:
            raise ValueError(f"{kernel} counts its threads with 32 bits: {threads} are too many")
        self.launch_blocks(kernel, -(-threads // size), *arguments)

    def launch_maps(self, kernel, maps, size, *arguments):
        """Start `kernel` with at least `size` threads for each of `maps` maps, none across two."""
        threads = signatures()[kernel].threads
        self.launch_blocks(kernel, maps * -(-size // threads), *arguments)

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

    def product(self, a, b, transpose_a=False, transpose_b=False, precision="float32", out=None):
        """Return op(a) @ op(b) for batches a, b (batch, rows, columns); op may transpose.

        One strided-batched product; nothing is copied to transpose it. Rows must be dense, but
        rows and matrices may lie apart, and a batch may be one matrix again and again
        (`broadcast_to`). `precision` is that of the factors, "float32", "tf32" or "bf16"; sums are
        float32. The result goes to `out` if it is given. Raises ValueError where the shapes do not
        go together.
        """
        batch, rows, inner = _op_shape(a, transpose_a)
        batch_b, inner_b, columns = _op_shape(b, transpose_b)
        if batch != batch_b or inner != inner_b:
            raise ValueError(f"matrices {a.shape} and {b.shape} cannot be multiplied")
        out = self.empty(batch, rows, columns) if out is None else out
        if out.shape != (batch, rows, columns):
            raise ValueError(f"out has shape {out.shape}, not {(batch, rows, columns)}")
        for name, matrix in (("a", a), ("b", b), ("out", out)):
            _check_rows(name, matrix)
        self._multiply(a, b, out, transpose_a, transpose_b, precision)
        return out


def _check_rows(name, x):
    """Raise ValueError unless x (batch, rows, columns) is float32 with dense, disjoint rows."""
    item = np.dtype(np.float32).itemsize
    columns = x.shape[2]
    is_dense = columns == 1 or x.strides[2] == item
    is_apart = x.shape[1] == 1 or x.strides[1] >= item * columns
    if x.dtype != np.float32 or not (is_dense and is_apart):
        raise ValueError(f"{name} must be row-major float32: got {x.dtype}, strides {x.strides}")


def _op_shape(x, transpose):
    batch, rows, columns = x.shape
    return (batch, columns, rows) if transpose else (batch, rows, columns)


class CupyGpu(Gpu):
    """A real device, number `index`: kernels compiled by NVRTC on first use, products by cuBLAS.

    Everything it is asked for must happen within `with gpu.current():`, which makes it the device
    that CUDA works on in this thread; whoever worked on another one finds it so again afterwards.
    `problems` is {precision: what a trial of its kernels found, or None}: see trial.py.
    """

    def __init__(self, xp, index):
        super().__init__(xp)
        self.index, self.problems = index, {}
        self._modules, self._kernels = {}, {}
        self._cublas = Cublas(xp)
        self._is_blocking = False

    def current(self):
        """Return a context manager: within it this is CUDA's current device."""
        return self.xp.cuda.Device(self.index)

    @property
    def compute_capability(self) -> int:  # type: ignore[override]
        """The device's generation: 75 for 7.5, 90 for 9.0."""
        return int(self.current().compute_capability)

    def synchronize(self):
        """Wait until the device has done all it was asked for; raise what went wrong there."""
        self.current().synchronize()

    @contextmanager
    def blocking(self):
        """Within the block, wait for each kernel: what goes wrong is known to be its doing."""
        before, self._is_blocking = self._is_blocking, True
        try:
            yield
        finally:
            self._is_blocking = before

    def scalar(self, value):
        """As above, in memory that lives on: not in the pool of whoever asks for it first."""
        with self.xp.cuda.using_allocator(self.xp.get_default_memory_pool().malloc):
            return super().scalar(value)

    def working_in(self, workspace):
        """Return a context manager: within it cuBLAS works in that memory and in no other."""
        return self._cublas.working_in(workspace)

    def compile(self, source_name):
        """Return a source's module, compiled at the first call."""
        if source_name not in self._modules:
            module = self.xp.RawModule(code=source(source_name), options=OPTIONS)
            module.compile()
            self._modules[source_name] = module
        return self._modules[source_name]

    def _start(self, source_name, kernel, blocks, threads, arguments):
        # CuPy 13 takes None for a Python object's address; a null pointer is one to all versions.
        arguments = tuple(np.uintp(0) if a is None else a for a in arguments)
        with self._named(f"kernel {kernel} ({source_name})"):
            if kernel not in self._kernels:
                self._kernels[kernel] = self.compile(source_name).get_function(kernel)
            self._kernels[kernel]((blocks,), (threads,), arguments)

    def _multiply(self, *arguments):
        with self._named("a product of cuBLAS"):
            self._cublas.multiply(*arguments)

    @contextmanager
    def _named(self, what):
        """Let errors of the block say what was to be done; wait for it if that is asked for."""
        try:
            yield
            if self._is_blocking:
                self.synchronize()
        except Exception as error:  # CUDA, cuBLAS and the compiler each have their own
            if is_out_of_memory(error):
                raise  # no fault of the kernel; memory.py says what would fit
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise KernelError(f"{what} failed: {lines[0]}") from error
