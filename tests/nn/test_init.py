"""He initialisation: N counts what arrives, and the variance of the signal survives."""

import numpy as np
import pytest

from tinyunet import UNet
from tinyunet.nn.architecture import Layer, count_parameters, parameter_shapes, unet_layers
from tinyunet.nn.init import he_parameters


def test_incoming_nodes_counts_what_one_output_pixel_adds_up():
    layers = {layer.name: layer for layer in unet_layers(1, 2, 5, 64)}
    assert layers["down2.conv1"].incoming_nodes == 576  # the paper's example
    assert layers["out"].incoming_nodes == 64
    assert layers["up4.upconv"].incoming_nodes == 1024  # no overlap: one tap
    assert layers["up4.upconv"].weight_shape == (1024, 512, 2, 2)
    assert layers["up4.concat"].incoming_nodes == layers["down2.pool"].incoming_nodes == 0


def test_weights_are_gaussian_with_deviation_sqrt_2_over_n():
    layers, shapes = unet_layers(1, 2, 5, 32), parameter_shapes(1, 2, 5, 32)
    incoming = {f"{layer.name}.weight": layer.incoming_nodes for layer in layers}
    params = he_parameters(layers, np.random.default_rng(0))
    assert list(params) == list(shapes)
    for name, value in params.items():
        assert value.dtype == np.float32
        assert value.shape == shapes[name]
        if name.endswith("bias"):
            assert (value == 0).all()
            continue
        deviation = np.sqrt(2 / incoming[name])
        tolerance = 5 / np.sqrt(2 * value.size)  # five standard errors of a standard deviation
        assert value.std() == pytest.approx(deviation, rel=tolerance)
        assert abs(value.mean()) < 5 * deviation / np.sqrt(value.size)
        if value.size > 1e5:  # the kurtosis of a Gaussian is 3, of a uniform 1.8
            assert ((value / deviation) ** 4).mean() == pytest.approx(3, abs=0.2)


def test_the_first_numbers_are_the_generators():
    layer = Layer("a", "conv", "", 1, 3, 2, kernel=1)
    params = he_parameters([layer], np.random.default_rng(5), "float64")
    expected = np.random.default_rng(5).normal(0, np.sqrt(2 / 3), (2, 3, 1, 1))
    assert (params["a.weight"] == expected).all()


def test_the_signal_neither_dies_nor_explodes():
    net = UNet(depth=5, base_channels=8, dropout=0, device="cpu")
    x = np.random.default_rng(1).standard_normal((1, 1, 188, 188)).astype("float32")
    logits, _ = net.forward(x)
    assert 0.1 < logits.std() < 10


def test_shapes_and_order_of_a_small_u_in_full():
    """Left to right through figure 1; PyTorch's layouts: (out, in, k, k), and (in, out, 2, 2)."""
    assert list(parameter_shapes(2, 3, 3, 5).items()) == [
        ("down1.conv1.weight", (5, 2, 3, 3)),
        ("down1.conv1.bias", (5,)),
        ("down1.conv2.weight", (5, 5, 3, 3)),
        ("down1.conv2.bias", (5,)),
        ("down2.conv1.weight", (10, 5, 3, 3)),
        ("down2.conv1.bias", (10,)),
        ("down2.conv2.weight", (10, 10, 3, 3)),
        ("down2.conv2.bias", (10,)),
        ("down3.conv1.weight", (20, 10, 3, 3)),
        ("down3.conv1.bias", (20,)),
        ("down3.conv2.weight", (20, 20, 3, 3)),
        ("down3.conv2.bias", (20,)),
        ("up2.upconv.weight", (20, 10, 2, 2)),
        ("up2.upconv.bias", (10,)),
        ("up2.conv1.weight", (10, 20, 3, 3)),
        ("up2.conv1.bias", (10,)),
        ("up2.conv2.weight", (10, 10, 3, 3)),
        ("up2.conv2.bias", (10,)),
        ("up1.upconv.weight", (10, 5, 2, 2)),
        ("up1.upconv.bias", (5,)),
        ("up1.conv1.weight", (5, 10, 3, 3)),
        ("up1.conv1.bias", (5,)),
        ("up1.conv2.weight", (5, 5, 3, 3)),
        ("up1.conv2.bias", (5,)),
        ("out.weight", (3, 5, 1, 1)),
        ("out.bias", (3,)),
    ]


def test_parameters_are_counted_without_being_made():
    assert count_parameters(1, 2, 5, 64) == 31_030_658
    # depth 1: 9·2·3 + 3, 9·3·3 + 3, and the 1×1 convolution's 3·4 + 4
    assert count_parameters(2, 4, 1, 3) == 57 + 84 + 16


def test_float32_is_the_float64_draw_rounded():
    layers = unet_layers(1, 2, 2, 3)
    wide = he_parameters(layers, np.random.default_rng(4), "float64")
    narrow = he_parameters(layers, np.random.default_rng(4))
    for name, value in wide.items():
        assert value.dtype == np.float64
        assert narrow[name].dtype == np.float32
        assert (narrow[name] == value.astype(np.float32)).all()
