"""Winograd in one kernel, behind the shim and over CuPy, against the plain texts in float64."""

import numpy as np
import pytest
from cuda_shim import shim_gpu
from gpu import PROBLEM, on_gpu
from numpy.testing import assert_allclose, assert_array_equal

from tinyunet import nn
from tinyunet.arrays import select_device, to_numpy
from tinyunet.backends.cuda import fused, sources
from tinyunet.backends.cuda import operations as gpu
from tinyunet.backends.cuda.algorithms import FUSED, WINOGRAD, choose_algorithm
from tinyunet.backends.cuda.counting import CountingGpu

SHAPES = [  # (x, weight): more than a chunk, a block, a group; odd maps; batches; one of everything
    ((2, 6, 7, 6), (4, 6, 3, 3)),
    ((1, 5, 3, 3), (1, 5, 3, 3)),
    ((2, 37, 10, 12), (40, 37, 3, 3)),
    ((1, 20, 15, 5), (18, 20, 3, 3)),
    ((3, 5, 6, 9), (33, 5, 3, 3)),
    ((1, 33, 9, 41), (16, 33, 3, 3)),
]


@pytest.fixture(params=["shim", pytest.param("cupy", marks=on_gpu)])
def to_gpu(request, monkeypatch):
    """A function that moves a NumPy array to the device; all maps there are large enough."""
    monkeypatch.setattr(fused, "FEWEST_TILES", 1)
    if request.param == "cupy":
        yield select_device("gpu").asarray
        return
    with gpu.running_on(shim_gpu()):
        yield np.asarray


def _inputs(rng, x_shape, w_shape):
    """Return x, weight, bias and dy."""
    out = (x_shape[0], w_shape[0], x_shape[2] - 2, x_shape[3] - 2)
    shapes = x_shape, w_shape, w_shape[:1], out
    return [rng.standard_normal(shape, dtype=np.float32) for shape in shapes]


def _assert_close(got, expected):
    assert got.dtype == np.float32
    scale = np.abs(expected).max()
    assert_allclose(to_numpy(got), expected, rtol=0, atol=2e-6 * scale + 1e-12)


def _check(to_gpu, x, weight, bias, dy):
    """Compare the convolution with and without ReLU, forward and backward."""
    for name in ("conv2d", "conv2d_relu"):
        y, cache = getattr(gpu, name)(*map(to_gpu, (x, weight, bias)))
        assert cache[-1] is FUSED
        expected_y, plain = getattr(nn, name)(*(a.astype(float) for a in (x, weight, bias)))
        _assert_close(y, expected_y)
        got = getattr(gpu, f"{name}_backward")(to_gpu(dy), cache)
        expected = getattr(nn, f"{name}_backward")(dy.astype(float), plain)
        for g, e in zip(got, expected, strict=True):
            _assert_close(g, e)
    dx, *others = gpu.conv2d_relu_backward(to_gpu(dy), cache, need_dx=False)
    assert dx is None
    for g, e in zip(others, expected[1:], strict=True):
        _assert_close(g, e)


@pytest.mark.parametrize(("x_shape", "w_shape"), SHAPES)
def test_convolution_equals_the_text(to_gpu, rng, x_shape, w_shape):
    _check(to_gpu, *_inputs(rng, x_shape, w_shape))


@pytest.mark.parametrize("x_shape", [(2, 5, 8, 6), (1, 21, 4, 12), (3, 6, 14, 20)])
@pytest.mark.parametrize("out_channels", [4, 35])
def test_the_maxima_of_a_pooling_come_with_it(to_gpu, rng, x_shape, out_channels):
    x, weight, bias, _ = _inputs(rng, x_shape, (out_channels, x_shape[1], 3, 3))
    arrays = [*map(to_gpu, (x, weight, bias))]
    (y, cache), (pooled, pool_cache) = gpu.conv2d_relu_max_pool(*arrays)
    assert cache[-1] is FUSED
    assert_array_equal(to_numpy(y), to_numpy(gpu.conv2d_relu(*arrays)[0]))
    _assert_close(y, nn.conv2d_relu(*(a.astype(float) for a in (x, weight, bias)))[0])
    expected, plain = nn.max_pool2d(to_numpy(y))
    assert_array_equal(to_numpy(pooled), expected)
    dpooled = rng.standard_normal(expected.shape, dtype=np.float32)
    got = gpu.max_pool2d_backward(to_gpu(dpooled), pool_cache)
    assert_array_equal(to_numpy(got), nn.max_pool2d_backward(dpooled, plain))


@pytest.mark.parametrize(("at_once", "rounded"), [(3, 3), (7, 6)])
def test_sums_over_tiles_are_cut_into_slices(to_gpu, rng, monkeypatch, at_once, rounded):
    for name, value in {"SLICE_TILES": 2, "AT_ONCE": at_once, "ROUND": 3}.items():
        monkeypatch.setattr(fused, name, value)
    assert fused.slices_of(40, 1) == rounded
    x_shape, w_shape = (2, 5, 21, 15), (3, 5, 3, 3)  # 40 tiles
    _check(to_gpu, *_inputs(rng, x_shape, w_shape))


