"""All gradient checks in one list: what `tinyunet gradcheck` prints and a learner reruns.

Lesson: lessons/02-convolution-backward.md.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tinyunet import nn
from tinyunet.arrays import Array, select_device
from tinyunet.nn.gradcheck import check_network, check_op
from tinyunet.nn.unet import UNet

LIMIT = 1e-7  # a right gradient is off by 1e-8 at most, a wrong one by 1e-3 at least


def all_checks(device: str = "cpu") -> list[dict[str, Any]]:
    """Run the checks of every operation and network.

    Parameters
    ----------
    device : str, optional
        The name of the device to check on.

    Returns
    -------
    list of dict
        {"device", "what", "gradient", "error"}, one a gradient.
    """
    return [
        {"device": device, "what": what, "gradient": gradient, "error": float(error)}
        for check in (operation_checks, network_checks)
        for what, gradient, error in check(device)
    ]


def operation_checks(device: str) -> Iterator[tuple[str, str, float]]:
    """Check every operation: elementwise, float64, random upstream gradient.

    Parameters
    ----------
    device : str
        The name of the device to check on.

    Yields
    ------
    operation, input : str
        What was checked.
    error : float
        Its relative error.
    """
    to = select_device(device).asarray
    rng = np.random.default_rng(0)

    def normal(*shape: int) -> Array:
        return to(rng.standard_normal(shape))

    def spread(*shape: int) -> Array:  # all different, none at a kink
        return to(rng.permutation(int(np.prod(shape))).reshape(shape) / 10.0 - 2.03)

    conv = [normal(2, 3, 7, 6), normal(4, 3, 3, 3), normal(4)]
    names = ("x", "weight", "bias")
    cases: list[tuple[str, Callable, Callable, list[Array], tuple[str, ...]]] = [
        ("conv2d 3×3", nn.conv2d, nn.conv2d_backward, conv, names),
        (
            "conv2d 1×1",
            nn.conv2d,
            nn.conv2d_backward,
            [normal(2, 3, 5, 4), normal(2, 3, 1, 1), normal(2)],
            names,
        ),
        ("relu", nn.relu, nn.relu_backward, [spread(2, 3, 4, 5)], ("x",)),
        ("conv2d_relu", nn.conv2d_relu, nn.conv2d_relu_backward, conv, names),
        ("max_pool2d", nn.max_pool2d, nn.max_pool2d_backward, [spread(2, 3, 4, 6)], ("x",)),
        (
            "up_conv2d",
            nn.up_conv2d,
            nn.up_conv2d_backward,
            [normal(2, 3, 3, 4), normal(3, 2, 2, 2), normal(2)],
            names,
        ),
        (
            "center_crop_concat",
            nn.center_crop_concat,
            nn.center_crop_concat_backward,
            [normal(2, 3, 8, 9), normal(2, 2, 4, 3)],
            ("skip", "x"),
        ),
        ("dropout", _dropout, nn.dropout_backward, [normal(2, 3, 4, 5)], ("x",)),
        ("cross-entropy", *_cross_entropy(to, rng), [normal(2, 3, 4, 5)], ("logits",)),
    ]
    for what, forward, backward, inputs, labels in cases:
        errors = check_op(forward, backward, inputs, rng)
        for label, error in zip(labels, errors, strict=True):
            yield what, label, error


def _dropout(x: Array) -> tuple[Array, Any]:
    """Drop-out with the same draw at every call, so that differences mean something."""
    return nn.dropout(x, 0.3, np.random.default_rng(1))


def _cross_entropy(to: Callable[..., Array], rng: np.random.Generator) -> tuple[Callable, Callable]:
    labels, weight_map = to(rng.integers(0, 3, (2, 4, 5))), to(rng.random((2, 4, 5)))

    def forward(logits: Array) -> tuple[Any, Any]:
        return nn.softmax_cross_entropy(logits, labels, weight_map)

    def backward(dloss: Any, cache: Any) -> Array:
        return dloss * nn.softmax_cross_entropy_backward(cache)

    return forward, backward


def network_checks(device: str) -> Iterator[tuple[str, str, float]]:
    """Check whole networks of depth 2 to 5.

    Parameters
    ----------
    device : str
        The name of the device to check on.

    Yields
    ------
    network, gradient : str
        What was checked.
    error : float
        Its relative error.
    """
    for depth, base, size in ((2, 4, 18), (3, 3, 44), (4, 2, 92), (5, 2, 188)):
        rng = np.random.default_rng(depth)
        net = UNet(2, 2, depth=depth, base_channels=base, dtype="float64", device=device, dropout=0)
        for bias in (p for name, p in net.params.items() if name.endswith("bias")):
            bias[...] = net.device.asarray(0.1 * rng.standard_normal(bias.shape))
        x = rng.standard_normal((1, 2, size, size + 2 ** (depth - 1)))
        shape = net.forward(x)[0].shape
        labels, weight_map = rng.integers(0, 2, (1, *shape[2:])), rng.random((1, *shape[2:]))
        rows = check_network(net, x, labels, weight_map, directions=1)
        worst = max(rows[:-2], key=lambda row: row.error)
        what = f"UNet depth {depth}, base {base}"
        yield what, f"worst: {worst.name}", worst.error
        for row in rows[-2:]:
            yield what, row.name, row.error
