"""2×2 max-pooling with stride 2: the largest of four goes on, and it alone gets the gradient.

Shapes: x (N, C, H, W) with H and W even, y (N, C, H/2, W/2).
Ties are decided: the first of the four in reading order wins (top left, top right, bottom left,
bottom right). After a ReLU a window of four zeros is common, so this is no corner case.
Paper: section 2. Lesson: lessons/03-relu-and-pool.md.
"""

from tinyunet.arrays import array_module
from tinyunet.ops.dispatch import faster, maker


def _corners(x):
    """Return the four views of x that hold each window's pixels, in reading order."""
    return [x[:, :, i::2, j::2] for i in (0, 1) for j in (0, 1)]  # each (N, C, H/2, W/2)


def check_pool_shape(shape):
    """Raise ValueError unless `shape` is (N, C, H, W) with even H and W."""
    if len(shape) != 4 or shape[2] % 2 or shape[3] % 2:
        raise ValueError(f"max_pool2d needs (N, C, H, W) with even H and W: got {shape}")


def max_pool2d(x):
    """Return the 2×2 maxima of `x` (N, C, H, W) and the cache. Raises ValueError for odd H or W."""
    check_pool_shape(x.shape)
    if kernels := faster("max_pool2d", x):
        return kernels.max_pool2d(x)
    xp = array_module(x)
    a, b, c, d = _corners(x)
    y = xp.maximum(xp.maximum(a, b), xp.maximum(c, d))
    return y, (x, y)


def max_pool2d_backward(dy, cache, onto=None):
    """Return dx (N, C, H, W): dy (N, C, H/2, W/2) at each window's first maximum, 0 elsewhere.

    `onto` is a gradient of the same map that came another way (through the skip); dx is added to
    it, in place, and it is returned.
    """
    if kernels := maker(cache):
        return kernels.max_pool2d_backward(dy, cache, onto)
    x, y = cache
    xp = array_module(x)
    dx = xp.zeros_like(x) if onto is None else onto
    open_ = xp.ones(y.shape, dtype=bool)  # windows whose maximum has not been met yet
    for corner, dcorner in zip(_corners(x), _corners(dx), strict=True):
        first = (corner == y) & open_
        dcorner += dy * first
        open_ &= ~first
    return dx
