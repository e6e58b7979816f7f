"""Exercise 01: the valid convolution, with a stride.

Lesson: lessons/01-valid-convolution.md.

The lesson's window moves on by one pixel. Here it moves on by `stride` pixels, along rows and
columns alike: output (0, 0) looks at the same pixels as in the lesson, output (0, 1) at those
`stride` columns further right. A window that would hang over the edge is left out, so a few rows
and columns at the end may be read by none. Work out how many windows there are first, then which
pixel x[n, c, ?, ?] the tap weight[o, c, a, b] meets in output (i, j). With stride 1 it must be the
lesson's convolution.

Plain loops are fast enough: the check's largest images have 3 × 5 × 22 × 24 numbers.

Check: `tinyunet check 01`.
"""


def conv2d(x, weight, bias, stride=1):
    """Return the convolution of a batch of images.

    Parameters
    ----------
    x : (N, C, H, W), float64 or float32. Stays as it is.
    weight : (O, C, kh, kw), of the same dtype; kh and kw may differ, and be 1.
    bias : (O,), of the same dtype.
    stride : int, at least 1.

    Returns
    -------
    y : (N, O, H', W'), in the dtype of x.
    """
