"""The backward of a map that was used twice: halved by the pooling, and whole as a skip (figure 1).

The skip's gradient comes first, on the way down the expanding path, and waits there until the
pooling's arrives. It waits as it came, inside the gradient of the concatenation. A kernel can then
write each pixel of the sum once, instead of the zeros around the crop, the crop and the sum.
Lessons: lessons/05-the-u.md, lessons/14-fast-on-a-cpu.md.
"""

from tinyunet.ops.concat import center_crop_concat_backward
from tinyunet.ops.dispatch import maker
from tinyunet.ops.max_pool2d import max_pool2d_backward


def max_pool2d_skip_backward(dy, cache, dskip):
    """Return dx (N, C, H, W) for a map that went into `max_pool2d` and `center_crop_concat`.

    dy (N, C, H/2, W/2) and `cache` are the pooling's, `dskip` is what `concat_backward` returned.
    """
    kernels = maker(cache)
    if hasattr(kernels, "max_pool2d_skip_backward"):
        return kernels.max_pool2d_skip_backward(dy, cache, dskip)
    onto, _ = center_crop_concat_backward(*dskip)
    return max_pool2d_backward(dy, cache, onto)
