"""What goes into the scores: checked, brought to one form, and swept over thresholds.

Lesson: `lessons/12-scores.md`. Paper: section 4 (table 1 is scored like this).

Shapes: a slice is (H, W), a stack (Z, H, W); inside this package everything is a stack.
White (cell interior) is the positive class, black (membrane) is 0.
"""

from collections.abc import Sequence

import numpy as np

from tinyunet.arrays import Array, as_array
from tinyunet.images.instances import (
    check_image_shape,
    check_labels,
    looks_like_image,
    looks_like_mask,
)

THRESHOLD_STEP = 0.1
ORDER = "the order is (ground_truth, prediction)"  # what a message says where a swap is likely


def thresholds() -> list[float]:
    """Return the challenge's sweep: 0.0, then + 0.1 in double precision while not above 1.

    Returns
    -------
    list of float
        11 thresholds. The sum is repeated on purpose: ten steps give 0.9999999999999999, so 1.0
        still counts as white at the last of them.
    """
    values = []
    threshold = 0.0
    while threshold <= 1.0:
        values.append(threshold)
        threshold += THRESHOLD_STEP
    return values


def is_white(prediction: Array, threshold: float) -> Array:
    """Return where a prediction lies above a threshold, strictly, in double precision.

    Parameters
    ----------
    prediction : Array
        float32 probabilities of any shape.
    threshold : float
        A double.

    Returns
    -------
    Array
        bool of the same shape.

    Notes
    -----
    A float32 array compared with a Python float would round the *threshold* to float32: 0.7 would
    then equal float32(0.7) and 0.8 would equal float32(0.8), whereas in double precision
    float32(0.8) lies above 0.8 and float32(0.7) below 0.7. The challenge compares doubles.
    """
    return prediction.astype(np.float64) > np.float64(threshold)


def check_prediction(prediction: object) -> Array:
    """Return a prediction as float32 probabilities in 0..1.

    Parameters
    ----------
    prediction : array_like
        (H, W) or (Z, H, W), the probability of cell interior: floats in 0..1; uint8, which is
        divided by 255; or a mask of any dtype, whose only values are 0 and one of 1, 255, 65535.

    Returns
    -------
    Array
        float32 of the same shape. (uint8 of 0 and 1 alone are a mask, not probabilities of 0 and
        1/255.)

    Raises
    ------
    ValueError
        For other shapes and dtypes, NaN, values outside of 0..1, and masked pixels.
    """
    return check_predictions([prediction])[0]


def check_predictions(pages: Sequence[object]) -> list[Array]:
    """Return several predictions, which may differ in size, as float32 probabilities in 0..1.

    Parameters
    ----------
    pages : sequence of array_like
        As `check_prediction` takes each.

    Returns
    -------
    list of Array
        float32 of the same shapes. What the numbers mean is decided for all pages of a dtype: one
        page of 8-bit probabilities may hold only 0 and 1.

    Raises
    ------
    ValueError
        As `check_prediction` does.
    """
    arrays = [_real_image(page) for page in pages]
    masks = {
        dtype
        for dtype in {array.dtype for array in arrays}
        if looks_like_mask(*(array for array in arrays if array.dtype == dtype))
    }
    return [_probabilities(array, array.dtype in masks) for array in arrays]


def _real_image(prediction: object) -> Array:
    """A prediction as an array of real numbers, (H, W) or (Z, H, W)."""
    array = as_array(prediction, "prediction")
    if array.dtype.kind not in "buif":
        raise ValueError(f"prediction must hold booleans or real numbers, got dtype {array.dtype}")
    check_image_shape(array.shape, "prediction")
    return array


def _probabilities(array: Array, mask: bool) -> Array:
    """Real numbers as float32 in 0..1."""
    if mask:
        return (array != 0).astype(np.float32)
    if array.dtype == np.uint8:
        return array.astype(np.float32) / np.float32(255)
    hint = "" if array.dtype.kind == "f" else f" in {array.dtype}, as of labels: {ORDER}"
    with np.errstate(over="ignore"):  # what float32 cannot hold is refused below
        array = array.astype(np.float32)
    missing = int(np.isnan(array).sum())
    if missing:
        raise ValueError(f"prediction must be probabilities in 0..1, got {missing} NaN")
    lowest, highest = array.min(), array.max()
    if lowest < 0 or highest > 1:
        raise ValueError(
            "prediction must be probabilities in 0..1, uint8, or a mask of 0 and 1, 255 or 65535, "
            f"got {lowest:g} to {highest:g}{hint}"
        )
    return array


