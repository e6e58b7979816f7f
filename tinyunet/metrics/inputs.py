"""What goes into the scores: checked, brought to one form, and swept over thresholds.

Lesson: `lessons/12-scores.md`. Paper: section 4 (table 1 is scored like this).

Shapes: a slice is (H, W), a stack (Z, H, W); inside this package everything is a stack.
White (cell interior) is the positive class, black (membrane) is 0.
"""

import numpy as np

THRESHOLD_STEP = 0.1


def thresholds(maximum=1.0):
    """The challenge's sweep: 0.0, then + 0.1 in double precision while not above `maximum`.

    The sum is repeated on purpose: ten steps give 0.9999999999999999, so 1.0 still counts as
    white at the last of the 11 thresholds. `maximum` 0.9 gives the first 10 of them.
    """
    values = []
    threshold = 0.0
    while threshold <= maximum:
        values.append(threshold)
        threshold += THRESHOLD_STEP
    return values


def is_white(proposal, threshold):
    """Boolean mask of proposal > threshold, strictly, compared in double precision.

    A float32 array compared with a Python float would round the *threshold* to float32: 0.7 would
    then equal float32(0.7) and 0.8 would equal float32(0.8), whereas in double precision
    float32(0.8) lies above 0.8 and float32(0.7) below 0.7. The challenge compares doubles.
    """
    return proposal.astype(np.float64) > np.float64(threshold)


def check_image(array, name):
    """Return `array` as a real-valued NumPy array of two or three axes with at least one pixel."""
    array = np.asarray(array)
    if array.dtype.kind not in "buif":
        raise ValueError(f"{name} must hold booleans or real numbers, got dtype {array.dtype}")
    if array.ndim not in (2, 3):
        raise ValueError(f"{name} must be (H, W) or (Z, H, W), got shape {array.shape}")
    if array.size == 0:
        raise ValueError(f"{name} must hold at least one pixel, got shape {array.shape}")
    return array


def check_proposal(proposal):
    """Return the proposal as float32 in 0..1; 8-bit values are divided by 255.

    proposal: (H, W) or (Z, H, W), the probability of cell interior, as float in 0..1, uint8 in
    0..255, or whole numbers 0 and 1. Raises ValueError on NaN and on values outside 0..1.
    """
    proposal = check_image(proposal, "proposal")
    if proposal.dtype == np.uint8:
        return proposal.astype(np.float32) / np.float32(255)
    proposal = proposal.astype(np.float32)
    missing = int(np.isnan(proposal).sum())
    if missing:
        raise ValueError(f"proposal must be probabilities in 0..1, got {missing} NaN")
    lowest, highest = proposal.min(), proposal.max()
    if lowest < 0 or highest > 1:
        raise ValueError(
            f"proposal must be probabilities in 0..1 (or uint8), got {lowest:g} to {highest:g}"
        )
    return proposal


def check_label_map(labels, name="labels"):
    """Return a label map as bool or integers: whole numbers, none negative, 0 is background.

    Floats are taken if they are whole: a probability is not a label, threshold it first.
    """
    labels = check_image(labels, name)
    if labels.dtype.kind == "f":
        if not np.array_equal(labels, np.floor(labels)) or np.isinf(labels).any():
            raise ValueError(f"{name} must be whole numbers, got fractions, NaN or infinity")
        labels = labels.astype(np.int64)
    if labels.min() < 0:
        raise ValueError(f"{name} must not be negative, got {labels.min()}")
    return labels


def check_same_shape(first, first_name, second, second_name):
    """Raise ValueError unless both arrays have one shape: nothing is broadcast."""
    if first.shape != second.shape:
        raise ValueError(
            f"{first_name} and {second_name} must have the same shape, "
            f"got {first.shape} and {second.shape}"
        )


def as_stacks(proposal, labels):
    """Check both and return them as (Z, H, W): proposal float32 in 0..1, labels bool.

    The challenge thresholds the label too. With {0, 1} and {0, 255} no threshold of the sweep
    changes it, so a label is simply "not 0" here and both kinds give the same scores.
    """
    proposal = check_proposal(proposal)
    labels = check_label_map(labels) > 0
    check_same_shape(proposal, "proposal", labels, "labels")
    if proposal.ndim == 2:
        proposal, labels = proposal[np.newaxis], labels[np.newaxis]
    return proposal, labels
