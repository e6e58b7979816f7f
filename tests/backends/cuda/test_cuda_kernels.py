"""The GPU path, run on the CPU from the same sources, against the loops over the formulas."""

import re

import numpy as np
import pytest
from cuda_shim import shim_gpu
from numpy.testing import assert_allclose, assert_array_equal

from tinyunet import nn
from tinyunet.backends.cuda import layers as gpu_ops
from tinyunet.backends.cuda import operations as gpu
from tinyunet.backends.cuda import reductions
from tinyunet.nn import reference as naive


@pytest.fixture
def shim():
    with gpu.running_on(shim_gpu()) as device:
        yield device


def _normal(rng, *shapes):
    return [rng.standard_normal(shape, dtype=np.float32) for shape in shapes]


def _assert_close(got, expected, tolerance=2e-6):
    assert got.dtype == np.float32
    assert_allclose(got, expected, rtol=0, atol=tolerance * np.abs(expected).max() + 1e-12)


def test_max_pool_equals_the_loops(shim, rng):
    x = rng.integers(0, 3, (2, 3, 6, 10)).astype(np.float32)  # many ties
    y, cache = gpu.max_pool2d(x)
    assert_array_equal(y, naive.max_pool2d(x))
    (dy,) = _normal(rng, y.shape)
    assert_array_equal(gpu.max_pool2d_backward(dy, cache), naive.max_pool2d_backward(dy, x))
    dy = dy.transpose(0, 1, 3, 2).copy().transpose(0, 1, 3, 2)
    assert_array_equal(gpu.max_pool2d_backward(dy, cache), naive.max_pool2d_backward(dy, x))
    (skip_gradient,) = _normal(rng, (2, 5, 4, 3))
    dskip = skip_gradient, ((2, 3, 6, 10), (2, 2, 4, 3))
    from_skip, _ = nn.center_crop_concat_backward(*dskip)
    expected = from_skip + naive.max_pool2d_backward(dy, x)
    assert_array_equal(gpu.max_pool2d_skip_backward(dy, cache, dskip), expected)
    wrong = skip_gradient, ((2, 3, 6, 8), (2, 2, 4, 3))
    with pytest.raises(ValueError, match=r"onto has shape \(2, 3, 6, 8\), not \(2, 3, 6, 10\)"):
        gpu.max_pool2d_skip_backward(dy, cache, wrong)


@pytest.mark.parametrize(("n", "h", "w"), [(1, 3, 4), (2, 5, 2)])
def test_up_convolution_equals_the_loops(shim, rng, n, h, w):
    shapes = (n, 3, h, w), (3, 5, 2, 2), (5,), (n, 5, 2 * h, 2 * w)
    x, weight, bias, dy = _normal(rng, *shapes)
    exact = [a.astype(float) for a in (x, weight, bias, dy)]
    y, cache = gpu.up_conv2d(x, weight, bias)
    _assert_close(y, naive.up_conv2d(*exact[:3]))
    expected = naive.up_conv2d_backward(exact[3], *exact[:2])
    for g, e in zip(gpu.up_conv2d_backward(dy, cache), expected, strict=True):
        _assert_close(g, e)


@pytest.mark.parametrize("skip_size", [(7, 9), (4, 6), (5, 6), (4, 11)])
def test_crop_and_concat_equal_the_loops(shim, rng, skip_size):
    skip, x, dy = _normal(rng, (2, 3, *skip_size), (2, 2, 4, 6), (2, 5, 4, 6))
    y, cache = gpu.center_crop_concat(skip, x)
    assert_array_equal(y, naive.center_crop_concat(skip, x))
    expected = naive.center_crop_concat_backward(dy, skip, x)
    for g, e in zip(gpu.center_crop_concat_backward(dy, cache), expected, strict=True):
        assert_array_equal(g, e)


@pytest.mark.parametrize("classes", [2, 3, 5])
@pytest.mark.parametrize("label_type", [np.uint8, np.int64, np.int32])
def test_cross_entropy_equals_the_loops(shim, rng, classes, label_type):
    logits, weights = _normal(rng, (2, classes, 5, 7), (2, 5, 7))
    logits, weights = 3 * logits, np.abs(weights)
    labels = rng.integers(0, classes, (2, 5, 7)).astype(label_type)
    loss, cache = gpu.softmax_cross_entropy(logits, labels, weights)
    exact = logits.astype(float), labels, weights.astype(float)
    assert loss.shape == ()
    assert loss.dtype == np.float64
    assert_allclose(loss, naive.softmax_cross_entropy(*exact), rtol=1e-6)
    gradient = gpu.softmax_cross_entropy_backward(cache)
    _assert_close(gradient, naive.softmax_cross_entropy_backward(*exact))
    loss, cache = gpu.softmax_cross_entropy(logits, labels)
    exact = *exact[:2], np.ones(labels.shape)
    assert_allclose(loss, naive.softmax_cross_entropy(*exact), rtol=1e-6)
    gradient = gpu.softmax_cross_entropy_backward(cache)
    _assert_close(gradient, naive.softmax_cross_entropy_backward(*exact))


