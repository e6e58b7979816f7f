"""The memory estimate against the peak of a real training step, in a process of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

from tinyunet.nn.architecture import layer_table
from tinyunet.nn.memory import training_memory

STEP = """
import sys
import numpy as np
from tinyunet import UNet, geometry
from tinyunet.nn.sgd import SGD
from tinyunet.training.step import training_gradients

tile, depth, base = map(int, sys.argv[1:])
net = UNet(depth=depth, base_channels=base, device="cpu")
sgd = SGD(net.params, 1e-3)
out = geometry.output_size(tile, depth)
x = np.random.default_rng(0).standard_normal((1, 1, tile, tile)).astype("float32")
for _ in range(2):
    loss, grads = training_gradients(
        net, x, np.zeros((1, out, out), "uint8"), np.ones((1, out, out), "float32")
    )
    sgd.step(grads)
    del grads
# Not getrusage's ru_maxrss: a child's begins with what its parent had.
status = open("/proc/self/status").read()
print(1024 * int(status.split("VmHWM:")[1].split()[0]))
"""


@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="no /proc/self/status to read the peak from"
)
@pytest.mark.parametrize(
    ("tile", "depth", "base"),
    [
        (284, 3, 16),
        (572, 5, 16),
        pytest.param(572, 5, 64, marks=pytest.mark.slow),
    ],
)
def test_training_memory_is_near_the_measured_peak(tile, depth, base):
    command = [sys.executable, "-c", STEP, str(tile), str(depth), str(base)]
    # Twice: the first start may have to compile, and a compiler needs memory of its own.
    runs = [subprocess.run(command, capture_output=True, text=True, check=True) for _ in "12"]
    peak = int(runs[1].stdout)
    assert training_memory(tile, 1, 2, depth, base) == pytest.approx(peak, rel=0.25)


def test_layer_table_of_the_papers_network():
    layers = layer_table(572)
    named = {layer["name"]: layer for layer in layers}
    assert sum(layer["parameters"] for layer in layers) == 31_030_658
    assert named["down1.conv1"]["shape"] == [64, 570, 570]
    assert named["down1.conv1"]["flops"] == 2 * 9 * 64 * 570 * 570
    assert named["down5.conv2"]["shape"] == [1024, 28, 28]
    assert named["down5.conv2"]["bytes"] == 4 * 1024 * 28 * 28
    assert named["up4.upconv"]["flops"] == 2 * 1024 * 512 * 56 * 56
    assert named["up4.concat"]["shape"] == [1024, 56, 56]
    assert named["up1.conv1"]["parameters"] == 64 * 128 * 9 + 64
    assert named["down2.pool"]["shape"] == [64, 284, 284]
    assert layers[-1]["name"] == "out"
    assert layers[-1]["shape"] == [2, 388, 388]
