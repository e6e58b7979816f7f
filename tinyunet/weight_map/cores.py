"""Three classes for objects that touch: background, rim and core of an object.

The paper parts touching cells by weights alone. Where nuclei overlap and no dark line is left
between them, a class of its own is easier to learn: every object has one core, and the cores of
neighbours are far apart even where their rims touch (`cores_to_cells` makes objects of them again).
Lesson: `lessons/13-touching-cells.md`.
"""

import numpy as np

from tinyunet.arrays import Array
from tinyunet.images.instances import check_labels, find_instances

RIM, CORE = 1, 2


def core_classes(labels: object, share: float = 0.5) -> Array:
    """Turn object numbers into the classes background 0, rim 1 and core 2.

    Parameters
    ----------
    labels : array_like
        (H, W) object numbers, 0 is background.
    share : float
        An object's core is what lies deeper than this share of its greatest depth; in [0, 1).

    Returns
    -------
    Array
        (H, W) uint8. Every object has a core, a single pixel at least.

    Raises
    ------
    ValueError
        For a share out of range, and as `check_labels` does.
    """
    from scipy.ndimage import distance_transform_edt, find_objects

    if not 0 <= share < 1:
        raise ValueError(f"share must be in [0, 1), got {share!r}")
    cells = check_labels(labels)
    if cells.ndim != 2:
        raise ValueError(f"labels must be (H, W), got shape {cells.shape}")
    # numbers from 1 without gaps, whatever came: with a 0 in front the background stays 0
    numbers = np.unique(np.append(cells.dtype.type(0), cells.ravel()), return_inverse=True)[1]
    numbers = numbers[1:].reshape(cells.shape)
    classes = (cells != 0).astype(np.uint8) * RIM
    for number, box in enumerate(find_objects(numbers), 1):
        inside = numbers[box] == number
        depth = distance_transform_edt(np.pad(inside, 1))[1:-1, 1:-1]
        classes[box][inside & (depth > share * depth.max())] = CORE
    return classes


def near_two(labels: object, distance: int = 3) -> Array:
    """Find the pixels that have two different objects within a disc around them.

    Parameters
    ----------
    labels : array_like
        (H, W) object numbers, 0 is background.
    distance : int
        d in pixels, at least 1. The disc is that of the pixels with x² + y² ≤ d² + 1, a little
        rounder than with d²: 1 means the pixel and its 8 neighbours, as far as √2.

    Returns
    -------
    Array
        (H, W) bool.

    Raises
    ------
    ValueError
        For another distance, and as `check_labels` does.
    """
    from scipy.ndimage import maximum_filter, minimum_filter

    if distance < 1:
        raise ValueError(f"distance must be at least 1 pixel, got {distance!r}")
    cells = find_instances(labels, instances=True).astype(np.int64)
    y, x = np.mgrid[-distance : distance + 1, -distance : distance + 1]
    disc = x * x + y * y <= distance * distance + 1  # with d = 1 corners count, as they touch
    nobody = 2**40  # above every number, and exact in the doubles that SciPy's filters compute with
    highest = maximum_filter(cells, footprint=disc)
    lowest = minimum_filter(np.where(cells == 0, nobody, cells), footprint=disc)
    return (highest > 0) & (lowest != highest) & (lowest != nobody)
