"""Exercise 04: the up-convolution and its backward.

Lesson: lessons/04-up-convolution.md.

Every pixel becomes a 2×2 block; blocks do not overlap:

    y[n, o, 2i + a, 2j + b] = bias[o] + Σ_c x[n, c, i, j] · weight[c, o, a, b]

Mind the weight's axes: input channel first, output channel second.

Check: `tinyunet check 04`.
"""

import numpy as np


def up_conv2d(x, weight, bias):
    """Return y (N, O, 2h, 2w) for x (N, C, h, w), weight (C, O, 2, 2), bias (O,); x's dtype."""


def up_conv2d_backward(dy, x, weight):
    """Return (dx, dweight, dbias) for dy (N, O, 2h, 2w), in the shapes of x, weight and bias."""
