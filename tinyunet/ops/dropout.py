"""Drop-out: each value is zeroed with probability `rate`, the others grow by 1 / (1 − rate).

The growth keeps the expected value, so that prediction needs no drop-out at all. The paper drops
at the end of the contracting path (section 3.1, last sentence) and does not say how much.
Lesson: lessons/05-the-u.md.
"""

from tinyunet.arrays import array_module


def dropout(x, rate, rng):
    """Return `x` with a share `rate` (0 ≤ rate < 1) of its values zeroed, and the cache.

    `rng` is a numpy.random.Generator: the draw happens on the CPU whatever the device, so a seed
    means the same everywhere. Raises ValueError for a rate outside [0, 1).
    """
    if not 0 <= rate < 1:
        raise ValueError(f"dropout rate {rate} is not in [0, 1)")
    if rate == 0:
        return x, None
    keep = rng.random(x.shape, dtype="float32") >= rate
    mask = array_module(x).asarray(keep) * x.dtype.type(1 / (1 - rate))
    return x * mask, mask


def dropout_backward(dy, cache):
    """Return dx: what was dropped gets no gradient, what was kept gets it scaled likewise."""
    return dy if cache is None else dy * cache
