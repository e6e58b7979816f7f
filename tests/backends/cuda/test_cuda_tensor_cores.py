"""Convolutions on tensor cores, run on the CPU: the instructions are functions there (ptx.h)."""

import numpy as np
import pytest
from cuda_shim import rounded, shim_gpu
from numpy.testing import assert_allclose, assert_array_equal

from tinyunet import nn
from tinyunet.backends.cuda import operations as gpu
from tinyunet.backends.cuda import tensor_cores
from tinyunet.nn.precision import precision as use_precision

SHAPES = [  # (x, weight): tiles cut at every side, batches, words that are half empty
    ((2, 6, 7, 6), (4, 6, 3, 3)),
    ((1, 5, 3, 9), (2, 5, 3, 3)),
    ((1, 7, 3, 3), (1, 7, 3, 3)),
    ((3, 9, 6, 8), (2, 9, 3, 3)),
    ((1, 17, 6, 30), (70, 17, 3, 3)),
    ((1, 40, 5, 4), (9, 40, 3, 3)),
]
BOTH = pytest.mark.parametrize("precision", ["tf32", "bf16"])


@pytest.fixture
def shim():
    with gpu.running_on(shim_gpu()) as device:
        yield device


def _normal(rng, *shapes):
    return [rng.standard_normal(shape, dtype=np.float32) for shape in shapes]


def _assert_close(got, expected, tolerance=2e-6):
    assert got.dtype == np.float32
    assert_allclose(got, expected, rtol=0, atol=tolerance * np.abs(expected).max() + 1e-12)


@BOTH
@pytest.mark.parametrize(("x_shape", "w_shape"), SHAPES)
def test_factors_that_are_rounded_are_multiplied_exactly(shim, rng, x_shape, w_shape, precision):
    # Only the float32 sums are left to differ. The gradient of a ReLU passes dy on unchanged, so it
    # stays rounded too.
    out = (x_shape[0], w_shape[0], x_shape[2] - 2, x_shape[3] - 2)
    x, weight, bias, dy = _normal(rng, x_shape, w_shape, w_shape[:1], out)
    x, weight, dy = (rounded(a, precision) for a in (x, weight, dy))
    for forward in (nn.conv2d, nn.conv2d_relu):
        name = forward.__name__
        with use_precision(precision):
            y, cache = getattr(gpu, name)(x, weight, bias)
            got = getattr(gpu, f"{name}_backward")(dy, cache)
        expected_y, plain = forward(*(a.astype(float) for a in (x, weight, bias)))
        expected = getattr(nn, f"{name}_backward")(dy.astype(float), plain)
        for g, e in zip((y, *got), (expected_y, *expected), strict=True):
            _assert_close(g, e)
    with use_precision(precision):
        dx, *others = gpu.conv2d_relu_backward(dy, cache, need_dx=False)
    assert dx is None
    for g, e in zip(others, expected[1:], strict=True):
        _assert_close(g, e)
    rows = 128 if w_shape[0] > 64 else 64
    assert {f"conv_{precision}_{rows}", f"filters_{precision}_{rows}"} < set(shim.launched)


@pytest.mark.parametrize(("precision", "low", "high"), [("tf32", 3e-5, 6e-4), ("bf16", 5e-4, 6e-3)])
def test_factors_are_rounded(shim, rng, precision, low, high):
    x, weight, bias = _normal(rng, (1, 20, 9, 12), (5, 20, 3, 3), (5,))
    exact, _ = nn.conv2d(x.astype(float), weight.astype(float), bias.astype(float))
    with use_precision(precision):
        y, _ = gpu.conv2d(x, weight, bias)
    error = np.linalg.norm(y - exact) / np.linalg.norm(exact)
    assert low < error < high


@BOTH
def test_a_map_is_packed_channels_last(shim, rng, precision):
    for channels, pixels in ((3, (2, 5)), (37, (9, 31)), (70, (6, 43))):
        x, y = _normal(rng, (2, channels, *pixels), (2, channels, *pixels))
        for mask in (None, y):
            packed, sums = tensor_cores._packed(shim, x, mask, precision, with_sums=True)
            masked = x if mask is None else np.where(y > 0, x, 0)
            numbers = packed.view(np.float32)
            if precision == "bf16":  # the even channel is the low half
                halves = np.stack([packed << 16, packed & 0xFFFF0000], axis=-1)
                numbers = halves.astype(np.uint32).view(np.float32).reshape(*packed.shape[:3], -1)
            expected = np.zeros(numbers.shape, np.float32)
            expected[..., :channels] = rounded(masked, precision).transpose(0, 2, 3, 1)
            assert_array_equal(numbers, expected)
            assert packed.shape[3] % 4 == 0
            assert_allclose(sums.sum(axis=2), masked.sum(axis=(2, 3)), atol=1e-4)


