"""Drop-out: each value is zeroed with probability `rate`, the others grow by 1 / (1 − rate).

The growth keeps the expected value, so that prediction needs no drop-out at all. The paper drops
at the end of the contracting path (section 3.1, last sentence) and does not say how much.
Lesson: lessons/05a-forward-and-backward.md.
"""

import numpy as np

from tinyunet.arrays import Array, array_module
from tinyunet.nn.operation import operation


@operation()
def dropout(x: Array, rate: float, rng: np.random.Generator) -> tuple[Array, Array | None]:
    """Zero a random share of the values, and scale up the others.

    Parameters
    ----------
    x : Array
        Of any shape.
    rate : float
        The share to zero, in [0, 1).
    rng : numpy.random.Generator
        Draws on the CPU whatever the device, so that a seed means the same everywhere.

    Returns
    -------
    y : Array
        x · mask, where the mask is 0 with probability `rate`, else 1 / (1 − rate).
    cache : Array or None
        The mask, for `dropout_backward`; None at a rate of 0.

    Raises
    ------
    ValueError
        For a rate outside [0, 1).
    """
    if not 0 <= rate < 1:
        raise ValueError(f"dropout rate {rate} is not in [0, 1)")
    if rate == 0:
        return x, None
    keep = rng.random(x.shape, dtype="float32") >= rate
    real = x.dtype if x.dtype.kind == "f" else np.dtype(np.float64)  # 1 / (1 − rate) is a fraction
    mask = array_module(x).asarray(keep) * real.type(1 / (1 - rate))
    return x * mask, mask


@operation()
def dropout_backward(dy: Array, cache: Array | None) -> Array:
    """Return the gradient of `dropout`'s input.

    Parameters
    ----------
    dy : Array
        The loss's gradient for `dropout`'s output.
    cache : Array or None
        What `dropout` returned beside it.

    Returns
    -------
    Array
        dy · mask: no gradient for what was dropped, a scaled one for what was kept.
    """
    return dy if cache is None else dy * cache
