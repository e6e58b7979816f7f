"""Crop the skip connection to the centre and put it in front of the up-convolved map.

Shapes: skip (N, C1, H, W), x (N, C2, h, w) with h ≤ H and w ≤ W, y (N, C1 + C2, h, w).
The crop is "necessary due to the loss of border pixels in every convolution" (section 2). The skip
comes first, as figure 1 draws it. Lesson: lessons/05-the-u.md.
"""

from tinyunet.arrays import array_module
from tinyunet.ops.dispatch import faster, maker


def _centre(skip_shape, shape):
    """Return the slices of the central (h, w) window of a map (…, H, W)."""
    top, left = (skip_shape[2] - shape[2]) // 2, (skip_shape[3] - shape[3]) // 2
    return slice(top, top + shape[2]), slice(left, left + shape[3])


def check_crop(skip_shape, shape):
    """Raise ValueError where the batches differ or the skip is smaller than the map."""
    if skip_shape[0] != shape[0] or skip_shape[2] < shape[2] or skip_shape[3] < shape[3]:
        raise ValueError(f"skip {skip_shape} cannot be cropped to x {shape}")


def center_crop_concat(skip, x):
    """Return y (N, C1 + C2, h, w): the centre of `skip`, then `x`; and the cache.

    Raises ValueError where the batches differ or `skip` is smaller than `x`.
    """
    check_crop(skip.shape, x.shape)
    if kernels := faster("center_crop_concat", skip, x):
        return kernels.center_crop_concat(skip, x)
    rows, columns = _centre(skip.shape, x.shape)
    y = array_module(x).concatenate([skip[:, :, rows, columns], x], axis=1)
    return y, (skip.shape, x.shape)


def concat_backward(dy, cache):
    """Return (dskip, dx): dx is x's part of dy, a view; dskip is (dy, cache), for later.

    The other part of dy belongs to the skip, but its way goes on at the other end of the backward:
    `ops.max_pool2d_skip_backward` takes dskip there.
    """
    skip_shape, _ = cache
    return (dy, cache), dy[:, skip_shape[1] :]


def center_crop_concat_backward(dy, cache):
    """Return (dskip, dx): the part of dy that each came from; what was cropped away gets 0."""
    if kernels := maker(cache):
        return kernels.center_crop_concat_backward(dy, cache)
    skip_shape, x_shape = cache
    rows, columns = _centre(skip_shape, x_shape)
    channels = skip_shape[1]
    dskip = array_module(dy).zeros(skip_shape, dtype=dy.dtype)
    dskip[:, :, rows, columns] = dy[:, :channels]
    return dskip, dy[:, channels:]
