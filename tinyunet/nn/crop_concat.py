"""Crop the skip connection to the centre and put it in front of the up-convolved map.

Shapes: skip (N, C1, H, W), x (N, C2, h, w) with h ≤ H and w ≤ W, y (N, C1 + C2, h, w).
The crop is "necessary due to the loss of border pixels in every convolution" (section 2). The skip
comes first, as figure 1 draws it. Lesson: lessons/05-the-u.md. Faster implementations:
tinyunet/backends/dispatch.py.
"""

from typing import Any

from tinyunet.arrays import Array, array_module
from tinyunet.nn.operation import operation


def _centre(skip_shape: tuple, shape: tuple) -> tuple[slice, slice]:
    """Return the slices of the central (h, w) window of a map (…, H, W)."""
    top, left = (skip_shape[2] - shape[2]) // 2, (skip_shape[3] - shape[3]) // 2
    return slice(top, top + shape[2]), slice(left, left + shape[3])


def check_crop(skip: Array, x: Array) -> None:
    """Refuse maps that cannot be concatenated.

    Parameters
    ----------
    skip, x : Array
        The arguments of `center_crop_concat`.

    Raises
    ------
    ValueError
        Where the batches differ or the skip is smaller than x.
    """
    check_crop_shapes(skip.shape, x.shape)


def check_crop_shapes(skip_shape: tuple, shape: tuple) -> None:
    """Refuse shapes of maps that cannot be concatenated.

    Parameters
    ----------
    skip_shape, shape : tuple of int
        (N, C1, H, W) and (N, C2, h, w).

    Raises
    ------
    ValueError
        Where the batches differ or the skip is smaller than the map.
    """
    are_maps = len(skip_shape) == len(shape) == 4
    if not are_maps or skip_shape[0] != shape[0] or any(skip_shape[i] < shape[i] for i in (2, 3)):
        raise ValueError(f"skip {skip_shape} cannot be cropped to x {shape}")


@operation(check=check_crop)
def center_crop_concat(skip: Array, x: Array) -> tuple[Array, Any]:
    """Put the centre of a skip in front of a map.

    Parameters
    ----------
    skip : Array, shape (N, C1, H, W)
        The map of the contracting path.
    x : Array, shape (N, C2, h, w)
        The up-convolved map, with h ≤ H and w ≤ W.

    Returns
    -------
    y : Array, shape (N, C1 + C2, h, w)
        The centre of `skip`, then `x`.
    cache : Any
        For `center_crop_concat_backward`.

    Raises
    ------
    ValueError
        Where the batches differ or `skip` is smaller than `x`.
    """
    rows, columns = _centre(skip.shape, x.shape)
    y = array_module(x).concatenate([skip[:, :, rows, columns], x], axis=1)
    return y, (skip.shape, x.shape)


@operation()
def center_crop_concat_backward(dy: Array, cache: Any) -> tuple[Array, Array]:
    """Return the gradients of `center_crop_concat`'s inputs.

    Parameters
    ----------
    dy : Array, shape (N, C1 + C2, h, w)
        The loss's gradient for `center_crop_concat`'s output.
    cache : Any
        What `center_crop_concat` returned beside it.

    Returns
    -------
    dskip : Array, shape (N, C1, H, W)
        The first C1 channels of dy in its centre; what was cropped away gets 0.
    dx : Array, shape (N, C2, h, w)
        The other channels of dy.
    """
    skip_shape, x_shape = cache
    rows, columns = _centre(skip_shape, x_shape)
    channels = skip_shape[1]
    dskip = array_module(dy).zeros(skip_shape, dtype=dy.dtype)
    dskip[:, :, rows, columns] = dy[:, :channels]
    return dskip, dy[:, channels:]
