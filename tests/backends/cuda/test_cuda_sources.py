"""The CUDA sources compile for every GPU generation, and say what Python believes of them."""

import ctypes
import importlib.util
import shutil
import subprocess
from pathlib import Path

import pytest

from tinyunet.backends.cuda import launch
from tinyunet.backends.cuda.launch import DTYPES, OPTIONS
from tinyunet.backends.cuda.sources import FOLDER, SOURCES, Parameter, signatures, source

TARGETS = (75, 80, 90)  # Turing, Ampere, Hopper


def _nvrtc():
    """Return NVRTC's library from a wheel (nvidia-cuda-nvrtc-cu12 or -cu13), or None."""
    spec = importlib.util.find_spec("nvidia")
    for folder in spec.submodule_search_locations if spec else ():
        for path in sorted(Path(folder).glob("*/lib/libnvrtc.so.*")):
            if "builtins" not in path.name:
                return ctypes.CDLL(str(path))
    return None


def _compile_with_nvcc(nvcc, name, folder):
    """Return the errors and warnings of compiling source `name` for all targets, "" if none."""
    (folder / name).write_text(source(name), encoding="utf-8")
    targets = [f"-gencode=arch=compute_{t},code=sm_{t}" for t in TARGETS]
    options = [*OPTIONS, "-ftz=true", "-fatbin", "--threads=0", "-Werror=all-warnings"]
    command = [nvcc, *options, *targets, name]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    return "" if result.returncode == 0 else result.stdout + result.stderr


def _compile_with_nvrtc(nvrtc, name, target):
    """Return the errors of compiling source `name` for compute capability `target`, "" if none."""
    program = ctypes.c_void_p()
    nvrtc.nvrtcCreateProgram(
        ctypes.byref(program), source(name).encode(), name.encode(), 0, None, None
    )
    texts = [option.encode() for option in (*OPTIONS, "-ftz=true", f"-arch=sm_{target}")]
    options = (ctypes.c_char_p * len(texts))(*texts)
    status = nvrtc.nvrtcCompileProgram(program, len(texts), options)
    size = ctypes.c_size_t()
    nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    nvrtc.nvrtcGetProgramLog(program, log)
    nvrtc.nvrtcDestroyProgram(ctypes.byref(program))
    return "" if status == 0 else f"status {status}: {log.value.decode()}"


@pytest.mark.parametrize("name", SOURCES)
def test_every_source_compiles_for_every_generation(name, tmp_path):
    nvcc, nvrtc = shutil.which("nvcc"), _nvrtc()
    if nvcc is not None:
        assert _compile_with_nvcc(nvcc, name, tmp_path) == ""
    elif nvrtc is not None:
        for target in TARGETS:
            assert _compile_with_nvrtc(nvrtc, name, target) == ""
    else:
        pytest.skip(
            "no CUDA compiler: nvcc is not on the path, and NVRTC (nvidia-cuda-nvrtc-cu12 or "
            "nvidia-cuda-nvrtc-cu13) is not installed"
        )


def test_cupy_flushes_denormals_and_so_do_we_where_we_compile_ourselves():
    """Numbers below 1.2e-38 become 0: said once, where the options are."""
    text = Path(launch.__file__).read_text(encoding="utf-8")
    assert text.count("-ftz=true") == 1
    spec = importlib.util.find_spec("cupy")
    if spec is None:
        pytest.skip("CuPy is not installed")
    compiler = Path(spec.origin).parent / "cuda" / "compiler.py"
    assert "options += ('-ftz=true',)" in compiler.read_text(encoding="utf-8")


def test_a_source_with_an_error_does_not_compile(tmp_path, monkeypatch):
    nvcc, nvrtc = shutil.which("nvcc"), _nvrtc()
    if nvcc is None and nvrtc is None:
        pytest.skip("no CUDA compiler: neither nvcc nor NVRTC's wheel is there")
    monkeypatch.setitem(globals(), "source", lambda name: "__global__ void f(float* x) { y = 1; }")
    if nvcc is not None:
        assert "identifier" in _compile_with_nvcc(nvcc, "broken.cu", tmp_path)
    if nvrtc is not None:
        assert "identifier" in _compile_with_nvrtc(nvrtc, "broken.cu", 80)


def test_every_file_of_the_folder_is_a_source_or_included():
    files = {path.name for path in FOLDER.iterdir() if path.suffix in (".cu", ".cuh")}
    headers = {"common.cuh", "mma.cuh", "pack.cuh", "winograd.cuh", "tiles.cuh", "tensor.cuh"}
    assert files == {*SOURCES, *headers}


def test_includes_are_written_out():
    for name in SOURCES:
        assert "#include" not in source(name)
        assert "thread_index()" in source(name)
    assert "run_mma" in source("tf32.cu")


def test_signatures_are_read_from_the_sources():
    found = signatures()
    assert len(found) == sum(source(name).count("__global__ void") for name in SOURCES)
    row_sums = found["row_sums"]
    assert (row_sums.source, row_sums.threads) == ("layers.cu", 256)
    assert row_sums.parameters == (
        Parameter("x", "float", True),
        Parameter("sums", "float", True),
        Parameter("images", "int", False),
        Parameter("rows", "int", False),
        Parameter("length", "int", False),
        Parameter("slices", "int", False),
    )
    assert found["transform_input"].threads == 128
    assert found["crop_concat"].threads == 256  # where the source states no other
    assert found["momentum_update"].parameters[0] == Parameter("all", "Parameters", False)
    assert found["sum_partials"].parameters[3] == Parameter("divisor", "double", False)


def test_only_what_a_kernel_compares_with_null_may_be_null():
    """By kernel: another one of the same source may take the same name and read it unasked."""
    nullable = {
        kernel: names
        for kernel, signature in signatures().items()
        if (names := {p.name for p in signature.parameters if p.may_be_null})
    }
    convolutions = (f"conv_{name}_{rows}" for name in ("tf32", "bf16") for rows in (64, 128))
    assert nullable == {
        "inverse_output": {"pooled"},
        "transform_gradient": {"y"},
        "direct_filter_gradient": {"y"},
        **{f"fused_conv_{block}": {"bias", "pooled"} for block in (16, 32)},
        **{f"fused_gradient_{block}": {"mask", "masked"} for block in (16, 32)},
        "sum_outputs": {"bias"},
        "softmax_loss": {"weights"},
        "pack_tf32": {"y", "sums"},
        "pack_bf16": {"y", "sums"},
        **{kernel: {"bias"} for kernel in convolutions},
    }


def test_every_type_in_a_signature_is_one_that_python_can_pass():
    for signature in signatures().values():
        for parameter in signature.parameters:
            assert parameter.type in DTYPES or parameter.type == "Parameters"


def test_no_kernel_is_atomic_or_unchecked():
    for name in SOURCES:
        assert "atomic" not in source(name).replace("Nothing is atomic", "")
