"""The GPU path, run on the CPU from the same sources, against the loops over the formulas."""

import re

import numpy as np
import pytest
from cuda_shim import rounded, shim_gpu
from numpy.testing import assert_allclose, assert_array_equal

from tinyunet import ops
from tinyunet.kernels import gpu, gpu_conv, gpu_ops, gpu_tensor
from tinyunet.ops import naive

CONVOLUTIONS = [  # (x, weight): H ≠ W, C_in ≠ C_out, batches, one tile, edges of every width
    ((2, 3, 7, 6), (4, 3, 3, 3)),
    ((1, 1, 3, 9), (2, 1, 3, 3)),
    ((1, 2, 3, 3), (1, 2, 3, 3)),
    ((2, 2, 13, 10), (3, 2, 3, 3)),
    ((3, 4, 6, 8), (2, 4, 3, 3)),
    ((1, 5, 15, 5), (3, 5, 3, 3)),
    ((2, 5, 4, 3), (2, 5, 1, 1)),
    ((1, 3, 5, 7), (4, 3, 1, 1)),
]


@pytest.fixture
def shim():
    with gpu.running_on(shim_gpu()) as device:
        yield device


def _normal(rng, *shapes):
    return [rng.standard_normal(shape, dtype=np.float32) for shape in shapes]


def _assert_close(got, expected, tolerance=2e-6):
    assert got.dtype == np.float32
    assert_allclose(got, expected, rtol=0, atol=tolerance * np.abs(expected).max() + 1e-12)


def _check_convolution(x, weight, bias, dy, tolerance):
    """Compare conv2d and conv2d_relu, forward and backward, with the loops in float64."""
    exact = [a.astype(float) for a in (x, weight, bias, dy)]
    linear = naive.conv2d(*exact[:3])
    y, cache = gpu.conv2d(x, weight, bias)
    _assert_close(y, linear, tolerance)
    expected = naive.conv2d_backward(exact[3], *exact[:2])
    for g, e in zip(gpu.conv2d_backward(dy, cache), expected, strict=True):
        _assert_close(g, e, tolerance)
    y, cache = gpu.conv2d_relu(x, weight, bias)
    _assert_close(y, naive.relu(linear), tolerance)
    expected = naive.conv2d_backward(naive.relu_backward(exact[3], linear), *exact[:2])
    for g, e in zip(gpu.conv2d_relu_backward(dy, cache), expected, strict=True):
        _assert_close(g, e, tolerance)
    dx, *others = gpu.conv2d_relu_backward(dy, cache, need_dx=False)
    assert dx is None
    for g, e in zip(others, expected[1:], strict=True):
        _assert_close(g, e, tolerance)


@pytest.mark.parametrize(("x_shape", "w_shape"), CONVOLUTIONS)
def test_convolution_equals_the_loops(shim, rng, x_shape, w_shape):
    out = (x_shape[0], w_shape[0], x_shape[2] - w_shape[2] + 1, x_shape[3] - w_shape[3] + 1)
    _check_convolution(*_normal(rng, x_shape, w_shape, w_shape[:1], out), 2e-6)


@pytest.mark.parametrize("precision", ["tf32", "bf16"])
@pytest.mark.parametrize(
    ("x_shape", "w_shape"), [*CONVOLUTIONS[:4], ((1, 17, 6, 30), (70, 17, 3, 3)), CONVOLUTIONS[-1]]
)
def test_tensor_cores_multiply_rounded_factors_exactly(shim, rng, x_shape, w_shape, precision):
    # With factors that are already rounded, only the float32 sums are left to differ. The gradient
    # of a ReLU passes dy on unchanged, so it stays rounded too.
    out = (x_shape[0], w_shape[0], x_shape[2] - w_shape[2] + 1, x_shape[3] - w_shape[3] + 1)
    x, weight, bias, dy = _normal(rng, x_shape, w_shape, w_shape[:1], out)
    x, weight, dy = (rounded(a, precision) for a in (x, weight, dy))
    if w_shape[0] > 4:  # the loops would take long
        exact = [a.astype(float) for a in (x, weight, bias, dy)]
        with gpu.precision(precision):
            y, cache = gpu.conv2d_relu(x, weight, bias)
            got = gpu.conv2d_relu_backward(dy, cache)
        expected, plain = ops.conv2d_relu(*exact[:3])
        for g, e in zip(
            (y, *got), (expected, *ops.conv2d_relu_backward(exact[3], plain)), strict=True
        ):
            _assert_close(g, e)
    else:
        with gpu.precision(precision):
            _check_convolution(x, weight, bias, dy, 2e-6)