@BOTH
def test_the_gradient_of_filters_is_cut_into_slices_that_add_up(shim, rng, precision, monkeypatch):
    monkeypatch.setattr(tensor_cores, "SLICE_PIXELS", 40)
    x, dy = (rounded(a, precision) for a in _normal(rng, (2, 6, 12, 11), (2, 3, 10, 9)))
    packed = [tensor_cores._packed(shim, a, None, precision, False)[0] for a in (dy, x)]
    got = tensor_cores._filter_gradient(shim, *packed, (3, 6, 3, 3), precision)
    _, cache = nn.conv2d(x.astype(float), np.zeros((3, 6, 3, 3)), np.zeros(3))
    _assert_close(got, nn.conv2d_backward(dy.astype(float), cache)[1])


@BOTH
def test_few_blocks_cut_k_into_slices_that_add_up(shim, rng, precision, monkeypatch):
    monkeypatch.setattr(tensor_cores, "SLICE_STAGES", 2)
    x_shape, w_shape = SHAPES[4]  # 17 channels: 12 stages of tf32, 7 of bf16
    x, weight, bias = _normal(rng, x_shape, w_shape, w_shape[:1])
    x, weight = rounded(x, precision), rounded(weight, precision)
    with use_precision(precision):
        y, _ = gpu.conv2d_relu(x, weight, bias)
    expected, _ = nn.conv2d_relu(*(a.astype(float) for a in (x, weight, bias)))
    _assert_close(y, expected)
    assert shim.launched["sum_outputs"] == 1
    monkeypatch.setattr(tensor_cores, "MOST_SLICES", 1)
    with use_precision(precision):
        _assert_close(gpu.conv2d_relu(x, weight, bias)[0], y)
    assert shim.launched["sum_outputs"] == 1


def test_slices_are_those_that_leave_few_multiprocessors_idle():
    assert tensor_cores._slices(2520, 36) == 1  # level 1: many blocks
    assert tensor_cores._slices(290, 144) == 2  # 580 of 792 places are busy, not 290 of 528
    assert tensor_cores._slices(128, 288) == 2  # level 4: 256 of 264
    assert tensor_cores._slices(56, 576) == 4  # the bottom: 224
    assert tensor_cores._slices(7, 20) == 1  # too short to be cut


@BOTH
def test_the_slices_share_the_pixels(shim, rng, precision):
    x, dy = (rounded(a, precision) for a in _normal(rng, (1, 8, 12, 12), (1, 3, 10, 10)))
    packed = [tensor_cores._packed(shim, a, None, precision, False)[0] for a in (dy, x)]
    partial = shim.empty(3, 3, 72)
    words = [a.shape[3] for a in packed]
    sizes = (1, words[1], 12, 12, 3, words[0], 3)
    shim.launch_blocks(f"filters_{precision}_64", 3, *packed, partial, *sizes)
    length = {"tf32": 48, "bf16": 64}[precision]  # whole stages of 16 and 32
    pixels = np.arange(100).reshape(10, 10)
    for s in range(3):
        part = np.where((s * length <= pixels) & (pixels < (s + 1) * length), dy, 0).astype(float)
        _, cache = nn.conv2d(x.astype(float), np.zeros((3, 8, 3, 3)), np.zeros(3))
        exact = nn.conv2d_backward(part, cache)[1].reshape(3, 8, 9).transpose(0, 2, 1)
        assert_allclose(partial[s].reshape(3, 9, 8), exact, atol=1e-4)


def test_an_old_gpu_has_no_tensor_cores_for_it(shim, rng):
    x, weight, bias = _normal(rng, (1, 2, 6, 6), (3, 2, 3, 3), (3,))
    shim.compute_capability = 75
    for name in ("tf32", "bf16"):
        message = f"^precision '{name}' needs a GPU of compute capability 8.0: this one has 7.5$"
        with use_precision(name), pytest.raises(ValueError, match=message):
            gpu.conv2d_relu(x, weight, bias)
    gpu.conv2d_relu(x, weight, bias)
