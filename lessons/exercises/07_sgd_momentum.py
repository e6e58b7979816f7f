"""Exercise 07: how to start and how to step.

Lesson: lessons/07-initialisation-and-momentum.md.

First the standard deviation √(2/N) of a layer's first weights, N being the number of input values
that one output pixel adds up. Then one step of gradient descent with momentum:

    v ← momentum · v + g        p ← p − rate · v

Check: `tinyunet check 07`.
"""

import numpy as np


def he_deviation(shape, kind):
    """Return the standard deviation for weights of `shape`.

    kind "convolution": shape (out, in, k, k); kind "up-convolution": shape (in, out, 2, 2).
    """


def sgd_momentum(param, grad, velocity, rate, momentum):
    """Return the new (param, velocity), new arrays of param's shape; change no argument."""