@pytest.mark.parametrize(("precision", "low", "high"), [("tf32", 3e-5, 6e-4), ("bf16", 5e-4, 6e-3)])
def test_tensor_cores_round_their_factors(shim, rng, precision, low, high):
    x, weight, bias = _normal(rng, (1, 20, 9, 12), (5, 20, 3, 3), (5,))
    exact, _ = ops.conv2d(x.astype(float), weight.astype(float), bias.astype(float))
    with gpu.precision(precision):
        y, _ = gpu.conv2d(x, weight, bias)
    error = np.linalg.norm(y - exact) / np.linalg.norm(exact)
    assert low < error < high
    assert f"conv_{precision}_64" in shim.launched


def test_the_gradient_of_filters_is_cut_into_slices_that_add_up(shim, rng, monkeypatch):
    monkeypatch.setattr(gpu_tensor, "SLICE_PIXELS", 40)
    x, dy = _normal(rng, (2, 2, 12, 11), (2, 3, 10, 9))
    for precision in ("tf32", "bf16"):
        a, b = rounded(x, precision), rounded(dy, precision)
        got = gpu_tensor._filter_gradient(shim, b, a, (3, 2, 3, 3), precision)
        exact = naive.conv2d_backward(b.astype(float), a.astype(float), np.zeros((3, 2, 3, 3)))[1]
        _assert_close(got, exact)


def test_the_slices_share_the_pixels(shim, rng):
    x, dy = _normal(rng, (1, 2, 12, 12), (1, 3, 10, 10))
    partial = shim.empty(3, 3, 18)
    shim.launch_blocks("filters_tf32", 3, dy, x, partial, 1, 2, 12, 12, 3, 3)
    pixels = np.arange(100).reshape(10, 10)
    for s, (first, last) in enumerate([(0, 48), (48, 96), (96, 100)]):  # whole tiles of 16
        part = np.where((first <= pixels) & (pixels < last), dy, 0).astype(float)
        exact = naive.conv2d_backward(part, x.astype(float), np.zeros((3, 2, 3, 3)))[1]
        assert_allclose(partial[s].reshape(exact.shape), exact, atol=2e-3 * np.abs(exact).max())


def test_convolution_takes_any_strides(shim, rng):
    x, weight, bias = _normal(rng, (7, 6, 3, 2), (3, 3, 3, 4), (8,))
    x, weight, bias = x.transpose(3, 2, 0, 1), weight.transpose(3, 2, 0, 1), bias[::2]
    _check_convolution(x, weight, bias, _normal(rng, (2, 4, 4, 5))[0].transpose(0, 1, 3, 2), 2e-6)


def test_a_diverged_value_is_not_hidden(shim, rng):
    x, weight, bias = _normal(rng, (1, 2, 6, 6), (2, 2, 3, 3), (2,))
    x[0, 0, 2, 2] = np.nan
    assert np.isnan(gpu.conv2d_relu(x, weight, bias)[0]).any()
    assert np.isnan(gpu.max_pool2d(x)[0][0, 0, 1, 1])


