"""The list of gradient checks: complete, passing, and able to fail."""

import numpy as np
import pytest

from tinyunet import nn
from tinyunet.geometry import fits
from tinyunet.nn import gradcheck_table as checks
from tinyunet.nn.gradcheck_table import LIMIT, all_checks, network_checks, operation_checks


def test_every_gradient_of_every_operation_is_checked(device):
    rows = list(operation_checks(device))
    assert [(what, gradient) for what, gradient, _ in rows] == [
        ("conv2d 3×3", "x"),
        ("conv2d 3×3", "weight"),
        ("conv2d 3×3", "bias"),
        ("conv2d 1×1", "x"),
        ("conv2d 1×1", "weight"),
        ("conv2d 1×1", "bias"),
        ("relu", "x"),
        ("conv2d_relu", "x"),
        ("conv2d_relu", "weight"),
        ("conv2d_relu", "bias"),
        ("max_pool2d", "x"),
        ("up_conv2d", "x"),
        ("up_conv2d", "weight"),
        ("up_conv2d", "bias"),
        ("center_crop_concat", "skip"),
        ("center_crop_concat", "x"),
        ("dropout", "x"),
        ("cross-entropy", "logits"),
    ]
    assert all(0 <= error < LIMIT for _, _, error in rows)
    assert any(error > 0 for _, _, error in rows)


def test_the_limit():
    assert LIMIT == 1e-7


def test_networks_of_every_depth(monkeypatch):
    seen = []

    class Row:
        def __init__(self, name, error):
            self.name, self.error = name, error

    def check(net, x, labels, weights, directions):
        seen.append((net.depth, net.base_channels, net.dtype, net.dropout, x.shape, directions))
        assert fits(x.shape[2], net.depth)
        assert fits(x.shape[3], net.depth)
        assert labels.shape == weights.shape == net.forward(x)[0].shape[:1] + labels.shape[1:]
        assert any(p.any() for name, p in net.params.items() if name.endswith("bias"))
        return [Row("a", 1e-9), Row("b", 3e-9), Row("c", 2e-9), Row("image", 0.5), Row("all", 0.25)]

    monkeypatch.setattr(checks, "check_network", check)
    rows = list(network_checks("cpu"))
    assert [row[:4] for row in seen] == [
        (2, 4, np.float64, 0),
        (3, 3, np.float64, 0),
        (4, 2, np.float64, 0),
        (5, 2, np.float64, 0),
    ]
    assert all(row[4][2] != row[4][3] for row in seen)
    assert rows[:3] == [
        ("UNet depth 2, base 4", "worst: b", 3e-9),
        ("UNet depth 2, base 4", "image", 0.5),
        ("UNet depth 2, base 4", "all", 0.25),
    ]
    assert len(rows) == 12


def test_a_network_passes():
    rows = [row for _, row in zip(range(3), network_checks("cpu"), strict=False)]
    assert {what for what, _, _ in rows} == {"UNet depth 2, base 4"}
    assert all(0 < error < LIMIT for _, _, error in rows)


def test_the_list(monkeypatch):
    monkeypatch.setattr(checks, "operation_checks", lambda device: [("op", "x", np.float64(1e-9))])
    monkeypatch.setattr(checks, "network_checks", lambda device: [("net", device, 2e-9)])
    rows = all_checks("cpu")
    assert rows == [
        {"device": "cpu", "what": "op", "gradient": "x", "error": 1e-9},
        {"device": "cpu", "what": "net", "gradient": "cpu", "error": 2e-9},
    ]
    assert type(rows[0]["error"]) is float


@pytest.mark.parametrize(
    ("name", "wrong", "caught"),
    [
        ("relu_backward", lambda real: lambda dy, cache: 1.001 * real(dy, cache), {"relu"}),
        (
            "conv2d_backward",
            lambda real: (
                lambda dy, cache: (
                    real(dy, cache)[0][..., ::-1],
                    *real(dy, cache)[1:],
                )
            ),
            {"conv2d 3×3", "conv2d 1×1"},
        ),
        (
            "up_conv2d_backward",
            lambda real: lambda dy, cache: (*real(dy, cache)[:2], 0 * real(dy, cache)[2]),
            {"up_conv2d"},
        ),
        (
            "softmax_cross_entropy_backward",
            lambda real: lambda cache: -real(cache),
            {"cross-entropy"},
        ),
    ],
)
def test_a_planted_bug_is_caught(monkeypatch, name, wrong, caught):
    monkeypatch.setattr(nn, name, wrong(getattr(nn, name)))
    large = {what for what, _, error in operation_checks("cpu") if error > 1e-4}
    assert large == caught
