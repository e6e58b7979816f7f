"""What a label image means: cells by number, or a mask whose connected parts are the cells.

The one check of labels and the one numbering of connected parts that the weight map, the scores
and the post-processing share. Lesson: `lessons/08-weight-map.md`. Paper: section 3 ("cell" in
equation 2 is one instance).

Shapes: labels (H, W) is one image, (Z, H, W) a stack of Z images that do not see each other.
"""

import numpy as np

from tinyunet.arrays import Array, as_array

MASK_TOPS = (1, 255, 65535)  # what stands for 1 in a mask, beside 0
LARGEST_LABEL = np.iinfo(np.int32).max
MOST_PIXELS = 2**31 - 1  # of one image: components are numbered, and pixels counted, in 32 bits

# What tells an image from labels: see `looks_like_image`.
_MANY_VALUES = 16
_MANY_ALONE = 4


def check_labels(labels: object, name: str = "labels") -> Array:
    """Return labels as an array of booleans or whole numbers, none of them negative.

    Parameters
    ----------
    labels : array_like
        (H, W) or (Z, H, W): booleans, integers, or floats that are whole numbers below 2**53.
    name : str
        What messages call the argument.

    Returns
    -------
    Array
        The same numbers; floats become int64, other dtypes stay as they are.

    Raises
    ------
    ValueError
        For other shapes and dtypes, no pixels, more than 2**31 - 1 pixels an image, fractions,
        NaN, infinity, negative numbers, and masked pixels.
    """
    array = as_array(labels, name)
    if array.dtype.kind not in "buif":
        raise ValueError(f"{name} must be bool or whole numbers, got dtype {array.dtype}")
    check_image_shape(array.shape, name)
    if array.dtype.kind == "f":
        array = _whole(array, name)
    if array.dtype.kind == "i" and array.min() < 0:
        raise ValueError(f"{name} must not be negative (0 is background), got {array.min()}")
    return array


def check_image_shape(shape: tuple[int, ...], name: str) -> None:
    """Raise unless a shape is that of one image or of a stack, with pixels and not too many.

    Parameters
    ----------
    shape : tuple of int
        Of an array.
    name : str
        What messages call the argument.

    Raises
    ------
    ValueError
        For anything but (H, W) and (Z, H, W), for no pixels, and for more than 2**31 - 1 in one
        image.
    """
    if len(shape) not in (2, 3):
        raise ValueError(f"{name} must be (H, W) or (Z, H, W), got shape {shape}")
    if 0 in shape:
        raise ValueError(f"{name} must hold at least one pixel, got shape {shape}")
    if shape[-2] * shape[-1] > MOST_PIXELS:
        raise ValueError(f"{name} must hold at most 2**31 - 1 pixels an image, got shape {shape}")


def _whole(array: Array, name: str) -> Array:
    """Floats as int64, if each is a whole number that a float64 holds exactly."""
    if not np.all(np.isfinite(array)) or np.any(array != np.floor(array)):
        raise ValueError(f"{name} must hold whole numbers, got fractions or NaN")
    if float(np.abs(array).max()) >= 2**53:  # float16 cannot hold the limit itself
        raise ValueError(f"{name} as floats must stay below 2**53, got {np.abs(array).max()}")
    return array.astype(np.int64)


def looks_like_mask(*pages: Array) -> bool:
    """Return whether labels are bool, or hold but two values: 0, and 1 or 255 or 65535.

    Parameters
    ----------
    *pages : Array
        Of any shape; several are looked at as one, for a single one may hold few values by chance.

    Returns
    -------
    bool
        True for a mask.
    """
    if all(page.dtype == bool for page in pages):
        return True
    # float16 would take 65535 for infinity
    pages = tuple(
        p.astype(np.float32) if p.dtype.newbyteorder("=") == np.float16 else p for p in pages
    )
    return any(all(bool(np.all((p == 0) | (p == top))) for p in pages) for top in MASK_TOPS)


