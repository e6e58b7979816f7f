"""Patches as columns: the step that turns a convolution into one matrix product.

Shapes: x (N, C, H, W); columns (N, C·kh·kw, H'·W'), H' = (H − kh) // stride + 1.
Column l holds the patch that output pixel l looks at, so weight (O, C·kh·kw) @ columns is the
convolution. `col2im` is the transpose of that linear map, not its inverse: each pixel collects the
sum of all columns that it was copied into. Lessons: lessons/01-valid-convolution.md and 02.
"""

from tinyunet.arrays import array_module


def im2col(x, kernel, stride=1):
    """Return the kernel = (kh, kw) patches of x (N, C, H, W) as columns (N, C·kh·kw, H'·W')."""
    xp = array_module(x)
    patches = xp.lib.stride_tricks.sliding_window_view(x, kernel, axis=(2, 3))
    patches = patches[:, :, ::stride, ::stride]  # (N, C, H', W', kh, kw), still no copy
    n, c, out_h, out_w, kh, kw = patches.shape
    # The one copy: rows ordered (c, i, j) like weight.reshape(O, C·kh·kw).
    return patches.transpose(0, 1, 4, 5, 2, 3).reshape(n, c * kh * kw, out_h * out_w)


def col2im(columns, shape, kernel):
    """Add columns (N, C·kh·kw, H'·W') of stride 1 back onto an image of `shape` (N, C, H, W)."""
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
