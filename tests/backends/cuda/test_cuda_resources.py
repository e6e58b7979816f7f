"""NVIDIA's compiler on every source, for every generation, by both ways: nothing spills.

By nvcc where it is on the path; and through CuPy's own path (RawModule, its options and include
folders, NVRTC from the wheel) where CuPy and NVRTC are installed, with a stand-in for the driver.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cuda_shim import stand_in
from gpu import PROBLEM

from tinyunet.backends.cuda.sources import SOURCES, signatures

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "benchmarks"))

import gpu_count  # noqa: E402
import gpu_resources  # noqa: E402

TARGETS = (75, 80, 86, 89, 90, 100, 120)  # Turing, Ampere (twice), Ada, Hopper, Blackwell (twice)
FEW = (90,)  # the others take half a minute each: test_cuda_sources.py compiles for all
SHARED = 48 * 1024  # bytes that a block has without asking


def _marked(targets):
    return [t if t in FEW else pytest.param(t, marks=pytest.mark.slow) for t in targets]


def _check(found, target):
    assert set(found) == set(signatures())
    for kernel, of in found.items():
        threads = signatures()[kernel].threads
        assert (of.stack, of.spills) == (0, 0), f"{kernel} on sm_{target}: {of}"
        assert of.registers * threads <= 65536, kernel
        assert of.shared <= SHARED, kernel
        # On tensor cores two blocks a multiprocessor: what `__launch_bounds__(256, 2)` asks for
        if target >= 80 and kernel.startswith(("conv_", "filters_")):
            assert of.registers <= 128, kernel


@pytest.mark.skipif(shutil.which("nvcc") is None, reason="nvcc is not on the path")
@pytest.mark.parametrize("target", _marked(TARGETS))
def test_nothing_spills_by_nvcc(target):
    _check(gpu_resources.compile_with_nvcc(target), target)


def _no_nvrtc():
    """Return why CuPy cannot compile here, or None."""
    if stand_in.problem():
        return stand_in.problem()
    if PROBLEM is None:
        return "there is a GPU, and its own tests"
    if stand_in.nvrtc_library() is None:
        return "NVRTC's wheel (nvidia-cuda-nvrtc) is not installed"
    return None


@pytest.mark.skipif(_no_nvrtc() is not None, reason=f"{_no_nvrtc()}")
@pytest.mark.parametrize("target", _marked(TARGETS))
def test_nothing_spills_through_cupy(target, tmp_path):
    settings = {"STAND_IN_NVRTC": "real", "STAND_IN_ARCH": str(target)}
    environment = stand_in.environment(tmp_path, **settings)
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "benchmarks")])
    library = stand_in.nvrtc_library()
    if library is not None:  # CuPy 13 looks where the system does
        environment["LD_LIBRARY_PATH"] = str(library.parent)
    command = [sys.executable, str(ROOT / "benchmarks" / "gpu_compile.py"), *SOURCES]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    _check(_reported(done.stdout), target)


def _reported(text):
    """Return {kernel: Resources} from what gpu_compile.py prints."""
    pattern = r"^  (\w+) +(\d+) registers, stack (\d+), spills (\d+), shared (\d+)$"
    lines = re.findall(pattern, text, re.MULTILINE)
    return {kernel: gpu_resources.Resources(*map(int, numbers)) for kernel, *numbers in lines}


NO_DISASSEMBLER = shutil.which("nvcc") is None or gpu_resources.find_nvdisasm() is None


@pytest.mark.slow
@pytest.mark.skipif(NO_DISASSEMBLER, reason="nvcc and nvdisasm are not both installed")
def test_a_product_on_tensor_cores_costs_no_more_instructions():
    """The table of the estimates is the machine code's; another release may differ by a few."""
    found = gpu_resources.loops_of(90)
    assert set(found) == set(gpu_count.LOOPS)
    for kernel, (instructions, matrix) in gpu_count.LOOPS.items():
        assert found[kernel][1] == matrix, kernel
        assert found[kernel][0] <= 1.05 * instructions, kernel


@pytest.mark.slow
@pytest.mark.skipif(NO_DISASSEMBLER, reason="nvcc and nvdisasm are not both installed")
def test_the_loop_of_the_fused_kernels_is_made_of_products():
    """Of which gpu_count.py's numbers for a chunk count four rounds, or two."""
    found = gpu_resources.loops_of(90, ["fused.cu"], "FFMA")
    assert set(found) == set(gpu_count.FUSED)
    for kernel, (instructions, products) in found.items():
        assert products == 96, kernel
        assert instructions <= 1.05 * 113, kernel


LISTING = """
.text.conv_one:
.L_x_0:
        /*0000*/                   IADD3 R1, R1, 1, RZ ;
.L_x_1:
        /*0010*/                   HMMA.1688.F32.TF32 R4, R8, R12, R4 ;
        /*0020*/               @P0 BRA `(.L_x_2) ;
        /*0030*/                   HMMA.1688.F32.TF32 R4, R8, R12, R4 ;
.L_x_2:
        /*0040*/              @!P0 BRA `(.L_x_1) ;
        /*0050*/               @P1 BRA `(.L_x_0) ;
.L_x_3:
        /*0060*/                   BRA `(.L_x_3);
.text.copy:
.L_x_4:
        /*0000*/              @!P0 BRA `(.L_x_4) ;
"""


def test_a_listing_is_read():
    assert gpu_resources.loops_in(LISTING) == {"conv_one": (4, 2)}


def test_a_report_is_read():
    log = (
        "ptxas info    : Compiling entry function 'one' for 'sm_90'\n"
        "ptxas info    : Function properties for one\n"
        "    8 bytes stack frame, 4 bytes spill stores, 12 bytes spill loads\n"
        "ptxas info    : Used 24 registers, used 1 barriers, 1024 bytes smem\n"
        "ptxas info    : Compiling entry function 'two' for 'sm_90'\n"
        "    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads\n"
        "ptxas info    : Used 255 registers\n"
    )
    assert gpu_resources.resources_in(log) == {"one": (24, 8, 16, 1024), "two": (255, 0, 0, 0)}
