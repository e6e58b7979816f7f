"""What the property tests share: how often a property is tried, drawn arrays, ⟨A x, y⟩ = ⟨x, Aᵀ y⟩.

@holds_for(case=shapes(…))
def test_something(case): …

test_many_more = many_more(globals())       # the same ones behind `pytest -m slow`
"""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

CHECKS = [HealthCheck.too_slow, HealthCheck.data_too_large]
# The suite must say the same twice, so it tries the same cases; the slow sweep draws new ones.
QUICK = settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=CHECKS)
LONG = settings(max_examples=500, deadline=None, suppress_health_check=CHECKS)

# Relative errors of a product or a sum of products. Winograd's transforms lose a digit.
TOLERANCE = {"float64": 1e-12, "float32": 3e-5}

seeds = st.integers(0, 2**32 - 1)
dtypes = st.sampled_from(["float32", "float64"])
sides = st.integers(1, 9)
channels = st.integers(1, 6)
images = st.integers(1, 3)


def holds_for(**cases):
    """Decorate a property: try it on some drawn cases, and remember it for the slow sweep."""

    def decorate(body):
        quick = QUICK(given(**cases)(body))
        quick.sweep = lambda: LONG(given(**cases)(body))()
        return quick

    return decorate


def many_more(module):
    """The slow test of a module: every property that `holds_for` decorated there, 500 cases each.

    Parameters: `module`, the module's globals().
    """
    sweeps = {name: test.sweep for name, test in module.items() if hasattr(test, "sweep")}

    @pytest.mark.slow
    @pytest.mark.parametrize("name", sweeps)
    def test_many_more_cases(name):
        sweeps[name]()

    return test_many_more_cases


class Draw:
    """Normal random arrays in a dtype, from a seed."""

    def __init__(self, seed, dtype="float64"):
        self.rng, self.dtype = np.random.default_rng(seed), dtype

    def __call__(self, *shape):
        return self.rng.standard_normal(shape).astype(self.dtype)


def dot(a, b):
    """⟨a, b⟩ in float64, whatever the arrays are."""
    assert a.shape == b.shape
    return float((np.asarray(a, np.float64) * np.asarray(b, np.float64)).sum())


def length(a):
    """√⟨a, a⟩."""
    return dot(a, a) ** 0.5


def check_adjoint(forward, backward, dtype):
    """Check ⟨A x, dy⟩ = ⟨x, Aᵀ dy⟩; `forward` is (x, A x) and `backward` is (dy, Aᵀ dy)."""
    x, y = forward
    dy, dx = backward
    assert dx.shape == x.shape
    assert dx.dtype == dtype
    bound = TOLERANCE[dtype] * (length(y) * length(dy) + length(x) * length(dx))
    assert abs(dot(y, dy) - dot(x, dx)) <= bound


def check_close(got, expected, dtype, scale=None):
    """Check got = expected, up to the dtype's rounding relative to the largest number."""
    scale = np.abs(expected).max(initial=0) if scale is None else scale
    np.testing.assert_allclose(got, expected, rtol=0, atol=TOLERANCE[dtype] * max(scale, 1e-30))
