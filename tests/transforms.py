"""What the augmentation tests share: the three bodies, a generator, a transform at rest."""

import numpy as np
import pytest

from tinyunet.augment import Transform

BODIES = [{"plain": True}, {"parallel": False}, {"parallel": True}]
bodies = pytest.mark.parametrize("body", BODIES, ids=["plain", "serial", "parallel"])


def rng(seed=0):
    """A generator in a known state."""
    return np.random.default_rng(seed)


def still(shape, **changes):
    """A transform that leaves an image of this shape where it is, with changes."""
    numbers = {"size": shape, "centre": ((shape[0] - 1) / 2, (shape[1] - 1) / 2)}
    return Transform(**{**numbers, **changes})
