"""From a coarse grid of displacement vectors to the source point of every output pixel.

The paper draws vectors on a 3×3 grid and interpolates them bicubically. A cubic needs four points
along each axis and three are there, so something must be said about the outside: the grid is
mirrored about its outer control points, as the image is about its outer pixels. Bicubic here is the
interpolating cubic B-spline (as in `scipy.ndimage.map_coordinates(order=3, mode="mirror")`): it
passes through every drawn vector and bends without a kink (twice continuously differentiable).

Its price is one small linear system per axis (a B-spline blurs its coefficients, so they are
sharpened first), which for a grid of 3×3 costs nothing. For the image itself it would cost a pass
over the whole image for every tile; images therefore use Keys' cubic, which needs none
(reference.py).

Paper: section 3.1. Lesson: lessons/09-elastic-deformation.md.
"""

import numpy as np

from tinyunet.arrays import Array
from tinyunet.augment.transform import Transform, whole_pair
from tinyunet.geometry import mirror


def spline_coefficients(values: Array) -> Array:
    """Return the coefficients with which a cubic B-spline passes through values.

    Parameters
    ----------
    values : Array
        (2, gy, gx) float64, vectors at the control points.

    Returns
    -------
    Array
        (2, gy, gx) float64.

    Notes
    -----
    At a control point the spline is (c[i−1] + 4·c[i] + c[i+1])/6. That must equal the value, which
    is one equation for each control point; it is solved along one axis and then along the other.
    """
    for axis in (1, 2):
        n = values.shape[axis]
        system: Array = np.zeros((n, n))
        for i in range(n):
            for neighbour, weight in ((i - 1, 1 / 6), (i, 4 / 6), (i + 1, 1 / 6)):
                system[i, mirror(neighbour, n)] += weight
        lines = np.moveaxis(values, axis, 0)
        solved = np.linalg.solve(system, lines.reshape(n, -1)).reshape(lines.shape)
        values = np.moveaxis(solved, 0, axis)
    return np.ascontiguousarray(values)


def axis_basis(start: int, count: int, frame: int, points: int, spacing: float | None) -> Array:
    """Return the weight of each spline coefficient in each output pixel along one axis.

    Parameters
    ----------
    start, count : int
        The first output pixel, and how many.
    frame : int
        Length of the output frame.
    points : int
        Control points along it.
    spacing : float or None
        Their distance in pixels; None for grids that span the frame.

    Returns
    -------
    Array
        (points, count) float64. Four coefficients count at a pixel; where the grid is mirrored,
        two of them may be the same one.
    """
    if spacing is None:
        spacing = max(frame - 1, 1) / (points - 1)
    first = (frame - 1) / 2 - spacing * (points - 1) / 2  # where control point 0 sits
    at = (np.arange(start, start + count) - first) / spacing
    cell = np.floor(at)
    t = at - cell
    weights = (
        (1 - t) ** 3 / 6,
        (3 * t**3 - 6 * t**2 + 4) / 6,
        (-3 * t**3 + 3 * t**2 + 3 * t + 1) / 6,
        t**3 / 6,
    )
    basis = np.zeros((points, count))
    for tap, weight in enumerate(weights):
        basis[mirror(cell.astype(np.int64) + tap - 1, points), np.arange(count)] += weight
    return basis


def spline(
    transform: Transform, origin: tuple[int, int], size: tuple[int, int]
) -> tuple[Array, Array, Array]:
    """Return the displacement over a window as three small matrices.

    Parameters
    ----------
    transform : Transform
        Whose displacement it is.
    origin, size : (int, int)
        The window's first pixel in the output frame, and its rows and columns.

    Returns
    -------
    coefficients, rows, columns : Array
        (2, gy, gx), (gy, h) and (gx, w), all float64: the displacement is
        rowsᵀ · coefficients · columns. Without elastic deformation the coefficients are zeros,
        which add exactly nothing.
    """
    if transform.displacement is None:
        coefficients = np.zeros((2, 2, 2))
    else:
        coefficients = spline_coefficients(np.array(transform.displacement))
    spacing = transform.spacing or (None, None)
    rows, columns = (
        axis_basis(origin[k], size[k], transform.size[k], coefficients.shape[k + 1], spacing[k])
        for k in (0, 1)
    )
    return coefficients, rows, columns


def source_coordinates(
    transform: Transform, origin: tuple[int, int] = (0, 0), size: tuple[int, int] | None = None
) -> Array:
    """Return the source point of every pixel of an output window, in plain NumPy.

    Parameters
    ----------
    transform : Transform
        What is evaluated.
    origin : (int, int)
        The window's first pixel (row, column) in the output frame, which may lie outside of it.
    size : (int, int), optional
        Rows and columns of the window, by default the whole frame.

    Returns
    -------
    Array
        (2, rows, columns) float64: rows of the source, then columns, in pixels. Points outside the
        image mean the mirrored image.

    Raises
    ------
    ValueError
        For an origin or a size that is not made of whole numbers.

    Notes
    -----
    To draw the deformed grid over a deformed sample, draw the contour lines of both at multiples of
    the grid's step: along such a line the sample shows one row, or one column, of the source.
    """
    origin = whole_pair(origin, "origin")
    size = transform.size if size is None else whole_pair(size, "size", low=1)
    coefficients, rows, columns = spline(transform, origin, size)
    # Two matrix products, with sums in the order of the kernel: equal to the last bit.
    along = np.zeros((2, size[0], len(columns)))
    for g, weight in enumerate(rows):
        along = along + weight[:, None] * coefficients[:, None, g, :]  # (2, h, gx)
    shift = np.zeros((2, *size))
    for g, weight in enumerate(columns):
        shift = shift + weight * along[:, :, g, None]  # (2, h, w)
    down = np.arange(origin[0], origin[0] + size[0])[:, None] - (transform.size[0] - 1) / 2
    right = np.arange(origin[1], origin[1] + size[1]) - (transform.size[1] - 1) / 2
    rotated = [m[0] * down + m[1] * right for m in transform.matrix]
    return np.stack([rotated[k] + transform.centre[k] + shift[k] for k in (0, 1)])


def grid_lines(transform: Transform, step: int = 32) -> list[Array]:
    """Return where a regular grid of the output frame lies in the source.

    Parameters
    ----------
    transform : Transform
        What is evaluated.
    step : int
        Distance of the lines in pixels, at least 1.

    Returns
    -------
    list of Array
        Lines to draw over the original, (points, 2) float64 of (row, column): first the frame's
        rows 0, step, 2·step, …, then its columns.

    Raises
    ------
    ValueError
        For a step below 1.
    """
    if step < 1:
        raise ValueError(f"step must be at least 1 pixel, got {step!r}")
    rows, columns = transform.size
    lines = [source_coordinates(transform, (r, 0), (1, columns)) for r in range(0, rows, step)]
    lines += [source_coordinates(transform, (0, c), (rows, 1)) for c in range(0, columns, step)]
    return [line.reshape(2, -1).T for line in lines]
