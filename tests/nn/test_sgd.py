"""SGD with momentum, worked by hand and against PyTorch's form of it."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from tinyunet.nn import plain
from tinyunet.nn import sgd as optim
from tinyunet.nn.sgd import SGD


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


def test_all_parameters_are_updated_in_one_call(monkeypatch):
    """A kernel gets the dictionaries as they are, and nothing is left to do afterwards."""
    params, grads = {"w": np.ones(3), "b": np.ones(1)}, {"w": np.zeros(3), "b": np.ones(1)}
    handed = []
    monkeypatch.setattr(optim, "momentum_update", lambda *arguments: handed.append(arguments))
    sgd = SGD(params, 0.1, momentum=0.5)
    sgd.step(grads)
    assert len(handed) == 1
    assert all(a is b for a, b in zip(handed[0][:3], (params, sgd.velocity, grads), strict=True))
    assert handed[0][3:] == (0.1, 0.5)
    assert_allclose(params["w"], 1)
    assert_allclose(params["b"], 1)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_both_forms_of_a_step_do_the_same(rng, dtype):
    """With momentum, over three steps; the gradients are read only."""
    start, gradient = rng.standard_normal((2, 4, 3, 5)).astype(dtype)
    one, two = {"w": start.copy()}, {"w": start.copy()}
    fast, slow = SGD(one, 0.03, 0.9), SGD(two, 0.03, 0.9)
    for scale in (1, -2, 3):
        grads = {"w": (scale * gradient).astype(dtype)}
        kept = grads["w"].copy()
        fast.step(grads)
        with plain():
            slow.step(grads)
        assert (grads["w"] == kept).all()
    assert one["w"].dtype == two["w"].dtype == fast.velocity["w"].dtype == dtype
    assert_allclose(one["w"], two["w"], rtol=1e-6)
    assert_allclose(fast.velocity["w"], slow.velocity["w"], rtol=1e-6)
    # v: g, 0.9·g − 2·g, 0.81·g − 1.8·g + 3·g; all three are taken off, times the rate
    assert_allclose(two["w"], start - 0.03 * (1 - 1.1 + 2.01) * gradient, rtol=1e-5, atol=1e-6)


def test_the_edges_of_the_ranges_are_taken():
    params = {"w": np.zeros(2)}
    sgd = SGD(params, 5e-324, momentum=0)  # the smallest rate, and no momentum at all
    assert (sgd.lr, sgd.momentum) == (5e-324, 0)
    sgd = SGD(params, 2.0, momentum=0)
    sgd.step({"w": np.array([1.0, -3.0])})
    sgd.step({"w": np.array([1.0, 0.0])})
    assert params["w"].tolist() == [-4.0, 6.0]
    assert sgd.velocity["w"].tolist() == [1.0, 0.0]
    assert sgd.params is params


def test_the_fast_step_is_the_plain_one_bit_for_bit(rng):
    """float32 and float64, row-major and not, large and small, in one network."""
    start = {
        "large": rng.standard_normal((700, 1001), dtype=np.float32),
        "double": rng.standard_normal(5),
        "transposed": rng.standard_normal((3, 4), dtype=np.float32).T,
        "small": rng.standard_normal((2, 3, 1), dtype=np.float32),
    }
    one, two = ({n: p.copy(order="K") for n, p in start.items()} for _ in "12")
    fast, slow = SGD(one, 0.03, 0.9), SGD(two, 0.03, 0.9)
    for _ in range(3):
        grads = {n: rng.standard_normal(p.shape).astype(p.dtype) for n, p in start.items()}
        fast.step(grads)
        with plain():
            slow.step(grads)
    for name in start:
        assert (one[name] == two[name]).all()
        assert (fast.velocity[name] == slow.velocity[name]).all()
        assert (one[name] != start[name]).any()


def test_a_gradient_of_another_shape_is_refused():
    sgd = SGD({"w": np.ones(4, np.float32)}, lr=0.1)
    with pytest.raises(ValueError, match=r"the gradient of w has shape \(2,\), not \(4,\)"):
        sgd.step({"w": np.ones(2, np.float32)})
    assert (sgd.params["w"] == 1).all()
