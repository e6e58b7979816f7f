"""Exercise 04: the up-convolution and its backward pass.

Lesson: lessons/04-up-convolution.md.

Every pixel becomes a 2×2 block; blocks do not overlap:

    y[n, o, 2i + a, 2j + b] = bias[o] + Σ_c x[n, c, i, j] · weight[c, o, a, b]

Mind the weight's axes: input channel first, output channel second. Two of the three gradients can
be had from functions that you have written already, if you look long enough.

Check: `tinyunet check 04`.
"""


def up_conv2d(x, weight, bias):
    """Return the up-convolution of a batch of maps.

    Parameters
    ----------
    x : (N, C, h, w), float64 or float32.
    weight : (C, O, 2, 2), of the same dtype.
    bias : (O,), of the same dtype.

    Returns
    -------
    y : (N, O, 2h, 2w), in the dtype of x.
    """


def up_conv2d_backward(dy, x, weight):
    """Return the gradients of x, weight and bias.

    Parameters
    ----------
    dy : (N, O, 2h, 2w), float64 or float32.
    x : (N, C, h, w), of the same dtype.
    weight : (C, O, 2, 2), of the same dtype.

    Returns
    -------
    dx, dweight, dbias : in the shapes (N, C, h, w), (C, O, 2, 2) and (O,), and in dy's dtype.
    """
