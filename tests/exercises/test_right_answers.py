"""What the checks hold to be right is right: against the package, differences and paper."""

import numpy as np
import pytest

from tinyunet.augment.reference import sample_linear
from tinyunet.exercises._checks import (
    conv2d,
    conv2d_backward,
    crop_concat,
    cross_entropy,
    cross_entropy_backward,
    displaced,
    momentum,
    own_network,
    own_rules,
    rand_score,
    relu_pool,
    seg_score,
    tiles,
    training_step,
    up_conv2d,
    up_conv2d_backward,
    weight_map,
    winograd,
    winograd_backward,
)
from tinyunet.inference.tiling import plan_axis
from tinyunet.nn import reference as naive
from tinyunet.nn.gradcheck import numerical_gradient
from tinyunet.nn.unet import UNet
from tinyunet.weight_map import reference as weight_map_loops


def assert_close(a, b, tolerance=1e-9):
    assert np.shape(a) == np.shape(b)
    np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def assert_gradients(forward, gradients, inputs, dy):
    """The gradients are central differences of ⟨dy, forward(*inputs)⟩."""
    for position, gradient in enumerate(gradients):

        def scalar(value, position=position):
            return (dy * forward(*inputs[:position], value, *inputs[position + 1 :])).sum()

        assert_close(gradient, numerical_gradient(scalar, inputs[position], 1e-5), 1e-6)


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_the_convolution_is_that_of_the_loops_at_every_stride_th_place(stride):
    x, weight, bias, dy = conv2d.draw(2, 3, 4, 8, 7, (3, 2), stride)
    want = naive.conv2d(x, weight, bias)[:, :, ::stride, ::stride]
    assert_close(conv2d.conv2d(x, weight, bias, stride), want)
    gradients = conv2d_backward.conv2d_backward(dy, x, weight, stride)
    assert_gradients(lambda *a: conv2d.conv2d(*a, stride), gradients, (x, weight, bias), dy)
    if stride == 1:
        for got, want in zip(gradients, naive.conv2d_backward(dy, x, weight), strict=True):
            assert_close(got, want)


def test_relu_and_pooling_are_those_of_the_loops_with_ties():
    rng = np.random.default_rng(1)
    x = rng.integers(-1, 2, (2, 3, 6, 8)) * 1.0
    dy, small = rng.standard_normal(x.shape), rng.standard_normal((2, 3, 3, 4))
    assert_close(relu_pool.relu(x), naive.relu(x))
    assert_close(relu_pool.relu_backward(dy, x), naive.relu_backward(dy, x))
    assert_close(relu_pool.max_pool2d(x), naive.max_pool2d(x))
    assert_close(relu_pool.max_pool2d_backward(small, x), naive.max_pool2d_backward(small, x))


def test_the_up_convolution_is_that_of_the_loops():
    x, weight, bias, dy = up_conv2d.draw(2, 3, 4, 3, 5)
    assert_close(up_conv2d.up_conv2d(x, weight, bias), naive.up_conv2d(x, weight, bias))
    gots = up_conv2d_backward.up_conv2d_backward(dy, x, weight)
    for got, want in zip(gots, naive.up_conv2d_backward(dy, x, weight), strict=True):
        assert_close(got, want)


def test_two_gradients_of_the_up_convolution_come_from_the_convolution_as_its_template_says():
    x, weight, _, dy = up_conv2d.draw(2, 3, 4, 3, 5)
    dx, dweight, _ = up_conv2d_backward.up_conv2d_backward(dy, x, weight)
    assert_close(conv2d.conv2d(dy, weight, np.zeros(3), 2), dx)
    assert_close(conv2d_backward.conv2d_backward(x, dy, weight, 2)[1], dweight)


def test_the_concatenation_of_two_maps_is_that_of_the_loops_and_of_more_its_gradient():
    rng = np.random.default_rng(2)
    skip, x = rng.standard_normal((2, 3, 9, 8)), rng.standard_normal((2, 4, 4, 5))
    dy = rng.standard_normal((2, 7, 4, 5))
    assert_close(crop_concat.center_crop_concat(skip, x), naive.center_crop_concat(skip, x))
    gots = crop_concat.center_crop_concat_backward(dy, skip, x)
    for got, want in zip(gots, naive.center_crop_concat_backward(dy, skip, x), strict=True):
        assert_close(got, want)
    maps = skip, rng.standard_normal((2, 1, 5, 8)), x
    dy = rng.standard_normal((2, 8, 4, 5))
    gradients = crop_concat.center_crop_concat_backward(dy, *maps)
    assert_gradients(crop_concat.center_crop_concat, gradients, maps, dy)


