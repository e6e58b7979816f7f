"""Two GPUs and several threads: a network works where it lives, whoever calls it from where."""

import threading

import numpy as np
import pytest
from gpu import PROBLEM, on_gpu
from numpy.testing import assert_array_equal

from tinyunet.arrays import select_device, to_numpy
from tinyunet.backends.cuda.graph_step import GraphStep
from tinyunet.nn.operation import plain
from tinyunet.nn.sgd import SGD
from tinyunet.nn.unet import UNet
from tinyunet.training.loop import training_gradients

COUNT = 0 if PROBLEM else select_device("gpu").xp.cuda.runtime.getDeviceCount()
pytestmark = [*on_gpu, pytest.mark.skipif(COUNT < 2, reason="needs two GPUs")]
SIZE = 28


def _net(device):
    return UNet(depth=2, base_channels=5, dropout=0, seed=3, device=device)


@pytest.fixture
def batch(rng):
    x = rng.standard_normal((1, 1, SIZE, SIZE), dtype=np.float32)
    return x, rng.integers(0, 2, (1, 12, 12)), rng.random((1, 12, 12), dtype=np.float32)


def _one_step(net, batch):
    """Train once; return the loss and the parameters as NumPy arrays."""
    sgd = SGD(net.params, 0.05, 0.9)
    loss, grads = training_gradients(net, *batch)
    sgd.step(grads)
    return float(loss), {name: to_numpy(p) for name, p in net.params.items()}


def _assert_same(one, other):
    assert one[0] == other[0]
    for name, param in one[1].items():
        assert_array_equal(other[1][name], param)


def _in_a_thread(work):
    """Return what `work()` returns in a new thread, whose current device is the first one."""
    returned, failed = [], []

    def run():
        try:
            returned.append(work())
        except Exception as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return returned[0]


def test_choosing_a_device_changes_nothing_for_others():
    runtime = select_device("gpu").xp.cuda.runtime
    before = runtime.getDevice()
    select_device("gpu:1")
    _net("gpu:1")
    assert runtime.getDevice() == before


def test_two_networks_take_turns(batch):
    expected = _one_step(_net("gpu:0"), batch)
    second, first = _net("gpu:1"), _net("gpu:0")  # the other one is made last
    assert second.device.name == "gpu:1"
    _assert_same(_one_step(second, batch), expected)
    _assert_same(_one_step(first, batch), expected)
    assert all(p.device.id == 1 for p in second.params.values())


@pytest.mark.parametrize("mode", ["kernels", "plain"])
def test_a_network_is_used_from_another_thread(batch, mode):
    def work():
        if mode == "kernels":
            return _one_step(_net("gpu:1"), batch)
        with plain():
            return _one_step(_net("gpu:1"), batch)

    expected = work()
    _assert_same(_in_a_thread(work), expected)


def test_a_rate_is_kept_for_each_device(batch):
    for device in ("gpu:0", "gpu:1", "gpu:0"):
        net = _net(device)
        sgd = SGD(net.params, 0.05, 0.9)
        _, grads = training_gradients(net, *batch)
        before = to_numpy(net.params["out.weight"])
        sgd.step(grads)
        expected = before - np.float32(0.05) * to_numpy(grads["out.weight"])
        np.testing.assert_allclose(to_numpy(net.params["out.weight"]), expected, rtol=1e-6)


def test_recorded_steps_on_both_from_threads(batch):
    def work(device):
        net = _net(device)
        step = GraphStep(net, SGD(net.params, 0.05, 0.9), batch[0].shape)
        losses = [step.step(*batch) for _ in range(3)]
        assert step.replays == 2
        return [float(loss) for loss in losses], {k: to_numpy(p) for k, p in net.params.items()}

    expected = work("gpu:0")
    _assert_same(work("gpu:1"), expected)
    _assert_same(_in_a_thread(lambda: work("gpu:1")), expected)


def test_prediction_from_another_thread(batch):
    expected = _net("gpu:0").predict_proba(batch[0])
    net = _net("gpu:1")
    assert_array_equal(_in_a_thread(lambda: net.predict_proba(batch[0])), expected)
