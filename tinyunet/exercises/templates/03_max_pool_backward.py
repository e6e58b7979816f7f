"""Exercise 03: ReLU and max-pooling, and who gets the gradient.

Lesson: lessons/03-relu-and-pool.md.

Four short functions, without the cache of the package's: each backward pass gets x itself, the
input of its forward pass. Pooling windows are 2×2 and do not overlap. Where pixels of a window are
equally large, the first in reading order gets the gradient; where x is exactly 0, the ReLU passes
none.

Check: `tinyunet check 03`.
"""


def relu(x):
    """Return max(x, 0).

    Parameters
    ----------
    x : any shape, float64 or float32. Stays as it is.

    Returns
    -------
    y : in the shape and dtype of x.
    """


def relu_backward(dy, x):
    """Return the gradient of x.

    Parameters
    ----------
    dy, x : of one shape and dtype.

    Returns
    -------
    dx : in that shape and dtype.
    """


def max_pool2d(x):
    """Return the largest pixel of each window.

    Parameters
    ----------
    x : (N, C, H, W), float64 or float32; H and W are even.

    Returns
    -------
    y : (N, C, H/2, W/2), in the dtype of x.
    """


def max_pool2d_backward(dy, x):
    """Return the gradient of x.

    Parameters
    ----------
    dy : (N, C, H/2, W/2), float64 or float32.
    x : (N, C, H, W), of the same dtype; H and W are even.

    Returns
    -------
    dx : (N, C, H, W), in that dtype.
    """
