"""Valid convolution: every output pixel sees a whole patch of the input, nothing is padded.

    y[n, o, i, j] = bias[o] + Σ_{c,a,b} weight[o, c, a, b] · x[n, c, i + a, j + b]

Shapes: x (N, C, H, W), weight (O, C, kh, kw), bias (O,), y (N, O, H', W') with H' = H − kh + 1 and
W' = W − kw + 1. (Strictly a cross-correlation, like every network's "convolution": the kernel is
not flipped.) Paper: section 2. Lessons: lessons/01-valid-convolution.md,
lessons/02-convolution-backward.md. Faster implementations: tinyunet/backends/dispatch.py.
"""

from typing import Any

from tinyunet.arrays import Array
from tinyunet.nn.im2col import col2im, im2col
from tinyunet.nn.operation import operation


def check_conv_shapes(x: Array, weight: Array, bias: Array) -> None:
    """Refuse arrays that do not go together.

    Parameters
    ----------
    x, weight, bias : Array
        The arguments of `conv2d`.

    Raises
    ------
    ValueError
        Unless x and weight have 4 axes and the same channels, bias has one number an output
        channel, and the kernel fits into the image.
    """
    if x.ndim != 4 or weight.ndim != 4:
        raise ValueError(
            f"x and weight must have 4 axes, (N, C, H, W) and (O, C, kh, kw): "
            f"got {x.shape} and {weight.shape}"
        )
    if x.shape[1] != weight.shape[1]:
        raise ValueError(f"x has {x.shape[1]} channels, but weight expects {weight.shape[1]}")
    if bias.shape != weight.shape[:1]:
        raise ValueError(f"bias has shape {bias.shape}, but weight asks for {weight.shape[:1]}")
    if x.shape[2] < weight.shape[2] or x.shape[3] < weight.shape[3]:
        raise ValueError(
            f"an image of {x.shape[2]}×{x.shape[3]} pixels is smaller than the "
            f"{weight.shape[2]}×{weight.shape[3]} kernel"
        )


@operation(check=check_conv_shapes)
def conv2d(x: Array, weight: Array, bias: Array) -> tuple[Array, Any]:
    """Convolve `x` without padding, stride 1.

    Parameters
    ----------
    x : Array, shape (N, C, H, W)
        Float32 or float64, any strides.
    weight : Array, shape (O, C, kh, kw)
        The kernels, one an output channel.
    bias : Array, shape (O,)
        Added to every pixel of its output channel.

    Returns
    -------
    y : Array, shape (N, O, H − kh + 1, W − kw + 1)
        The convolved map.
    cache : Any
        For `conv2d_backward`.

    Raises
    ------
    ValueError
        Where the shapes do not go together.
    """
    n, _, h, w = x.shape
    out_channels, _, kh, kw = weight.shape
    columns = im2col(x, (kh, kw))  # (N, C·kh·kw, H'·W')
    y = weight.reshape(out_channels, -1) @ columns  # one matrix product an image
    y += bias[:, None]
    return y.reshape(n, out_channels, h - kh + 1, w - kw + 1), (x, weight)


@operation()
def conv2d_backward(dy: Array, cache: Any) -> tuple[Array, Array, Array]:
    """Return the gradients of `conv2d`'s inputs.

    With y = W·columns(x): dW = dy·columnsᵀ, dcolumns = Wᵀ·dy, and dx adds each column back to
    where im2col took it from. The columns are made again rather than kept: they are kh·kw times
    the size of x.

    Parameters
    ----------
    dy : Array, shape (N, O, H', W')
        The loss's gradient for `conv2d`'s output.
    cache : Any
        What `conv2d` returned beside it.

    Returns
    -------
    dx, dweight, dbias : Array
        In the shapes of x, weight and bias.
    """
    x, weight = cache
    out_channels, _, kh, kw = weight.shape
    dy = dy.reshape(len(dy), out_channels, dy.shape[2] * dy.shape[3])  # (N, O, H'·W')
    columns = im2col(x, (kh, kw))
    dweight = (dy @ columns.transpose(0, 2, 1)).sum(axis=0).reshape(weight.shape)
    dbias = dy.sum(axis=(0, 2))
    dx = col2im(weight.reshape(out_channels, -1).T @ dy, x.shape, (kh, kw))
    return dx, dweight, dbias
