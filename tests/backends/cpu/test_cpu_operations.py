"""Every fast operation against the plain one in float64: forward, all gradients, awkward shapes."""

from itertools import product

import numpy as np
import pytest
from threadpoolctl import ThreadpoolController

from tinyunet import _numba as jit
from tinyunet import nn
from tinyunet.backends.cpu import layers, threads
from tinyunet.backends.cpu import operations as cpu
from tinyunet.nn import reference as naive

pytestmark = pytest.mark.skipif(not jit.available(), reason="numba cannot compile here")

# (N, C, K, H, W) of a 3×3 layer. Edges that are and are not multiples of 4, one output row or
# column, one channel, a batch of 3, more channels in than out, many channels (the other sharing).
LAYERS = [
    (1, 1, 1, 3, 3),
    (1, 1, 16, 21, 18),
    (3, 1, 7, 3, 9),
    (2, 3, 5, 12, 3),
    (1, 4, 6, 10, 15),
    (2, 5, 3, 6, 6),
    (3, 8, 17, 7, 8),
    (1, 16, 16, 33, 41),
    (1, 32, 16, 22, 19),
    (2, 6, 9, 3, 11),
    (2, 7, 4, 14, 4),
    (1, 64, 64, 26, 30),
    (2, 256, 256, 9, 12),
    (1, 300, 230, 10, 7),
]
FORWARD, GRADIENT = 2e-6, 5e-6  # largest error, as a share of the largest value


def layer(n, channels, out_channels, height, width, size=3, seed=0):
    """float32 inputs of a convolution and a random upstream gradient."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, channels, height, width), dtype=np.float32)
    weight = rng.standard_normal((out_channels, channels, size, size), dtype=np.float32)
    weight *= np.float32(np.sqrt(2 / (size * size * channels)))
    bias = rng.standard_normal(out_channels, dtype=np.float32)
    dy = rng.standard_normal(
        (n, out_channels, height - size + 1, width - size + 1), dtype=np.float32
    )
    return x, weight, bias, dy


def assert_close(got, wanted, bound):
    assert got.dtype == np.float32
    assert got.shape == wanted.shape
    assert np.abs(got - wanted).max() <= bound * np.abs(wanted).max()


def in_double(*arrays):
    return [array.astype(np.float64) for array in arrays]


@pytest.mark.parametrize("shape", LAYERS)
@pytest.mark.parametrize("need_dx", [True, False])
def test_conv2d_relu_is_the_plain_one_in_float64(shape, need_dx):
    x, weight, bias, dy = layer(*shape)
    y, cache = cpu.conv2d_relu(x, weight, bias)
    wanted, _ = nn.conv2d_relu(*in_double(x, weight, bias))
    # The rounding error of a sum of C products grows like the square root of C; at 512 channels
    # the direct sum in float32 is off by 2e-6 already.
    growth = max(1, np.sqrt(x.shape[1] / 128))
    assert_close(y, wanted, FORWARD * growth)
    # The gradients are compared with the ReLU decisions of the fast forward: a value that rounds
    # to the other side of 0 is no error of the backward.
    masked = dy.astype(np.float64) * (y > 0)
    _, conv_cache = nn.conv2d(*in_double(x, weight, bias))
    wanted = nn.conv2d_backward(masked, conv_cache)
    dx, dweight, dbias = cpu.conv2d_relu_backward(dy, cache, need_dx)
    if need_dx:
        assert_close(dx, wanted[0], GRADIENT)
    else:
        assert dx is None
    assert_close(dweight, wanted[1], GRADIENT)
    assert_close(dbias, wanted[2], GRADIENT)


def test_conv2d_relu_is_the_loops_of_the_formula():
    x, weight, bias, _ = layer(2, 6, 4, 9, 7)
    wanted = np.maximum(naive.conv2d(*in_double(x, weight, bias)), 0)
    assert_close(cpu.conv2d_relu(x, weight, bias)[0], wanted, FORWARD)


@pytest.mark.parametrize("channels", [2, 6])
def test_any_memory_layout_is_taken(channels):
    x, weight, bias, dy = layer(2, channels, 8, 11, 10)
    y, cache = cpu.conv2d_relu(x, weight, bias)
    gradients = cpu.conv2d_relu_backward(dy, cache)
    strided = np.zeros((2, channels, 22, 20), np.float32)[:, :, ::2, ::2]
    strided[...] = x
    backwards = np.ascontiguousarray(weight[::-1])[::-1]
    upside_down = np.ascontiguousarray(dy[:, :, ::-1])[:, :, ::-1]
    y_strided, cache = cpu.conv2d_relu(strided, backwards, bias)
    np.testing.assert_array_equal(y_strided, y)
    again = cpu.conv2d_relu_backward(upside_down, cache)
    for got, wanted in zip(again, gradients, strict=True):
        np.testing.assert_array_equal(got, wanted)


def test_maps_are_channels_last_in_memory_and_not_copied_by_the_next_layer():
    x, weight, bias, _ = layer(1, 5, 5, 9, 9)
    y, _ = cpu.conv2d_relu(x, weight, bias)
    assert y.transpose(0, 2, 3, 1).flags.c_contiguous
    assert np.shares_memory(cpu.channels_last(y), y)


def test_relu_is_closed_at_exactly_zero():
    """ReLU'(0) = 0: no gradient flows through an output that is exactly 0."""
    for channels in (1, 6):  # direct and Winograd
        x, weight, bias, dy = layer(1, channels, 3, 6, 6)
        y, cache = cpu.conv2d_relu(x, weight * 0, bias * 0)
        assert not y.any()
        _, dweight, dbias = cpu.conv2d_relu_backward(dy, cache, need_dx=False)
        assert not dweight.any()
        assert not dbias.any()