def test_small_sums_have_few_slices():
    assert fused.slices_of(20164, 1) == 256
    assert fused.slices_of(20164, 4) == 64
    assert fused.slices_of(20164, 20) == 13
    assert fused.slices_of(100, 1) == 3
    assert fused.slices_of(31, 1) == 1


def test_rows_need_not_begin_on_8_bytes(to_gpu, rng):
    x, weight, bias, dy = _inputs(rng, (1, 6, 8, 10), (5, 6, 3, 3))
    on_gpu = [to_gpu(np.concatenate([[0], a.ravel()]).astype(np.float32)) for a in (x, dy)]
    shifted, shifted_dy = (a[1:].reshape(b.shape) for a, b in zip(on_gpu, (x, dy), strict=True))
    y, cache = gpu.conv2d_relu(shifted, to_gpu(weight), to_gpu(bias))
    expected, plain = nn.conv2d_relu(*(a.astype(float) for a in (x, weight, bias)))
    _assert_close(y, expected)
    expected = nn.conv2d_relu_backward(dy.astype(float), plain)
    for g, e in zip(gpu.conv2d_relu_backward(shifted_dy, cache), expected, strict=True):
        _assert_close(g, e)


def test_any_strides_will_do(to_gpu, rng):
    shapes = (7, 6, 9, 2), (3, 3, 9, 4), (8,), (2, 4, 4, 5)
    x, weight, bias, dy = (rng.standard_normal(s, dtype=np.float32) for s in shapes)
    x, weight, bias = x.transpose(3, 2, 0, 1), weight.transpose(3, 2, 0, 1), bias[::2]
    _check(to_gpu, x, weight, bias, dy.transpose(0, 1, 3, 2))


def test_a_diverged_value_keeps_its_gradient(to_gpu, rng):
    x, weight, bias, dy = _inputs(rng, (1, 6, 8, 8), (2, 6, 3, 3))
    x[0, 0, 2, 2] = np.nan
    y, cache = gpu.conv2d_relu(*map(to_gpu, (x, weight, bias)))
    assert np.isnan(to_numpy(y)).any()
    _, _, dbias = gpu.conv2d_relu_backward(to_gpu(dy), cache)
    expected = np.where(to_numpy(y) <= 0, 0, dy).sum(axis=(0, 2, 3))  # where y is NaN, dy counts
    assert_allclose(to_numpy(dbias), expected, atol=1e-4)


def test_two_runs_agree_bit_for_bit(to_gpu, rng):
    arrays = [*map(to_gpu, _inputs(rng, *SHAPES[2]))]
    results = []
    for _ in range(2):
        y, cache = gpu.conv2d_relu(*arrays[:3])
        results.append([to_numpy(a) for a in (y, *gpu.conv2d_relu_backward(arrays[3], cache))])
    for first, second in zip(*results, strict=True):
        assert_array_equal(first, second)


def test_few_channels_on_large_maps_are_fused():
    device = CountingGpu()

    def chosen(images, channels, size, out_channels, precision="float32"):
        x = device.empty(images, channels, size, size)
        return choose_algorithm(device, x, device.empty(out_channels, channels, 3, 3), precision)

    assert chosen(1, 16, 258, 16) is FUSED  # 64 × 64 tiles
    assert chosen(1, 16, 254, 16) is WINOGRAD
    assert chosen(2, 16, 254, 16) is FUSED
    assert chosen(1, 64, 570, 32) is FUSED
    assert chosen(1, 64, 570, 33) is WINOGRAD
    assert chosen(1, 16, 570, 16, "tf32").name == "tf32"


@pytest.mark.skipif(PROBLEM is not None, reason=f"no GPU: {PROBLEM}")
def test_a_convolution_there_and_back_is_six_launches(rng, monkeypatch):
    arrays = [*map(select_device("gpu").asarray, _inputs(rng, *SHAPES[0])[:3])]
    nn.conv2d_relu(*arrays)  # the first time, every kernel is tried
    started = []
    start = gpu.CupyGpu._start
    monkeypatch.setattr(gpu.CupyGpu, "_start", lambda *a: started.append(a[2]) or start(*a))
    monkeypatch.setattr(fused, "FEWEST_TILES", 1)
    y, cache = nn.conv2d_relu(*arrays)
    nn.conv2d_relu_backward(y, cache)
    forward, gradient = ["fused_filters", "fused_conv_16"], ["fused_gradient_16", "filter_gradient"]
    assert started == [*forward, *gradient, *forward]


def test_the_numbers_of_a_block_are_those_of_the_source():
    text = sources.source("fused.cu")
    assert f"DEPTH = {fused.DEPTH};" in text
    assert f"IN = {fused.IN};" in text
    assert "TILES = 512 / OUT" in text
