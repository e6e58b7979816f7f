"""An up-convolution and the skip in front of its map: how each expanding level begins (section 2).

It is `up_conv2d` and `center_crop_concat` in a row, each with its own cache and its own backward.
It is an operation of its own because a kernel can write the up-convolved map where it belongs, into
its channels of the concatenation, instead of writing it twice. Lesson: lessons/14-fast-on-a-cpu.md.
"""

from tinyunet.ops.concat import center_crop_concat, check_crop
from tinyunet.ops.dispatch import faster
from tinyunet.ops.up_conv2d import check_up_shapes, up_conv2d


def up_conv2d_concat(x, weight, bias, skip):
    """Return y, the cache of `up_conv2d` and the cache of `center_crop_concat`.

    x (N, C, h, w), weight (C, O, 2, 2), bias (O,), skip (N, C1, H, W) with H ≥ 2h and W ≥ 2w;
    y (N, C1 + O, 2h, 2w). Raises ValueError as the two operations do.
    """
    check_up_shapes(x, weight, bias)
    check_crop(skip.shape, (len(x), weight.shape[1], 2 * x.shape[2], 2 * x.shape[3]))
    if kernels := faster("up_conv2d_concat", x, weight, skip):
        return kernels.up_conv2d_concat(x, weight, bias, skip)
    up, up_cache = up_conv2d(x, weight, bias)
    y, concat_cache = center_crop_concat(skip, up)
    return y, up_cache, concat_cache
