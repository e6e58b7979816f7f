"""Is my gradient right? Compare it with differences of the function itself.

Two checks, both in float64:

- `check_op`: every element of every gradient of one operation, against central differences. The
  upstream gradient is random: with ones, a flipped kernel or a swapped axis would go unseen.
- `check_network`: along random directions, tensor by tensor, for a whole network where one
  difference an element would take far too long: ⟨gradient, d⟩ against (E(p + εd) − E(p − εd)) / 2ε.

Both return the relative error and leave the verdict to the caller; `assert_op` raises.
Lesson: lessons/02-convolution-backward.md.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from tinyunet import nn
from tinyunet.arrays import Array, array_module, to_numpy
from tinyunet.nn.fixed_decisions import FixedDecisions
from tinyunet.nn.unet import UNet


def numerical_gradient(f: Callable[[Array], float], x: Array, eps: float = 1e-6) -> np.ndarray:
    """Return the gradient of a scalar function by central differences, element by element.

    Parameters
    ----------
    f : callable
        Takes a float64 array like x and returns a number.
    x : Array
        Where to take the gradient; it is not changed.
    eps : float, optional
        The distance to either side.

    Returns
    -------
    numpy.ndarray
        In the shape of x, float64.
    """
    x = array_module(x).array(x, dtype=np.float64)
    gradient = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        kept = x[index]
        x[index] = kept + eps
        above = float(f(x))
        x[index] = kept - eps
        below = float(f(x))
        x[index] = kept
        gradient[index] = (above - below) / (2 * eps)
    return gradient


def relative_error(a: Array, b: Array) -> float:
    """Return max |a − b| / max(|a|, |b|).

    Parameters
    ----------
    a, b : Array
        Of one shape.

    Returns
    -------
    float
        0 where both are zero or empty, inf where one holds NaN or infinity.

    Raises
    ------
    ValueError
        Where the shapes differ.
    """
    a, b = to_numpy(a), to_numpy(b)
    if a.shape != b.shape:
        raise ValueError(f"a gradient of shape {a.shape} for an input of shape {b.shape}")
    if a.size == 0:
        return 0.0
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        return float("inf")
    largest = max(np.abs(a).max(), np.abs(b).max())
    return 0.0 if largest == 0 else float(np.abs(a - b).max() / largest)


def check_op(
    forward: Callable[..., tuple[Array, Any]],
    backward: Callable[..., Any],
    inputs: list[Array],
    rng: np.random.Generator | None = None,
    eps: float = 1e-6,
) -> list[float]:
    """Check the backward pass of one operation.

    Parameters
    ----------
    forward : callable
        Called as `forward(*inputs)`, returns (y, cache).
    backward : callable
        Called as `backward(dy, cache)`, returns a gradient an input (or a single array). None for
        an input that has no gradient (whole numbers, say) skips that input.
    inputs : list of Array
        Float64; keep them away from kinks (ties in a max, zeros in a ReLU) by more than `eps`,
        where a difference has no meaning.
    rng : numpy.random.Generator, optional
        For the upstream gradient dy; seeded with 0 if None.
    eps : float, optional
        The distance of the differences.

    Returns
    -------
    list of float
        The relative errors, one an input that has a gradient.

    Raises
    ------
    ValueError
        If the gradients are not as many as the inputs.
    """
    rng = np.random.default_rng(0) if rng is None else rng
    y, cache = forward(*inputs)
    dy = array_module(y).asarray(rng.standard_normal(y.shape))
    gradients = backward(dy, cache)
    if not isinstance(gradients, tuple | list):
        gradients = (gradients,)
    if len(gradients) != len(inputs):
        raise ValueError(f"backward returned {len(gradients)} gradients for {len(inputs)} inputs")

    def scalar(position: int, value: Array) -> float:
        varied = [*inputs[:position], value, *inputs[position + 1 :]]
        return (dy * forward(*varied)[0]).sum()

    errors = []
    for position, (x, gradient) in enumerate(zip(inputs, gradients, strict=True)):
        if gradient is None:
            continue
        expected = numerical_gradient(partial(scalar, position), x, eps)
        errors.append(relative_error(gradient, expected))
    return errors


def assert_op(
    forward: Callable[..., tuple[Array, Any]],
    backward: Callable[..., Any],
    inputs: list[Array],
    rng: np.random.Generator | None = None,
    eps: float = 1e-6,
    tolerance: float = 1e-7,
) -> None:
    """Do `check_op`, and raise where it finds an error.

    Parameters
    ----------
    forward, backward, inputs, rng, eps
        As for `check_op`.
    tolerance : float, optional
        The largest relative error allowed.

    Raises
    ------
    AssertionError
        With the errors, unless all stay below `tolerance`.
    """
    errors = check_op(forward, backward, inputs, rng, eps)
    if not all(error < tolerance for error in errors):
        listed = ", ".join(f"{error:.1e}" for error in errors)
        raise AssertionError(
            f"gradients are off: relative errors {listed}, allowed {tolerance:.0e}"
        )


@dataclass(frozen=True)
class DirectionCheck:
    """One row of `check_network`: the slope along a direction, by gradient and by difference."""

    name: str
    analytic: float
    numeric: float
    error: float


def check_network(
    net: UNet,
    x: Array,
    labels: Array,
    weight_map: Array | None = None,
    directions: int = 2,
    seed: int = 0,
    eps: float = 3e-5,
) -> list[DirectionCheck]:
    """Check all gradients of a float64 network.

    For every parameter tensor, then for all of them together ("all parameters") and for the image
    ("input"), `directions` Gaussian random directions are tried and the worst is reported.
    The error is relative to the gradient's size, so that a direction nearly at right angles to the
    gradient, whose slope is almost zero, does not count as wrong. Differences are taken with the
    ReLU and pooling decisions of the starting point (see `FixedDecisions`); drop-out is off.

    Parameters
    ----------
    net : UNet
        Of dtype float64.
    x : Array, shape (N, in_channels, H, W)
        Images.
    labels : Array of int, shape (N, H', W')
        The classes of the output's pixels.
    weight_map : Array, shape (N, H', W'), optional
        What each pixel weighs in the loss.
    directions : int, optional
        Random directions a tensor.
    seed : int, optional
        Of the directions.
    eps : float, optional
        The distance of the differences along a direction of unit variance.

    Returns
    -------
    list of DirectionCheck
        One a parameter tensor, then "all parameters" and "input".

    Raises
    ------
    ValueError
        If the network is not float64: differences in float32 drown in rounding.
    """
    if net.dtype != np.float64:
        raise ValueError(f"a gradient check needs a float64 network, not {net.dtype}")
    rng = np.random.default_rng(seed)
    x = net.device.asarray(x, dtype=np.float64).copy()
    labels = net.device.asarray(labels)
    if weight_map is not None:
        weight_map = net.device.asarray(weight_map, dtype=np.float64)

    logits, cache = net.forward(x)
    _, loss_cache = nn.softmax_cross_entropy(logits, labels, weight_map)
    dlogits = nn.softmax_cross_entropy_backward(loss_cache)
    grads, dx = net.backward(dlogits, cache, input_gradient=True)
    smooth = FixedDecisions(net)
    if relative_error(smooth.forward(x)[0], logits) > 1e-12:
        raise AssertionError("forward is not convolutions, ReLUs and poolings: the outputs differ")

    def loss() -> float:
        return float(nn.softmax_cross_entropy(smooth.forward(x)[0], labels, weight_map)[0])

    tensors = {name: (net.params[name], grads[name]) for name in net.params}
    groups = {name: [pair] for name, pair in tensors.items()}
    groups["all parameters"] = list(tensors.values())
    groups["input"] = [(x, dx)]
    return [
        max(
            (_check_direction(name, pairs, loss, rng, eps) for _ in range(directions)),
            key=lambda row: row.error,
        )
        for name, pairs in groups.items()
    ]


def _check_direction(
    name: str,
    pairs: list[tuple[Array, Array]],
    loss: Callable[[], float],
    rng: np.random.Generator,
    eps: float,
) -> DirectionCheck:
    """Compare the slope of `loss` along one random direction through the arrays of `pairs`."""
    steps = [rng.standard_normal(array.shape) for array, _ in pairs]
    gradients = [to_numpy(gradient) for _, gradient in pairs]
    analytic = float(sum(np.vdot(g, step) for g, step in zip(gradients, steps, strict=True)))
    # The slope to expect: along Gaussian directions it has mean 0 and standard deviation |g|.
    norm = np.sqrt(sum(np.vdot(g, g) for g in gradients))
    kept = [array.copy() for array, _ in pairs]

    def at(distance: float) -> float:
        for (array, _), original, step in zip(pairs, kept, steps, strict=True):
            array[...] = original + array_module(array).asarray(distance * step)
        return loss()

    # Four points instead of two: the error falls with eps⁴, so eps may stay far above rounding.
    numeric = (8 * (at(eps) - at(-eps)) - (at(2 * eps) - at(-2 * eps))) / (12 * eps)
    for (array, _), original in zip(pairs, kept, strict=True):
        array[...] = original
    scale = max(abs(analytic), abs(numeric), float(norm))
    error = abs(analytic - numeric) / scale if scale > 0 else 0.0
    return DirectionCheck(name, analytic, numeric, error if np.isfinite(error) else float("inf"))