def test_max_pool_equals_the_loops(shim, rng):
    x = rng.integers(0, 3, (2, 3, 6, 10)).astype(np.float32)  # many ties
    y, cache = gpu.max_pool2d(x)
    assert_array_equal(y, naive.max_pool2d(x))
    (dy,) = _normal(rng, y.shape)
    assert_array_equal(gpu.max_pool2d_backward(dy, cache), naive.max_pool2d_backward(dy, x))
    dy = dy.transpose(0, 1, 3, 2).copy().transpose(0, 1, 3, 2)
    assert_array_equal(gpu.max_pool2d_backward(dy, cache), naive.max_pool2d_backward(dy, x))
    (onto,) = _normal(rng, x.shape)
    expected = onto + naive.max_pool2d_backward(dy, x)
    assert gpu.max_pool2d_backward(dy, cache, onto) is onto
    assert_array_equal(onto, expected)
    with pytest.raises(ValueError, match=r"onto has shape \(2, 3, 6, 8\), not \(2, 3, 6, 10\)"):
        gpu.max_pool2d_backward(dy, cache, onto[..., :8])


@pytest.mark.parametrize("precision", ["float32", "tf32", "bf16"])
@pytest.mark.parametrize(
    ("x_shape", "w_shape"),  # the last tiles are 4 or 2 wide and high; one window; a batch; 1×1
    [
        ((2, 3, 8, 6), (4, 3, 3, 3)),
        ((1, 2, 4, 4), (2, 2, 3, 3)),
        ((1, 2, 4, 12), (3, 2, 3, 3)),
        ((3, 1, 14, 4), (2, 1, 3, 3)),
        ((1, 3, 10, 16), (5, 3, 3, 3)),
        ((2, 3, 4, 6), (2, 3, 1, 1)),
    ],
)
def test_convolution_relu_and_pooling_at_once(shim, rng, x_shape, w_shape, precision):
    x, weight, bias = _normal(rng, x_shape, w_shape, w_shape[:1])
    x, weight = rounded(x, precision), rounded(weight, precision)
    with gpu.precision(precision):
        (y, cache), (pooled, pool_cache) = gpu.conv2d_relu_max_pool(x, weight, bias)
        expected = naive.relu(naive.conv2d(*(a.astype(float) for a in (x, weight, bias))))
        _assert_close(y, expected)
        assert (y > 0).any()
        assert (y == 0).any()
        assert_array_equal(pooled, naive.max_pool2d(y))  # of this y, to the bit
        is_fused = precision == "float32" and w_shape[2:] == (3, 3)
        assert ("max_pool_forward" in shim.launched) != is_fused
        dpooled, dy = _normal(rng, pooled.shape, y.shape)
        got = gpu.max_pool2d_backward(dpooled, pool_cache)
        assert_array_equal(got, naive.max_pool2d_backward(dpooled, y))
        again = gpu.conv2d_relu(x, weight, bias)
        assert_array_equal(again[0], y)
        for g, e in zip(
            gpu.conv2d_relu_backward(dy, cache),
            gpu.conv2d_relu_backward(dy, again[1]),
            strict=True,
        ):
            assert_array_equal(g, e)


def test_a_diverged_value_is_pooled_too(shim, rng):
    x, weight, bias = _normal(rng, (1, 2, 8, 8), (2, 2, 3, 3), (2,))
    x[0, 0, 2, 2] = np.nan
    (y, _), (pooled, _) = gpu.conv2d_relu_max_pool(x, weight, bias)
    assert_array_equal(np.isnan(pooled), np.isnan(y[:, :, ::2, ::2]))
    assert np.isnan(pooled).any()


@pytest.mark.parametrize("shape", [(1, 2, 7, 8), (1, 2, 8, 7)])
def test_maps_of_odd_size_are_not_pooled(shim, rng, shape):
    x, weight, bias = _normal(rng, shape, (2, 2, 3, 3), (2,))
    with pytest.raises(ValueError, match=re.escape(f"x has shape {shape}, not (1, 2, ")):
        gpu.conv2d_relu_max_pool(x, weight, bias)
    with pytest.raises(ValueError, match="max_pool2d needs .* with even H and W: got"):
        ops.conv2d_relu_max_pool(x, weight, bias)
    assert shim.launched == {}


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


