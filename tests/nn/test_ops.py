"""The operations against the loops, against differences, and at their edges."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tinyunet import nn
from tinyunet.arrays import to_numpy
from tinyunet.nn import reference as naive
from tinyunet.nn.gradcheck import check_op
from tinyunet.nn.im2col import col2im, im2col

CONV_CASES = [  # (x, weight): H ≠ W, C_in ≠ C_out, batches, one row, one channel, other kernels
    ((2, 3, 7, 6), (4, 3, 3, 3)),
    ((1, 1, 3, 9), (2, 1, 3, 3)),
    ((3, 5, 4, 5), (2, 5, 1, 1)),
    ((2, 2, 6, 8), (3, 2, 5, 2)),
    ((1, 3, 3, 3), (1, 3, 3, 3)),
]


def _normal(rng, *shapes):
    return [rng.standard_normal(shape) for shape in shapes]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("x_shape", "w_shape"), CONV_CASES)
def test_conv2d_equals_the_loops(rng, to_device, x_shape, w_shape, dtype):
    x, weight, bias = (a.astype(dtype) for a in _normal(rng, x_shape, w_shape, w_shape[:1]))
    y, cache = nn.conv2d(to_device(x), to_device(weight), to_device(bias))
    expected = naive.conv2d(*(a.astype("float64") for a in (x, weight, bias)))
    tolerance = {"float32": 2e-6, "float64": 1e-13}[dtype] * np.abs(expected).max()
    assert y.dtype == dtype
    assert_allclose(to_numpy(y), expected, rtol=0, atol=tolerance)
    dy = rng.standard_normal(y.shape).astype(dtype)
    got = nn.conv2d_backward(to_device(dy), cache)
    for g, e in zip(
        got, naive.conv2d_backward(*(a.astype(float) for a in (dy, x, weight))), strict=True
    ):
        assert g.dtype == dtype
        tolerance = {"float32": 5e-6, "float64": 1e-13}[dtype] * np.abs(e).max()
        assert_allclose(to_numpy(g), e, rtol=0, atol=tolerance)


@pytest.mark.parametrize(("x_shape", "w_shape"), CONV_CASES)
def test_conv2d_gradients(rng, x_shape, w_shape):
    errors = check_op(nn.conv2d, nn.conv2d_backward, _normal(rng, x_shape, w_shape, w_shape[:1]))
    assert len(errors) == 3
    assert max(errors) < 1e-8


def test_conv2d_takes_any_strides(rng, to_device):
    x, weight, bias = _normal(rng, (7, 6, 3, 2), (3, 3, 3, 4), (4,))
    x, weight = x.transpose(3, 2, 0, 1), weight.transpose(3, 2, 0, 1)  # views, not copies
    y, cache = nn.conv2d(to_device(x), to_device(weight), to_device(bias))
    assert_allclose(to_numpy(y), naive.conv2d(x, weight, bias), atol=1e-12)
    dy = rng.standard_normal((5, 4, 2, 4)).transpose(2, 3, 0, 1)[:, ::-1][:, :, ::-1]
    dy = np.ascontiguousarray(dy.transpose(0, 1, 3, 2)).transpose(0, 1, 3, 2)  # (2, 4, 5, 4)
    got = nn.conv2d_backward(to_device(dy), cache)
    for g, e in zip(got, naive.conv2d_backward(dy, x, weight), strict=True):
        assert_allclose(to_numpy(g), e, atol=1e-12)


def test_conv2d_is_a_correlation_worked_by_hand():
    x = np.arange(1.0, 10).reshape(1, 1, 3, 3)
    weight = np.array([[1.0, 0], [0, 10]]).reshape(1, 1, 2, 2)
    y, _ = nn.conv2d(x, weight, np.array([0.5]))
    # top left: 1·1 + 10·5 + 0.5; a flipped kernel would give 10·1 + 1·5 + 0.5
    assert_array_equal(y[0, 0], [[51.5, 62.5], [84.5, 95.5]])


@pytest.mark.parametrize(
    ("x_shape", "w_shape", "b_shape", "message"),
    [
        ((3, 5, 5), (2, 3, 3, 3), (2,), "4 axes"),
        ((1, 3, 5, 5), (2, 3, 3), (2,), "4 axes"),
        ((1, 4, 5, 5), (2, 3, 3, 3), (2,), "x has 4 channels, but weight expects 3"),
        ((1, 3, 5, 5), (2, 3, 3, 3), (3,), "bias has shape"),
        ((1, 3, 2, 5), (2, 3, 3, 3), (2,), "2×5 pixels is smaller than the 3×3 kernel"),
        ((1, 3, 5, 2), (2, 3, 3, 3), (2,), "5×2 pixels is smaller than the 3×3 kernel"),
    ],
)
def test_conv2d_refuses(x_shape, w_shape, b_shape, message):
    with pytest.raises(ValueError, match=message):
        nn.conv2d(np.zeros(x_shape), np.zeros(w_shape), np.zeros(b_shape))


def test_im2col_and_col2im_are_adjoint(rng):
    x = rng.standard_normal((2, 3, 6, 5))
    columns = im2col(x, (3, 2))
    other = rng.standard_normal(columns.shape)
    assert_allclose(np.vdot(columns, other), np.vdot(x, col2im(other, x.shape, (3, 2))))
    # column 1 is the patch whose top left corner is pixel (0, 1), read channel by channel
    assert_array_equal(columns[1, :, 1], x[1, :, 0:3, 1:3].ravel())


def test_relu(rng, to_device):
    x = np.array([[-1.5, 0.0, 2.0], [np.nextafter(0, 1), -0.0, 7.0]])
    dy = rng.standard_normal(x.shape)
    y, cache = nn.relu(to_device(x))
    assert_array_equal(to_numpy(y), naive.relu(x))
    assert_array_equal(to_numpy(nn.relu_backward(to_device(dy), cache)), naive.relu_backward(dy, x))
    assert to_numpy(nn.relu_backward(to_device(dy), cache))[0, 1] == 0  # ReLU'(0) = 0


def test_relu_gradient(rng):
    x = rng.standard_normal((2, 3, 4, 5))
    x[np.abs(x) < 1e-3] = 0.5  # away from the kink
    assert max(check_op(nn.relu, nn.relu_backward, [x])) < 1e-8


def test_conv2d_relu_is_conv2d_then_relu(rng, to_device):
    x, weight, bias = _normal(rng, (2, 3, 7, 6), (4, 3, 3, 3), (4,))
    y, cache = nn.conv2d_relu(to_device(x), to_device(weight), to_device(bias))
    linear = naive.conv2d(x, weight, bias)
    assert_allclose(to_numpy(y), naive.relu(linear), atol=1e-12)
    dy = rng.standard_normal(y.shape)
    expected = naive.conv2d_backward(naive.relu_backward(dy, linear), x, weight)
    for g, e in zip(nn.conv2d_relu_backward(to_device(dy), cache), expected, strict=True):
        assert_allclose(to_numpy(g), e, atol=1e-12)
    dx, dweight, _ = nn.conv2d_relu_backward(to_device(dy), cache, need_dx=False)
    assert dx is None
    assert_allclose(to_numpy(dweight), expected[1], atol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(2, 3, 6, 8), (1, 1, 2, 2), (3, 2, 4, 10)])
def test_max_pool2d_equals_the_loops_with_ties(rng, to_device, shape, dtype):
    x = rng.integers(0, 3, shape).astype(dtype)  # few values: most windows hold a tie
    y, cache = nn.max_pool2d(to_device(x))
    assert y.dtype == dtype
    assert_array_equal(to_numpy(y), naive.max_pool2d(x))
    dy = rng.standard_normal(y.shape).astype(dtype)
    dx = to_numpy(nn.max_pool2d_backward(to_device(dy), cache))
    assert dx.dtype == dtype
    assert_array_equal(dx, naive.max_pool2d_backward(dy, x))


def test_max_pool2d_first_maximum_wins(rng, to_device):
    x = np.array([[0.0, 5, 5, 0], [5, 5, 1, 5]]).reshape(1, 1, 2, 4)
    _, cache = nn.max_pool2d(to_device(x))
    dx = to_numpy(nn.max_pool2d_backward(to_device(np.array([[[[2.0, 3]]]])), cache))
    assert_array_equal(dx[0, 0], [[0, 2, 3, 0], [0, 0, 0, 0]])


def test_max_pool2d_gradient(rng):
    x = rng.permutation(2 * 3 * 4 * 6).reshape(2, 3, 4, 6) / 10.0  # all different: no ties
    assert max(check_op(nn.max_pool2d, nn.max_pool2d_backward, [x])) < 1e-8


@pytest.mark.parametrize("shape", [(1, 1, 3, 4), (1, 1, 4, 3), (1, 4, 4)])
def test_max_pool2d_refuses_odd_sizes(shape):
    with pytest.raises(ValueError, match="even H and W"):
        nn.max_pool2d(np.zeros(shape))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("x_shape", "out"), [((2, 3, 3, 5), 4), ((1, 1, 1, 2), 1), ((3, 4, 2, 1), 2)]
)
def test_up_conv2d_equals_the_loops(rng, to_device, x_shape, out, dtype):
    arrays = _normal(rng, x_shape, (x_shape[1], out, 2, 2), (out,))
    x, weight, bias = (a.astype(dtype) for a in arrays)
    y, cache = nn.up_conv2d(to_device(x), to_device(weight), to_device(bias))
    tolerance = {"float32": 5e-6, "float64": 1e-13}[dtype]
    assert y.dtype == dtype
    assert_allclose(to_numpy(y), naive.up_conv2d(x, weight, bias), rtol=0, atol=10 * tolerance)
    dy = rng.standard_normal(y.shape).astype(dtype)
    expected = naive.up_conv2d_backward(*(a.astype(float) for a in (dy, x, weight)))
    for g, e in zip(nn.up_conv2d_backward(to_device(dy), cache), expected, strict=True):
        assert g.dtype == dtype
        assert_allclose(to_numpy(g), e, rtol=0, atol=tolerance * max(1, np.abs(e).max()))


def test_up_conv2d_gradients(rng):
    inputs = _normal(rng, (2, 3, 3, 4), (3, 2, 2, 2), (2,))
    errors = check_op(nn.up_conv2d, nn.up_conv2d_backward, inputs)
    assert len(errors) == 3
    assert max(errors) < 1e-8


def test_up_conv2d_paints_patches_worked_by_hand():
    x = np.array([[1.0, 10]]).reshape(1, 1, 1, 2)
    weight = np.array([[1.0, 2], [3, 4]]).reshape(1, 1, 2, 2)
    y, _ = nn.up_conv2d(x, weight, np.array([0.5]))
    assert_array_equal(y[0, 0], [[1.5, 2.5, 10.5, 20.5], [3.5, 4.5, 30.5, 40.5]])


@pytest.mark.parametrize(
    ("x_shape", "w_shape", "b_shape", "message"),
    [
        ((3, 5, 5), (3, 2, 2, 2), (2,), "must be"),
        ((1, 3, 5, 5), (3, 2, 3, 3), (2,), "must be"),
        ((1, 4, 5, 5), (3, 2, 2, 2), (2,), "x has 4 channels, but weight expects 3"),
        ((1, 3, 5, 5), (3, 2, 2, 2), (3,), "bias has shape"),
    ],
)
def test_up_conv2d_refuses(x_shape, w_shape, b_shape, message):
    with pytest.raises(ValueError, match=message):
        nn.up_conv2d(np.zeros(x_shape), np.zeros(w_shape), np.zeros(b_shape))


@pytest.mark.parametrize(
    ("skip_shape", "x_shape"),
    [((2, 3, 8, 9), (2, 2, 4, 3)), ((1, 1, 5, 4), (1, 3, 5, 4)), ((2, 1, 7, 6), (2, 1, 2, 3))],
)
def test_center_crop_concat(rng, to_device, skip_shape, x_shape):
    skip, x = _normal(rng, skip_shape, x_shape)
    y, cache = nn.center_crop_concat(to_device(skip), to_device(x))
    assert_array_equal(to_numpy(y), naive.center_crop_concat(skip, x))
    dy = rng.standard_normal(y.shape)
    got = nn.center_crop_concat_backward(to_device(dy), cache)
    for g, e in zip(got, naive.center_crop_concat_backward(dy, skip, x), strict=True):
        assert_array_equal(to_numpy(g), e)
    errors = check_op(nn.center_crop_concat, nn.center_crop_concat_backward, [skip, x])
    assert max(errors) < 1e-8


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("skip_shape", "x_shape"),
    [((2, 3, 8, 10), (2, 2, 4, 3)), ((1, 1, 4, 4), (1, 3, 4, 4)), ((3, 2, 6, 4), (3, 1, 1, 2))],
)
def test_a_map_that_was_pooled_and_skipped_gets_both_gradients(
    rng, to_device, skip_shape, x_shape, dtype
):
    """Ties in the windows, crops that leave an odd number of pixels; dy is read only."""
    skip = rng.integers(0, 3, skip_shape).astype(dtype)
    x = rng.standard_normal(x_shape).astype(dtype)
    pooled, pool_cache = nn.max_pool2d(to_device(skip))
    y, concat_cache = nn.center_crop_concat(to_device(skip), to_device(x))
    dy, dpooled = (rng.standard_normal(m.shape).astype(dtype) for m in (y, pooled))
    dy_there = to_device(dy)
    dskip, dx = nn.split_concat_gradient(dy_there, concat_cache)
    got = nn.max_pool2d_skip_backward(to_device(dpooled), pool_cache, dskip)
    wanted, wanted_dx = naive.center_crop_concat_backward(dy, skip, x)
    assert got.dtype == dx.dtype == dtype
    assert_array_equal(to_numpy(dx), wanted_dx)
    wanted = wanted.astype(dtype) + naive.max_pool2d_backward(dpooled, skip).astype(dtype)
    assert_array_equal(to_numpy(got), wanted)
    assert_array_equal(to_numpy(dy_there), dy)


@pytest.mark.parametrize(
    ("skip_shape", "x_shape"),
    [((1, 2, 4, 4), (2, 2, 4, 4)), ((1, 2, 3, 4), (1, 2, 4, 4)), ((1, 2, 4, 3), (1, 2, 4, 4))],
)
def test_center_crop_concat_refuses(skip_shape, x_shape):
    with pytest.raises(ValueError, match="cannot be cropped"):
        nn.center_crop_concat(np.zeros(skip_shape), np.zeros(x_shape))


def test_dropout_keeps_the_mean_and_its_gradient_is_its_mask(rng, to_device):
    x = np.full((4, 8, 32, 32), 2.0, "float32")
    y, cache = nn.dropout(to_device(x), 0.25, np.random.default_rng(3))
    y = to_numpy(y)
    assert y.dtype == "float32"
    assert_allclose(np.unique(y), [0, 2 / 0.75], rtol=1e-6)
    assert abs((y == 0).mean() - 0.25) < 0.01
    dy = rng.standard_normal(x.shape).astype("float32")
    dx = to_numpy(nn.dropout_backward(to_device(dy), cache))
    assert_allclose(dx, dy * (y / 2), rtol=1e-6)


def test_dropout_is_drawn_on_the_cpu_from_the_generator(to_device):
    x = np.ones((1, 2, 5, 5))
    one, _ = nn.dropout(to_device(x), 0.5, np.random.default_rng(7))
    two, _ = nn.dropout(to_device(x), 0.5, np.random.default_rng(7))
    keep = np.random.default_rng(7).random(x.shape, dtype="float32") >= 0.5
    assert_array_equal(to_numpy(one), to_numpy(two))
    assert_array_equal(to_numpy(one), 2.0 * keep)


def test_dropout_of_zero_changes_nothing_and_draws_nothing(rng):
    x = rng.standard_normal((1, 2, 3, 4))
    generator = np.random.default_rng(5)
    y, cache = nn.dropout(x, 0, generator)
    assert y is x
    assert nn.dropout_backward(x, cache) is x
    assert generator.random() == np.random.default_rng(5).random()


@pytest.mark.parametrize("rate", [-0.1, 1.0, 1.5, float("nan")])
def test_dropout_refuses(rate):
    with pytest.raises(ValueError, match="not in"):
        nn.dropout(np.ones((1, 1, 2, 2)), rate, np.random.default_rng(0))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("classes", [2, 3, 5])
def test_cross_entropy_equals_the_loops(rng, to_device, classes, dtype):
    logits = (5 * rng.standard_normal((2, classes, 4, 3))).astype(dtype)
    labels = rng.integers(0, classes, (2, 4, 3))
    weights = rng.random((2, 4, 3)).astype(dtype)
    weights[0, 1] = 0
    loss, cache = nn.softmax_cross_entropy(*(to_device(a) for a in (logits, labels, weights)))
    rtol = {"float32": 2e-6, "float64": 1e-13}[dtype]
    assert float(loss) == pytest.approx(
        naive.softmax_cross_entropy(logits, labels, weights), rel=rtol
    )
    dlogits = to_numpy(nn.softmax_cross_entropy_backward(cache))
    expected = naive.softmax_cross_entropy_backward(logits.astype(float), labels, weights)
    assert dlogits.dtype == dtype
    assert_allclose(dlogits, expected, rtol=0, atol=rtol * np.abs(expected).max())
    assert (dlogits[0, :, 1] == 0).all()  # a weight of zero leaves the pixel out


def test_cross_entropy_gradient_by_differences(rng):
    labels, weights = rng.integers(0, 3, (2, 3, 4)), rng.random((2, 3, 4))

    def forward(logits):
        loss, cache = nn.softmax_cross_entropy(logits, labels, weights)
        return np.asarray(loss), cache

    def backward(dloss, cache):
        return float(dloss) * nn.softmax_cross_entropy_backward(cache)

    assert max(check_op(forward, backward, [rng.standard_normal((2, 3, 3, 4))])) < 1e-8


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_cross_entropy_is_stable_for_huge_logits(to_device, dtype):
    logits = np.array([[1e4, -1e4], [-1e4, 1e4]], dtype).reshape(1, 2, 1, 2)
    right, _ = nn.softmax_cross_entropy(to_device(logits), to_device(np.array([[[0, 1]]])))
    wrong, cache = nn.softmax_cross_entropy(to_device(logits), to_device(np.array([[[1, 0]]])))
    assert float(right) == 0
    assert float(wrong) == pytest.approx(2e4)
    dlogits = to_numpy(nn.softmax_cross_entropy_backward(cache))
    assert_allclose(dlogits.reshape(2, 2), [[0.5, -0.5], [-0.5, 0.5]])


def test_cross_entropy_without_weights_counts_every_pixel_once(rng):
    logits, labels = rng.standard_normal((1, 2, 3, 5)), rng.integers(0, 2, (1, 3, 5))
    plain, _ = nn.softmax_cross_entropy(logits, labels)
    ones, _ = nn.softmax_cross_entropy(logits, labels, np.ones((1, 3, 5)))
    doubled, _ = nn.softmax_cross_entropy(logits, labels, np.full((1, 3, 5), 2.0))
    assert plain == ones
    assert doubled == pytest.approx(2 * plain)
    uniform, _ = nn.softmax_cross_entropy(np.zeros((1, 4, 3, 5)), labels)
    assert uniform == pytest.approx(np.log(4))  # divided by the number of pixels, not of weights


def test_softmax_sums_to_one(rng):
    p = nn.softmax(30 * rng.standard_normal((2, 4, 3, 3)))
    assert_allclose(p.sum(axis=1), 1)
    expected = np.exp([1.0, 2.0]) / np.exp([1.0, 2.0]).sum()
    assert_allclose(nn.softmax(np.array([1.0, 2.0]).reshape(1, 2, 1, 1)).ravel(), expected)


@pytest.mark.parametrize(
    ("labels", "weights", "message"),
    [
        (np.zeros((1, 3, 3), int), None, "do not go with logits"),
        (np.zeros((3, 4), int), None, "do not go with logits"),
        (np.zeros((1, 3, 4)), None, "whole numbers"),
        (np.zeros((1, 3, 4), int), np.ones((3, 4)), "of one shape"),
        (np.arange(12).reshape(1, 3, 4) % 3, None, "labels run from 0 to 2, but 2 classes are 0"),
        (np.arange(12).reshape(1, 3, 4) % 3 - 1, None, "labels run from -1 to 1, but 2 classes"),
        (np.full((1, 3, 4), 2), None, "labels run from 2 to 2, but 2 classes are 0 to 1"),
        (np.full((1, 3, 4), -1), None, "labels run from -1 to -1"),
    ],
)
def test_cross_entropy_refuses(labels, weights, message):
    with pytest.raises(ValueError, match=message):
        nn.softmax_cross_entropy(np.zeros((1, 2, 3, 4)), labels, weights)


def test_labels_and_weights_of_any_kind_mean_the_same(rng):
    logits = rng.standard_normal((1, 2, 3, 5)).astype("float32")
    labels, weights = rng.integers(0, 2, (1, 3, 5)), rng.integers(0, 3, (1, 3, 5))
    with nn.plain():
        expected, cache = nn.softmax_cross_entropy(logits, labels, weights.astype("float32"))
        assert expected.dtype == "float64"
        for dtype in ("bool", "uint8", "int8"):
            for kind in ("float64", "int64"):
                loss, cache = nn.softmax_cross_entropy(
                    logits, labels.astype(dtype), weights.astype(kind)
                )
                assert loss == expected
                assert nn.softmax_cross_entropy_backward(cache).dtype == "float32"
    highest = np.full((1, 3, 5), 1)
    assert nn.softmax_cross_entropy(logits, highest)[0] > 0  # the last class is one


def _float32_calls(rng):
    """Each operation on small float32 arrays: (name, its arrays, further arguments)."""
    shapes = {
        "conv2d": [(2, 3, 6, 5), (4, 3, 1, 1), (4,)],
        "conv2d_relu": [(2, 3, 6, 5), (4, 3, 3, 3), (4,)],
        "up_conv2d": [(2, 3, 3, 4), (3, 2, 2, 2), (2,)],
        "max_pool2d": [(2, 3, 4, 6)],
        "relu": [(2, 3, 4, 5)],
        "center_crop_concat": [(2, 3, 8, 9), (2, 2, 5, 3)],
    }
    for name, parts in shapes.items():
        yield name, [array.astype("float32") for array in _normal(rng, *parts)]


def test_the_plain_text_serves_float32_too(rng):
    """Values of the float64 text and float32 throughout, where no kernel steps in."""
    for name, arrays in _float32_calls(rng):
        forward, backward = getattr(nn, name), getattr(nn, f"{name}_backward")
        y64, cache64 = forward(*(a.astype("float64") for a in arrays))
        dy = rng.standard_normal(y64.shape)
        with nn.plain():
            y, cache = forward(*arrays)
            grads = backward(dy.astype("float32"), cache)
        expected = backward(dy, cache64)
        if not isinstance(grads, tuple):
            grads, expected = (grads,), (expected,)
        for got, want in zip((y, *grads), (y64, *expected), strict=True):
            assert got.dtype == "float32", name
            assert_allclose(got, want, rtol=0, atol=1e-5, err_msg=name)


def test_dropout_drops_below_the_rate_and_keeps_the_rate_itself():
    class Drawn:
        def random(self, shape, dtype):
            assert (shape, dtype) == ((1, 1, 1, 4), "float32")
            return np.array([0.0, 0.25, 0.5, 0.75], dtype).reshape(shape)

    y, _ = nn.dropout(np.full((1, 1, 1, 4), 3.0), 0.5, Drawn())
    assert y.ravel().tolist() == [0, 0, 6, 6]


def test_a_lone_window_and_an_odd_crop():
    """Crops that leave an odd number of pixels leave the larger half below and to the right."""
    skip = np.arange(30.0).reshape(1, 1, 5, 6)
    y, cache = nn.center_crop_concat(skip, np.zeros((1, 1, 2, 3)))
    assert_array_equal(y[0, 0], skip[0, 0, 1:3, 1:4])
    dy = np.random.default_rng(0).standard_normal((1, 2, 2, 3))
    dskip, dx = nn.center_crop_concat_backward(dy, cache)
    expected = np.zeros((5, 6))
    expected[1:3, 1:4] = dy[0, 0]
    assert_array_equal(dskip[0, 0], expected)
    assert_array_equal(dx[0], dy[0, 1:])
    y, _ = nn.max_pool2d(np.array([[[[1.0, 2], [4, 3]]]]))
    assert y.tolist() == [[[[4.0]]]]