@pytest.mark.parametrize("channels", [1, 6])
def test_nan_is_not_hidden_by_the_relu(channels):
    x, weight, bias, _ = layer(1, channels, 3, 8, 8)
    x[0, 0, 4, 4] = np.nan
    assert np.isnan(cpu.conv2d_relu(x, weight, bias)[0]).any()


def test_two_forwards_before_a_backward_do_not_disturb_each_other():
    first, second = layer(1, 6, 6, 12, 12, seed=1), layer(1, 6, 6, 12, 12, seed=2)
    alone = cpu.conv2d_relu_backward(first[3], cpu.conv2d_relu(*first[:3])[1])
    cache = cpu.conv2d_relu(*first[:3])[1]
    cpu.conv2d_relu_backward(second[3], cpu.conv2d_relu(*second[:3])[1])
    for got, wanted in zip(cpu.conv2d_relu_backward(first[3], cache), alone, strict=True):
        np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize(
    "shape", [(1, 1, 1, 1, 1), (3, 5, 2, 7, 4), (1, 64, 3, 40, 50), (2, 2, 9, 1, 6)]
)
def test_conv2d_1x1(shape):
    x, weight, bias, dy = layer(*shape, size=1)
    y, cache = cpu.conv2d(x, weight, bias)
    wanted, wanted_cache = nn.conv2d(*in_double(x, weight, bias))
    assert_close(y, wanted, FORWARD)
    wanted = nn.conv2d_backward(dy.astype(np.float64), wanted_cache)
    for got, value in zip(cpu.conv2d_backward(dy, cache), wanted, strict=True):
        assert_close(got, value, GRADIENT)


@pytest.mark.parametrize(
    "shape", [(1, 1, 1, 1, 1), (3, 5, 2, 7, 4), (1, 64, 32, 20, 21), (2, 4, 9, 1, 6)]
)
@pytest.mark.parametrize("sliced", [False, True])
def test_up_conv2d(shape, sliced):
    n, channels, out_channels, height, width = shape
    rng = np.random.default_rng(6)
    x = rng.standard_normal((n, channels, height, width), dtype=np.float32)
    weight = rng.standard_normal((channels, out_channels, 2, 2), dtype=np.float32)
    bias = rng.standard_normal(out_channels, dtype=np.float32)
    y, cache = cpu.up_conv2d(x, weight, bias)
    wanted, wanted_cache = nn.up_conv2d(*in_double(x, weight, bias))
    assert_close(y, wanted, FORWARD)
    dy = rng.standard_normal((n, 2 * height, 2 * width, out_channels + 3), dtype=np.float32)
    dy = cpu.channels_first(dy)[:, 3:]  # as the concatenation's backward hands it over
    if not sliced:
        dy = np.ascontiguousarray(dy)
    wanted = nn.up_conv2d_backward(dy.astype(np.float64), wanted_cache)
    for got, value in zip(cpu.up_conv2d_backward(dy, cache), wanted, strict=True):
        assert_close(got, value, GRADIENT)


