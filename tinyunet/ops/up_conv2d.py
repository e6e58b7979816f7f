"""2×2 up-convolution with stride 2: every input pixel paints a 2×2 patch of the output.

    y[n, o, 2i + a, 2j + b] = bias[o] + Σ_c x[n, c, i, j] · weight[c, o, a, b]      a, b in {0, 1}

Shapes: x (N, C, h, w), weight (C, O, 2, 2), bias (O,), y (N, O, 2h, 2w).
The patches do not overlap, so each output pixel has C incoming nodes, not 4·C. The map is the
transpose of a 2×2 convolution with stride 2; hence its backward *is* that convolution, and the code
below says so. Paper: section 2. Lesson: lessons/04-up-convolution.md.
"""

from tinyunet.ops.dispatch import faster, maker
from tinyunet.ops.im2col import im2col


def up_conv2d(x, weight, bias):
    """Double the height and width of `x`.

    x: (N, C, h, w); weight: (C, O, 2, 2); bias: (O,). Returns y (N, O, 2h, 2w) and the cache.
    Raises ValueError where the shapes do not go together.
    """
    check_up_shapes(x, weight, bias)
    if kernels := faster("up_conv2d", x, weight):
        return kernels.up_conv2d(x, weight, bias)
    n, channels, h, w = x.shape
    out_channels = weight.shape[1]
    patches = weight.reshape(channels, -1).T @ x.reshape(n, channels, h * w)  # (N, O·2·2, h·w)
    patches = patches.reshape(n, out_channels, 2, 2, h, w)
    # (N, O, a, b, i, j) → (N, O, i, a, j, b): row 2i + a, column 2j + b
    y = patches.transpose(0, 1, 4, 2, 5, 3).reshape(n, out_channels, 2 * h, 2 * w)
    y += bias[:, None, None]
    return y, (x, weight)


def up_conv2d_backward(dy, cache):
    """Return (dx, dweight, dbias) for dy (N, O, 2h, 2w).

    dx is the strided convolution of dy with the same weight, read as (out = C, in = O, 2, 2).
    """
    if kernels := maker(cache):
        return kernels.up_conv2d_backward(dy, cache)
    x, weight = cache
    n, channels, h, w = x.shape
    columns = im2col(dy, (2, 2), stride=2)  # (N, O·2·2, h·w): the patch under each input pixel
    dx = (weight.reshape(channels, -1) @ columns).reshape(x.shape)
    x = x.reshape(n, channels, h * w)
    dweight = (x @ columns.transpose(0, 2, 1)).sum(axis=0).reshape(weight.shape)
    dbias = dy.sum(axis=(0, 2, 3))
    return dx, dweight, dbias


def check_up_shapes(x, weight, bias):
    """Raise ValueError unless the shapes are as `up_conv2d` wants them."""
    if x.ndim != 4 or weight.ndim != 4 or weight.shape[2:] != (2, 2):
        raise ValueError(
            f"x and weight must be (N, C, h, w) and (C, O, 2, 2): got {x.shape} and {weight.shape}"
        )
    if x.shape[1] != weight.shape[0]:
        raise ValueError(f"x has {x.shape[1]} channels, but weight expects {weight.shape[0]}")
    if bias.shape != weight.shape[1:2]:
        raise ValueError(f"bias has shape {bias.shape}, but weight asks for {weight.shape[1:2]}")
