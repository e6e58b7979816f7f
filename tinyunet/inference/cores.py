"""From background, rim and core to cells: every core is one cell, and grows over its rim.

The network's three classes are those of `weight_map.core_classes`. Lesson:
`lessons/13-touching-cells.md`.
"""

import numpy as np

from tinyunet.arrays import Array, as_array
from tinyunet.images.instances import number_parts
from tinyunet.inference.postprocess import fill_cell_holes, remove_small
from tinyunet.weight_map.cores import CORE


def cores_to_cells(
    probabilities: object,
    threshold: float = 0.5,
    core: float = 0.5,
    min_core: int = 2,
    min_size: int = 20,
) -> Array:
    """Turn the probabilities of background, rim and core into numbered cells.

    Cores are the 4-connected parts where class 2 is likely. A foreground pixel goes to the nearest
    core of its own part of the foreground; parts of the foreground without a core are cells too.

    Parameters
    ----------
    probabilities : array_like
        (3, H, W), float in 0..1.
    threshold : float
        A pixel is foreground if it is background with less than one minus this; in [0, 1).
    core : float
        A pixel is core if class 2 is likelier than this; in [0, 1).
    min_core : int
        Cores of fewer pixels are none.
    min_size : int
        Cells of fewer pixels are removed.

    Returns
    -------
    Array
        int32 (H, W), 0 on background, cells 1 to n. Holes that one cell encloses are filled.

    Raises
    ------
    ValueError
        In one line, on wrong shapes, values or settings.
    """
    p = _check(probabilities)
    for name, value in (("threshold", threshold), ("core", core)):
        if not 0 <= value < 1:
            raise ValueError(f"{name} must be at least 0 and below 1, got {value}")
    for name, value in (("min_core", min_core), ("min_size", min_size)):
        if value < 0:
            raise ValueError(f"{name} must be 0 or more pixels, got {value}")
    foreground = 1 - p[0].astype(np.float64) > threshold
    parts = number_parts(foreground)
    cores = remove_small(number_parts((p[CORE].astype(np.float64) > core) & foreground), min_core)
    cells = grow_within(cores, parts)
    cells = fill_cell_holes(remove_small(cells, min_size))
    numbers = np.unique(np.append(0, cells), return_inverse=True)[1][1:]
    return numbers.reshape(cells.shape).astype(np.int32)


def grow_within(cores: Array, parts: Array) -> Array:
    """Give every pixel of a part to the nearest core of that part; a part without any is a cell.

    Parameters
    ----------
    cores, parts : Array
        (H, W) integers, 0 outside. Every core lies in one part.

    Returns
    -------
    Array
        int64 (H, W): the cores' numbers, and above them those of parts without a core.
    """
    from scipy.ndimage import distance_transform_edt, find_objects

    most = int(cores.max(initial=0))
    cells = np.zeros(parts.shape, np.int64)
    for number, box in enumerate(find_objects(parts), 1):
        inside = parts[box] == number
        own = np.where(inside, cores[box], 0)
        if own.any():
            nearest = distance_transform_edt(own == 0, return_distances=False, return_indices=True)
            grown = own[tuple(nearest)]
        else:
            grown = np.full(own.shape, most + number)
        cells[box][inside] = grown[inside]
    return cells


def _check(probabilities: object) -> Array:
    """The probabilities as an array, if they are such."""
    p = as_array(probabilities, "probabilities")
    if p.ndim != 3 or p.shape[0] != 3 or p.size == 0 or p.dtype.kind != "f":
        raise ValueError(
            "probabilities must be floats of shape (3, H, W), background, rim and core: got "
            f"{p.dtype} of shape {p.shape}"
        )
    if not (p.min() >= 0 and p.max() <= 1):  # False for NaN too
        raise ValueError("probabilities must lie in 0..1 without NaN")
    return p