@pytest.mark.parametrize("shape", [(1, 1, 2, 2), (3, 5, 6, 4), (2, 17, 10, 22), (1, 32, 4, 6)])
def test_max_pool2d_with_ties(shape):
    """Small whole numbers, so that windows with two, three and four equal maxima are common."""
    rng = np.random.default_rng(7)
    x = rng.integers(0, 3, shape).astype(np.float32)
    y, cache = cpu.max_pool2d(x)
    wanted, wanted_cache = nn.max_pool2d(x.astype(np.float64))
    np.testing.assert_array_equal(y, wanted)
    dy = rng.standard_normal(y.shape, dtype=np.float32)
    wanted = nn.max_pool2d_backward(dy.astype(np.float64), wanted_cache)
    np.testing.assert_array_equal(cpu.max_pool2d_backward(dy, cache), wanted)


@pytest.mark.parametrize(
    ("skip", "x"),
    [
        ((1, 16, 8, 10), (1, 16, 4, 6)),
        ((3, 5, 12, 8), (3, 2, 7, 3)),  # odd beside even: the larger half below and to the right
        ((2, 35, 6, 4), (2, 3, 6, 4)),  # nothing is cropped
        ((2, 17, 4, 12), (2, 1, 1, 12)),  # rows only
        ((2, 1, 10, 2), (2, 4, 9, 1)),
        ((2, 16, 264, 260), (2, 1, 131, 130)),  # enough for two threads, which meet in an image
    ],
)
def test_max_pool2d_skip_backward(skip, x):
    """Whole numbers with ties, and a gradient that is cropped at every parity."""
    rng = np.random.default_rng(8)
    skip = rng.integers(0, 3, skip).astype(np.float32)
    x = rng.standard_normal(x, dtype=np.float32)
    pooled, pool_cache = cpu.max_pool2d(skip)
    y, concat_cache = cpu.center_crop_concat(skip, x)
    dy, dpooled = (rng.standard_normal(m.shape, dtype=np.float32) for m in (y, pooled))
    dskip, dx = nn.split_concat_gradient(dy, concat_cache)
    assert np.shares_memory(dx, dy)
    before = dy.copy(), dpooled.copy()
    got = nn.max_pool2d_skip_backward(dpooled, pool_cache, dskip)
    assert got.dtype == np.float32
    assert got.strides[1] == 4  # channels last: nobody fell back to the plain text
    with nn.plain():
        _, plain_pool_cache = nn.max_pool2d(skip)
        _, plain_concat_cache = nn.center_crop_concat(skip, x)
        from_skip, wanted_dx = nn.center_crop_concat_backward(dy, plain_concat_cache)
        wanted = nn.max_pool2d_backward(dpooled, plain_pool_cache) + from_skip
    np.testing.assert_array_equal(got, wanted)
    np.testing.assert_array_equal(dx, wanted_dx)
    assert (dy == before[0]).all()
    assert (dpooled == before[1]).all()


