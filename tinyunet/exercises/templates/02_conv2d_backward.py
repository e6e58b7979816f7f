"""Exercise 02: the backward pass of the convolution with a stride.

Lesson: lessons/02-convolution-backward.md.

The convolution is that of exercise 01: its windows lie `stride` pixels apart. The loss E is a
number; dy[n, o, i, j] is how fast E changes with y[n, o, i, j]. Find how fast it changes with each
pixel, tap and bias. Which pixels met which taps in which output? Follow each pair once. A pixel
that no window read has the gradient 0.

dy is random in the check: with ones, it would go unseen if you took its pixels or channels in the
wrong order (lesson 02, "The trap"). Where the package's function takes a cache, yours takes what is
in it: x and weight.

Check: `tinyunet check 02`.
"""


def conv2d_backward(dy, x, weight, stride=1):
    """Return the gradients of x, weight and bias.

    Parameters
    ----------
    dy : (N, O, H', W'), float64 or float32.
    x : (N, C, H, W), of the same dtype. Stays as it is.
    weight : (O, C, kh, kw), of the same dtype.
    stride : int, at least 1.

    Returns
    -------
    dx, dweight, dbias : in the shapes (N, C, H, W), (O, C, kh, kw) and (O,), and in dy's dtype.
    """