def looks_like_image(labels: Array) -> bool:
    """Return whether labels are an image by all appearances.

    Parameters
    ----------
    labels : Array
        (H, W) or (Z, H, W), whole numbers.

    Returns
    -------
    bool
        True where they have more than 16 values and, for each value, more than 4 pixels that stand
        alone: not 0, and unlike all four neighbours. Real images have 47 and more of them a value,
        also dark or blurred ones; label maps of nuclei have 0.3 at most.
    """
    values = len(np.unique(labels))
    if values <= _MANY_VALUES:
        return False
    alone = labels != 0
    for axis in (-2, -1):
        lines, kept = np.moveaxis(labels, axis, 0), np.moveaxis(alone, axis, 0)
        unlike = lines[1:] != lines[:-1]
        kept[1:] &= unlike
        kept[:-1] &= unlike
    return int(np.count_nonzero(alone)) > _MANY_ALONE * values


def hold_objects(*pages: Array) -> bool:
    """Decide from the values whether labels are object numbers or masks.

    Parameters
    ----------
    *pages : Array
        (H, W) or (Z, H, W), whole numbers; of several, all are masks or all hold objects.

    Returns
    -------
    bool
        False where each is a mask by `looks_like_mask`.

    Raises
    ------
    ValueError
        Where they look like an image: many values, each of them in many single pixels.
    """
    if all(looks_like_mask(page) for page in pages):
        return False
    if any(looks_like_image(page) for page in pages):
        raise ValueError(
            "labels look like an image: many values, each in many single pixels; pass "
            "instances=True if each value is one cell all the same"
        )
    return True


def find_instances(labels: object, instances: bool | None = None) -> Array:
    """Number the cells of a label image.

    Parameters
    ----------
    labels : array_like
        (H, W) or (Z, H, W): booleans or whole numbers from 0, which is background.
    instances : bool, optional
        What the labels mean. False: a mask; every pixel that is not 0 is cell, and each
        4-connected part (pixels that share a side, not a corner) is one cell; a stack is taken
        slice by slice. True: every value but 0 is one cell, even where it lies in several pieces.
        None: decided from the values of the whole array; bool, {0, 1}, {0, 255} and {0, 65535}
        are a mask, everything else is instances.

    Returns
    -------
    Array
        int32 of the same shape, 0 on background. A mask's cells are numbered 1, 2, … in each
        slice; instance numbers are kept as they are unless they pass 2**31 - 1 (then 1, 2, … in
        their order).

    Raises
    ------
    ValueError
        As `check_labels` does, and where `instances` is None and the labels look like an image:
        many values, each of them in many single pixels.
    """
    if instances not in (None, True, False):
        raise ValueError(f"instances must be None, True or False, got {instances!r}")
    labels = check_labels(labels)
    if instances is None:
        instances = hold_objects(labels)
    if not instances:
        return number_parts(labels != 0)
    if labels.dtype != bool and labels.max() > LARGEST_LABEL:
        return _renumber(labels)
    return np.ascontiguousarray(labels, dtype=np.int32)


def number_parts(mask: Array) -> Array:
    """Number the 4-connected parts of a mask, slice by slice for a stack.

    Parameters
    ----------
    mask : Array
        (H, W) or (Z, H, W), bool.

    Returns
    -------
    Array
        int32 of the same shape: 0 where False, else the part's number in its slice.
    """
    if mask.ndim == 3:
        return np.stack([number_parts(page) for page in mask])
    return connected_components(mask)[0]


def connected_components(mask: Array) -> tuple[Array, int]:
    """Number the 4-connected parts of one image: pixels that share a side belong together.

    Parts that meet at a corner only stay two, which is what a diagonal membrane of one pixel
    needs. Whatever is False is background, however it is connected.

    Parameters
    ----------
    mask : Array
        (H, W) bool.

    Returns
    -------
    ids : Array
        int32 (H, W): 0 where False, else 1 to `count`, in the order in which reading row by row
        meets the parts.
    count : int
        How many parts there are.
    """
    from scipy.ndimage import label  # loaded when needed: scipy costs start-up time

    # SciPy's default structure is the cross of a pixel and its four sides. The order of the
    # numbers is part of the scores' definition (V_info adds in it); a test holds SciPy to it.
    ids = np.empty(mask.shape, np.int32)
    count = label(mask, output=ids)
    return ids, int(count)


def _renumber(labels: Array) -> Array:
    """The values in their order as 1, 2, …; 0 stays 0."""
    values, numbers = np.unique(labels, return_inverse=True)
    if values[0] != 0:
        numbers = numbers + 1  # no background in the image: the smallest value is a cell too
    return numbers.reshape(labels.shape).astype(np.int32)
