"""Exercise 03: ReLU and max-pooling, and who gets the gradient.

Lesson: lessons/03-relu-and-pool.md.

Four short functions, without the cache of the package's: each backward gets x itself, the input of
its forward. Pooling windows are 2×2 and do not overlap; H and W are even. Where two pixels of a
window are equally large, the first in reading order gets the gradient; where x is exactly 0, the
ReLU passes none.

Check: `tinyunet check 03`.
"""

import numpy as np


def relu(x):
    """Return max(x, 0) for x of any shape, in its dtype."""


def relu_backward(dy, x):
    """Return dx for dy and x; all three have the same shape."""


def max_pool2d(x):
    """Return y (N, C, H/2, W/2) for x (N, C, H, W)."""


def max_pool2d_backward(dy, x):
    """Return dx (N, C, H, W) for dy (N, C, H/2, W/2) and x (N, C, H, W)."""
