"""A kernel that does not compile or start on a card is named once, and plain operations compute."""

import re
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from gpu import on_gpu
from numpy.testing import assert_allclose
from runs import tiny, tiny_dataset

from tinyunet import cli, nn
from tinyunet.arrays import select_device, to_numpy
from tinyunet.backends.cuda import launch, memory, operations, report, sources, trial
from tinyunet.backends.cuda.errors import KernelError, is_out_of_memory
from tinyunet.backends.cuda.launch import CupyGpu
from tinyunet.nn.operation import find_implementation, plain
from tinyunet.nn.precision import precision as use_precision
from tinyunet.training.log import read_log
from tinyunet.training.loop import train

pytestmark = on_gpu


@pytest.fixture
def gpu(monkeypatch):
    """A device on which nothing has been compiled or tried yet."""
    xp = select_device("gpu").xp
    fresh = CupyGpu(xp, 0)
    monkeypatch.setitem(operations._cupy_gpus, (xp, 0), fresh)
    return fresh


@pytest.fixture
def arguments(rng):
    to_gpu = select_device("gpu").asarray
    shapes = (1, 6, 9, 8), (7, 6, 3, 3), (7,)
    return [to_gpu(rng.standard_normal(shape, dtype=np.float32)) for shape in shapes]


def _exact(arguments):
    return nn.conv2d_relu(*(to_numpy(a).astype(float) for a in arguments))[0]


def test_every_kernel_is_tried_once(gpu, arguments, monkeypatch):
    started = []
    start = CupyGpu._start
    monkeypatch.setattr(CupyGpu, "_start", lambda *a: started.append(a[2]) or start(*a))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for precision in ("float32", "tf32", "bf16"):
            assert trial.is_usable(gpu, precision)
    assert set(started) == set(sources.signatures())
    started.clear()
    nn.conv2d_relu(*arguments)
    assert started == ["transform_filter", "transform_input", "inverse_output"]


def _broken(name):
    """Return `sources.source` with an error in source `name`."""
    real = sources.source
    return lambda wanted: real(wanted) + ("\nthis is no CUDA C;\n" if wanted == name else "")


def test_a_source_that_does_not_compile_is_named_once(gpu, arguments, monkeypatch):
    monkeypatch.setattr(launch, "source", _broken("winograd.cu"))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        y, cache = nn.conv2d_relu(*arguments)
        nn.conv2d_relu_backward(y, cache)
        nn.max_pool2d(y[:, :, :6, :6])
    assert len(caught) == 1
    message = str(caught[0].message)
    assert message.startswith("kernel transform_filter (winograd.cu) failed: ")
    assert message.endswith(f": {trial.PLAIN}")
    assert_allclose(to_numpy(y), _exact(arguments), atol=1e-4)


def test_tensor_cores_that_fail_leave_the_other_kernels(gpu, arguments, monkeypatch):
    monkeypatch.setattr(launch, "source", _broken("tf32.cu"))
    with use_precision("tf32"):
        with pytest.warns(UserWarning, match=r"^kernel pack_tf32 \(tf32.cu\) failed: "):
            assert find_implementation(nn.conv2d, *arguments) is None
        assert find_implementation(nn.max_pool2d, arguments[0]) is not None
    assert find_implementation(nn.conv2d, *arguments) is not None  # in float32


def test_kernels_that_all_precisions_share_fall_back_in_each(gpu, rng, monkeypatch):
    """Few channels are computed in float32, by a kernel that tf32's trial does not start."""
    monkeypatch.setattr(launch, "source", _broken("direct.cu"))
    to_gpu = select_device("gpu").asarray
    shapes = (1, 1, 9, 8), (7, 1, 3, 3), (7,)
    arguments = [to_gpu(rng.standard_normal(shape, dtype=np.float32)) for shape in shapes]
    named = pytest.warns(UserWarning, match=r"^kernel direct_forward \(direct.cu\) failed: ")
    with use_precision("tf32"), named:
        y, _ = nn.conv2d_relu(*arguments)
    assert_allclose(to_numpy(y), _exact(arguments), atol=1e-4)


@pytest.mark.parametrize(("broken", "precision"), [("winograd", "float32"), ("tf32", "tf32")])
def test_a_run_whose_kernels_fail_warns_once_and_learns(
    gpu, tmp_path, monkeypatch, broken, precision
):
    """The plain operations cannot be recorded as a graph: nobody tries, or warns of it."""
    settings = {"base_channels": 6, "steps": 4, "val": None}
    train(tiny_dataset(), tiny(**settings), tmp_path / "cpu", "cpu")
    monkeypatch.setattr(launch, "source", _broken(f"{broken}.cu"))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        train(tiny_dataset(), tiny(**settings, precision=precision), tmp_path / "gpu", "gpu")
    (message,) = [str(warning.message) for warning in caught]
    assert re.match(rf"kernel \w+ \({broken}.cu\) failed: ", message)
    expected, losses = (read_log(tmp_path / d / "log.csv")["loss"] for d in ("cpu", "gpu"))
    assert len(losses) == 4
    assert_allclose(losses, expected, rtol=1e-3)


