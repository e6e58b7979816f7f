"""The whole network through the GPU path, on the CPU: every line of its Python, every kernel.

The kernels are the package's own sources behind the shim, cuBLAS is NumPy, and CUDA's streams and
graphs are a fake that checks how they are used. What is left to a real GPU is the hardware.
"""

import warnings

import numpy as np
import pytest
from cuda_shim import shim_gpu
from cuda_shim.fake_cupy import FakeArray, FakeCupy, Graph
from numpy.testing import assert_allclose, assert_array_equal

from tinyunet import arrays, ops
from tinyunet.kernels import gpu
from tinyunet.kernels.gpu_graph import GraphStep
from tinyunet.model import UNet
from tinyunet.ops import dispatch
from tinyunet.optim import SGD

SHAPE = (2, 2, 44, 52)  # legal at depth 3, not square, two images of two channels


@pytest.fixture
def shim(monkeypatch):
    """The operations hand over to the GPU path, whose kernels run on the CPU."""
    monkeypatch.setattr(dispatch, "cpu", gpu)
    with gpu.running_on(shim_gpu()) as device:
        yield device


def _net(dtype="float32", device="cpu", **options):
    options = {"depth": 3, "base": 3, "in_channels": 2, "n_classes": 3, "seed": 5} | options
    return UNet(dtype=dtype, device=device, **options)


def _batch(rng, net, shape=SHAPE):
    x = rng.standard_normal(shape, dtype=np.float32)
    logits, _ = net.forward(x)
    labels = rng.integers(0, net.n_classes, (shape[0], *logits.shape[2:]))
    return x, labels, rng.random(labels.shape, dtype=np.float32)


def _loss_and_gradients(net, x, labels, weights):
    logits, cache = net.forward(x.astype(net.dtype), train=True)
    labels, weights = net.device.asarray(labels), net.device.asarray(weights.astype(net.dtype))
    loss, loss_cache = ops.softmax_cross_entropy(logits, labels, weights)
    grads, dx = net.backward(
        ops.softmax_cross_entropy_backward(loss_cache), cache, input_gradient=True
    )
    return logits, loss, grads | {"input": dx}


def _check_against_float64(rng, tolerance, shape=SHAPE, **options):
    fast, exact = _net(**options), _net("float64", **options)
    batch = _batch(rng, exact, shape)
    logits, loss, grads = _loss_and_gradients(fast, *batch)
    expected_logits, expected_loss, expected_grads = _loss_and_gradients(exact, *batch)
    assert logits.dtype == np.float32
    scale = np.abs(expected_logits).max()
    assert_allclose(logits, expected_logits, rtol=0, atol=tolerance * scale)
    assert_allclose(loss, expected_loss, rtol=tolerance)
    for name, expected in expected_grads.items():
        scale = np.linalg.norm(expected)
        assert np.linalg.norm(grads[name] - expected) < tolerance * scale, name


def test_the_network_equals_the_plain_one(shim, rng):
    _check_against_float64(rng, 2e-5)
    # Every kernel of the float32 path took part, so none was passed over for the plain text.
    assert set(shim.launched) == {
        *("transform_input", "transform_filter", "filter_gradient", "inverse_output"),
        *("transform_gradient", "input_gradient", "max_pool_backward"),
        *("crop_concat", "crop_gradient", "patches_to_image", "image_to_patches", "add_bias"),
        *("row_sums", "softmax_loss", "sum_partials"),
    }


@pytest.mark.parametrize(("precision", "tolerance"), [("tf32", 3e-2), ("bf16", 2e-1)])
def test_the_network_on_tensor_cores_is_near_the_plain_one(shim, rng, precision, tolerance):
    with gpu.precision(precision):
        _check_against_float64(rng, tolerance, (1, 2, 18, 20), depth=2, base=2)
    assert {f"conv_{precision}_64", f"filters_{precision}"} < set(shim.launched)
    assert "transform_input" not in shim.launched


def test_two_runs_agree_bit_for_bit(shim, rng):
    batch = _batch(rng, _net("float64"))
    _, loss, grads = _loss_and_gradients(_net(), *batch)
    _, again, grads_again = _loss_and_gradients(_net(), *batch)
    assert loss == again
    for name, gradient in grads.items():
        assert_array_equal(gradient, grads_again[name])


