"""What stands before a launch: checks of every argument, and cuBLAS asked column by column."""

import ctypes

import numpy as np
import pytest
from cuda_shim.fake_cupy import FakeCupy, RawModule, cublas
from numpy.testing import assert_allclose

from tinyunet.kernels import gpu_cublas
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


@pytest.fixture
def xp():
    """A fake of CuPy, whose cuBLAS is a real library with the calling convention of NVIDIA's."""
    return FakeCupy()


def _batch(xp, rng, *shape):
    return xp.asarray(rng.standard_normal(shape, dtype=np.float32))


@pytest.mark.parametrize("transpose_a", [False, True])
@pytest.mark.parametrize("transpose_b", [False, True])
def test_cublas_is_asked_for_the_transposes(xp, rng, transpose_a, transpose_b):
    a = _batch(xp, rng, *((3, 4, 2) if transpose_a else (3, 2, 4)))
    b = _batch(xp, rng, *((3, 5, 4) if transpose_b else (3, 4, 5)))
    got = CupyGpu(xp).product(a, b, transpose_a, transpose_b)
    left = a.transpose(0, 2, 1) if transpose_a else a
    right = b.transpose(0, 2, 1) if transpose_b else b
    assert got.shape == (3, 2, 5)
    assert_allclose(got, np.asarray(left) @ np.asarray(right), rtol=1e-5, atol=1e-6)


def test_cublas_multiplies_in_the_precision_asked_for(xp, rng):
    """68, 77, 75: CUBLAS_COMPUTE_32F, _FAST_TF32 and _FAST_16BF in NVIDIA's cublas_api.h."""
    gpu, x = CupyGpu(xp), _batch(xp, rng, 1, 2, 2)
    for name, compute in (("tf32", 77), ("bf16", 75), ("float32", 68)):
        gpu.product(x, x, precision=name)
        assert ctypes.c_int.in_dll(cublas(), "last_compute_type").value == compute
    gpu.product(x, x, precision="tf32")
    gpu.product(x, x)
    assert ctypes.c_int.in_dll(cublas(), "last_compute_type").value == 68


def test_cublas_works_on_the_current_stream_with_a_workspace_that_stays(xp, rng):
    gpu, x, asked = CupyGpu(xp), _batch(xp, rng, 1, 2, 2), []
    alloc = xp.cuda.alloc
    xp.cuda.alloc = lambda size: asked.append(size) or alloc(size)
    library = cublas()
    library.stream_set.restype = ctypes.c_void_p
    stream = xp.cuda.Stream(non_blocking=True)
    for _ in range(2):
        gpu.product(x, x)
        assert library.stream_set() is None  # the null stream
        with stream:
            gpu.product(x, x)
        assert library.stream_set() == stream.ptr
    assert asked == [2**25, 2**25]  # one a stream
    assert ctypes.c_int.in_dll(cublas(), "calls_without_workspace").value == 0


def test_an_error_of_cublas_is_raised(xp, rng):
    x = _batch(xp, rng, 1, 2, 2)
    xp.cuda.device.get_cublas_handle = lambda: 0
    with pytest.raises(RuntimeError, match="^cublasSetStream_v2 failed with cuBLAS's status 1$"):
        CupyGpu(xp).product(x, x)


def test_on_windows_cublas_is_found_by_its_name(xp, monkeypatch):
    monkeypatch.setattr(gpu_cublas.os, "name", "nt")
    monkeypatch.setattr(gpu_cublas.ctypes, "CDLL", lambda name: pytest.fail(name))
    with pytest.raises(pytest.fail.Exception, match="^cublas64_12.dll$"):
        gpu_cublas.Cublas(xp)


def test_the_compute_capability_is_a_number(xp):
    assert CupyGpu(xp).compute_capability == 80


def test_a_kernel_is_compiled_once_and_started_with_its_grid(xp, rng):
    gpu, modules, launches = CupyGpu(xp), [], []

    class Noting(RawModule):
        def __init__(self, *, code, options):
            modules.append((code, options))
            super().__init__(code=code, options=options)

        def get_function(self, name):
            modules.append(name)
            return lambda *arguments: launches.append((name, *arguments))

    xp.RawModule = Noting
    x = _batch(xp, rng, 2, 3, 4)
    for _ in range(2):
        gpu.launch("multiply", 257, x, x, x, 24)
    gpu.launch("relu_gradient", 24, x, x, x, 24)
    assert modules == [
        (source("network.cu"), ("-std=c++17",)),
        "multiply",
        "relu_gradient",
    ]
    name, grid, block, arguments = launches[1]
    assert (name, grid, block) == ("multiply", (2,), (256,))
    assert arguments[0] is x
    assert arguments[3] == 24
    gpu.launch("transform_filter", 1, x, x, 1)
    assert len(modules) == 5
    xp.cuda.runtime.getDevice = lambda: 1  # a function belongs to the device it was loaded on
    gpu.launch("multiply", 24, x, x, x, 24)
    assert modules[5:] == ["multiply"]
