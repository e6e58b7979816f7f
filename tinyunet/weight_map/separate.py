"""A border of background between touching cells, so that a network can learn to part them.

Lesson: `lessons/08-weight-map.md`. Paper: section 3 ("the separation border is computed using
morphological operations"; which ones it does not say).

Two cells touch where pixels of both are neighbours, diagonals included. The pixels of B that
touch A are their contact on B's side; dilated by a square of side 2·depth + 1, that contact cuts
from A the pixels it covers. The larger of the two cells (by area; the larger number where equal)
gives ⌈width/2⌉ pixels of depth, the smaller ⌊width/2⌋. Cells that do not touch stay as they are.
"""

import warnings

import numpy as np

from tinyunet._numba import jit
from tinyunet.arrays import Array
from tinyunet.images.instances import check_labels


def separate_touching(labels: object, width: int = 2) -> Array:
    """Return the label image with a border of background where cells touch.

    Train on the result and draw its weight map: `target = result > 0`,
    `weight_map(result, instances=True)`.

    Parameters
    ----------
    labels : array_like
        (H, W) or (Z, H, W) instance labels, 0 is background, every other value one cell (bool or a
        mask holds one cell, which has nothing to touch). Stacks go slice by slice.
    width : int
        Of the border, in pixels, measured across a straight contact; 0 changes nothing.

    Returns
    -------
    Array
        New, of the same dtype and shape, in which (width >= 1) no two cells touch, not even
        diagonally. A cell that the cut would remove keeps its innermost pixel where that touches
        no other cell.

    Raises
    ------
    ValueError
        For other widths, and as `check_labels` does.

    Warns
    -----
    UserWarning
        Naming the cells that are lost all the same.
    """
    cells = check_labels(labels)
    check_width(width)
    pages = cells[None] if cells.ndim == 2 else cells
    depth = min(int(width), 2 * max(cells.shape))  # more than that reaches no further
    lost: list[int] = []
    result = np.stack([_separate_page(page, depth, lost) for page in pages])
    if lost:
        shown = ", ".join(str(value) for value in lost[:8]) + (", ..." if len(lost) > 8 else "")
        warnings.warn(
            f"separate_touching: {len(lost)} cells are too small for a border of {width} pixels "
            f"and were removed: {shown}",
            stacklevel=2,
        )
    return result.reshape(cells.shape).astype(np.asarray(labels).dtype, copy=False)


def check_width(width: int) -> None:
    """Raise ValueError unless `separate_touching` can cut a border of that width.

    Parameters
    ----------
    width : int
        In pixels.

    Raises
    ------
    ValueError
        For anything but a whole number of at least 0.
    """
    if isinstance(width, bool) or not isinstance(width, (int, np.integer)) or width < 0:
        raise ValueError(f"width must be a whole number of pixels >= 0, got {width!r}")


def _separate_page(page: Array, width: int, lost: list[int]) -> Array:
    """One image (H, W) with its contacts cut; cells that are lost are appended to `lost`."""
    from scipy.ndimage import find_objects

    if width == 0:
        return page.copy()
    # Consecutive numbers (0 stays background) let the kernel look sizes up in a table.
    values, numbers = np.unique(np.append(page.ravel(), page.dtype.type(0)), return_inverse=True)
    cells = numbers[:-1].reshape(page.shape).astype(np.int32)
    sizes = np.bincount(cells.ravel(), minlength=len(values))
    cut = cut_contacts(cells, sizes, width)
    gone = np.setdiff1d(np.arange(1, len(values)), np.unique(cut))
    boxes = find_objects(cells) if len(gone) else []
    kept = [_keep_innermost(cells, cut, cell, boxes[cell - 1]) for cell in gone]
    lost += [values[cell].item() for cell, has in zip(gone, kept, strict=True) if not has]
    return values[cut]


@jit
def cut_contacts(cells: Array, sizes: Array, width: int) -> Array:
    """Cut the contacts of one image.

    Parameters
    ----------
    cells : Array
        (H, W) int32, cells numbered 1, 2, …, 0 on background.
    sizes : Array
        int64; sizes[k] is the area of cell k in pixels.
    width : int
        Of the border, in pixels.

    Returns
    -------
    Array
        A copy of `cells` with 0 where a border was cut.
    """
    height, wide = cells.shape
    cut = cells.copy()
    for y in range(height):
        for x in range(wide):
            other = cells[y, x]
            if other == 0:
                continue
            for neighbour in range(9):
                ny, nx = y + neighbour // 3 - 1, x + neighbour % 3 - 1
                if ny < 0 or ny >= height or nx < 0 or nx >= wide:
                    continue
                cell = cells[ny, nx]
                if cell == 0 or cell == other:
                    continue
                # (y, x) is a contact pixel of `other`: it cuts `cell` as deep as is `cell`'s part.
                larger = sizes[cell] > sizes[other] or (
                    sizes[cell] == sizes[other] and cell > other
                )
                depth = (width + 1) // 2 if larger else width // 2
                for cy in range(max(0, y - depth), min(height, y + depth + 1)):
                    for cx in range(max(0, x - depth), min(wide, x + depth + 1)):
                        if cells[cy, cx] == cell:
                            cut[cy, cx] = 0
    return cut


def _keep_innermost(cells: Array, cut: Array, cell: int, box: tuple[slice, ...]) -> bool:
    """Give a removed cell its innermost pixel back, if no other cell is beside it: True if so.

    box: the rows and columns that hold the cell.
    """
    from scipy.ndimage import distance_transform_edt

    # One pixel of outside around the box: a cell as large as its box has an outside as well.
    depth = distance_transform_edt(np.pad(cells[box] == cell, 1))[1:-1, 1:-1]
    inner_y, inner_x = np.unravel_index(np.argmax(depth), depth.shape)
    y, x = box[0].start + inner_y, box[1].start + inner_x
    if np.any(cut[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2]):
        return False  # another cell is beside it
    cut[y, x] = cell
    return True
