"""The tests that need a GPU, over a real CuPy and a stand-in for CUDA below it, in three orders.

Skipped where CuPy is not installed, or where these tests are themselves run on a GPU. The libraries
and the compiled kernels are kept from run to run in the folder that TINYUNET_STAND_IN names.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from cuda_shim import stand_in
from gpu import PROBLEM

ROOT = Path(__file__).resolve().parents[3]
HERE = "tests/backends/cuda"
WHY = stand_in.problem() or (None if PROBLEM else "there is a GPU")
pytestmark = pytest.mark.skipif(WHY is not None, reason=f"no stand-in for a GPU: {WHY}")


@pytest.fixture(scope="module")
def run():
    """A function that runs pytest below the stand-in: (its exit code, what it said)."""
    kept = os.environ.get("TINYUNET_STAND_IN")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(kept or folder)
        place.mkdir(parents=True, exist_ok=True)

        def run(*arguments, **settings):
            environment = stand_in.environment(place, **settings)
            command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
            done = subprocess.run(
                command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
            )
            return done.returncode, done.stdout + done.stderr

        yield run


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


@pytest.mark.slow
def test_the_other_tests_that_know_devices_pass(run):
    _check(*run("tests/nn", "tests/training", "tests/inference", "-k", "cupy"), 100)
