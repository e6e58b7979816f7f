"""Convolutions on the GPU path, run on the CPU from the same sources, against the plain texts."""

import re

import numpy as np
import pytest
from cuda_shim import rounded, shim_gpu
from numpy.testing import assert_allclose, assert_array_equal

from tinyunet import nn
from tinyunet.backends.cuda import operations as gpu
from tinyunet.backends.cuda import reductions, winograd
from tinyunet.nn.precision import precision as use_precision

WINOGRAD = [  # (x, weight): H ≠ W, C_in ≠ C_out, batches, one tile, edges of every width
    ((2, 6, 7, 6), (4, 6, 3, 3)),
    ((1, 5, 3, 9), (2, 5, 3, 3)),
    ((1, 7, 3, 3), (1, 7, 3, 3)),
    ((2, 5, 13, 10), (3, 5, 3, 3)),
    ((3, 5, 6, 8), (2, 5, 3, 3)),
    ((1, 5, 15, 5), (3, 5, 3, 3)),
]
DIRECT = [  # up to four channels; 16 output channels are one group
    ((2, 1, 7, 6), (4, 1, 3, 3)),
    ((1, 3, 3, 9), (17, 3, 3, 3)),
    ((1, 4, 13, 30), (33, 4, 3, 3)),
    ((3, 2, 3, 3), (1, 2, 3, 3)),
]
POINTWISE = [((2, 5, 4, 3), (2, 5, 1, 1)), ((1, 3, 5, 7), (4, 3, 1, 1))]


@pytest.fixture
def shim():
    with gpu.running_on(shim_gpu()) as device:
        yield device


def _normal(rng, *shapes):
    return [rng.standard_normal(shape, dtype=np.float32) for shape in shapes]


def _assert_close(got, expected, tolerance=2e-6):
    assert got.dtype == np.float32
    assert_allclose(got, expected, rtol=0, atol=tolerance * np.abs(expected).max() + 1e-12)


def _inputs(rng, x_shape, w_shape):
    """Return x, weight, bias and dy."""
    out = (x_shape[0], w_shape[0], x_shape[2] - w_shape[2] + 1, x_shape[3] - w_shape[3] + 1)
    return _normal(rng, x_shape, w_shape, w_shape[:1], out)


def _check_convolution(x, weight, bias, dy, tolerance=2e-6):
    """Compare conv2d and conv2d_relu, forward and backward, with the texts in float64."""
    for forward in (nn.conv2d, nn.conv2d_relu):
        name = forward.__name__
        backward = getattr(nn, f"{name}_backward")
        y, cache = getattr(gpu, name)(x, weight, bias)
        expected_y, plain = forward(*(a.astype(float) for a in (x, weight, bias)))
        _assert_close(y, expected_y, tolerance)
        got = getattr(gpu, f"{name}_backward")(dy, cache)
        expected = backward(dy.astype(float), plain)
        for g, e in zip(got, expected, strict=True):
            _assert_close(g, e, tolerance)
    dx, *others = gpu.conv2d_relu_backward(dy, cache, need_dx=False)
    assert dx is None
    for g, e in zip(others, expected[1:], strict=True):
        _assert_close(g, e, tolerance)


@pytest.mark.parametrize(
    ("x_shape", "w_shape", "kernel"),
    [
        *((*shapes, "inverse_output") for shapes in WINOGRAD),
        *((*shapes, "direct_forward") for shapes in DIRECT),
        *((*shapes, "add_bias") for shapes in POINTWISE),
    ],
)
def test_convolution_equals_the_text(shim, rng, x_shape, w_shape, kernel):
    _check_convolution(*_inputs(rng, x_shape, w_shape))
    assert kernel in shim.launched


@pytest.mark.parametrize("precision", ["float32", "tf32", "bf16"])
def test_few_channels_are_convolved_in_float32(shim, rng, precision):
    with use_precision(precision):
        _check_convolution(*_inputs(rng, *DIRECT[1]))


def test_tiles_are_cut_into_slices_where_the_filters_are_few(shim, rng, monkeypatch):
    assert winograd.slices_of(20164, 64, 64) == (14, 1472)
    assert winograd.slices_of(20164, 64, 128) == (7, 2912)
    assert winograd.slices_of(20164, 512, 512) == (1, 20192)
    assert winograd.slices_of(49, 64, 64) == (1, 64)
    assert winograd.slices_of(49) == (1, 64)
    monkeypatch.setattr(winograd, "SLICE_TILES", 7)  # (3, 8) tiles a position: 50 of 6×5 and a rest
    monkeypatch.setattr(winograd, "ALIGNED", 4)
    x_shape, w_shape = (2, 5, 21, 22), (3, 5, 3, 3)
    assert winograd.slices_of(50, 3, 5) == (7, 8)
    _check_convolution(*_inputs(rng, x_shape, w_shape))


def test_sums_over_pixels_are_cut_into_slices(shim, rng, monkeypatch):
    monkeypatch.setattr(reductions, "SLICE_NUMBERS", 5)
    for shapes in (DIRECT[2], WINOGRAD[3], POINTWISE[0]):
        _check_convolution(*_inputs(rng, *shapes))
    assert shim.launched["sum_slices"] > 5


@pytest.mark.parametrize("n", [1, 3])
def test_a_product_over_pixels_takes_rows_in_groups(shim, rng, n):
    a, b = _normal(rng, (n, 4, 6, 5), (n, 3, 6, 5))
    expected = np.einsum("nahw,nbhw->ab", a.astype(float), b)
    assert_allclose(reductions.product_over_pixels(shim, a, b), expected, atol=1e-5)


