"""Images to mean 0 and standard deviation 1: their two numbers are found here and nowhere else.

Each image by itself: sections of one block differ in thickness and stain, and the network should
not have to learn that. Lesson: lessons/11-training.md.

Shapes: (H, W) or (C, H, W); one mean and one deviation for all pixels and channels.
"""

import warnings
from typing import Any

import numpy as np

from tinyunet.arrays import Array, as_real

# How images may have been prepared for a network: as they are, to mean 0 and deviation 1; or
# compressed first.
NORMALISATIONS = ("image", "compressed", "none")
AS_THEY_ARE = ("none", None)  # pixels are not normalised: so said, and nothing said


def _check(image: object, name: str) -> Array:
    """The image as an array of real numbers with pixels, (H, W) or (C, H, W)."""
    values = as_real(image, name)
    if values.size == 0:
        raise ValueError(f"{name}: has no pixels (shape {values.shape})")
    if values.ndim not in (2, 3):
        raise ValueError(f"{name} must be (H, W) or (C, H, W), got shape {values.shape}")
    return values


def mean_and_std(image: Array, rows: int = 1024) -> tuple[float, float]:
    """Mean and standard deviation over all pixels and channels, some rows at a time.

    Parameters
    ----------
    image : Array
        (H, W) or (C, H, W), any real dtype; may be a memory map.
    rows : int
        So many rows are in memory at once.

    Returns
    -------
    tuple of float
        Mean and deviation, computed in float64; the deviation of a constant image is given as 1,
        so that subtracting and dividing makes it 0. NaN or infinite where the pixels are.

    Raises
    ------
    ValueError
        For other shapes and dtypes, and an image without pixels.

    Notes
    -----
    Blocks are merged by their means and squared deviations, which loses no digits to a large mean.
    """
    image = _check(image, "image")
    return mean_and_std_of_rows(image[None] if image.ndim == 2 else image, rows)


def mean_and_std_of_rows(image: Any, rows: int = 1024) -> tuple[float, float]:
    """Mean and standard deviation of an image that need not be in memory, unchecked.

    Parameters
    ----------
    image : array or what is read like one
        (C, H, W), real; `image[:, top:bottom]` gives an array of these rows.
    rows : int
        So many rows are in memory at once.

    Returns
    -------
    tuple of float
        As `mean_and_std`.
    """
    mean, std, low, high = _moments(image, rows, 0)
    if low == high:
        return float(low), 1.0
    if not 0 < std < np.inf and np.isfinite(low) and np.isfinite(high):
        # a square left float64: once more with numbers around 1
        exponent = int(np.frexp(max(abs(low), abs(high)))[1])
        mean, std = (float(np.ldexp(v, exponent)) for v in _moments(image, rows, exponent)[:2])
    return float(mean), float(std) or 1.0


def _moments(image: Array, rows: int, exponent: int) -> tuple[float, float, float, float]:
    """Mean, deviation, smallest and largest of image / 2^exponent."""
    count, mean, squares, low, high = 0, 0.0, 0.0, np.inf, -np.inf
    with np.errstate(over="ignore", invalid="ignore"):
        for top in range(0, image.shape[1], rows):
            block = np.asarray(image[:, top : top + rows], np.float64)
            block = np.ldexp(block, -exponent) if exponent else block
            low, high = np.minimum(low, block.min()), np.maximum(high, block.max())
            share = block.size / (count + block.size)
            middle = block.mean()
            shift = middle - mean
            squares += ((block - middle) ** 2).sum() + shift**2 * count * share
            mean += shift * share
            count += block.size
    return mean, float(np.sqrt(squares / count)), float(low), float(high)


def normalise(image: Array, name: str = "image") -> Array:
    """An image with mean 0 and standard deviation 1 over all of its pixels and channels.

    Parameters
    ----------
    image : Array
        (H, W) or (C, H, W), any real dtype.
    name : str
        For messages.

    Returns
    -------
    Array
        float32 of the same shape, computed in float64. A constant image becomes 0, with a warning.

    Raises
    ------
    ValueError
        For other shapes and dtypes, an image without pixels, NaN or infinity.
    """
    values = as_real(image, name)
    mean, std = check_values(values, name)
    out = np.empty(values.shape, np.float32)
    for top in range(0, values.shape[-2], 256):  # a large page in float64 would be a burden
        rows = np.s_[..., top : top + 256, :]
        out[rows] = (values[rows].astype(np.float64) - mean) / std
    return out


def check_values(
    image: Array, name: str, empty: str = "it cannot be normalised and is taken as 0"
) -> tuple[float, float]:
    """Refuse an image that is none, and warn of one in which all pixels are equal.

    Parameters
    ----------
    image : Array
        (H, W) or (C, H, W), any real dtype.
    name : str
        For messages.
    empty : str
        What the warning says of an image whose pixels are all equal.

    Returns
    -------
    tuple of float
        Its mean and standard deviation, as `mean_and_std`.

    Raises
    ------
    ValueError
        For other shapes and dtypes, an image without pixels, NaN or infinity.
    """
    mean, std = mean_and_std(_check(image, name))
    if not np.isfinite(mean) or not np.isfinite(std):
        raise ValueError(f"{name}: holds NaN or infinity: wanted finite numbers")
    if image.min() == image.max():
        warnings.warn(
            f"{name}: every pixel is {mean:g}: {empty}",
            stacklevel=3,
        )
    return mean, std


LOWEST, HIGHEST, FLOOR = 1.0, 99.8, 0.01  # percent, percent, and a share of what lies between


def compress(image: Array, name: str = "image") -> Array:
    """Bring bright and dim objects of an image closer together, before it is normalised.

    In fluorescence one nucleus may be ten times as bright as its neighbour. The square root of the
    intensity above the background makes that three times (and its noise, Poisson's, alike
    everywhere): v ↦ √(max(0, (v − low)/(high − low)) + 0.01), where low and high are percentiles of
    the image.

    Parameters
    ----------
    image : Array
        (H, W) or (C, H, W), any real dtype.
    name : str
        For messages.

    Returns
    -------
    Array
        float32 of the same shape, from 0.1; `normalise` it next. A constant image becomes constant.

    Raises
    ------
    ValueError
        For other shapes and dtypes, an image without pixels, NaN or infinity.
    """
    values = _check(image, name).astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError(f"{name}: holds NaN or infinity: wanted finite numbers")
    low, high = np.percentile(values, (LOWEST, HIGHEST))
    if high == low:  # hardly any pixel is brighter than the background: the brightest is the scale
        high = values.max()
    share = (values - low) / (high - low) if high > low else np.zeros_like(values)
    return np.sqrt(np.maximum(share, 0) + FLOOR).astype(np.float32)