def test_max_pool2d_keeps_a_nan_wherever_it_is():
    for corner in range(4):
        x = np.zeros((1, 1, 2, 2), np.float32)
        x[0, 0, corner // 2, corner % 2] = np.nan
        assert np.isnan(cpu.max_pool2d(x)[0]).all()


@pytest.mark.parametrize(
    ("skip", "x"),
    [((1, 1, 5, 5), (1, 1, 5, 5)), ((3, 4, 11, 9), (3, 2, 6, 4)), ((2, 3, 8, 12), (2, 5, 2, 9))],
)
def test_center_crop_concat(skip, x):
    rng = np.random.default_rng(8)
    skip = rng.standard_normal(skip, dtype=np.float32)
    x = rng.standard_normal(x, dtype=np.float32)
    y, cache = cpu.center_crop_concat(skip, x)
    wanted, wanted_cache = nn.center_crop_concat(*in_double(skip, x))
    np.testing.assert_array_equal(y, wanted)
    dy = rng.standard_normal(y.shape, dtype=np.float32)
    got = nn.center_crop_concat_backward(dy, cache)
    wanted = nn.center_crop_concat_backward(dy.astype(np.float64), wanted_cache)
    np.testing.assert_array_equal(got[0], wanted[0])
    np.testing.assert_array_equal(got[1], wanted[1])


@pytest.mark.parametrize("n_classes", [2, 5])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("labels_dtype", [np.uint8, np.int64])
def test_softmax_cross_entropy(n_classes, weighted, labels_dtype):
    rng = np.random.default_rng(9)
    logits = rng.standard_normal((3, n_classes, 7, 5), dtype=np.float32) * 4
    labels = rng.integers(0, n_classes, (3, 7, 5)).astype(labels_dtype)
    weights = rng.random((3, 7, 5), dtype=np.float32) * 3 if weighted else None
    double = None if weights is None else weights.astype(np.float64)
    loss, cache = cpu.softmax_cross_entropy(logits, labels, weights)
    wanted, wanted_cache = nn.softmax_cross_entropy(logits.astype(np.float64), labels, double)
    assert loss.dtype == np.float64
    assert abs(loss - wanted) <= 1e-6 * abs(wanted)
    wanted = nn.softmax_cross_entropy_backward(wanted_cache)
    assert_close(cpu.softmax_cross_entropy_backward(cache), wanted, 2e-6)


def test_softmax_cross_entropy_of_huge_logits_is_finite():
    logits = np.array([1e4, -1e4], np.float32).reshape(1, 2, 1, 1)
    for label, wanted in ((0, 0.0), (1, 2e4)):
        loss, cache = cpu.softmax_cross_entropy(logits, np.full((1, 1, 1), label))
        assert loss == wanted
        assert np.isfinite(cpu.softmax_cross_entropy_backward(cache)).all()


def test_momentum_update():
    rng = np.random.default_rng(10)
    for sizes in ((77,), (5, 1, 1000, 3), (3, 500_001, 200_000, 7, 400_000)):  # 1, 1, 2 threads
        params, grads, velocity = (
            {n: rng.standard_normal(n, dtype=np.float32) for n in sizes} for _ in range(3)
        )
        others = {"not a parameter": np.ones(3, np.float32)}
        v = {n: np.float32(0.9) * velocity[n] + grads[n] for n in sizes}
        p = {n: params[n] - np.float32(0.25) * v[n] for n in sizes}
        cpu.momentum_update(params, velocity | others, grads | others, 0.25, 0.9)
        for n in sizes:
            np.testing.assert_array_equal(velocity[n], v[n])
            np.testing.assert_array_equal(params[n], p[n])
        assert (others["not a parameter"] == 1).all()


@pytest.mark.parametrize("n", [1, 2, 3])
def test_rows_are_shared_out_where_there_is_enough_to_move(monkeypatch, n):
    """Each range of rows once; and no thread is woken for less than LITTLE numbers."""
    monkeypatch.setattr(threads, "get_threads", lambda: n)
    for rows, moved, wanted in (
        (10, layers.LITTLE * 10, n),
        (10, 1, 1),
        (1, layers.LITTLE * 10, 1),
        (100, layers.LITTLE * 2, 1),  # a little less than LITTLE each is too little
        (101, layers.LITTLE * 2 + 200_000, min(n, 2)),
    ):
        done = []
        layers._over_rows(lambda *given, done=done: done.append(given), rows, moved, "a")
        assert len(done) == wanted
        done.sort()
        assert [first for first, _, _ in done] == [0] + [last for _, last, _ in done[:-1]]
        assert done[-1][1:] == (rows, "a")


def test_what_is_supported_and_what_is_left_to_the_texts():
    x, bias = np.ones((1, 2, 5, 5), np.float32), np.ones(3, np.float32)
    weight = np.ones((3, 2, 3, 3), np.float32)
    assert cpu.supports_3x3(x, weight, bias)
    assert not cpu.supports_1x1(x, weight, bias)
    assert cpu.supports_1x1(x, weight[:, :, :1, :1], bias)
    assert not cpu.supports_3x3(x, weight[:, :, :1, :1], bias)
    assert not cpu.supports_3x3(x, weight[:, :, :, :2], bias)
    assert not cpu.supports_3x3_pool(x, weight, bias)  # two channels: the plain sum is best
    wide = np.ones((3, 5, 3, 3), np.float32)
    assert cpu.supports_3x3_pool(np.ones((1, 5, 6, 6), np.float32), wide, bias)
    assert not cpu.supports(x.astype(np.float64))
    assert not cpu.supports(x, weight.astype(np.float64))
    assert not cpu.supports(x[:0])
    assert not cpu.supports(np.ma.masked_array(x))
    transposed = np.ones((3, 4), np.float32).T
    contiguous = np.ones((4, 3), np.float32)
    good = {"p": contiguous}
    assert cpu.supports_update(good, good, good, 0.1, 0.9)
    for place in range(3):
        for bad in (transposed, contiguous[:2]):  # C-contiguous, but shorter
            arrays = [good] * 3
            arrays[place] = {"p": bad}
            assert not cpu.supports_update(*arrays, 0.1, 0.9)


def test_a_step_neither_uses_blas_nor_changes_its_threads(monkeypatch):
    """A BLAS thread that was used once spins on for a while and takes a core away."""

    def forbidden(*_, **__):
        raise AssertionError("a product by BLAS")

    for name in ("matmul", "dot", "einsum", "tensordot", "vdot", "inner"):
        monkeypatch.setattr(np, name, forbidden)
    set_to = []
    for library in ThreadpoolController().lib_controllers:
        monkeypatch.setattr(type(library), "set_num_threads", lambda _, n: set_to.append(n))
    x, weight, bias, dy = layer(1, 6, 6, 9, 9, size=1)
    _, cache = cpu.conv2d(x, weight, bias)
    cpu.conv2d_backward(dy, cache)
    x, weight, bias, dy = layer(1, 6, 6, 9, 9)
    _, cache = cpu.conv2d_relu(x, weight, bias)
    cpu.conv2d_relu_backward(dy, cache)
    assert set_to == []


@pytest.mark.parametrize("channels", [1, 6])
def test_the_relu_is_closed_to_infinite_gradients_and_open_at_nan(channels):
    """As in PyTorch: dy passes where not y <= 0."""
    x, weight, bias, _ = layer(1, channels, 16, 3, 3)
    for value, expected in ((-1, 0), (np.nan, np.inf), (1, np.inf)):
        y, cache = cpu.conv2d_relu(x, weight * 0, np.full_like(bias, value))
        _, _, dbias = cpu.conv2d_relu_backward(np.full_like(y, np.inf), cache, need_dx=False)
        np.testing.assert_array_equal(dbias, np.full(16, expected))


def test_the_gradient_of_a_window_with_nan_goes_to_the_last_one(rng):
    """As in PyTorch, where a NaN is a maximum and the later of two replaces the first."""
    windows = np.array(list(product([0.0, 1, np.nan], repeat=4)), np.float32)  # 81 windows
    x = windows.reshape(1, -1, 2, 2)
    _, cache = cpu.max_pool2d(x)
    dy = rng.standard_normal((1, len(windows), 1, 1), np.float32)
    dx = cpu.max_pool2d_backward(dy, cache)
    for window, given, gradient in zip(windows, dy.ravel(), dx.reshape(-1, 4), strict=True):
        nan = np.flatnonzero(np.isnan(window))
        wanted = nan[-1] if nan.size else window.argmax()
        assert gradient.tolist() == [given if i == wanted else 0.0 for i in range(4)]
