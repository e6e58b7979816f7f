"""2×2 max-pooling with stride 2: the largest of four goes on, and it alone gets the gradient.

Shapes: x (N, C, H, W) with H and W even, y (N, C, H/2, W/2).
Ties are decided: the first of the four in reading order wins (top left, top right, bottom left,
bottom right). After a ReLU a window of four zeros is common, so this is no corner case.
Paper: section 2. Lesson: lessons/03-relu-and-pool.md. Faster implementations:
tinyunet/backends/dispatch.py.
"""

from typing import Any

from tinyunet.arrays import Array, array_module
from tinyunet.nn.operation import operation


def _corners(x: Array) -> list[Array]:
    """Return the four views of x that hold each window's pixels, in reading order."""
    return [x[:, :, i::2, j::2] for i in (0, 1) for j in (0, 1)]  # each (N, C, H/2, W/2)


def check_pool_shape(x: Array) -> None:
    """Refuse maps that cannot be halved.

    Parameters
    ----------
    x : Array
        The argument of `max_pool2d`.

    Raises
    ------
    ValueError
        Unless x is (N, C, H, W) with even H and W.
    """
    if x.ndim != 4 or x.shape[2] % 2 or x.shape[3] % 2:
        raise ValueError(f"max_pool2d needs (N, C, H, W) with even H and W: got {x.shape}")


@operation(check=check_pool_shape)
def max_pool2d(x: Array) -> tuple[Array, Any]:
    """Return the 2×2 maxima of a map.

    Parameters
    ----------
    x : Array, shape (N, C, H, W)
        Float32 or float64, H and W even.

    Returns
    -------
    y : Array, shape (N, C, H/2, W/2)
        The largest of each window; NaN where a window holds NaN.
    cache : Any
        For `max_pool2d_backward`.

    Raises
    ------
    ValueError
        For odd H or W.
    """
    xp = array_module(x)
    a, b, c, d = _corners(x)
    y = xp.maximum(xp.maximum(a, b), xp.maximum(c, d))
    return y, (x, y)


@operation()
def max_pool2d_backward(dy: Array, cache: Any) -> Array:
    """Return the gradient of `max_pool2d`'s input.

    Parameters
    ----------
    dy : Array, shape (N, C, H/2, W/2)
        The loss's gradient for `max_pool2d`'s output.
    cache : Any
        What `max_pool2d` returned beside it.

    Returns
    -------
    Array, shape (N, C, H, W)
        dy at each window's first maximum, or at its last NaN; 0 elsewhere.
    """
    x, _ = cache
    xp = array_module(x)
    largest, *others = _corners(x)
    winner = xp.zeros(largest.shape, dtype="int8")
    for k, corner in enumerate(others, 1):
        later = (corner > largest) | xp.isnan(corner)  # of equal ones the first stays
        largest, winner = xp.where(later, corner, largest), xp.where(later, k, winner)
    dx = xp.zeros_like(x)
    for k, dcorner in enumerate(_corners(dx)):
        dcorner[...] = xp.where(winner == k, dy, 0)
    return dx
