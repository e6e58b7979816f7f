"""He initialisation: N counts what arrives, and the variance of the signal survives."""

import numpy as np
import pytest

from tinyunet import UNet
from tinyunet.init import he_parameters, incoming_nodes, parameter_shapes


def test_incoming_nodes_counts_what_one_output_pixel_adds_up():
    assert incoming_nodes("down2.conv1.weight", (128, 64, 3, 3)) == 576  # the paper's example
    assert incoming_nodes("out.weight", (2, 64, 1, 1)) == 64
    assert incoming_nodes("up4.upconv.weight", (1024, 512, 2, 2)) == 1024  # no overlap: one tap


def test_weights_are_gaussian_with_deviation_sqrt_2_over_n():
    shapes = parameter_shapes(1, 2, 5, 32)
    params = he_parameters(shapes, np.random.default_rng(0))
    for name, value in params.items():
        assert value.dtype == np.float32
        assert value.shape == shapes[name]
        if name.endswith("bias"):
            assert (value == 0).all()
            continue
        deviation = np.sqrt(2 / incoming_nodes(name, value.shape))
        tolerance = 5 / np.sqrt(2 * value.size)  # five standard errors of a standard deviation
        assert value.std() == pytest.approx(deviation, rel=tolerance)
        assert abs(value.mean()) < 5 * deviation / np.sqrt(value.size)
        if value.size > 1e5:  # the kurtosis of a Gaussian is 3, of a uniform 1.8
            assert ((value / deviation) ** 4).mean() == pytest.approx(3, abs=0.2)


def test_the_first_numbers_are_the_generators():
    params = he_parameters({"a.weight": (2, 3, 1, 1)}, np.random.default_rng(5), "float64")
    expected = np.random.default_rng(5).normal(0, np.sqrt(2 / 3), (2, 3, 1, 1))
    assert (params["a.weight"] == expected).all()


def test_the_signal_neither_dies_nor_explodes():
    net = UNet(depth=5, base=8, dropout=0, device="cpu")
    x = np.random.default_rng(1).standard_normal((1, 1, 188, 188)).astype("float32")
    logits, _ = net.forward(x)
    assert 0.1 < logits.std() < 10
