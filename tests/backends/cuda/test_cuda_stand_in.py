"""The tests that need a GPU, over a real CuPy and a stand-in for CUDA below it, in three orders.

Skipped where CuPy is not installed, or where these tests are themselves run on a GPU. The libraries
and the compiled kernels are kept from run to run in the folder that TINYUNET_STAND_IN names.
"""

import os
import re
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import pytest
from cuda_shim import stand_in
from gpu import PROBLEM

ROOT = Path(__file__).resolve().parents[3]
HERE = "tests/backends/cuda"
WHY = stand_in.problem() or (None if PROBLEM else "there is a GPU")
pytestmark = pytest.mark.skipif(WHY is not None, reason=f"no stand-in for a GPU: {WHY}")


@pytest.fixture(scope="module")
def python():
    """A function that runs Python below the stand-in: (its exit code, what it said)."""
    kept = os.environ.get("TINYUNET_STAND_IN")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(kept or folder)
        place.mkdir(parents=True, exist_ok=True)

        def python(*arguments, **settings):
            environment = stand_in.environment(place, **settings)
            command = [sys.executable, *arguments]
            done = subprocess.run(
                command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
            )
            return done.returncode, done.stdout + done.stderr

        yield python


@pytest.fixture(scope="module")
def run(python):
    """A function that runs pytest there."""
    return partial(python, "-m", "pytest", "-q", "-p", "no:cacheprovider")


def _check(code, said, at_least):
    assert code == 0, said[-4000:]
    assert int(re.search(r"(\d+) passed", said)[1]) >= at_least, said[-2000:]


def test_the_device_tests_pass(run):
    _check(*run(HERE, "-m", "gpu"), 60)


@pytest.mark.slow
@pytest.mark.parametrize("order", ["late", "random"])
def test_the_device_tests_pass_in_other_orders(run, order):
    _check(*run(HERE, "-m", "gpu", STAND_IN_ORDER=order), 60)


def test_two_devices_and_threads(run):
    _check(*run(f"{HERE}/test_cuda_devices.py", STAND_IN_DEVICES="2", STAND_IN_ORDER="late"), 7)


def test_a_run_goes_on_where_graphs_are_refused(run):
    test = f"{HERE}/test_cuda_train.py::test_a_run_on_the_gpu_is_the_run_on_the_cpu"
    code, said = run(test, STAND_IN_NO_GRAPHS="yes")
    _check(code, said, 1)
    assert "cannot be recorded as a CUDA graph and runs launch by launch: cudaErrorNotSup" in said


DYING = '''
import numpy as np

from tinyunet.arrays import select_device
from tinyunet.backends.cuda.graph_step import GraphStep
from tinyunet.nn.sgd import SGD
from tinyunet.nn.unet import UNet

xp = select_device("gpu").xp
cuda = xp.cuda
wild = xp.RawKernel('extern "C" __global__ void wild(float* x) { x[-1] = 1; }', "wild")
array = xp.ndarray(1, np.float32, cuda.MemoryPointer(cuda.Memory(512), 0))


class Dying(cuda.Stream):
    """The first step's last kernel writes wildly, and gets there as the second is recorded."""

    def begin_capture(self, mode=None):
        with self:
            wild((1,), (1,), (array,))
        try:
            self.synchronize()
        except cuda.runtime.CUDARuntimeError:
            super().begin_capture()


net = UNet(depth=2, base_channels=2, device="gpu")
step = GraphStep(net, SGD(net.params, 0.01), (1, 1, 28, 28))
step._stream = Dying(non_blocking=True)
for _ in range(2):
    step.step(np.zeros((1, 1, 28, 28), np.float32), np.zeros((1, 12, 12), int))
'''


@pytest.mark.parametrize("order", ["eager", "late"])
def test_a_gpu_that_stopped_is_not_called_a_fault_of_recording(python, order):
    code, said = python("-W", "error", "-c", DYING, STAND_IN_ORDER=order)
    assert code == 1
    assert "wild wrote beyond an array" in said
    assert "KernelError: the GPU stopped in a kernel of an earlier step (cudaErrorIllegalA" in said
    assert "CUDA_LAUNCH_BLOCKING=1, or without kernels: TINYUNET_BACKEND=plain" in said
    assert "cannot be recorded" not in said


@pytest.mark.slow
def test_the_other_tests_that_know_devices_pass(run):
    _check(*run("tests/nn", "tests/training", "tests/inference", "-k", "cupy"), 100)
