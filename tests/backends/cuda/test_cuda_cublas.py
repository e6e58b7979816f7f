"""cuBLAS, called past CuPy: a real library, or the stand-in with NVIDIA's calling convention."""

import ctypes

import numpy as np
import pytest
from cuda_shim import rounded
from gpu import on_gpu
from numpy.testing import assert_allclose

from tinyunet.arrays import select_device, to_numpy
from tinyunet.backends.cuda import cublas as gpu_cublas
from tinyunet.backends.cuda.errors import KernelError
from tinyunet.backends.cuda.launch import CupyGpu

pytestmark = on_gpu


@pytest.fixture
def xp():
    return select_device("gpu").xp


def _batch(xp, rng, *shape):
    return xp.asarray(rng.standard_normal(shape, dtype=np.float32))


@pytest.mark.parametrize("transpose_a", [False, True])
@pytest.mark.parametrize("transpose_b", [False, True])
def test_it_is_asked_for_the_transposes(xp, rng, transpose_a, transpose_b):
    a = _batch(xp, rng, *((3, 4, 2) if transpose_a else (3, 2, 4)))
    b = _batch(xp, rng, *((3, 5, 4) if transpose_b else (3, 4, 5)))
    got = CupyGpu(xp, 0).product(a, b, transpose_a, transpose_b)
    left, right = (to_numpy(x).astype(float) for x in (a, b))
    left = left.transpose(0, 2, 1) if transpose_a else left
    right = right.transpose(0, 2, 1) if transpose_b else right
    assert got.shape == (3, 2, 5)
    assert_allclose(to_numpy(got), left @ right, rtol=1e-5, atol=1e-6)


def test_matrices_may_lie_apart_or_be_one_again_and_again(xp, rng):
    a, b = _batch(xp, rng, 6, 3, 4), _batch(xp, rng, 2, 4, 9)
    out = xp.zeros((6, 3, 5), np.float32)
    CupyGpu(xp, 0).product(a[1::3], b[:, :, 2:7], out=out[::3])
    expected = to_numpy(a)[1::3].astype(float) @ to_numpy(b)[:, :, 2:7]
    assert_allclose(to_numpy(out)[::3], expected, rtol=1e-5, atol=1e-6)
    assert not to_numpy(out)[1::3].any()
    one = xp.broadcast_to(a[0], (2, 3, 4))
    got = CupyGpu(xp, 0).product(one, b)
    expected = to_numpy(a)[0].astype(float) @ to_numpy(b)
    assert_allclose(to_numpy(got), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("precision", ["float32", "tf32", "bf16"])
def test_it_multiplies_in_the_precision_asked_for(xp, rng, precision):
    a, b = _batch(xp, rng, 1, 40, 50), _batch(xp, rng, 1, 50, 30)
    gpu = CupyGpu(xp, 0)
    gpu.product(a, b, precision="bf16")  # does not stick
    got = to_numpy(gpu.product(a, b, precision=precision)).astype(float)
    exact = to_numpy(a).astype(float) @ to_numpy(b)
    error = np.linalg.norm(got - exact) / np.linalg.norm(exact)
    low, high = {"float32": (0, 1e-6), "tf32": (5e-5, 1e-3), "bf16": (5e-4, 1e-2)}[precision]
    assert low <= error < high
    short = [rounded(to_numpy(x), precision).astype(float) for x in (a, b)]
    assert np.linalg.norm(got - short[0] @ short[1]) < 1e-3 * np.linalg.norm(exact)


def test_it_works_in_the_memory_it_is_given(xp, rng, monkeypatch):
    gpu, x, given = CupyGpu(xp, 0), _batch(xp, rng, 1, 2, 2), []
    gpu.product(x, x)
    functions = gpu._cublas._functions
    real = functions["cublasSetWorkspace_v2"]
    monkeypatch.setitem(
        functions, "cublasSetWorkspace_v2", lambda *a: given.append(a[1:]) or real(*a)
    )
    gpu.product(x, x)  # on the null stream: one that stays
    gpu.product(x, x)
    assert given[0] == given[1]
    mine = xp.cuda.alloc(gpu_cublas.WORKSPACE)
    stream = xp.cuda.Stream(non_blocking=True)
    with stream, gpu.working_in(mine):
        gpu.product(x, x)
    assert given[2] == (mine.ptr, gpu_cublas.WORKSPACE)
    with stream:
        gpu.product(x, x)  # cuBLAS's own
    assert len(given) == 3


def test_an_error_is_raised_and_named(xp, rng, monkeypatch):
    gpu, x = CupyGpu(xp, 0), _batch(xp, rng, 1, 2, 2)
    gpu.product(x, x)
    monkeypatch.setitem(gpu._cublas._functions, "cublasGemmStridedBatchedEx", lambda *_: 13)
    with pytest.raises(
        KernelError,
        match="^a product of cuBLAS failed: cublasGemmStridedBatchedEx failed with cuBLAS's status",
    ):
        gpu.product(x, x)


def test_on_windows_it_is_found_by_its_name(xp, monkeypatch):
    monkeypatch.setattr(gpu_cublas.os, "name", "nt")
    monkeypatch.setattr(gpu_cublas.ctypes, "CDLL", lambda name: pytest.fail(name))
    major = xp.cuda.runtime.runtimeGetVersion() // 1000
    with pytest.raises(pytest.fail.Exception, match=f"^cublas64_{major}.dll$"):
        gpu_cublas.Cublas(xp)._load()


def test_it_has_the_arguments_and_constants_that_cupys_own_binding_has(xp):
    module = xp.cuda.cublas
    listed = module.gemmStridedBatchedEx.__doc__.splitlines()[0]
    names = [part.split()[-1] for part in listed[listed.index("(") + 1 : -1].split(",")]
    order = (
        "handle transa transb m n k alpha A Atype lda strideA B Btype ldb strideB beta C Ctype "
        "ldc strideC batchCount computeType algo"
    )
    assert [name.rstrip(")") for name in names] == order.split()
    assert len(gpu_cublas.FUNCTIONS["cublasGemmStridedBatchedEx"]) == len(names)
    assert (gpu_cublas.OP_N, gpu_cublas.OP_T) == (module.CUBLAS_OP_N, module.CUBLAS_OP_T)
    assert gpu_cublas.GEMM_DEFAULT == module.CUBLAS_GEMM_DEFAULT
    assert gpu_cublas.COMPUTE == {
        "float32": module.CUBLAS_COMPUTE_32F,
        "tf32": module.CUBLAS_COMPUTE_32F_FAST_TF32,
        "bf16": module.CUBLAS_COMPUTE_32F_FAST_16BF,
    }
    assert ctypes.sizeof(ctypes.c_void_p) == 8
