"""ReLU: keep what is positive, pass the gradient where it was. Lesson: lessons/03-relu-and-pool.md.

The kink at 0 needs a decision: here ReLU'(0) = 0, as in the paper's framework.
"""

from tinyunet.arrays import array_module


def relu(x):
    """Return max(x, 0) of any shape, and the cache (the output: it is positive where x was)."""
    y = array_module(x).maximum(x, 0)
    return y, y


def relu_backward(dy, cache):
    """Return dx: dy where the input was positive, 0 elsewhere (at exactly 0 too)."""
    y = cache
    return dy * (y > 0)