@pytest.fixture
def xp(monkeypatch):
    """A fake of CuPy in CuPy's place: `device="gpu"` is then the whole GPU path, on the CPU."""
    fake = FakeCupy()
    monkeypatch.setattr(arrays, "cupy", fake)
    return fake


def _graph_step(**options):
    net = _net(device="gpu", **options)
    return GraphStep(net, SGD(net.params, rate=0.05, momentum=0.9), SHAPE)


def _train_plainly(net, batches, rates):
    sgd = SGD(net.params, rate=0.05, momentum=0.9)
    losses = []
    for batch, rate in zip(batches, rates, strict=True):
        sgd.rate = rate
        _, loss, grads = _loss_and_gradients(net, *batch)
        losses.append(float(loss))
        gpu.momentum_update(net.params, sgd.velocity, grads, rate, 0.9)
    return losses


@pytest.mark.parametrize("dropout", [0.5, 0])
def test_recorded_steps_equal_steps_done_one_by_one(xp, rng, dropout):
    plain = _net(device="gpu", dropout=dropout)
    batches = [_batch(rng, plain) for _ in range(4)]
    rates = [0.05, 0.05, 0.02, 0.02]
    expected = _train_plainly(plain, batches, rates)
    step = _graph_step(dropout=dropout)
    losses = []
    for batch, rate in zip(batches, rates, strict=True):
        step.optimiser.rate = rate
        losses.append(step.step(*batch))
    assert step.replays == 3  # all but the first
    assert [float(loss) for loss in losses] == expected  # each loss is kept, though read only now
    assert len(set(expected)) == 4
    for name, param in plain.params.items():
        assert isinstance(step.net.params[name], FakeArray)
        assert_array_equal(step.net.params[name], param)
    assert len(xp.allocators) == 2  # the first step, and the recording
    assert step.net.rng.random() == plain.rng.random()  # the generator is given back, as far on


def test_a_step_that_cannot_be_recorded_warns_once_and_goes_on(xp, rng):
    plain = _net(device="gpu")
    batches = [_batch(rng, plain) for _ in range(3)]
    expected = _train_plainly(plain, batches, [0.05] * 3)
    step = _graph_step()
    Graph.refused = "operation not permitted"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        losses = [float(step.step(*batch)) for batch in batches]
    assert [str(w.message) for w in caught] == [
        "the step cannot be recorded as a CUDA graph and runs launch by launch: "
        "operation not permitted"
    ]
    assert losses == expected
    assert step.replays == 0


def test_a_recorded_step_takes_weights_and_numbers_or_does_without(xp, rng):
    step = _graph_step()
    x, labels, _ = _batch(rng, step.net)
    drawn = np.random.default_rng(3).random((2, 12, 4, 6), dtype=np.float32)
    loss = float(step.step(x, labels, drawn=drawn))
    plain = _net(device="gpu")
    plain.rng = np.random.default_rng(3)
    ones = np.ones(labels.shape, np.float32)
    assert loss == float(_loss_and_gradients(plain, x, labels, ones)[1])


def test_a_recorded_step_refuses_other_shapes_and_networks(xp, rng):
    step = _graph_step()
    x, labels, weights = _batch(rng, step.net)
    with pytest.raises(ValueError, match=r"^x has shape \(2, 2, 44, 51\), not \(2, 2, 44, 52\)"):
        step.step(x[..., 1:], labels, weights)
    with pytest.raises(ValueError, match=r"^labels has shape"):
        step.step(x, labels[:1], weights)
    with pytest.raises(ValueError, match=r"^drawn has shape \(3,\), not \(2, 12, 4, 6\)"):
        step.step(x, labels, weights, np.zeros(3, np.float32))
    with pytest.raises(ValueError, match="images of 1 channels: the network takes 2"):
        GraphStep(step.net, step.optimiser, (1, 1, 44, 52))
    with pytest.raises(ValueError, match="got float32 on cpu"):
        GraphStep(_net(), step.optimiser, SHAPE)
    with pytest.raises(ValueError, match="got float64 on gpu:0"):
        GraphStep(_net("float64", "gpu"), step.optimiser, SHAPE)
