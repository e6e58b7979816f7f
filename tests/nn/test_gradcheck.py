"""The gradient check itself: it passes what is right and catches planted bugs."""

import numpy as np
import pytest

from tinyunet import UNet, nn
from tinyunet.nn import gradcheck, unet


def _square(x):
    return x**2, x


def test_numerical_gradient_of_a_known_function(rng):
    x = rng.standard_normal((3, 4))
    kept = x.copy()
    gradient = gradcheck.numerical_gradient(lambda v: (v**3).sum(), x)
    assert gradcheck.relative_error(gradient, 3 * x**2) < 1e-8
    assert (x == kept).all()


def test_relative_error():
    assert gradcheck.relative_error(np.array([1.0, 4]), np.array([1.0, 5])) == pytest.approx(0.2)
    assert gradcheck.relative_error(np.zeros(3), np.zeros(3)) == 0
    assert gradcheck.relative_error(np.array([np.nan]), np.array([1.0])) == float("inf")
    assert gradcheck.relative_error(np.array([1.0]), np.array([np.inf])) == float("inf")
    assert gradcheck.relative_error(np.zeros(0), np.zeros(0)) == 0
    with pytest.raises(ValueError, match="shape"):
        gradcheck.relative_error(np.zeros((2, 3)), np.zeros((3, 2)))


def test_assert_op_passes_the_right_gradient_and_raises_for_a_wrong_one(rng):
    x = rng.standard_normal((3, 4))
    gradcheck.assert_op(_square, lambda dy, x: 2 * x * dy, [x])
    with pytest.raises(AssertionError, match=r"relative errors 5\.0e-01"):
        gradcheck.assert_op(_square, lambda dy, x: x * dy, [x])


def test_check_op_skips_inputs_without_gradient_and_counts_them(rng):
    x = rng.standard_normal((2, 3))

    def scaled(x, times):
        return x * times, times

    errors = gradcheck.check_op(scaled, lambda dy, times: (dy * times, None), [x, np.array(3.0)])
    assert len(errors) == 1
    assert errors[0] < 1e-8
    with pytest.raises(ValueError, match="1 gradients for 2 inputs"):
        gradcheck.check_op(scaled, lambda dy, times: dy * times, [x, np.array(3.0)])


def _flip_kernel(dy, cache):
    x, weight = cache
    dx, dweight, dbias = nn.conv2d_backward(dy, (x, weight[:, :, ::-1, ::-1]))
    return dx, dweight, dbias


def _transpose_weight_gradient(dy, cache):
    dx, dweight, dbias = nn.conv2d_backward(dy, cache)
    return dx, dweight.transpose(0, 1, 3, 2), dbias


def _forget_an_image(dy, cache):
    dx, dweight, _ = nn.conv2d_backward(dy, cache)
    return dx, dweight, dy[:1].sum(axis=(0, 2, 3))


@pytest.mark.parametrize("bug", [_flip_kernel, _transpose_weight_gradient, _forget_an_image])
def test_planted_bugs_in_a_convolution_are_caught(rng, bug):
    inputs = [rng.standard_normal(shape) for shape in [(2, 3, 6, 5), (4, 3, 3, 3), (4,)]]
    with pytest.raises(AssertionError, match="gradients are off"):
        gradcheck.assert_op(nn.conv2d, bug, inputs)


def _tiny(depth=3, base=2, size=(44, 48), batch=2):
    """A float64 network with random biases, and something for it to learn."""
    rng = np.random.default_rng(depth)
    net = UNet(2, 3, depth=depth, base_channels=base, dtype="float64", device="cpu")
    for name, value in net.params.items():
        if name.endswith("bias"):
            value[...] = 0.1 * rng.standard_normal(value.shape)
    x = rng.standard_normal((batch, 2, *size))
    shape = net.forward(x)[0].shape
    return net, x, rng.integers(0, 3, (batch, *shape[2:])), rng.random((batch, *shape[2:]))


@pytest.mark.parametrize(
    ("depth", "base", "size", "batch"),
    [(2, 4, (18, 22), 3), (3, 3, (44, 48), 2), (4, 2, (92, 100), 1), (5, 2, (188, 204), 1)],
)
def test_whole_network(depth, base, size, batch):
    rows = gradcheck.check_network(*_tiny(depth, base, size, batch))
    net, *_ = _tiny(depth, base, size, batch)
    assert [row.name for row in rows] == [*net.params, "all parameters", "input"]
    assert all(row.analytic != 0 for row in rows)
    assert max(row.error for row in rows) < 1e-7


