"""SGD with momentum, worked by hand and against PyTorch's form of it."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from tinyunet.optim import SGD


def test_two_steps_worked_by_hand(to_device):
    params = {"w": to_device(np.array([1.0, 2.0])), "b": to_device(np.array([0.0]))}
    arrays = dict(params)
    sgd = SGD(params, 0.1, momentum=0.5)
    sgd.step({"w": to_device(np.array([1.0, -2.0])), "b": to_device(np.array([4.0]))})
    # v = g; w = [1 − 0.1, 2 + 0.2], b = −0.4
    assert_allclose(params["w"].tolist(), [0.9, 2.2])
    assert_allclose(params["b"].tolist(), [-0.4])
    sgd.step({"w": to_device(np.array([1.0, 0.0])), "b": to_device(np.array([0.0]))})
    # v = 0.5·[1, −2] + [1, 0] = [1.5, −1]; w = [0.9 − 0.15, 2.2 + 0.1], b = −0.4 − 0.1·2
    assert_allclose(params["w"].tolist(), [0.75, 2.3])
    assert_allclose(params["b"].tolist(), [-0.6])
    assert_allclose(sgd.velocity["w"].tolist(), [1.5, -1.0])
    assert params["w"] is arrays["w"]  # in place: the network sees the update


def test_a_constant_gradient_is_summed_a_hundred_times_over():
    params = {"w": np.zeros(1)}
    sgd = SGD(params, 1e-3)
    for _ in range(3000):
        sgd.step({"w": np.ones(1)})
    assert sgd.momentum == 0.99
    assert_allclose(sgd.velocity["w"], 100)


def test_float32_stays_float32():
    params = {"w": np.ones(3, "float32")}
    sgd = SGD(params, 0.1)
    sgd.step({"w": np.ones(3, "float32")})
    assert params["w"].dtype == sgd.velocity["w"].dtype == np.float32


@pytest.mark.parametrize("rate", [0, -0.1, float("nan"), float("inf")])
def test_refused_rates(rate):
    with pytest.raises(ValueError, match="learning rate"):
        SGD({}, rate)


@pytest.mark.parametrize("momentum", [-0.1, 1, 1.5, float("nan")])
def test_refused_momenta(momentum):
    with pytest.raises(ValueError, match="momentum"):
        SGD({}, 0.1, momentum)