def test_dropout_draws_what_the_plain_text_draws(shim, rng):
    x, dy = _normal(rng, (2, 3, 5, 7), (2, 3, 5, 7))
    y, cache = gpu.dropout(x, 0.3, np.random.default_rng(4))
    expected, plain = ops.dropout(x, 0.3, np.random.default_rng(4))
    assert_array_equal(y, expected)
    assert_array_equal(gpu.dropout_backward(dy, cache), ops.dropout_backward(dy, plain))


def test_dropout_keeps_numbers_at_the_rate():
    class Numbers:
        def random(self, shape, dtype):
            return np.array([0.25, 0.2499, 0.0, 0.999], dtype)

    with gpu.running_on(shim_gpu()):
        y, _ = gpu.dropout(np.ones(4, np.float32), 0.25, Numbers())
    assert_array_equal(y, np.array([1 / 0.75, 0, 0, 1 / 0.75], np.float32))


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
    expected, plain = ops.softmax_cross_entropy(logits.astype(float), labels)
    assert_allclose(loss, expected, rtol=1e-6)
    assert_allclose(cache[0], ops.softmax_cross_entropy_backward(plain), rtol=1e-5, atol=1e-12)


@pytest.mark.parametrize("length", [1, 255, 256, 700])
def test_row_sums(shim, rng, length):
    (x,) = _normal(rng, (2, 3, length))
    expected = x.astype(float).sum(axis=(0, 2))
    assert_allclose(gpu_conv.row_sums(shim, x), expected, atol=1e-5 * np.sqrt(length))


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
        gpu.sgd_momentum_(p, g, v, rate, 0.9)
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
        (gpu.dropout(x, 0.5, rng), gpu.dropout_backward, (1, 2, 6, 6)),
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
            "weights has shape (2, 5, 6), not (2, 6, 6)",
        ),
    ]
    for function, arguments, message in cases:
        with pytest.raises(ValueError, match=re.escape(message)):
            function(*arguments)
    assert shim.launched == {}


def test_what_is_taken(rng):
    x, weight = _normal(rng, (1, 2, 6, 6), (3, 2, 3, 3))
    assert not gpu.takes(x)  # NumPy, and no device asked for
    with gpu.running_on(shim_gpu()):
        assert gpu.takes(x, weight)
        assert not gpu.takes(x, weight.astype(float))
        assert not gpu.takes(x, weight[:0])
        for takes in (gpu.takes_conv2d, gpu.takes_conv2d_relu):
            assert takes(x, weight)
            assert takes(x, weight[:, :, :1, :1])
            assert not takes(x, weight[:, :, :2])
            assert not takes(x.astype(float), weight)
        assert gpu.takes_sgd(x, x, x)
        assert not gpu.takes_sgd(x, x.astype(float), x)
        assert not gpu.takes_sgd(x, x, x[..., ::2])
    assert not gpu.takes(x)


def test_an_unknown_precision_is_refused():
    with pytest.raises(ValueError, match="precision 'fp8' is not one of"), gpu.precision("fp8"):
        pass


def test_an_old_gpu_has_no_tensor_cores_for_it(shim, rng):
    x, weight, bias = _normal(rng, (1, 2, 6, 6), (3, 2, 3, 3), (3,))
    shim.compute_capability = 75
    for name in ("tf32", "bf16"):
        message = f"^precision '{name}' needs a GPU of compute capability 8.0: this one has 7.5$"
        with gpu.precision(name), pytest.raises(ValueError, match=message):
            gpu.conv2d_relu(x, weight, bias)
    gpu.conv2d_relu(x, weight, bias)
