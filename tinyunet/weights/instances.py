"""What a label image means: cells by number, or a mask whose connected parts are the cells.

Lesson: `lessons/08-weight-map.md`. Paper: section 3 ("cell" in equation 2 is one instance).

Shapes: labels (H, W) is one image, (Z, H, W) a stack of Z images that do not see each other.
"""

import numpy as np

MASK_VALUES = ((0, 1), (0, 255))
LARGEST_LABEL = np.iinfo(np.int32).max


def check_labels(labels, name="labels"):
    """Return `labels` as an array of bool or integers, (H, W) or (Z, H, W); ValueError if not."""
    labels = np.asarray(labels)
    if labels.ndim not in (2, 3):
        raise ValueError(f"{name} must be (H, W) or (Z, H, W), got shape {labels.shape}")
    if labels.size == 0:
        raise ValueError(f"{name} must hold at least one pixel, got shape {labels.shape}")
    if labels.dtype.kind == "f":
        if not np.all(np.isfinite(labels)) or np.any(labels != np.floor(labels)):
            raise ValueError(f"{name} must hold whole numbers, got fractions or NaN")
        if np.abs(labels).max() >= 2**53:
            raise ValueError(f"{name} as floats must stay below 2**53, got {np.abs(labels).max()}")
        labels = labels.astype(np.int64)
    if labels.dtype.kind not in "bui":
        raise ValueError(f"{name} must be bool or whole numbers, got dtype {labels.dtype}")
    if labels.dtype.kind == "i" and labels.min() < 0:
        raise ValueError(f"{name} must not be negative (0 is background), got {labels.min()}")
    return labels


def looks_like_mask(labels):
    """True where labels are bool, or hold no value but {0, 1} or no value but {0, 255}."""
    if labels.dtype == bool:
        return True
    return any(bool(np.all((labels == low) | (labels == high))) for low, high in MASK_VALUES)


def find_instances(labels, instances=None):
    """Number the cells of a label image: int32, 0 is background, one number a cell.

    labels: (H, W) or (Z, H, W), bool or whole numbers >= 0 (whole floats are taken too).
    instances: what the labels mean.
        False  a mask: every pixel that is not 0 is cell, and each 4-connected part (pixels that
               share a side, not a corner) is one cell. A stack is taken slice by slice.
        True   instances: every value but 0 is one cell, even where it lies in several pieces.
        None   decided from the values of the whole array: bool, {0, 1} and {0, 255} are a mask,
               everything else is instances.
    Returns int32 of the same shape. A mask's cells are numbered 1, 2, ... in each slice;
    instance numbers are kept as they are unless they pass 2**31 - 1 (then 1, 2, ... in order).
    Raises ValueError on other shapes, dtypes and negative labels.
    """
    if instances not in (None, True, False):
        raise ValueError(f"instances must be None, True or False, got {instances!r}")
    labels = check_labels(labels)
    if instances is None:
        instances = not looks_like_mask(labels)
    if not instances:
        return connected_cells(labels != 0)
    if labels.dtype != bool and labels.max() > LARGEST_LABEL:
        return _renumber(labels)
    return np.ascontiguousarray(labels, dtype=np.int32)


def connected_cells(mask):
    """Number the 4-connected parts of a bool mask, slice by slice for (Z, H, W): int32."""
    from scipy.ndimage import label

    if mask.ndim == 3:
        return np.stack([connected_cells(page) for page in mask])
    # scipy's default structure is the cross: pixels that share a side. Cells that only meet at a
    # corner stay two cells, which is what a one-pixel diagonal membrane needs.
    return label(mask, output=np.int32)[0]


def _renumber(labels):
    values, numbers = np.unique(labels, return_inverse=True)
    if values[0] != 0:
        numbers = numbers + 1  # no background in the image: the smallest value is a cell too
    return numbers.reshape(labels.shape).astype(np.int32)
