"""Exercise 02: the convolution's backward.

Lesson: lessons/02-convolution-backward.md.

The loss E is a number; dy[n, o, i, j] is how fast it changes with y[n, o, i, j]. Find how fast it
changes with each pixel, tap and bias. Wherever the forward says `y += weight · x`, the backward
says `dx += weight · dy` and `dweight += x · dy`.

Sizes as in exercise 01. dy is random in the check: with ones, it would go unseen if you took its
pixels or its channels in the wrong order (lesson 02, "The trap"). Where the package's function
takes a cache, yours takes what is in it: x and weight.

Check: `tinyunet check 02`.
"""

import numpy as np


def conv2d_backward(dy, x, weight):
    """Return (dx, dweight, dbias) for dy (N, O, H', W'), x (N, C, H, W), weight (O, C, kh, kw).

    Each has the shape and dtype of what it is the gradient of; dbias is (O,).
    """
