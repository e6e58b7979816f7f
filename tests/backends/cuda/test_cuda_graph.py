"""The recorded step computes what the steps one by one compute, and says when it cannot.

On a GPU, or on the stand-in below a real CuPy, where work is done in any order that CUDA allows.
"""

import threading
import warnings

import numpy as np
import pytest
from gpu import on_gpu
from numpy.testing import assert_array_equal

from tinyunet import nn
from tinyunet.arrays import select_device, to_numpy
from tinyunet.backends.cuda import memory
from tinyunet.backends.cuda.cublas import WORKSPACE
from tinyunet.backends.cuda.graph_step import GraphStep
from tinyunet.nn.operation import plain
from tinyunet.nn.precision import precision as use_precision
from tinyunet.nn.sgd import SGD
from tinyunet.nn.unet import UNet

pytestmark = on_gpu
SHAPE = (2, 2, 28, 36)  # legal at depth 2, not square, two images of two channels


def _net(dtype="float32", device="gpu", **options):
    shape = {"depth": 2, "base_channels": 5, "in_channels": 2, "n_classes": 3, "seed": 5}
    return UNet(dtype=dtype, device=device, **shape | options)


def _batch(rng, shape=SHAPE):
    labels = rng.integers(0, 3, (shape[0], shape[2] - 16, shape[3] - 16))
    weights = rng.random(labels.shape, dtype=np.float32)
    return rng.standard_normal(shape, dtype=np.float32), labels, weights


def _train_plainly(net, batches, rates, momenta=(0.9,) * 9):
    """Return the losses of steps that are done one by one."""
    sgd, losses, to = SGD(net.params, 0.05, 0.9), [], net.device.asarray
    for (x, labels, weights), sgd.lr, sgd.momentum in zip(batches, rates, momenta, strict=False):
        logits, cache = net.forward(x, train=True)
        loss, loss_cache = nn.softmax_cross_entropy(logits, to(labels), to(weights))
        losses.append(float(loss))
        sgd.step(net.backward(nn.softmax_cross_entropy_backward(loss_cache), cache))
    return losses


def _graph_step(**options):
    net = _net(**options)
    return GraphStep(net, SGD(net.params, 0.05, 0.9), SHAPE)


def _assert_same(params, expected):
    for name, param in expected.items():
        assert_array_equal(to_numpy(params[name]), to_numpy(param), err_msg=name)


@pytest.mark.parametrize("precision", ["float32", "tf32", "bf16"])
@pytest.mark.parametrize("dropout", [0.5, 0])
def test_recorded_steps_equal_steps_done_one_by_one(rng, dropout, precision):
    if precision != "float32" and dropout == 0:
        pytest.skip("the same again")
    one_by_one = _net(dropout=dropout)
    batches = [_batch(rng) for _ in range(4)]
    rates, momenta = [0.05, 0.05, 0.02, 0.02], [0.5, 0.7, 0.7, 0.9]
    with use_precision(precision):
        expected = _train_plainly(one_by_one, batches, rates, momenta)
        step = _graph_step(dropout=dropout)
        losses = []
        sgd = step.optimiser
        for batch, sgd.lr, sgd.momentum in zip(batches, rates, momenta, strict=True):
            losses.append(step.step(*batch))
    assert step.replays == 3  # all but the first
    assert [float(loss) for loss in losses] == expected  # each loss is kept, though read only now
    assert len(set(expected)) == 4
    _assert_same(step.net.params, one_by_one.params)
    assert step.net.rng.random() == one_by_one.rng.random()  # the generator stands as far on


def test_a_loss_is_read_from_any_thread(rng):
    step, batches, read = _graph_step(), [_batch(rng) for _ in range(3)], []
    losses = [step.step(*batch) for batch in batches]
    thread = threading.Thread(target=lambda: read.extend(float(loss) for loss in losses))
    thread.start()
    thread.join()
    assert read == [float(loss) for loss in losses]
    assert len(set(read)) == 3


def test_a_step_that_cannot_be_recorded_warns_once_and_goes_on(rng, monkeypatch):
    batches = [_batch(rng) for _ in range(3)]
    one_by_one = _net()
    expected = _train_plainly(one_by_one, batches, [0.05] * 3)
    step = _graph_step()

    def refused(self, mode=None):
        raise RuntimeError("operation not permitted")

    stream = type("Refusing", (type(step._stream),), {"begin_capture": refused})
    step._stream = stream(non_blocking=True)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        losses = [float(step.step(*batch)) for batch in batches]
    assert [str(w.message) for w in caught] == [
        "the step cannot be recorded as a CUDA graph and runs launch by launch: "
        "operation not permitted"
    ]
    assert losses == expected
    assert step.replays == 0


