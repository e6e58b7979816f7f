"""Equation 2: w(x) = w_c(x) + w0 · exp(-(d1(x) + d2(x))² / (2 σ²)).

Lesson: `lessons/08-weight-map.md`. Paper: section 3, equation 2 and figure 3.

The paper leaves open what this module decides:

- w_c: "to balance the class frequencies". Here w_c = n / (2 n_c) for n pixels of which n_c are of
  class c (cell or background): both classes then weigh the same in total, and the mean of w_c
  over the image is 1, so that the loss keeps its size. A class that is alone weighs 1.
- where the border term stands: on background only. Inside a cell d1 would be 0, and the term
  would draw the cell's own rim as background.
- "distance to the border of the nearest cell": from the centre of the background pixel to the
  centre of the nearest pixel of that cell (1 beside the cell).
- fewer than two cells: there is no second cell, so no border term.
"""

import math

import numpy as np

from tinyunet._numba import jit
from tinyunet.arrays import Array, as_array
from tinyunet.images.instances import check_labels, find_instances
from tinyunet.weight_map.distances import nearest_in_rows, two_nearest_squares

# Background weighs at least n / (2 n) = 0.5, where float32 has steps of 2**-24. A border term
# below a quarter of that step is lost in rounding, so nothing farther away is looked for.
VANISHES = 2.0**-26


def weight_map(
    labels: object,
    w0: float = 10.0,
    sigma: float = 5.0,
    balance: bool = True,
    *,
    instances: bool | None = None,
    valid: object = None,
) -> Array:
    """Return the paper's weight map: how much each pixel counts in the loss.

    Parameters
    ----------
    labels : array_like
        (H, W) or (Z, H, W), bool or whole numbers, 0 is background. A mask ({0, 1}, {0, 255},
        {0, 65535} or bool) has its 4-connected parts as cells, any other values are instances. Each
        slice of a stack is an image of its own. Touching cells have no background between them: see
        `separate_touching`.
    w0 : float
        Height of the border term, >= 0.
    sigma : float
        Its width in pixels, > 0.
    balance : bool
        True for w_c = n / (2 n_c), mean 1 over the image; False for w_c = 1.
    instances : bool, optional
        Says outright what the labels mean, as in `find_instances`.
    valid : array_like, optional
        Booleans of the same shape (or numbers, of which 0 is False): pixels that are False have no
        ground truth. They weigh 0 and do not count in n and n_c; their labels still count as cells
        in d1 and d2.

    Returns
    -------
    Array
        float32 of the shape of labels. The border term is left out where it is below 2**-26.

    Raises
    ------
    ValueError
        Naming the argument, for numbers out of range and for all that `find_instances` refuses.

    References
    ----------
    Ronneberger, Fischer, Brox (2015), section 3, equation 2.
    """
    check_border_term(w0, sigma)
    cells = find_instances(labels, instances)
    counts = _check_valid(valid, cells.shape)
    weights = np.empty(cells.shape, np.float32)
    if cells.ndim == 2:
        _fill_page(cells, counts, float(w0), float(sigma), balance, weights)
        return weights
    for index, page in enumerate(cells):
        page_valid = None if counts is None else counts[index]
        _fill_page(page, page_valid, float(w0), float(sigma), balance, weights[index])
    return weights


def class_weights(cells: object, valid: object = None) -> tuple[float, float]:
    """Return w_c of one image, n / (2 n_c) for each class.

    Parameters
    ----------
    cells : array_like
        (H, W) or (Z, H, W) labels, taken together; 0 is background.
    valid : array_like, optional
        The pixels that count, of the same shape; all by default.

    Returns
    -------
    background, cell : float
        The weight of each class. A class without pixels leaves the other with weight 1 (its own
        weight, used nowhere, is 1).

    Raises
    ------
    ValueError
        As `check_labels` does, and for a `valid` of another shape.
    """
    inside = check_labels(cells, "cells") != 0
    counts = _check_valid(valid, inside.shape)
    return _class_weights(inside if counts is None else inside[counts])


def _class_weights(inside: Array) -> tuple[float, float]:
    """n / (2 n_c) for pixels that are cell (True) or background."""
    pixels, foreground = inside.size, int(np.count_nonzero(inside))
    background = pixels - foreground
    if foreground == 0 or background == 0:
        return 1.0, 1.0
    return pixels / (2 * background), pixels / (2 * foreground)


def reach_of_border(w0: float, sigma: float) -> float:
    """Return the d1 + d2 beyond which the border term is below VANISHES.

    Parameters
    ----------
    w0, sigma : float
        Height and width (pixels) of the border term.

    Returns
    -------
    float
        Pixels; 0 where the term is that low everywhere.
    """
    if w0 <= VANISHES:
        return 0.0
    return sigma * math.sqrt(2.0 * math.log(w0 / VANISHES))


def _fill_page(
    cells: Array, valid: Array | None, w0: float, sigma: float, balance: bool, weights: Array
) -> None:
    """The map of one image, written to `weights`."""
    background, foreground = 1.0, 1.0
    if balance:
        inside = cells != 0
        background, foreground = _class_weights(inside if valid is None else inside[valid])
    near = nearest_in_rows(cells)
    reach = reach_of_border(w0, sigma)
    _fill_weights(cells, near, background, foreground, w0, sigma, reach, weights)
    if valid is not None:
        weights[~valid] = 0.0


@jit(error_model="numpy")  # sigma is positive: no division by zero
def _fill_weights(
    cells: Array,
    near: Array,
    background: float,
    foreground: float,
    w0: float,
    sigma: float,
    reach: float,
    weights: Array,
) -> None:
    """Equation 2 at every pixel of one image: (H, W) int32 cells → float32 weights in place."""
    height, width = cells.shape
    for y in range(height):
        for x in range(width):
            if cells[y, x] != 0:
                weights[y, x] = foreground
                continue
            best1, best2 = two_nearest_squares(near, y, x, reach)
            border = 0.0
            both = math.sqrt(best1) + math.sqrt(best2)
            if both <= reach:
                border = w0 * math.exp(-both * both / (2.0 * sigma * sigma))
            weights[y, x] = background + border


def check_border_term(w0: float, sigma: float) -> None:
    """Raise ValueError unless the border term's height and width can be used.

    Parameters
    ----------
    w0, sigma : float
        As `weight_map` takes them.

    Raises
    ------
    ValueError
        Naming the one that is out of range.
    """
    _check_number("w0", w0, lowest=0.0, lowest_allowed=True)
    _check_number("sigma", sigma, lowest=0.0, lowest_allowed=False)


def _check_number(name: str, value: float, lowest: float, lowest_allowed: bool) -> None:
    """Raise ValueError unless `value` is one finite number above (or at) `lowest`."""
    accepted = f"a finite number {'>=' if lowest_allowed else '>'} {lowest:g}"
    try:
        fits = math.isfinite(value) and (value > lowest or (lowest_allowed and value == lowest))
    except TypeError:
        fits = False
    if not fits:
        raise ValueError(f"{name} must be {accepted}, got {value!r}")


def _check_valid(valid: object, shape: tuple[int, ...]) -> Array | None:
    """The valid pixels as bool, or None."""
    if valid is None:
        return None
    array = as_array(valid, "valid")
    if array.shape != shape:
        raise ValueError(f"valid must have the shape of labels {shape}, got {array.shape}")
    if array.dtype.kind not in "buif" or np.isnan(array).any():
        raise ValueError(f"valid must be booleans or numbers, got dtype {array.dtype}, or NaN")
    return array != 0
