"""Patches as columns: the step that turns a convolution into one matrix product.

Shapes: x (N, C, H, W); columns (N, C·kh·kw, H'·W'), H' = (H − kh) // stride + 1.
Column l holds the patch that output pixel l looks at, so weight (O, C·kh·kw) @ columns is the
convolution. `col2im` is the transpose of that linear map, not its inverse: each pixel collects the
sum of all columns that it was copied into. Lessons: lessons/01-valid-convolution.md and 02.
"""

from tinyunet.arrays import Array, array_module


def im2col(x: Array, kernel: tuple[int, int], stride: int = 1) -> Array:
    """Return the patches of an image as columns of a matrix.

    Parameters
    ----------
    x : Array, shape (N, C, H, W)
        The images.
    kernel : tuple of int
        Height and width (kh, kw) of a patch.
    stride : int, optional
        Pixels from one patch to the next, along both axes.

    Returns
    -------
    Array, shape (N, C·kh·kw, H'·W')
        A copy; patches in reading order.
    """
    xp = array_module(x)
    patches = xp.lib.stride_tricks.sliding_window_view(x, kernel, axis=(2, 3))
    patches = patches[:, :, ::stride, ::stride]  # (N, C, H', W', kh, kw), still no copy
    n, c, out_h, out_w, kh, kw = patches.shape
    # The one copy: rows ordered (c, a, b) like weight.reshape(O, C·kh·kw).
    return patches.transpose(0, 1, 4, 5, 2, 3).reshape(n, c * kh * kw, out_h * out_w)


def col2im(columns: Array, shape: tuple, kernel: tuple[int, int]) -> Array:
    """Add columns back onto an image: the transpose of `im2col` with stride 1.

    Parameters
    ----------
    columns : Array, shape (N, C·kh·kw, H'·W')
        What to add up.
    shape : tuple of int
        (N, C, H, W) of the image.
    kernel : tuple of int
        Height and width (kh, kw) of a patch.

    Returns
    -------
    Array, shape (N, C, H, W)
        Each pixel the sum of all columns that `im2col` would copy it into.
    """
    xp = array_module(columns)
    n, c, h, w = shape
    kh, kw = kernel
    out_h, out_w = h - kh + 1, w - kw + 1
    columns = columns.reshape(n, c, kh, kw, out_h, out_w)
    x = xp.zeros(shape, dtype=columns.dtype)
    for i in range(kh):
        for j in range(kw):
            x[:, :, i : i + out_h, j : j + out_w] += columns[:, :, i, j]
    return x