def test_plain_operations_are_not_recorded_and_agree(rng):
    batches = [_batch(rng) for _ in range(2)]
    with plain(), warnings.catch_warnings():
        warnings.simplefilter("error")
        step = _graph_step()
        losses = [float(step.step(*batch)) for batch in batches]
    assert step.replays == 0
    with_kernels = _train_plainly(_net(), batches, [0.05] * 2)
    np.testing.assert_allclose(losses, with_kernels, rtol=1e-4)


def test_a_recorded_step_takes_weights_and_numbers_or_does_without(rng):
    step = _graph_step()
    x, labels, _ = _batch(rng)
    drawn = np.random.default_rng(3).random((2, 10, 8, 12), dtype=np.float32)
    loss = float(step.step(x, labels, drawn=drawn))
    one_by_one = _net()
    one_by_one.rng = np.random.default_rng(3)
    ones = np.ones(labels.shape, np.float32)
    assert [loss] == _train_plainly(one_by_one, [(x, labels, ones)], [0.05])


def test_numbers_are_drawn_ahead_and_a_generator_that_moved_is_followed(rng):
    step, expected = _graph_step(), np.random.default_rng(9)
    drawn = []
    send = type(step._stages[0]).send
    for stage in step._stages:
        stage.send = lambda given, *rest, stage=stage: (
            drawn.append(given["drawn"].copy()),
            send(stage, given, *rest),
        )
    step.net.rng = np.random.default_rng(9)
    for number in range(4):
        if number == 2:  # somebody else draws in between
            assert step.net.rng.random() == expected.random()
        step.step(*_batch(rng))
        assert_array_equal(drawn[-1], expected.random((2, 10, 8, 12), dtype="float32"))
    assert step.net.rng.bit_generator.state == expected.bit_generator.state


def test_a_recorded_step_refuses_other_shapes_and_networks(rng):
    step = _graph_step()
    x, labels, weights = _batch(rng)
    with pytest.raises(ValueError, match=r"^x has shape \(2, 2, 28, 35\), not \(2, 2, 28, 36\)"):
        step.step(x[..., 1:], labels, weights)
    with pytest.raises(ValueError, match=r"^labels has shape"):
        step.step(x, labels[:1], weights)
    with pytest.raises(ValueError, match=r"^drawn has shape \(3,\), not \(2, 10, 8, 12\)"):
        step.step(x, labels, weights, np.zeros(3, np.float32))
    with pytest.raises(ValueError, match="images of 1 channels: the network takes 2"):
        GraphStep(step.net, step.optimiser, (1, 1, 28, 36))
    with pytest.raises(ValueError, match="got float32 on cpu"):
        GraphStep(_net(device="cpu"), step.optimiser, SHAPE)
    with pytest.raises(ValueError, match="got float64 on gpu:0"):
        GraphStep(_net("float64"), step.optimiser, SHAPE)


def test_memory_is_given_back_with_the_step(rng):
    xp = select_device("gpu").xp
    xp.get_default_memory_pool().free_all_blocks()
    step = _graph_step()
    for _ in range(3):
        float(step.step(*_batch(rng)))
    assert step.memory > WORKSPACE
    free = xp.cuda.runtime.memGetInfo()[0]
    taken = step.memory
    del step
    xp.get_default_memory_pool().free_all_blocks()
    assert xp.cuda.runtime.memGetInfo()[0] >= free + taken


@pytest.mark.parametrize("precision", ["float32", "tf32", "bf16"])
def test_the_memory_of_a_step_is_foretold(precision):
    net = UNet(depth=3, base_channels=32, device="gpu")
    size = 124
    x = np.zeros((1, 1, size, size), np.float32)
    out = size - 40
    labels = np.zeros((1, out, out), int)
    with use_precision(precision):
        step = GraphStep(net, SGD(net.params, 1e-3), x.shape)
        for _ in range(2):
            step.step(x, labels)
    learned = 2 * sum(p.nbytes for p in net.params.values())
    measured = step.memory + learned
    foretold = memory.step_bytes(size, 3, 32, precision=precision)
    assert 0.9 * measured < foretold < 1.15 * measured
