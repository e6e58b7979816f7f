"""Labels for the eye: colours that tell neighbours apart, and contours drawn on the image.

Pure functions on arrays; writing them is for whoever calls. Pictures are (H, W, 3) uint8.
Lesson: lessons/13-touching-cells.md.
"""

import colorsys
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from tinyunet.arrays import Array, as_real
from tinyunet.images.instances import check_labels

Colour: TypeAlias = tuple[int, int, int]

GOLDEN = (5**0.5 - 1) / 2  # of the circle of hues: k steps of it spread k hues evenly
HUES = 255  # colours before they come again
LUMA, DARKEST = (0.299, 0.587, 0.114), 0.38  # how bright red, green and blue look; at least this


def colour_table(count: int = HUES) -> Array:
    """Return colours that lie far apart, also one number from the next.

    Parameters
    ----------
    count : int, optional
        How many.

    Returns
    -------
    array, shape (count + 1, 3), uint8
        Black first, for the background.
    """
    rows = [(0.0, 0.0, 0.0)]
    for k in range(count):
        hue, lightness = (0.58 + k * GOLDEN) % 1, (0.55, 0.70, 0.45)[k % 3]
        rows.append(colorsys.hls_to_rgb(hue, lightness, 0.85))
        while np.dot(rows[-1], LUMA) < DARKEST:  # blue hardly shows on black
            lightness += 0.02
            rows[-1] = colorsys.hls_to_rgb(hue, lightness, 0.85)
    return np.rint(255 * np.array(rows)).astype(np.uint8)


def colour_labels(labels: Array, table: Array | None = None) -> Array:
    """Show each number in a colour of its own, 0 in black.

    Parameters
    ----------
    labels : array, shape (H, W)
        Whole numbers from 0.
    table : array, shape (K, 3), uint8, optional
        The colour of each number; `colour_table` if None. Numbers beyond it begin again after 0.

    Returns
    -------
    array, shape (H, W, 3), uint8
        The picture.

    Raises
    ------
    ValueError
        For other shapes and dtypes, fractions and negative numbers.
    """
    labels = _check_map(labels)
    table = colour_table() if table is None else table
    places = np.where(labels > 0, (labels.astype(np.int64) - 1) % (len(table) - 1) + 1, 0)
    return table[places]


def _check_map(labels: object) -> Array:
    """The labels as an array (H, W) of whole numbers, none negative."""
    array = check_labels(labels)
    if array.ndim != 2:
        raise ValueError(f"labels must be (H, W), got shape {array.shape}")
    return array


def find_contours(labels: Array, width: int = 1) -> Array:
    """Find the pixels of each object that lie at its edge.

    Parameters
    ----------
    labels : array, shape (H, W)
        Whole numbers, 0 for background.
    width : int, optional
        Of the contour in pixels; it grows into the object, so that two objects that touch keep a
        contour each.

    Returns
    -------
    array, shape (H, W), bool
        True on contours. The edge of the image is none.

    Raises
    ------
    ValueError
        For other shapes and dtypes, fractions and negative numbers.
    """
    labels = _check_map(labels)
    inner = labels > 0
    contours = np.zeros(labels.shape, bool)
    for _ in range(width):
        # What is left of the objects inside, as numbers; another number beside a pixel is an edge.
        left = np.where(inner & ~contours, labels, 0)
        padded = np.pad(left, 1, mode="edge")
        beside = (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:])
        edge = np.zeros(labels.shape, bool)
        for other in beside:
            edge |= (left > 0) & (other != left)
        contours |= edge
    return contours


def to_unit_range(values: Array) -> Array:
    """Bring intensities to 0 … 1, the darkest and brightest half per cent cut off.

    Parameters
    ----------
    values : array
        Finite floats of any shape.

    Returns
    -------
    array
        Of that shape; 0 where all values are equal.
    """
    low, high = np.percentile(values, [0.5, 99.5])
    if high <= low:  # little to see beside much of one value, as of a few cells on black
        low, high = float(values.min()), float(values.max())
    return np.clip((values - low) / max(high - low, 1e-9), 0, 1)


def stretch(image: Array) -> Array:
    """Show an image's intensities in 8 bits, its darkest and brightest half per cent cut off.

    Parameters
    ----------
    image : array, shape (H, W) or (C, H, W)
        Real numbers. Three channels are taken for red, green and blue; of any other number of
        channels the mean is shown.

    Returns
    -------
    array, shape (H, W, 3), uint8
        The picture.

    Raises
    ------
    ValueError
        For other shapes and dtypes, an image without pixels, NaN or infinity.
    """
    image = as_real(image, "image")
    if image.ndim not in (2, 3) or image.size == 0:
        raise ValueError(f"image must be (H, W) or (C, H, W) with pixels, got shape {image.shape}")
    if not np.isfinite(image).all():
        raise ValueError("image must be finite, got NaN or infinity")
    if image.ndim == 3:
        image = np.moveaxis(image, 0, 2) if len(image) == 3 else image.mean(axis=0)
    fits = max(-float(image.min()), float(image.max())) <= float(np.finfo(np.float32).max)
    values = image.astype(np.float32 if fits else np.float64)
    picture = np.rint(255 * to_unit_range(values)).astype(np.uint8)
    return picture if picture.ndim == 3 else np.repeat(picture[:, :, None], 3, axis=2)


def draw_contours(image: Array, labels: Array, table: Array | None = None, width: int = 1) -> Array:
    """Draw the contours of objects or classes on their image.

    Parameters
    ----------
    image : array, shape (H, W) or (C, H, W)
        The image, as `stretch` takes it.
    labels : array, shape (H, W)
        Objects or classes by number, 0 for background.
    table : array, shape (K, 3), uint8, optional
        As in `colour_labels`.
    width : int, optional
        Of the contours in pixels.

    Returns
    -------
    array, shape (H, W, 3), uint8
        The picture.

    Raises
    ------
    ValueError
        As `stretch` and `find_contours` do, and for an image and labels of unequal sizes.
    """
    image, labels = as_real(image, "image"), _check_map(labels)
    if image.shape[-2:] != labels.shape:
        raise ValueError(f"labels are {labels.shape}, the image is {image.shape[-2:]}")
    picture = stretch(image)
    contours = find_contours(labels, width)
    picture[contours] = colour_labels(labels, table)[contours]
    return picture


def table_of(colours: Sequence[Colour]) -> Array:
    """Return the colours of classes as a table.

    Parameters
    ----------
    colours : sequence of (red, green, blue)
        0 to 255, of class 0 first.

    Returns
    -------
    array, shape (K, 3), uint8
        As `colour_labels` takes it.
    """
    return np.array(colours, np.uint8).reshape(-1, 3)
