"""What stands before a launch: checks of every argument, and cuBLAS asked column by column."""

import ctypes
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from tinyunet.kernels.cuda import source
from tinyunet.kernels.gpu_launch import LARGEST, CupyGpu, Gpu


class RecordingGpu(Gpu):
    """A `Gpu` on NumPy that only notes what it is asked to start."""

    def __init__(self):
        super().__init__(np)
        self.started = []

    def _start(self, *arguments):
        self.started.append(arguments)


X = np.ones((2, 3, 4), np.float32)


def test_a_launch_has_enough_blocks_and_converted_arguments():
    gpu = RecordingGpu()
    sums = gpu.empty(3)
    assert (sums.shape, sums.dtype, sums.flags.c_contiguous) == ((3,), np.float32, True)
    gpu.launch_blocks("row_sums", 3, X, sums, 2, 3, 4)
    name, kernel, blocks, threads, arguments = gpu.started.pop()
    assert (name, kernel, blocks, threads) == ("network.cu", "row_sums", 3, 256)
    assert arguments[0] is X
    assert arguments[1] is sums
    assert [(type(a), int(a)) for a in arguments[2:]] == [(np.int32, n) for n in (2, 3, 4)]
    for threads, blocks in ((1, 1), (256, 1), (257, 2), (512, 2)):
        gpu.launch("multiply", threads, X, X, X, X.size)
        assert gpu.started.pop()[2] == blocks
    gpu.launch("transform_filter", 129, X, X, 1)
    assert gpu.started.pop()[2:4] == (2, 128)
    gpu.launch("apply_dropout", 24, X, X, X, X, 24, 0.5, 2)
    assert [type(a) for a in gpu.started.pop()[4][-3:]] == [np.int32, np.float32, np.float32]
    partial = gpu.empty(5, dtype=np.float64)
    gpu.launch_blocks("sum_partials", 1, partial, partial, 5, 2)
    assert type(gpu.started.pop()[4][3]) is np.float64
    gpu.launch("transform_gradient", 1, X, None, X, *range(6))
    assert gpu.started.pop()[4][1] is None


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((X, X, 2, 3), TypeError, r"^row_sums takes 5 arguments: got 4$"),
        (
            (X.astype(float), X, 2, 3, 4),
            TypeError,
            r"^x of kernel row_sums must be an array of float32 on the device: got float64$",
        ),
        (
            (None, X, 2, 3, 4),
            TypeError,
            r"^x of kernel row_sums must be an array of float32 on the device: got NoneType$",
        ),
        (([1.0], X, 2, 3, 4), TypeError, "x of kernel row_sums must be .* got list$"),
        ((X[..., ::2], X, 2, 3, 2), ValueError, r"^x of kernel row_sums must be row-major: got"),
        ((X, X.T, 2, 3, 2), ValueError, r"^sums of kernel row_sums must be row-major: got"),
        (
            (X, X, 2, 3, LARGEST + 1),
            ValueError,
            "^length of kernel row_sums must fit 32 bits: got 2147483648$",
        ),
    ],
)
def test_a_wrong_argument_is_named(arguments, error, message):
    gpu = RecordingGpu()
    with pytest.raises(error, match=message):
        gpu.launch_blocks("row_sums", 1, *arguments)
    assert gpu.started == []


@pytest.mark.parametrize("blocks", [0, -1, LARGEST + 1])
def test_a_launch_needs_a_number_of_blocks(blocks):
    with pytest.raises(ValueError, match=f"row_sums cannot be launched with {blocks} blocks"):
        RecordingGpu().launch_blocks("row_sums", blocks, X, X, 2, 3, 4)


def test_a_scalar_is_kept_until_it_changes():
    gpu = RecordingGpu()
    first = gpu.scalar(0.5)
    assert (first.shape, first.dtype, float(first[0])) == ((1,), np.float32, 0.5)
    assert gpu.scalar(0.5) is first
    assert float(gpu.scalar(0.25)[0]) == 0.25


def test_products_check_their_matrices():
    a, b = np.ones((2, 3, 4), np.float32), np.ones((2, 4, 5), np.float32)
    gpu = RecordingGpu()
    message = r"^matrices \(2, 3, 4\) and \(2, 3, 4\) cannot be multiplied$"
    with pytest.raises(ValueError, match=message):
        gpu.product(a, a)
    with pytest.raises(ValueError, match="cannot be multiplied"):
        gpu.product(a, b[:1])
    with pytest.raises(ValueError, match="^a must be row-major float32: got float64$"):
        gpu.product(a.astype(float), b)
    with pytest.raises(ValueError, match="^b must be row-major float32: got float32$"):
        gpu.product(a, np.asfortranarray(b))