def test_the_cross_entropy_is_that_of_the_loops_and_of_labelled_pixels_only():
    logits, labels, weights = cross_entropy.pixels(2, 3, 4, 5)
    want = naive.softmax_cross_entropy(logits, labels, weights)
    assert_close(cross_entropy.loss(logits, labels, weights), want)
    assert_close(
        cross_entropy_backward.gradient(logits, labels, weights),
        naive.softmax_cross_entropy_backward(logits, labels, weights),
    )
    logits, labels, weights = cross_entropy.pixels(1, 3, 4, 5, unknown=13)
    known = labels[0] >= 0  # the same pixels in one row, where all have a label
    row = logits[:, :, known][:, :, None], labels[:, known][:, None], weights[:, known][:, None]
    assert_close(cross_entropy.loss(logits, labels, weights), naive.softmax_cross_entropy(*row))
    gradient = cross_entropy_backward.gradient(logits, labels, weights)
    difference = numerical_gradient(lambda z: cross_entropy.loss(z, labels, weights), logits, 1e-5)
    assert_close(gradient, difference, 1e-8)


def test_momentum_by_hand():
    assert momentum.he_deviation((64, 64, 3, 3), "convolution") == np.sqrt(2 / 576)
    assert momentum.he_deviation((128, 64, 2, 2), "up-convolution") == 0.125
    param, velocity = momentum.sgd_momentum(np.ones(1), np.ones(1), np.full(1, 1.9), 0.1, 0.9)
    assert_close(velocity, [2.71])
    assert_close(param, [1 - 0.271])


@pytest.mark.parametrize("cells", [weight_map.THREE, weight_map.FOUR, weight_map.FOUR // 5])
def test_the_weight_map_is_that_of_distance_transforms(cells):
    want = weight_map_loops.weight_map(cells, 7.0, 3.0)
    assert_close(weight_map.weight_map(cells, 7.0, 3.0), want, 1e-6)


def test_the_displaced_image_is_that_of_the_package():
    rng = np.random.default_rng(3)
    image, shift = rng.standard_normal((5, 7)), rng.uniform(-20, 20, (2, 5, 7))
    want = sample_linear(image[None], np.indices((5, 7)) + shift)[0]
    assert_close(displaced.displaced(image, shift), want)


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 5])
def test_the_plan_of_tiles_is_that_of_the_package(depth):
    for tile in (204, 284, 572):
        for size in (1, 4, 99, 388, 389, 777, 1000):
            want = [(start, count) for start, count, _ in plan_axis(size, tile, depth)]
            assert tiles.tiles(size, tile, depth) == want


def test_scores_by_hand():
    truth = np.array([[1, 1, 1, 1, 0, 2, 2, 2, 2]])
    split = np.array([[1, 1, 0, 3, 0, 2, 2, 2, 2]])
    assert_close(rand_score.v_rand(truth, split), 44 / 54)
    assert_close(rand_score.v_rand(truth, np.ones_like(truth)), 64 / 96)
    truth = np.array([[1, 1, 0, 2], [1, 1, 0, 2]])
    prediction = np.array([[7, 7, 7, 0], [7, 0, 0, 9]])
    assert_close(seg_score.seg(truth, prediction), 0.3)


def test_winograds_matrices_make_a_convolution_and_its_gradients_are_those_of_the_loops():
    dy, d, g = winograd.draw(5)
    y = winograd.AT @ ((winograd.G @ g @ winograd.G.T) * (winograd.BT @ d @ winograd.BT.T))
    want = naive.conv2d(d[None, None], g[None, None], np.zeros(1))[0, 0]
    assert_close(y @ winograd.AT.T, want)
    assert_close(winograd.direct(d, g), want)
    dd, dg = winograd_backward.backward(dy, d, g, winograd.AT, winograd.G, winograd.BT)
    dx, dweight, _ = naive.conv2d_backward(dy[None, None], d[None, None], g[None, None])
    assert_close(dd, dx[0, 0])
    assert_close(dg, dweight[0, 0])
    data, taps = np.array([1.0, 2, 3, 5]), np.array([2.0, -1, 4])
    assert_close(winograd.f23(data, winograd.f23_filter(taps)), [12.0, 21.0])


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_the_own_network_is_the_packages(depth):
    x, params, _, dlogits = next(i for i in own_network._inputs() if i[2] == depth)
    net = UNet(n_classes=3, depth=depth, base_channels=2, dropout=0, dtype="float64", device="cpu")
    net.load(params)
    want, cache = net.forward(x)
    logits, kept = own_rules.forward(x, params, depth, own_rules.Rules())
    assert_close(logits, want)
    grads = own_rules.backward(dlogits, kept, params, depth, own_rules.Rules())
    wants = net.backward(dlogits, cache)
    assert grads.keys() == wants.keys()
    for name, gradient in grads.items():
        assert_close(gradient, wants[name])


def test_a_step_of_training_moves_every_parameter():
    losses, change = training_step._run(training_step._step, training_step.STARTS[0], 3)
    assert len(losses) == 3
    assert np.isfinite(losses).all()
    assert np.count_nonzero(change) > 0.9 * change.size