def test_check_network_leaves_everything_as_it_was():
    net, x, labels, weights = _tiny(2, 2, (18, 22))
    before, kept = {name: p.copy() for name, p in net.params.items()}, x.copy()
    gradcheck.check_network(net, x, labels, weights)
    assert (x == kept).all()
    assert all((net.params[name] == before[name]).all() for name in before)


def _drop_the_skip_gradient(dy, cache):
    (dy, cache), dx = nn.split_concat_gradient(dy, cache)
    return (0 * dy, cache), dx


def _pool_to_another_row(dy, cache, dskip):
    onto, _ = nn.center_crop_concat_backward(*dskip)
    return onto + nn.max_pool2d_backward(dy, cache)[:, :, ::-1]


def _pass_all_of_relu(dy, cache, need_dx=True):
    (conv_cache, _) = cache
    return nn.conv2d_backward(dy, conv_cache)


@pytest.mark.parametrize(
    ("name", "bug"),
    [
        ("split_concat_gradient", _drop_the_skip_gradient),
        ("max_pool2d_skip_backward", _pool_to_another_row),
        ("conv2d_relu_backward", _pass_all_of_relu),
    ],
)
def test_planted_bugs_in_the_network_are_caught(monkeypatch, name, bug):
    net, x, labels, weights = _tiny()
    monkeypatch.setattr(unet, name, bug)
    rows = gradcheck.check_network(net, x, labels, weights)
    assert max(row.error for row in rows) > 1e-3


def test_a_forward_that_is_not_the_networks_is_caught(monkeypatch):
    def scaled(x, weight, bias):
        y, cache = nn.conv2d_relu(x, weight, bias)
        return y * 1.0001, cache

    net, x, labels, weights = _tiny()
    monkeypatch.setattr(unet, "conv2d_relu", scaled)
    with pytest.raises(AssertionError, match="outputs differ"):
        gradcheck.check_network(net, x, labels, weights)


def test_float32_networks_are_refused():
    net = UNet(depth=2, base_channels=1, device="cpu")
    with pytest.raises(ValueError, match="float64 network, not float32"):
        gradcheck.check_network(net, np.zeros((1, 1, 18, 18)), np.zeros((1, 2, 2), int))


def test_one_wrong_element_is_enough():
    right = np.array([1.0, 2.0, 3.0])
    for bad in (np.nan, np.inf, -np.inf):
        wrong = np.array([1.0, bad, 3.0])
        assert gradcheck.relative_error(wrong, right) == float("inf")
        assert gradcheck.relative_error(right, wrong) == float("inf")
    assert gradcheck.relative_error(right, np.array([1.0, 2.0, 4.0])) == 0.25
    assert gradcheck.relative_error(np.array([1.0, 2.0, 4.0]), right) == 0.25
    assert gradcheck.relative_error(-right, right) == 2
    assert gradcheck.relative_error(np.zeros(2), np.array([0.0, -5.0])) == 1


def test_differences_are_taken_where_they_are_said_to_be():
    """Central, `eps` to both sides, one element at a time."""
    seen = []
    gradient = gradcheck.numerical_gradient(
        lambda v: seen.append(v.copy()) or v[0] ** 2 + 3 * v[1], np.array([2.0, 5.0]), eps=0.5
    )
    assert [v.tolist() for v in seen] == [[2.5, 5], [1.5, 5], [2, 5.5], [2, 4.5]]
    assert gradient.tolist() == [4.0, 3.0]
    with pytest.raises(AssertionError, match=r"^gradients are off: .* 5.0e-01, allowed 1e-07$"):
        gradcheck.assert_op(_square, lambda dy, x: x * dy, [np.array([1.0, 2.0])])
    gradcheck.assert_op(_square, lambda dy, x: x * dy, [np.array([1.0, 2.0])], tolerance=0.51)


def test_every_check_draws_the_number_of_directions_asked_for(monkeypatch):
    drawn = []
    check = gradcheck._check_direction
    monkeypatch.setattr(
        gradcheck, "_check_direction", lambda *given: drawn.append(given[0]) or check(*given)
    )
    net, x, labels, weights = _tiny(1, 1, (5, 6), 1)
    rows = gradcheck.check_network(net, x, labels, weights)
    assert [drawn.count(row.name) for row in rows] == [2] * len(rows)
    drawn.clear()
    gradcheck.check_network(net, x, labels, directions=3, seed=4)  # without weights: all ones
    assert [drawn.count(row.name) for row in rows] == [3] * len(rows)
    again = gradcheck.check_network(net, x, labels, weights)
    assert again == rows  # the same seed tries the same directions
    assert gradcheck.check_network(net, x, labels, weights, seed=1) != rows
