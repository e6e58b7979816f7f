"""Exercise 01: the valid convolution, as loops.

Lesson: lessons/01-valid-convolution.md.

Write the formula down as it stands, with as many loops as it has indices:

    y[n, o, i, j] = bias[o] + Σ_c Σ_a Σ_b weight[o, c, a, b] · x[n, c, i + a, j + b]

Sizes: N images of C channels, O output channels, a kernel of kh × kw; H' = H − kh + 1 and
W' = W − kw + 1. The check uses images of about 2 × 3 × 6 × 7, so it need not be fast.

Check: `tinyunet check 01`.
"""

import numpy as np


def conv2d(x, weight, bias):
    """Return y (N, O, H', W') for x (N, C, H, W), weight (O, C, kh, kw), bias (O,).

    y has the dtype of x.
    """