def test_cross_entropy_of_many_pixels_and_of_extreme_logits(shim, rng, monkeypatch):
    monkeypatch.setattr(gpu_ops, "LOSS_BLOCKS", 3)  # so that a thread meets several pixels
    logits = 1e4 * _normal(rng, (1, 2, 40, 61))[0]
    labels = rng.integers(0, 2, (1, 40, 61))
    loss, cache = gpu.softmax_cross_entropy(logits, labels)
    expected, plain = nn.softmax_cross_entropy(logits.astype(float), labels)
    assert_allclose(loss, expected, rtol=1e-6)
    assert_allclose(cache[0], nn.softmax_cross_entropy_backward(plain), rtol=1e-5, atol=1e-12)


@pytest.mark.parametrize("length", [1, 255, 256, 700])
def test_row_sums(shim, rng, length):
    (x,) = _normal(rng, (2, 3, length))
    expected = x.astype(float).sum(axis=(0, 2))
    assert_allclose(reductions.row_sums(shim, x), expected, atol=1e-5 * np.sqrt(length))


def test_momentum_updates_all_parameters_in_one_launch(shim, rng):
    shapes = {"a": (3, 4), "b": (4096,), "c": (4097,), "d": (1,), "e": (2, 5000)}
    params, velocity, grads = (
        {name: _normal(rng, shape)[0] for name, shape in shapes.items()} for _ in range(3)
    )
    before = {k: (params[k].copy(), velocity[k].copy(), grads[k].copy()) for k in shapes}
    gpu.momentum_update(params, velocity, grads, 0.01, 0.9)
    assert shim.launched == {"momentum_update": 1}
    for name, (p, v, g) in before.items():
        v = v * np.float32(0.9) + g
        assert_array_equal(velocity[name], v)
        assert_array_equal(params[name], p - np.float32(0.01) * v)
        assert_array_equal(grads[name], g)


def test_momentum_of_one_parameter_and_of_changing_rates(shim, rng):
    p, g, v = _normal(rng, (7,), (7,), (7,))
    for rate in (0.1, 0.1, 0.01):
        expected_v = v * np.float32(0.9) + g
        expected_p = p - np.float32(rate) * expected_v
        gpu.momentum_update({"": p}, {"": v}, {"": g}, rate, 0.9)
        assert_array_equal(v, expected_v)
        assert_array_equal(p, expected_p)


def test_momentum_takes_more_parameters_than_one_launch_has_room_for(shim, rng):
    params = {str(k): np.full(3, k, np.float32) for k in range(130)}
    velocity = {name: np.zeros(3, np.float32) for name in params}
    grads = {name: np.ones(3, np.float32) for name in params}
    gpu.momentum_update(params, velocity, grads, np.full(1, 0.5, np.float32), 0.9)
    assert shim.launched == {"momentum_update": 3}
    for k in range(130):
        assert_array_equal(params[str(k)], np.full(3, k - 0.5, np.float32))


def test_momentum_checks_its_arrays(shim):
    def arrays(**changed):
        named = dict.fromkeys("pvg", np.zeros((2, 3), np.float32)) | changed
        return [[named[name]] for name in "pvg"]

    rate = np.ones(1, np.float32)
    with pytest.raises(
        ValueError, match="^parameters, velocities and gradients must be row-major float32$"
    ):
        gpu_ops.momentum_update(shim, *arrays(p=np.zeros((2, 3))), rate, 0.9)
    with pytest.raises(
        ValueError, match="^parameters, velocities and gradients must be row-major float32$"
    ):
        gpu_ops.momentum_update(shim, *arrays(g=np.zeros((3, 2), np.float32).T), rate, 0.9)
    with pytest.raises(ValueError, match=r"parameter \(2, 3\), velocity \(6,\)"):
        gpu_ops.momentum_update(shim, *arrays(v=np.zeros(6, np.float32)), rate, 0.9)


def test_the_struct_of_parameters_has_the_layout_of_c():
    assert gpu_ops.STRUCT.itemsize == 64 * (3 * 8 + 2 * 4)
    assert [gpu_ops.STRUCT.fields[name][1] for name in gpu_ops.STRUCT.names] == [
        *(0, 512, 1024),
        *(1536, 1792),
    ]