class DeviceArray(np.ndarray):
    """A NumPy array that tells its address as CuPy's do."""

    @property
    def data(self):
        return SimpleNamespace(ptr=self.ctypes.data)


class FakeCublas:
    """cuBLAS's strided-batched product as its manual defines it, column by column."""

    CUBLAS_OP_N, CUBLAS_OP_T, CUBLAS_GEMM_DEFAULT = "N", "T", -1
    CUBLAS_COMPUTE_32F, CUBLAS_COMPUTE_32F_FAST_TF32 = "strict", "tf32"
    CUBLAS_COMPUTE_32F_FAST_16BF = "bf16"

    def gemmStridedBatchedEx(self, handle, op_a, op_b, m, n, k, alpha, *rest):
        a, type_a, lda, stride_a, b, type_b, ldb, stride_b, beta, *rest = rest
        c, type_c, ldc, stride_c, batch, self.compute, algorithm = rest
        assert (handle, type_a, type_b, type_c, algorithm) == ("handle", 0, 0, 0, -1)
        assert (_floats(alpha, 1), _floats(beta, 1)) == ([1], [0])
        for i in range(batch):
            shape_a, shape_b = ((m, k), (k, n))
            left = _columns(a + 4 * i * stride_a, shape_a, lda, op_a)
            right = _columns(b + 4 * i * stride_b, shape_b, ldb, op_b)
            _columns(c + 4 * i * stride_c, (m, n), ldc, "N")[...] = left @ right


def _floats(address, count):
    return np.ctypeslib.as_array(ctypes.cast(address, ctypes.POINTER(ctypes.c_float)), (count,))


def _columns(address, shape, leading, op):
    """The matrix op(X) of `shape`, X lying column by column with `leading` floats a column."""
    rows, columns = shape if op == "N" else shape[::-1]
    assert leading >= rows
    x = _floats(address, leading * columns).reshape(columns, leading).T[:rows]
    return x if op == "N" else x.T


class FakeCupy:
    """What CupyGpu uses of CuPy."""

    ndarray = np.ndarray

    def __init__(self):
        device = SimpleNamespace(get_cublas_handle=lambda: "handle")
        self.cuda = SimpleNamespace(
            cublas=FakeCublas(),
            device=device,
            Device=lambda: SimpleNamespace(compute_capability="90"),
        )
        self.modules, self.launches = [], []

    def empty(self, shape, dtype):
        return np.full(shape, np.nan, dtype).view(DeviceArray)

    def RawModule(self, code, options):
        self.modules.append((code, options))
        return SimpleNamespace(get_function=lambda name: lambda *a: self.launches.append((name, a)))


@pytest.mark.parametrize("transpose_a", [False, True])
@pytest.mark.parametrize("transpose_b", [False, True])
def test_cublas_is_asked_for_the_transposes(rng, transpose_a, transpose_b):
    gpu = CupyGpu(FakeCupy())
    a = rng.standard_normal((3, 4, 2) if transpose_a else (3, 2, 4), dtype=np.float32)
    b = rng.standard_normal((3, 5, 4) if transpose_b else (3, 4, 5), dtype=np.float32)
    got = gpu.product(a.view(DeviceArray), b.view(DeviceArray), transpose_a, transpose_b)
    left = a.transpose(0, 2, 1) if transpose_a else a
    right = b.transpose(0, 2, 1) if transpose_b else b
    assert got.shape == (3, 2, 5)
    assert_allclose(got, left @ right, rtol=1e-5, atol=1e-6)


def test_cublas_multiplies_in_the_precision_asked_for():
    gpu = CupyGpu(FakeCupy())
    x = np.ones((1, 2, 2), np.float32).view(DeviceArray)
    for name, compute in (("float32", "strict"), ("tf32", "tf32"), ("bf16", "bf16")):
        gpu.product(x, x, precision=name)
        assert gpu.xp.cuda.cublas.compute == compute
    gpu.product(x, x)
    assert gpu.xp.cuda.cublas.compute == "strict"


def test_the_compute_capability_is_a_number():
    assert CupyGpu(FakeCupy()).compute_capability == 90


def test_a_kernel_is_compiled_once_and_started_with_its_grid():
    xp = FakeCupy()
    gpu = CupyGpu(xp)
    for _ in range(2):
        gpu.launch("multiply", 24, X, X, X, 24)
    assert xp.modules == [(source("network.cu"), ("-std=c++17",))]
    name, (grid, block, arguments) = xp.launches[1]
    assert (name, grid, block) == ("multiply", (1,), (256,))
    assert arguments[0] is X
    assert arguments[3] == 24
    gpu.launch("transform_filter", 1, X, X, 1)
    assert len(xp.modules) == 2
