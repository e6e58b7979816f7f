"""On a GPU, or the stand-in below a real CuPy: the same kernels and wrappers as behind the shim."""

import numpy as np
import pytest
from gpu import PROBLEM, on_gpu
from numpy.testing import assert_allclose, assert_array_equal

from tinyunet import nn
from tinyunet.arrays import select_device, to_numpy
from tinyunet.backends.cuda import operations as gpu
from tinyunet.backends.cuda.graph_step import GraphStep
from tinyunet.nn.precision import precision as use_precision
from tinyunet.nn.sgd import SGD
from tinyunet.nn.unet import UNet

pytestmark = on_gpu
CASES = {  # operation: (shapes of its inputs, shape of its output)
    "conv2d": ([(1, 70, 9, 34), (130, 70, 3, 3), (130,)], (1, 130, 7, 32)),
    "conv2d_relu": ([(2, 5, 15, 10), (7, 5, 3, 3), (7,)], (2, 7, 13, 8)),
    "up_conv2d": ([(2, 6, 5, 7), (6, 3, 2, 2), (3,)], (2, 3, 10, 14)),
    "max_pool2d": ([(2, 3, 6, 10)], (2, 3, 3, 5)),
    "center_crop_concat": ([(2, 3, 7, 9), (2, 2, 4, 6)], (2, 5, 4, 6)),
}
TOLERANCES = {"float32": 1e-5, "tf32": 3e-3, "bf16": 3e-2}
RELU_TOLERANCES = {"float32": 1e-5, "tf32": 1e-1, "bf16": 3e-1}  # rounding flips some of its masks


def _precisions():
    """The precisions that the first GPU has."""
    capable = (
        PROBLEM is None and int(select_device("gpu").xp.cuda.Device(0).compute_capability) > 79
    )
    return ["float32", "tf32", "bf16"] if capable or PROBLEM is not None else ["float32"]


@pytest.mark.parametrize("precision", _precisions())
@pytest.mark.parametrize("name", CASES)
def test_operation_equals_the_plain_text_in_float64(rng, name, precision):
    shapes, out = CASES[name]
    inputs = [rng.standard_normal(shape, dtype=np.float32) for shape in shapes]
    dy = rng.standard_normal(out, dtype=np.float32)
    to_gpu = select_device("gpu").asarray
    with use_precision(precision):
        y, cache = getattr(gpu, name)(*(to_gpu(a) for a in inputs))
        got = [y, *_as_tuple(getattr(gpu, f"{name}_backward")(to_gpu(dy), cache))]
    expected, cache = getattr(nn, name)(*(a.astype(float) for a in inputs))
    backward = getattr(nn, f"{name}_backward")
    expected = [expected, *_as_tuple(backward(dy.astype(float), cache))]
    for g, e in zip(got, expected, strict=True):
        tolerances = RELU_TOLERANCES if name == "conv2d_relu" else TOLERANCES
        assert np.linalg.norm(to_numpy(g) - e) < tolerances[precision] * np.linalg.norm(e)


def _as_tuple(x):
    return x if isinstance(x, tuple) else (x,)


def test_loss_equals_the_plain_text(rng):
    logits = 3 * rng.standard_normal((2, 3, 70, 45), dtype=np.float32)
    labels, weights = rng.integers(0, 3, (2, 70, 45)), rng.random((2, 70, 45), dtype=np.float32)
    loss, cache = gpu.softmax_cross_entropy(
        *(select_device("gpu").asarray(a) for a in (logits, labels, weights))
    )
    expected, plain = nn.softmax_cross_entropy(logits.astype(float), labels, weights.astype(float))
    assert_allclose(float(loss), expected, rtol=1e-5)
    gradient = nn.softmax_cross_entropy_backward(plain)
    assert_allclose(to_numpy(cache[0]), gradient, atol=1e-5 * np.abs(gradient).max())


def _steps(recorded, batches):
    """Return the losses and parameters after training on `batches`, recorded or one by one."""
    net = UNet(depth=3, base_channels=8, seed=2, device="gpu")
    sgd = SGD(net.params, lr=1e-2, momentum=0.9)
    graph = GraphStep(net, sgd, batches[0][0].shape)
    graph._can_record = recorded
    losses = [graph.step(*batch) for batch in batches]
    assert graph.replays == (len(batches) - 1 if recorded else 0)
    return [float(loss) for loss in losses], {k: to_numpy(p) for k, p in net.params.items()}


def test_recorded_steps_repeat_and_equal_steps_one_by_one(rng):
    batches = [
        (
            rng.standard_normal((2, 1, 52, 60), dtype=np.float32),
            rng.integers(0, 2, (2, 12, 20)),
            rng.random((2, 12, 20), dtype=np.float32),
        )
        for _ in range(5)
    ]
    losses, params = _steps(True, batches)
    assert len(set(losses)) == len(losses)
    for recorded in (True, False):
        again, others = _steps(recorded, batches)
        assert again == losses
        for name, param in params.items():
            assert_array_equal(others[name], param)