def check_ground_truth(ground_truth: object, name: str = "ground_truth") -> Array:
    """Return labels as `check_labels` does; where they look like probabilities, the error says so.

    Parameters
    ----------
    ground_truth : array_like
        (H, W) or (Z, H, W), whole numbers from 0.
    name : str
        What messages call the argument.

    Returns
    -------
    Array
        Booleans or integers.

    Raises
    ------
    ValueError
        As `check_labels` does.
    """
    array = as_array(ground_truth, name)
    if array.dtype.kind == "f" and np.any((array > 0) & (array < 1)):
        raise ValueError(
            f"{name} must hold whole numbers, got fractions, as of probabilities: {ORDER}"
        )
    return check_labels(array, name)


def check_same_shape(first: Array, first_name: str, second: Array, second_name: str) -> None:
    """Raise unless both arrays have one shape: nothing is broadcast.

    Parameters
    ----------
    first : Array
        Any array.
    first_name : str
        What messages call it.
    second : Array
        The other.
    second_name : str
        What messages call that.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    if first.shape != second.shape:
        raise ValueError(
            f"{first_name} and {second_name} must have the same shape, "
            f"got {first.shape} and {second.shape}"
        )


def as_stacks(ground_truth: object, prediction: object) -> tuple[Array, Array]:
    """Check both arguments of a membrane score and bring them to one form.

    Parameters
    ----------
    ground_truth : array_like
        (H, W) or (Z, H, W) labels: 0 on membrane, anything above on cells.
    prediction : array_like
        Of the same shape, as `check_prediction` takes it.

    Returns
    -------
    ground_truth : Array
        (Z, H, W) bool.
    prediction : Array
        (Z, H, W) float32 in 0..1.

    Raises
    ------
    ValueError
        Naming the argument, for all that the two checks refuse, for unequal shapes, and for
        arguments in the wrong order where that can be seen: a ground truth with fractions, or
        one that looks like an image, and a prediction of labels.

    Notes
    -----
    The challenge thresholds the labels too. With {0, 1} and {0, 255} no threshold of the sweep
    changes them, so they are simply "not 0" here and both kinds give the same scores.
    """
    return pairs_of_stacks([ground_truth], [prediction])[0]


def pairs_of_stacks(
    ground_truth: Sequence[object], prediction: Sequence[object]
) -> list[tuple[Array, Array]]:
    """Check several slices of a membrane score, which may differ in size, as `as_stacks` does one.

    Parameters
    ----------
    ground_truth, prediction : sequence of array_like
        As many of each, as `as_stacks` takes them.

    Returns
    -------
    list of (Array, Array)
        What `as_stacks` returns, of each; what the numbers of a prediction mean is decided for all.

    Raises
    ------
    ValueError
        As `as_stacks` does, for no slice, and for another number of them.
    """
    if len(ground_truth) != len(prediction):
        raise ValueError(
            "ground_truth and prediction must have as many slices, "
            f"got {len(ground_truth)} and {len(prediction)}"
        )
    if not ground_truth:
        raise ValueError("ground_truth must hold at least one slice, got none")
    whites = [_white(labels) for labels in ground_truth]
    pairs = []
    for white, probability in zip(whites, check_predictions(prediction), strict=True):
        check_same_shape(white, "ground_truth", probability, "prediction")
        stack = -1, *white.shape[-2:]
        pairs.append((white.reshape(stack), probability.reshape(stack)))
    return pairs


def _white(ground_truth: object) -> Array:
    """Where a ground truth is not 0."""
    labels = check_ground_truth(ground_truth)
    if looks_like_image(labels):
        raise ValueError(
            f"ground_truth looks like an image or 8-bit probabilities, not like labels: {ORDER}"
        )
    return labels > 0
