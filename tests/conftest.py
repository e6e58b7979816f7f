"""Fixtures shared by all tests: the array modules at hand, real data where it is there."""

from pathlib import Path

import numpy as np
import pytest

from tinyunet.arrays import gpu_problem

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def _array_modules():
    problem = gpu_problem()
    skip_gpu = pytest.mark.skipif(problem is not None, reason=f"no GPU: {problem}")
    return [pytest.param("cpu", id="numpy"), pytest.param("gpu", id="cupy", marks=[skip_gpu])]


@pytest.fixture(params=_array_modules())
def device(request):
    """The name of each device that the suite runs on: "cpu", and "gpu" where there is one."""
    return request.param


@pytest.fixture
def to_device(device):
    """A function that moves a NumPy array to the device under test."""
    from tinyunet.arrays import select_device

    return select_device(device).asarray


@pytest.fixture
def rng():
    return np.random.default_rng(20150518)


@pytest.fixture
def isbi():
    """The folder of the ISBI 2012 training slices, skipped where they are not at hand."""
    folder = SHARED_DATA / "isbi2012"
    if not (folder / "train-volume.tif").exists():
        pytest.skip(f"no real data: {folder.name}/train-volume.tif is not beside the project")
    return folder


@pytest.fixture
def nuclei():
    """The folder of nuclei in the Cell Tracking layout, skipped where they are not at hand."""
    folder = SHARED_DATA / "dsb2018-nuclei"
    if not (folder / "01").is_dir():
        pytest.skip(f"no real data: {folder.name}/01 is not beside the project")
    return folder


@pytest.fixture
def exchange_net():
    """A small network whose biases are not zero, so that a forgotten one is seen."""
    from tinyunet import UNet

    net = UNet(2, 3, depth=3, base_channels=4, seed=3, device="cpu")
    rng = np.random.default_rng(4)
    for name, value in net.params.items():
        if name.endswith("bias"):
            value[...] = rng.standard_normal(value.shape)
    return net
