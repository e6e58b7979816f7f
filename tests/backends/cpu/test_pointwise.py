"""The up-convolution's kernels: awkward shapes, slices, repeats, and what they leave untouched."""

import numpy as np
import pytest

from tinyunet import _numba as jit
from tinyunet.backends.cpu import pointwise, threads
from tinyunet.nn import reference as naive

pytestmark = pytest.mark.skipif(not jit.available(), reason="numba cannot compile here")

FORWARD, GRADIENT = 2e-6, 5e-6  # largest error, as a share of the largest value
# (N, C, K, h, w): one pixel; fewer than six in a row, exactly six, seven; channels that are and are
# not multiples of 16; more pixels than are gathered at a time, and not a multiple of that.
SHAPES = [
    (1, 1, 1, 1, 1),
    (2, 3, 2, 1, 5),
    (1, 16, 16, 2, 6),
    (3, 17, 33, 3, 7),
    (1, 32, 16, 19, 11),
    (2, 8, 20, 97, 1),
    (1, 48, 24, 5, 20),
    (1, 130, 5, 6, 9),  # enough input channels to share these out
]


def layer(n, channels, out_channels, height, width, seed=0):
    """float32 x and dy, channels last, weight and bias of an up-convolution."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, height, width, channels), dtype=np.float32)
    weight = rng.standard_normal((channels, out_channels, 2, 2), dtype=np.float32)
    bias = rng.standard_normal(out_channels, dtype=np.float32)
    dy = rng.standard_normal((n, 2 * height, 2 * width, out_channels), dtype=np.float32)
    return x, weight, bias, dy


def wanted(x, weight, bias, dy):
    """y and (dx, dweight, dbias) from the loops of the formula in float64, channels last."""
    x, dy = x.transpose(0, 3, 1, 2).astype(float), dy.transpose(0, 3, 1, 2).astype(float)
    y = naive.up_conv2d(x, weight.astype(float), bias.astype(float))
    dx, dweight, dbias = naive.up_conv2d_backward(dy, x, weight.astype(float))
    return y.transpose(0, 2, 3, 1), (dx.transpose(0, 2, 3, 1), dweight, dbias)


def assert_close(got, expected, bound):
    assert got.dtype == np.float32
    assert got.shape == expected.shape
    assert got.flags.c_contiguous
    assert np.abs(got - expected).max() <= bound * np.abs(expected).max()


@pytest.mark.parametrize("n_threads", [1, 3])
@pytest.mark.parametrize("shape", SHAPES)
def test_up_conv_is_the_loops_of_the_formula(shape, n_threads, monkeypatch):
    """With one thread and with three, however little there is to share out."""
    monkeypatch.setattr(threads, "LITTLE", 1)
    x, weight, bias, dy = layer(*shape)
    y, gradients = wanted(x, weight, bias, dy)
    before = threads.get_threads()
    try:
        threads.set_threads(1)
        same = pointwise.up_conv_backward(dy, x, weight)
        threads.set_threads(n_threads)
        assert_close(pointwise.up_conv(x, weight, bias), y, FORWARD)
        got = pointwise.up_conv_backward(dy, x, weight)
    finally:
        threads.set_threads(before)
    for mine, expected, single in zip(got, gradients, same, strict=True):
        assert_close(mine, expected, GRADIENT)
        np.testing.assert_array_equal(mine, single)  # with any number of threads


@pytest.mark.parametrize(("channels", "n_classes"), [(16, 2), (5, 3), (64, 17), (130, 1)])
@pytest.mark.parametrize("width", [1, 5, 6, 40])
def test_a_1x1_convolution_is_a_product_over_the_pixels(channels, n_classes, width):
    rng = np.random.default_rng(4)
    x = rng.standard_normal((2, 7, width, channels), dtype=np.float32)
    weight = rng.standard_normal((n_classes, channels, 1, 1), dtype=np.float32)
    bias = rng.standard_normal(n_classes, dtype=np.float32)
    dy = rng.standard_normal((2, 7, width, n_classes), dtype=np.float32)
    taps, pixels, upstream = (
        a.astype(float).reshape(-1, a.shape[-1]) for a in (weight[:, :, 0, 0], x, dy)
    )
    assert_close(
        pointwise.conv1x1(x, weight, bias).reshape(-1, n_classes), pixels @ taps.T + bias, FORWARD
    )
    dx, dweight, dbias = pointwise.conv1x1_backward(dy, x, weight)
    assert_close(dx.reshape(-1, channels), upstream @ taps, GRADIENT)
    assert_close(dweight[:, :, 0, 0], upstream.T @ pixels, GRADIENT)
    assert_close(dbias, upstream.sum(axis=0), GRADIENT)


@pytest.mark.parametrize("first", [0, 3])
def test_a_slice_of_a_wider_map_gives_the_same_bits_without_a_copy(first):
    x, weight, _, dy = layer(2, 32, 16, 5, 7)
    wide = np.full((*dy.shape[:3], 40), np.nan, np.float32)
    wide[..., first : first + 16] = dy
    part = wide[..., first : first + 16]
    assert np.shares_memory(pointwise._numbers(part)[0], wide)
    for got, expected in zip(
        pointwise.up_conv_backward(part, x, weight),
        pointwise.up_conv_backward(dy, x, weight),
        strict=True,
    ):
        np.testing.assert_array_equal(got, expected)


def test_gradients_in_any_other_order_of_memory_are_copied():
    x, weight, _, dy = layer(2, 5, 4, 6, 3)
    expected = pointwise.up_conv_backward(dy, x, weight)
    turned = [
        np.ascontiguousarray(dy.transpose(0, 3, 1, 2)).transpose(0, 2, 3, 1),
        np.ascontiguousarray(dy[:, ::-1])[:, ::-1],
        np.ascontiguousarray(dy[:, :, ::-1])[:, :, ::-1],
        np.ascontiguousarray(dy[..., ::-1])[..., ::-1],
        np.ascontiguousarray(dy[::-1])[::-1],
    ]
    constant = np.broadcast_to(dy[:1, :1, :1], dy.shape)
    for other, same in [(d, expected) for d in turned] + [
        (constant, pointwise.up_conv_backward(constant.copy(), x, weight))
    ]:
        for got, value in zip(pointwise.up_conv_backward(other, x, weight), same, strict=True):
            np.testing.assert_array_equal(got, value)


@pytest.mark.parametrize(("out_channels", "step", "start"), [(16, 40, 3), (5, 9, 4), (33, 33, 0)])
def test_writing_into_a_wider_map_leaves_the_other_channels(out_channels, step, start):
    x, weight, bias, _ = layer(2, 6, out_channels, 3, 8)
    wide = np.full((2, 6, 16, step), 7, np.float32)
    pointwise.up_conv_into(wide.reshape(-1)[start:], step, x, weight, bias)
    inside = slice(start, start + out_channels)
    np.testing.assert_array_equal(wide[..., inside], pointwise.up_conv(x, weight, bias))
    wide[..., inside] = 7
    assert (wide == 7).all()


def test_a_sum_over_many_pixels_keeps_its_digits():
    """One running sum of 40,000 ones and a bit in float32 would be off by 1e-5 and more."""
    rng = np.random.default_rng(5)
    x = 1 + rng.random((1, 200, 200, 16), dtype=np.float32)
    dy = 1 + rng.random((1, 400, 400, 16), dtype=np.float32)
    _, dweight, dbias = pointwise.up_conv_backward(dy, x, np.zeros((16, 16, 2, 2), np.float32))
    patches = dy.reshape(200, 2, 200, 2, 16).transpose(0, 2, 4, 1, 3).reshape(-1, 64)
    expected = x.reshape(-1, 16).astype(float).T @ patches.astype(float)
    assert_close(dweight, expected.reshape(16, 16, 2, 2), 2e-6)
    assert_close(dbias, dy.astype(float).sum(axis=(0, 1, 2)), 2e-6)


def test_it_repeats_bit_for_bit_and_fills_up_with_zeros(monkeypatch):
    """Scratch memory full of NaN, as it may be found, must not show."""
    x, weight, bias, dy = layer(1, 19, 21, 13, 17)
    first = pointwise.up_conv_backward(dy, x, weight)
    y = pointwise.up_conv(x, weight, bias)

    def full_of_nan(shape):
        return np.full(shape, np.nan, np.float32)

    monkeypatch.setattr(pointwise, "empty", full_of_nan)
    np.testing.assert_array_equal(pointwise.up_conv(x, weight, bias), y)
    again = pointwise.up_conv_backward(dy, x, weight)
    for got, expected in zip(again, first, strict=True):
        np.testing.assert_array_equal(got, expected)


def test_rows_lie_an_odd_number_of_cache_lines_apart():
    assert [pointwise._odd_lines(size) for size in (16, 32, 48, 512)] == [16, 48, 48, 528]
