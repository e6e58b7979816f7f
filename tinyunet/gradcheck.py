"""Is my gradient right? Compare it with differences of the function itself.

Two checks, both in float64:

- `check_op`: every element of every gradient of one operation, against central differences. The
  upstream gradient is random: with ones, a flipped kernel or a swapped axis would go unseen.
- `check_network`: along random directions, tensor by tensor, for a whole network where one
  difference an element would take hours: ⟨gradient, d⟩ against (E(p + εd) − E(p − εd)) / 2ε.

Both return the relative error and leave the verdict to the caller; `assert_op` raises.
Lesson: lessons/02-convolution-backward.md.
"""

from dataclasses import dataclass

import numpy as np

from tinyunet import ops
from tinyunet.arrays import array_module, to_numpy
from tinyunet.model import UNet


def numerical_gradient(f, x, eps=1e-6):
    """Return the gradient of a scalar function at `x`, by central differences, element by element.

    `f` takes an array like x (float64) and returns a number; x is not changed.
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


def relative_error(a, b):
    """Return max |a − b| / max(|a|, |b|), 0 where both are zero and inf where a NaN is met."""
    a, b = to_numpy(a), to_numpy(b)
    if a.shape != b.shape:
        raise ValueError(f"a gradient of shape {a.shape} for an input of shape {b.shape}")
    if a.size == 0:
        return 0.0
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        return float("inf")
    largest = max(np.abs(a).max(), np.abs(b).max())
    return 0.0 if largest == 0 else float(np.abs(a - b).max() / largest)


def check_op(forward, backward, inputs, rng=None, eps=1e-6):
    """Check the backward of one operation; return its relative errors, one an input.

    forward : called as `forward(*inputs)`, returns (y, cache).
    backward : called as `backward(dy, cache)`, returns a gradient an input (or a single array).
        None for an input that has no gradient (whole numbers, say) skips that input.
    inputs : float64 arrays; keep them away from kinks (ties in a max, zeros in a ReLU) by more
        than `eps`, where a difference has no meaning.
    rng : numpy.random.Generator for the upstream gradient dy; seeded with 0 if None.
    """
    rng = np.random.default_rng(0) if rng is None else rng
    y, cache = forward(*inputs)
    dy = array_module(y).asarray(rng.standard_normal(y.shape))
    gradients = backward(dy, cache)
    if not isinstance(gradients, tuple | list):
        gradients = (gradients,)
    if len(gradients) != len(inputs):
        raise ValueError(f"backward returned {len(gradients)} gradients for {len(inputs)} inputs")

    def scalar(position, value):
        varied = [*inputs[:position], value, *inputs[position + 1 :]]
        return (dy * forward(*varied)[0]).sum()

    errors = []
    for position, (x, gradient) in enumerate(zip(inputs, gradients, strict=True)):
        if gradient is None:
            continue
        expected = numerical_gradient(lambda v, p=position: scalar(p, v), x, eps)
        errors.append(relative_error(gradient, expected))
    return errors


def assert_op(forward, backward, inputs, rng=None, eps=1e-6, tolerance=1e-7):
    """Raise AssertionError, with the errors, unless `check_op` stays below `tolerance`."""
    errors = check_op(forward, backward, inputs, rng, eps)
    if not all(error < tolerance for error in errors):
        listed = ", ".join(f"{error:.1e}" for error in errors)
        raise AssertionError(
            f"gradients are off: relative errors {listed}, allowed {tolerance:.0e}"
        )


class FixedDecisions(UNet):
    """A network whose ReLUs and poolings repeat what they decided in the first forward.

    A U-Net makes millions of yes-or-no decisions: which value passes a ReLU, which of four wins a
    pooling. A step of 1e-5 flips a few of them, and a difference taken across such a kink says
    nothing about the gradient on one side of it. With the decisions fixed the network is a smooth
    function that agrees with `net` at the point of the check, in value and in gradient. (The kinks
    themselves are checked operation by operation, where inputs can be kept away from them.)
    Shares its parameters with `net`; only forward makes sense here.
    """

    def __init__(self, net):
        self.__dict__.update(net.__dict__)
        self.decisions = {}

    def _conv_relu(self, name, x, cache):
        y, _ = ops.conv2d(x, *self._weights(name))
        passes = self.decisions.setdefault(name, y > 0)
        return y * passes

    def _conv_relu_pool(self, level, x, cache):
        x, name = self._conv_relu(f"down{level}.conv2", x, cache), f"down{level + 1}.pool"
        if name not in self.decisions:
            y, pool_cache = ops.max_pool2d(x)
            # The gradient of ones is a map with a single 1 in every window: the winner.
            self.decisions[name] = ops.max_pool2d_backward(array_module(y).ones_like(y), pool_cache)
        n, c, h, w = x.shape
        winners = x * self.decisions[name]
        return x, winners.reshape(n, c, h // 2, 2, w // 2, 2).sum(axis=(3, 5))


@dataclass(frozen=True)
class DirectionCheck:
    """One row of `check_network`: the slope along a direction, by gradient and by difference."""

    name: str
    analytic: float
    numeric: float
    error: float


def check_network(net, x, labels, weights=None, directions=2, seed=0, eps=3e-5):
    """Check all gradients of a float64 network; return a list of `DirectionCheck`.

    For every parameter tensor, then for all of them together ("all parameters") and for the image
    ("input"), `directions` Gaussian random directions are tried and the worst is reported.
    The error is relative to the gradient's size, so that a direction nearly at right angles to the
    gradient, whose slope is almost zero, does not count as wrong. Differences are taken with the
    ReLU and pooling decisions of the starting point (see `FixedDecisions`); drop-out is off.

    x : (N, in_channels, H, W); labels : (N, H', W'); weights : like labels, or None.
    Raises ValueError if the network is not float64: differences in float32 drown in rounding.
    """
    if net.dtype != np.float64:
        raise ValueError(f"a gradient check needs a float64 network, not {net.dtype}")
    rng = np.random.default_rng(seed)
    x = net.device.asarray(x, dtype=np.float64).copy()
    labels = net.device.asarray(labels)
    weights = None if weights is None else net.device.asarray(weights, dtype=np.float64)

    logits, cache = net.forward(x)
    _, loss_cache = ops.softmax_cross_entropy(logits, labels, weights)
    dlogits = ops.softmax_cross_entropy_backward(loss_cache)
    grads, dx = net.backward(dlogits, cache, input_gradient=True)
    smooth = FixedDecisions(net)
    if relative_error(smooth.forward(x)[0], logits) > 1e-12:
        raise AssertionError("forward is not convolutions, ReLUs and poolings: the outputs differ")

    def loss():
        return float(ops.softmax_cross_entropy(smooth.forward(x)[0], labels, weights)[0])

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


def _check_direction(name, pairs, loss, rng, eps):
    """Compare the slope of `loss` along one random direction through the arrays of `pairs`."""
    steps = [rng.standard_normal(array.shape) for array, _ in pairs]
    gradients = [to_numpy(gradient) for _, gradient in pairs]
    analytic = float(sum(np.vdot(g, step) for g, step in zip(gradients, steps, strict=True)))
    # The slope to expect: along Gaussian directions it has mean 0 and standard deviation |g|.
    norm = np.sqrt(sum(np.vdot(g, g) for g in gradients))
    kept = [array.copy() for array, _ in pairs]

    def at(distance):
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
