"""Operations that follow each other in the U, under one name each: the plain ones in a row.

To the mathematics these are nothing new, and that is how they are written here. They have names of
their own because a kernel that does two steps at once walks through memory once instead of twice:

    conv2d_relu                 adds the bias and clips at zero while an output is in a register
    conv2d_relu_max_pool        writes the maximum of a 2×2 window beside the window
    up_conv2d_concat            writes the up-convolved map into its channels of the concatenation
    max_pool2d_skip_backward    adds the two gradients of a map used twice while it writes them

Shapes are those of the plain operations.
Lessons: lessons/05a-forward-and-backward.md, lessons/14-fast-on-a-cpu.md.
Faster implementations: tinyunet/backends/dispatch.py.
"""

from typing import Any

from tinyunet.arrays import Array
from tinyunet.nn.conv2d import check_conv_shapes, conv2d, conv2d_backward
from tinyunet.nn.crop_concat import (
    center_crop_concat,
    center_crop_concat_backward,
    check_crop_shapes,
)
from tinyunet.nn.max_pool2d import max_pool2d, max_pool2d_backward
from tinyunet.nn.operation import operation
from tinyunet.nn.relu import relu, relu_backward
from tinyunet.nn.up_conv2d import check_up_shapes, up_conv2d


@operation(check=check_conv_shapes)
def conv2d_relu(x: Array, weight: Array, bias: Array) -> tuple[Array, Any]:
    """Convolve and clip at zero: the step that the U repeats 18 times (section 2).

    Parameters
    ----------
    x, weight, bias : Array
        As for `conv2d`.

    Returns
    -------
    y : Array, shape (N, O, H − kh + 1, W − kw + 1)
        max(conv2d(x, weight, bias), 0).
    cache : Any
        For `conv2d_relu_backward`.

    Raises
    ------
    ValueError
        Where the shapes do not go together.
    """
    y, conv_cache = conv2d(x, weight, bias)
    y, relu_cache = relu(y)
    return y, (conv_cache, relu_cache)


@operation()
def conv2d_relu_backward(
    dy: Array, cache: Any, need_dx: bool = True
) -> tuple[Array | None, Array, Array]:
    """Return the gradients of `conv2d_relu`'s inputs.

    Parameters
    ----------
    dy : Array, shape (N, O, H', W')
        The loss's gradient for `conv2d_relu`'s output.
    cache : Any
        What `conv2d_relu` returned beside it.
    need_dx : bool, optional
        False where nobody asks for dx: the first layer's is the gradient of the image.

    Returns
    -------
    dx, dweight, dbias : Array
        In the shapes of x, weight and bias; dx is None if `need_dx` is False.
    """
    conv_cache, relu_cache = cache
    dx, dweight, dbias = conv2d_backward(relu_backward(dy, relu_cache), conv_cache)
    return (dx if need_dx else None), dweight, dbias


def _check_conv_then_pool(x: Array, weight: Array, bias: Array) -> None:
    check_conv_shapes(x, weight, bias)
    height, width = (x.shape[i] - weight.shape[i] + 1 for i in (2, 3))
    if height % 2 or width % 2:
        shape = (len(x), len(weight), height, width)
        raise ValueError(f"max_pool2d needs (N, C, H, W) with even H and W: got {shape}")


@operation(check=_check_conv_then_pool)
def conv2d_relu_max_pool(
    x: Array, weight: Array, bias: Array
) -> tuple[tuple[Array, Any], tuple[Array, Any]]:
    """Convolve, clip at zero, and halve the result: how each contracting level ends (section 2).

    The convolution's map takes two routes, into the skip and, halved, to the next level, so both
    maps are returned, each with the cache of its own operation.

    Parameters
    ----------
    x, weight, bias : Array
        As for `conv2d`.

    Returns
    -------
    y, cache : tuple
        Of `conv2d_relu`.
    pooled, cache : tuple
        Of `max_pool2d` of that y.

    Raises
    ------
    ValueError
        As the two operations do.
    """
    y, cache = conv2d_relu(x, weight, bias)
    return (y, cache), max_pool2d(y)


def _check_up_then_concat(x: Array, weight: Array, bias: Array, skip: Array) -> None:
    check_up_shapes(x, weight, bias)
    up_shape = (len(x), weight.shape[1], 2 * x.shape[2], 2 * x.shape[3])
    check_crop_shapes(skip.shape, up_shape)


@operation(check=_check_up_then_concat)
def up_conv2d_concat(x: Array, weight: Array, bias: Array, skip: Array) -> tuple[Array, Any, Any]:
    """Up-convolve and put the skip in front: how each expanding level begins (section 2).

    Parameters
    ----------
    x, weight, bias : Array
        As for `up_conv2d`.
    skip : Array, shape (N, C1, H, W)
        With H ≥ 2h and W ≥ 2w.

    Returns
    -------
    y : Array, shape (N, C1 + O, 2h, 2w)
        The centre of the skip, then the up-convolved map.
    up_cache, concat_cache : Any
        Of `up_conv2d` and `center_crop_concat`, each for its own backward pass.

    Raises
    ------
    ValueError
        As the two operations do.
    """
    up, up_cache = up_conv2d(x, weight, bias)
    y, concat_cache = center_crop_concat(skip, up)
    return y, up_cache, concat_cache


def split_concat_gradient(dy: Array, cache: Any) -> tuple[Any, Array]:
    """Split the gradient of a concatenation without placing the skip's part yet.

    The backward pass meets a skip twice: its gradient arrives here, at the expanding path, and is
    needed at the contracting path, much later. Until then it stays as it came, inside dy.

    Parameters
    ----------
    dy : Array, shape (N, C1 + C2, h, w)
        The loss's gradient for `center_crop_concat`'s output.
    cache : Any
        What `center_crop_concat` returned beside it.

    Returns
    -------
    dskip : tuple
        (dy, cache), for `max_pool2d_skip_backward`.
    dx : Array, shape (N, C2, h, w)
        The up-convolved map's part of dy, a view.
    """
    skip_shape, _ = cache
    return (dy, cache), dy[:, skip_shape[1] :]


@operation()
def max_pool2d_skip_backward(dy: Array, cache: Any, dskip: Any) -> Array:
    """Return the gradient of a map that was halved and also went into a skip (figure 1).

    Parameters
    ----------
    dy : Array, shape (N, C, H/2, W/2)
        The loss's gradient for `max_pool2d`'s output.
    cache : Any
        What `max_pool2d` returned beside it.
    dskip : tuple
        What `split_concat_gradient` returned for the skip.

    Returns
    -------
    Array, shape (N, C, H, W)
        The sum of both gradients.
    """
    from_pool = max_pool2d_backward(dy, cache)
    from_skip, _ = center_crop_concat_backward(*dskip)
    return from_pool + from_skip  # the map was used twice: its gradients add up
