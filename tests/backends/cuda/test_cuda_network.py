"""The whole network through the GPU path, on the CPU: every line of its Python, every kernel.

The kernels are the package's own sources behind the shim, and cuBLAS is NumPy. Streams, graphs and
CuPy are in test_cuda_graph.py and others marked `gpu`.
"""

import numpy as np
import pytest
from cuda_shim import shim_gpu
from numpy.testing import assert_allclose, assert_array_equal

from tinyunet import nn
from tinyunet.backends.cuda import operations as gpu
from tinyunet.nn.precision import precision as use_precision
from tinyunet.nn.unet import UNet

SHAPE = (2, 2, 44, 52)  # legal at depth 3, not square, two images of two channels


@pytest.fixture
def shim():
    """The operations hand over to the GPU path, whose kernels run on the CPU."""
    with gpu.running_on(shim_gpu()) as device:
        yield device


def _net(dtype="float32", device="cpu", **options):
    options = {
        "depth": 3,
        "base_channels": 3,
        "in_channels": 2,
        "n_classes": 3,
        "seed": 5,
    } | options
    return UNet(dtype=dtype, device=device, **options)


def _batch(rng, net, shape=SHAPE):
    x = rng.standard_normal(shape, dtype=np.float32)
    logits, _ = net.forward(x)
    labels = rng.integers(0, net.n_classes, (shape[0], *logits.shape[2:]))
    return x, labels, rng.random(labels.shape, dtype=np.float32)


def _loss_and_gradients(net, x, labels, weights):
    logits, cache = net.forward(x.astype(net.dtype), train=True)
    labels, weights = net.device.asarray(labels), net.device.asarray(weights.astype(net.dtype))
    loss, loss_cache = nn.softmax_cross_entropy(logits, labels, weights)
    grads, dx = net.backward(
        nn.softmax_cross_entropy_backward(loss_cache), cache, input_gradient=True
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
    _check_against_float64(rng, 2e-5, base_channels=5)
    net = _net()
    _, cache = net.forward(rng.standard_normal(SHAPE, np.float32))
    net.backward(
        rng.standard_normal((2, 3, 4, 12), np.float32), cache
    )  # without the image's gradient
    # Every kernel of the float32 path took part, so none was passed over for the plain text.
    assert set(shim.launched) == {
        *("transform_input", "transform_filter", "filter_gradient", "inverse_output"),
        *("transform_gradient", "input_gradient", "max_pool_backward"),
        *("crop_concat", "crop_gradient", "patches_to_image", "image_to_patches", "add_bias"),
        *("row_sums", "sum_slices", "softmax_loss", "sum_partials"),
        *("direct_forward", "direct_filter_gradient", "max_pool_forward"),
    }


@pytest.mark.parametrize(("precision", "tolerance"), [("tf32", 1e-1), ("bf16", 2e-1)])
def test_the_network_on_tensor_cores_is_near_the_plain_one(shim, rng, precision, tolerance):
    with use_precision(precision):
        # Nearly all of it comes from a few ReLUs that rounding tips over.
        shape, options = (1, 2, 36, 28), {"depth": 2, "base_channels": 5, "dropout": 0}
        _check_against_float64(rng, tolerance, shape, **options)
    assert {f"conv_{precision}_64", f"filters_{precision}_64"} < set(shim.launched)
    assert "inverse_output" not in shim.launched


def test_two_runs_agree_bit_for_bit(shim, rng):
    batch = _batch(rng, _net("float64"))
    _, loss, grads = _loss_and_gradients(_net(), *batch)
    _, again, grads_again = _loss_and_gradients(_net(), *batch)
    assert loss == again
    for name, gradient in grads.items():
        assert_array_equal(gradient, grads_again[name])
