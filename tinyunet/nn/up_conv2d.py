"""2×2 up-convolution with stride 2: every input pixel paints a 2×2 patch of the output.

    y[n, o, 2i + a, 2j + b] = bias[o] + Σ_c x[n, c, i, j] · weight[c, o, a, b]      a, b in {0, 1}

Shapes: x (N, C, h, w), weight (C, O, 2, 2), bias (O,), y (N, O, 2h, 2w).
The patches do not overlap, so each output pixel has C incoming nodes, not 4·C. The map is the
transpose of a 2×2 convolution with stride 2; hence its backward pass *is* that convolution, and the
code below says so. The paper's words are "an upsampling of the feature map followed by a 2×2
convolution": with zeros between the pixels as the upsampling, that is the same formula.
Paper: section 2. Lesson: lessons/04-up-convolution.md. Faster implementations:
tinyunet/backends/dispatch.py.
"""

from typing import Any

from tinyunet.arrays import Array
from tinyunet.nn.im2col import im2col
from tinyunet.nn.operation import operation


def check_up_shapes(x: Array, weight: Array, bias: Array) -> None:
    """Refuse arrays that do not go together.

    Parameters
    ----------
    x, weight, bias : Array
        The arguments of `up_conv2d`.

    Raises
    ------
    ValueError
        Unless x is (N, C, h, w), weight (C, O, 2, 2) and bias (O,).
    """
    if x.ndim != 4 or weight.ndim != 4 or weight.shape[2:] != (2, 2):
        raise ValueError(
            f"x and weight must be (N, C, h, w) and (C, O, 2, 2): got {x.shape} and {weight.shape}"
        )
    if x.shape[1] != weight.shape[0]:
        raise ValueError(f"x has {x.shape[1]} channels, but weight expects {weight.shape[0]}")
    if bias.shape != weight.shape[1:2]:
        raise ValueError(f"bias has shape {bias.shape}, but weight asks for {weight.shape[1:2]}")


@operation(check=check_up_shapes)
def up_conv2d(x: Array, weight: Array, bias: Array) -> tuple[Array, Any]:
    """Double the height and width of a map.

    Parameters
    ----------
    x : Array, shape (N, C, h, w)
        Float32 or float64, any strides.
    weight : Array, shape (C, O, 2, 2)
        The patch that a pixel of each input channel paints, for each output channel.
    bias : Array, shape (O,)
        Added to every pixel of its output channel.

    Returns
    -------
    y : Array, shape (N, O, 2h, 2w)
        The up-convolved map.
    cache : Any
        For `up_conv2d_backward`.

    Raises
    ------
    ValueError
        Where the shapes do not go together.
    """
    n, channels, h, w = x.shape
    out_channels = weight.shape[1]
    patches = weight.reshape(channels, -1).T @ x.reshape(n, channels, h * w)  # (N, O·2·2, h·w)
    patches = patches.reshape(n, out_channels, 2, 2, h, w)
    # (N, O, a, b, i, j) → (N, O, i, a, j, b): row 2i + a, column 2j + b
    y = patches.transpose(0, 1, 4, 2, 5, 3).reshape(n, out_channels, 2 * h, 2 * w)
    y += bias[:, None, None]
    return y, (x, weight)


@operation()
def up_conv2d_backward(dy: Array, cache: Any) -> tuple[Array, Array, Array]:
    """Return the gradients of `up_conv2d`'s inputs.

    dx is the strided convolution of dy with the same weight, read as (out = C, in = O, 2, 2).

    Parameters
    ----------
    dy : Array, shape (N, O, 2h, 2w)
        The loss's gradient for `up_conv2d`'s output.
    cache : Any
        What `up_conv2d` returned beside it.

    Returns
    -------
    dx, dweight, dbias : Array
        In the shapes of x, weight and bias.
    """
    x, weight = cache
    n, channels, h, w = x.shape
    columns = im2col(dy, (2, 2), stride=2)  # (N, O·2·2, h·w): the patch under each input pixel
    dx = (weight.reshape(channels, -1) @ columns).reshape(x.shape)
    x = x.reshape(n, channels, h * w)
    dweight = (x @ columns.transpose(0, 2, 1)).sum(axis=0).reshape(weight.shape)
    dbias = dy.sum(axis=(0, 2, 3))
    return dx, dweight, dbias