def test_gradients_of_another_shape_are_refused(shim, rng):
    x, weight, bias, up = _normal(rng, (1, 2, 6, 6), (3, 2, 3, 3), (3,), (2, 4, 2, 2))
    wrong = np.zeros((1, 2, 3, 5), np.float32)
    cases = [
        (gpu.conv2d_relu(x, weight, bias), gpu.conv2d_relu_backward, (1, 3, 4, 4)),
        (gpu.max_pool2d(x), gpu.max_pool2d_backward, (1, 2, 3, 3)),
        (gpu.up_conv2d(x, up, np.zeros(4, np.float32)), gpu.up_conv2d_backward, (1, 4, 12, 12)),
        (gpu.center_crop_concat(x, x), gpu.center_crop_concat_backward, (1, 4, 6, 6)),
    ]
    for (_, cache), backward, shape in cases:
        assert isinstance(cache, gpu.Saved)
        with pytest.raises(ValueError, match="dy has shape") as error:
            backward(wrong, cache)
        assert str(error.value) == f"dy has shape (1, 2, 3, 5), not {shape}"


def test_inputs_that_do_not_go_together_are_refused(shim, rng):
    x, weight, bias, up = _normal(rng, (2, 2, 6, 6), (3, 2, 3, 3), (3,), (2, 4, 2, 2))
    labels = np.zeros((2, 6, 6), int)
    cases = [
        (gpu.conv2d, (x, weight[:, :1], bias), "weight has shape (3, 1, 3, 3), not (3, 2, 3, 3)"),
        (gpu.conv2d_relu, (x, weight, bias[:2]), "bias has shape (2,), not (3,)"),
        (
            gpu.conv2d,
            (x[:, :, :2], weight, bias),
            "x (2, 2, 2, 6) is smaller than the kernel of weight (3, 2, 3, 3)",
        ),
        (
            gpu.conv2d_relu,
            (x[..., :2], weight, bias),
            "x (2, 2, 6, 2) is smaller than the kernel of weight (3, 2, 3, 3)",
        ),
        (gpu.max_pool2d, (x[..., :5],), "x has shape (2, 2, 6, 5), not (2, 2, 6, 4)"),
        (gpu.max_pool2d, (x[:, :, :5],), "x has shape (2, 2, 5, 6), not (2, 2, 4, 6)"),
        (gpu.up_conv2d, (x, up[:1], bias), "weight has shape (1, 4, 2, 2), not (2, 4, 2, 2)"),
        (gpu.up_conv2d, (x, up, bias), "bias has shape (3,), not (4,)"),
        (
            gpu.center_crop_concat,
            (x[:1], x),
            "skip (1, 2, 6, 6) cannot be cropped to x (2, 2, 6, 6)",
        ),
        (
            gpu.center_crop_concat,
            (x[:, :, :5], x),
            "skip (2, 2, 5, 6) cannot be cropped to x (2, 2, 6, 6)",
        ),
        (
            gpu.center_crop_concat,
            (x[..., :5], x),
            "skip (2, 2, 6, 5) cannot be cropped to x (2, 2, 6, 6)",
        ),
        (gpu.softmax_cross_entropy, (x, labels[:1]), "labels has shape (1, 6, 6), not (2, 6, 6)"),
        (
            gpu.softmax_cross_entropy,
            (x, labels, x[:, 0, :5]),
            "weight_map has shape (2, 5, 6), not (2, 6, 6)",
        ),
    ]
    for function, arguments, message in cases:
        with pytest.raises(ValueError, match=re.escape(message)):
            function(*arguments)
    assert shim.launched == {}


def test_what_is_supported(rng):
    x, weight, bias = _normal(rng, (1, 2, 6, 6), (3, 2, 3, 3), (3,))
    assert not gpu.supports(x)  # NumPy, and no device asked for
    with gpu.running_on(shim_gpu()):
        assert gpu.supports(x, weight)
        assert not gpu.supports(x, weight.astype(float))
        assert not gpu.supports(x, weight[:0])
        assert gpu.supports_conv2d(x, weight, bias)
        assert gpu.supports_conv2d(x, weight[:, :, :1, :1], bias)
        assert not gpu.supports_conv2d(x, weight[:, :, :2], bias)
        assert not gpu.supports_conv2d(x.astype(float), weight, bias)
        one, double, view = {"p": x}, {"p": x.astype(float)}, {"p": x[..., ::2]}
        assert gpu.supports_update(one, one, one, 0.1, 0.9)
        assert not gpu.supports_update(one, double, one, 0.1, 0.9)
        assert not gpu.supports_update(one, one, view, 0.1, 0.9)
    assert not gpu.supports(x)