def test_convolution_takes_any_strides(shim, rng):
    for channels in (3, 6):
        x, weight, bias = _normal(rng, (7, 6, channels, 2), (3, 3, channels, 4), (8,))
        x, weight, bias = x.transpose(3, 2, 0, 1), weight.transpose(3, 2, 0, 1), bias[::2]
        _check_convolution(x, weight, bias, _normal(rng, (2, 4, 4, 5))[0].transpose(0, 1, 3, 2))


@pytest.mark.parametrize("channels", [2, 6])
def test_a_diverged_value_is_not_hidden(shim, rng, channels):
    x, weight, bias = _normal(rng, (1, channels, 8, 8), (2, channels, 3, 3), (2,))
    x[0, 0, 2, 2] = np.nan
    (y, _), (pooled, _) = gpu.conv2d_relu_max_pool(x, weight, bias)
    assert np.isnan(y).any()
    maxima = np.isnan(y).reshape(1, 2, 3, 2, 3, 2).any(axis=(3, 5))
    assert_array_equal(np.isnan(pooled), maxima)
    assert np.isnan(gpu.max_pool2d(x)[0][0, 0, 1, 1])


@pytest.mark.parametrize("precision", ["float32", "tf32", "bf16"])
@pytest.mark.parametrize("channels", [2, 6])
def test_a_diverged_value_keeps_its_gradient(shim, rng, channels, precision):
    x, weight, bias, dy = _inputs(rng, (1, channels, 8, 8), (2, channels, 3, 3))
    x[0, 0, 2, 2] = np.nan
    with use_precision(precision):
        y, cache = gpu.conv2d_relu(x, weight, bias)
        _, _, dbias = gpu.conv2d_relu_backward(dy, cache, need_dx=False)
    expected = np.where(y <= 0, 0, dy).sum(axis=(0, 2, 3))  # where y is NaN, dy counts
    assert_allclose(dbias, expected, atol=1e-4)
    y[0, 0, 0, 0] = np.nan
    dy = rng.standard_normal((1, 2, 3, 3), dtype=np.float32)
    got = gpu.max_pool2d_backward(dy, gpu.max_pool2d(y)[1])
    _, plain = nn.max_pool2d(y.astype(float))
    assert_array_equal(got, nn.max_pool2d_backward(dy.astype(float), plain))


@pytest.mark.parametrize("precision", ["float32", "tf32", "bf16"])
@pytest.mark.parametrize(
    ("x_shape", "w_shape"),  # the last tiles are 4 or 2 wide and high; one window; a batch; 1×1
    [
        ((2, 5, 8, 6), (4, 5, 3, 3)),
        ((1, 6, 4, 4), (2, 6, 3, 3)),
        ((1, 5, 4, 12), (3, 5, 3, 3)),
        ((3, 1, 14, 4), (2, 1, 3, 3)),
        ((1, 7, 10, 16), (5, 7, 3, 3)),
        ((2, 3, 4, 6), (2, 3, 1, 1)),
    ],
)
def test_convolution_relu_and_pooling_at_once(shim, rng, x_shape, w_shape, precision):
    x, weight, bias = _normal(rng, x_shape, w_shape, w_shape[:1])
    x, weight = rounded(x, precision), rounded(weight, precision)
    with use_precision(precision):
        (y, cache), (pooled, pool_cache) = gpu.conv2d_relu_max_pool(x, weight, bias)
        expected, _ = nn.conv2d_relu(*(a.astype(float) for a in (x, weight, bias)))
        _assert_close(y, expected)
        assert (y > 0).any()
        assert (y == 0).any()
        expected, plain = nn.max_pool2d(y.astype(float))
        assert_array_equal(pooled, expected)  # of this y, to the bit
        is_winograd = precision == "float32" and w_shape[2] == 3 and w_shape[1] > 4
        assert ("max_pool_forward" in shim.launched) != is_winograd
        dpooled, dy = _normal(rng, pooled.shape, y.shape)
        got = gpu.max_pool2d_backward(dpooled, pool_cache)
        assert_array_equal(got, nn.max_pool2d_backward(dpooled.astype(float), plain))
        again = gpu.conv2d_relu(x, weight, bias)
        assert_array_equal(again[0], y)
        for g, e in zip(
            gpu.conv2d_relu_backward(dy, cache),
            gpu.conv2d_relu_backward(dy, again[1]),
            strict=True,
        ):
            assert_array_equal(g, e)


@pytest.mark.parametrize("shape", [(1, 5, 7, 8), (1, 5, 8, 7)])
def test_maps_of_odd_size_are_not_pooled(shim, rng, shape):
    x, weight, bias = _normal(rng, shape, (2, 5, 3, 3), (2,))
    with pytest.raises(ValueError, match=re.escape(f"x has shape {shape}, not (1, 5, ")):
        gpu.conv2d_relu_max_pool(x, weight, bias)
    with pytest.raises(ValueError, match="max_pool2d needs .* with even H and W: got"):
        nn.conv2d_relu_max_pool(x, weight, bias)
    assert shim.launched == {}


def test_the_filters_points_are_kept_for_the_backward_pass(shim, rng):
    x, weight, bias, dy = _inputs(rng, *WINOGRAD[0])
    _, cache = gpu.conv2d_relu(x, weight, bias)
    gpu.conv2d_relu_backward(dy, cache)
    assert shim.launched["transform_filter"] == 1