def test_a_launch_that_cuda_refuses_is_named(gpu, arguments, monkeypatch):
    real = sources.signatures()
    too_many = dict(real) | {"inverse_output": real["inverse_output"]}
    too_many["inverse_output"] = type(real["inverse_output"])(
        "winograd.cu", real["inverse_output"].parameters, 2048
    )
    monkeypatch.setattr(launch, "signatures", lambda: too_many)
    with pytest.warns(
        UserWarning, match=r"^kernel inverse_output \(winograd.cu\) failed: .*nvalid"
    ):
        y, _ = nn.conv2d_relu(*arguments)
    assert_allclose(to_numpy(y), _exact(arguments), atol=1e-4)


def test_a_full_card_is_no_fault_of_a_kernel(gpu, arguments):
    """Room for cuBLAS's workspace may be there the next time: nothing is remembered."""
    pool = gpu.xp.get_default_memory_pool()
    pool.free_all_blocks()
    pool.set_limit(size=pool.total_bytes() + 2**20)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(gpu.xp.cuda.memory.OutOfMemoryError):
                nn.conv2d_relu(*arguments)
        (line, *_) = report.describe_gpus()
    finally:
        pool.set_limit(size=0)
    assert ": nothing, because Out of memory allocating 33,554,432 bytes" in line
    assert gpu.problems == {}
    y, _ = nn.conv2d_relu(*arguments)
    assert gpu.problems == {"float32": None}
    assert_allclose(to_numpy(y), _exact(arguments), atol=1e-4)


@pytest.mark.parametrize(
    "said", ["CUDA_ERROR_OUT_OF_MEMORY: out of memory", "CUBLAS_STATUS_ALLOC_FAILED"]
)
def test_no_room_for_the_kernels_or_cublas_is_no_fault_of_theirs(gpu, arguments, monkeypatch, said):
    def find_no_room(*_):
        raise RuntimeError(said)

    with monkeypatch.context() as patched:
        patched.setattr(CupyGpu, "compile", find_no_room)
        with pytest.raises(RuntimeError, match=f"^{said}$") as found:
            nn.conv2d_relu(*arguments)
        assert is_out_of_memory(found.value)
        with (
            pytest.raises(MemoryError, match="would fit$"),
            memory.explained(8e9, 572, 5, 16, 1, 2),
        ):
            nn.conv2d_relu(*arguments)
    assert gpu.problems == {}
    y, _ = nn.conv2d_relu(*arguments)
    assert_allclose(to_numpy(y), _exact(arguments), atol=1e-4)


def test_a_device_that_is_dead_is_an_error(gpu, monkeypatch):
    def stop(*_):
        raise RuntimeError("cudaErrorIllegalAddress: an illegal memory access")

    monkeypatch.setattr(CupyGpu, "_start", stop)
    monkeypatch.setattr(CupyGpu, "synchronize", stop)
    with pytest.raises(KernelError, match=r"TINYUNET_BACKEND=plain \(or --backend plain\)$"):
        trial.is_usable(gpu, "float32")
    (line, *_) = report.describe_gpus()
    assert ": nothing, because cudaErrorIllegalAddress: an illegal memory access; nothing " in line


def test_the_command_line_says_what_stopped_the_gpu(gpu, monkeypatch, capsys):
    def stop(_):
        raise gpu.xp.cuda.runtime.CUDARuntimeError(700)

    asked = SimpleNamespace(command="info", run=stop)
    parser = SimpleNamespace(parse_args=lambda _: asked)
    monkeypatch.setattr(cli, "build_parser", lambda: parser)
    assert cli.main([]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("tinyunet: error: the GPU stopped: cudaErrorIllegalAddress: ")
    assert line.endswith("; with --backend plain CuPy's own operations compute")


def test_plain_is_plain(gpu, arguments):
    with plain():
        assert find_implementation(nn.conv2d, *arguments) is None
        assert report.describe_gpus()[0].endswith(
            ": plain CuPy operations, as asked for (TINYUNET_BACKEND or --backend)"
        )
    assert gpu.problems == {}  # nobody asked the kernels


def test_the_report_says_what_computes_and_why(gpu, monkeypatch):
    (line, *_) = report.describe_gpus()
    assert line.startswith("gpu:0 ")
    assert line.endswith(": our kernels in float32, tf32, bf16")
    monkeypatch.setattr(launch, "source", _broken("bf16.cu"))
    (line, *_) = report.describe_gpus()
    assert ": our kernels in float32, tf32; not in bf16: kernel pack_bf16 (bf16.cu) failed" in line
    monkeypatch.setattr(launch, "source", _broken("layers.cu"))
    (line, *_) = report.describe_gpus()
    assert ": plain CuPy operations, because kernel row_sums (layers.cu) failed: " in line
    monkeypatch.setattr(CupyGpu, "compute_capability", 75)
    monkeypatch.setattr(launch, "source", sources.source)
    (line, *_) = report.describe_gpus()
    assert line.endswith(": our kernels in float32 (tf32 and bf16 need 8.0)")
