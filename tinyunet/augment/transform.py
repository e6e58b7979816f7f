"""One drawn transform as plain numbers: where every output pixel looks in the mirrored image.

An output pixel p (row, column) of a frame of `size` pixels looks at the source point

    source(p) = centre + F·R·(p − middle of the frame)/zoom + u(p)                       (in pixels)

R rotates, F flips, zoom enlarges, and u is the elastic displacement: a bicubic surface through the
vectors drawn on a coarse grid (field.py). All are evaluated together, so that the image is
resampled once.

Paper: section 3.1. Lesson: lessons/09-elastic-deformation.md.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tinyunet.arrays import Array, as_array

Pair = tuple[float, float]

# Quarter turns come out of this table and not out of cos and sin, whose cos(90°) is 6e-17: half a
# rounding error is enough to turn an exact copy of the pixels into an interpolation.
QUARTER = {0.0: (1.0, 0.0), 90.0: (0.0, 1.0), 180.0: (-1.0, 0.0), 270.0: (0.0, -1.0)}


def pair(value: object, name: str, *, low: float | None = None) -> Pair:
    """Return an argument as two numbers (rows, columns).

    Parameters
    ----------
    value : float or (float, float)
        A single number counts for both.
    name : str
        What messages call the argument.
    low : float, optional
        The least that is accepted.

    Returns
    -------
    (float, float)
        Rows and columns.

    Raises
    ------
    ValueError
        Unless both are finite, and at least `low`.
    """
    return _two_numbers(value, name, low, whole=False)


def whole_pair(value: object, name: str, *, low: int | None = None) -> tuple[int, int]:
    """Return an argument as two whole numbers (rows, columns).

    Parameters
    ----------
    value : int or (int, int)
        A single number counts for both.
    name : str
        What messages call the argument.
    low : int, optional
        The least that is accepted.

    Returns
    -------
    (int, int)
        Rows and columns.

    Raises
    ------
    ValueError
        Unless both are whole numbers, and at least `low`.
    """
    rows, columns = _two_numbers(value, name, low, whole=True)
    return int(rows), int(columns)


def _two_numbers(value: Any, name: str, low: float | None, whole: bool) -> Pair:
    """The two numbers; ValueError naming the argument if there are not two, or not such ones."""
    wanted = "one whole number or two" if whole else "one finite number or two"
    wanted += "" if low is None else f", each at least {low}"
    try:
        both = (value, value) if np.ndim(value) == 0 else tuple(value)
        numbers = tuple(float(v) for v in both)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{name} {value!r} does not fit: give {wanted}") from None
    good = len(numbers) == 2 and all(math.isfinite(v) for v in numbers)
    if good and whole:
        good = all(v.is_integer() for v in numbers)
    if not good or (low is not None and min(numbers) < low):
        raise ValueError(f"{name} {value!r} does not fit: give {wanted}")
    return numbers[0], numbers[1]


def finite(value: Any, name: str, *, low: float | None = None) -> float:
    """Return an argument as a finite float.

    Parameters
    ----------
    value : float
        One number.
    name : str
        What messages call the argument.
    low : float, optional
        The least that is accepted.

    Returns
    -------
    float
        The number.

    Raises
    ------
    ValueError
        Unless it is one finite number, and at least `low`.
    """
    if np.ndim(value) != 0:
        raise ValueError(f"{name} must be one number, got {value!r}")
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{name} must be a finite number, got {value!r}") from None
    if not math.isfinite(number) or (low is not None and number < low):
        limit = "" if low is None else f", at least {low}"
        raise ValueError(f"{name} must be a finite number{limit}, got {value!r}")
    return number


@dataclass(frozen=True)
class Transform:
    """One transform of one sample; nothing in it is random any more.

    Attributes
    ----------
    size : (int, int)
        Rows and columns of the output frame, in pixels.
    centre : (float, float)
        Source point (row, column) under the middle of the frame, in pixels; pixel (0, 0) has its
        centre at 0.0, so the middle of n pixels is (n − 1)/2.
    angle : float
        Degrees, counter-clockwise as one looks at the picture, like `np.rot90`.
    flip : (bool, bool)
        Upside down, left-right; done to the image before it is rotated.
    displacement : array_like, optional
        Two grids (down, right) of vectors in source pixels, shape (2, grid rows, grid columns), at
        least 2 control points along each side; kept as nested tuples.
    spacing : float or (float, float), optional
        Distance (rows, columns) of control points in pixels, the grid centred on the frame. None:
        the outer control points sit on the frame's outermost pixel centres.
    gain, offset : float
        Intensities of images become gain · v + offset.
    zoom : float
        How many times larger things become; above 0.

    Raises
    ------
    ValueError
        In one line, for anything that is not finite or has another shape.
    """

    size: tuple[int, int]
    centre: Pair
    angle: float = 0.0
    flip: tuple[bool, bool] = (False, False)
    displacement: tuple | None = None
    spacing: Pair | None = None
    gain: float = 1.0
    offset: float = 0.0
    zoom: float = 1.0

    def __post_init__(self) -> None:
        """Check every field and bring it to plain Python numbers."""
        clean = {
            "size": whole_pair(self.size, "size", low=1),
            "centre": pair(self.centre, "centre"),
            "angle": finite(self.angle, "angle"),
            "flip": _two_flags(self.flip),
            "displacement": _nested(self.displacement),
            "spacing": _positive_spacing(self.spacing),
            "gain": finite(self.gain, "gain"),
            "offset": finite(self.offset, "offset"),
            "zoom": finite(self.zoom, "zoom", low=2.0**-20),
        }
        for name, value in clean.items():
            object.__setattr__(self, name, value)  # the dataclass is frozen for everyone else

    @property
    def matrix(self) -> Array:
        """F·R/zoom: offsets in the frame → offsets in the source.

        The only place where degrees become radians. R = [[cos, sin], [−sin, cos]]: at 90° the pixel
        at the right of the output looks at what was at the bottom, as `np.rot90` does.

        Returns
        -------
        Array
            (2, 2) float64.
        """
        degrees = self.angle % 360.0
        if degrees in QUARTER:
            cos, sin = QUARTER[degrees]
        else:
            radians = math.radians(degrees)
            cos, sin = math.cos(radians), math.sin(radians)
        signs = np.array([[-1.0 if self.flip[0] else 1.0], [-1.0 if self.flip[1] else 1.0]])
        return signs * np.array([[cos, sin], [-sin, cos]]) / self.zoom

    def to_dict(self) -> dict[str, Any]:
        """Return the transform as plain numbers.

        Returns
        -------
        dict
            Field by field: numbers, tuples and None, fit for JSON.
        """
        return asdict(self)

    @classmethod
    def from_dict(cls, numbers: dict[str, Any]) -> "Transform":
        """Make the transform that `to_dict` described.

        Parameters
        ----------
        numbers : dict
            Field by field; lists for tuples, as JSON gives them, are taken.

        Returns
        -------
        Transform
            Equal to the one that was described.
        """
        return cls(**numbers)


def _two_flags(value: Any) -> tuple[bool, bool]:
    """(upside down, left-right) as two booleans."""
    if np.shape(value) != (2,) or any(v not in (0, 1) for v in value):
        raise ValueError(f"flip must be two booleans (upside down, left-right), got {value!r}")
    return bool(value[0]), bool(value[1])


def _positive_spacing(value: object) -> Pair | None:
    """None, or two spacings in pixels above zero."""
    if value is None:
        return None
    spacing = pair(value, "spacing")
    if min(spacing) <= 0:
        raise ValueError(f"spacing {value!r} does not fit: give pixels above 0, or None")
    return spacing


def _nested(value: Any) -> tuple | None:
    """The displacement as nested tuples of floats, or None."""
    if value is None:
        return None
    try:
        grid = as_array(value, "displacement").astype(np.float64, casting="same_kind")
    except (TypeError, ValueError):
        raise ValueError("displacement must be numbers of shape (2, rows, columns)") from None
    if grid.ndim != 3 or grid.shape[0] != 2 or min(grid.shape[1:]) < 2:
        raise ValueError(
            f"displacement must have shape (2, rows ≥ 2, columns ≥ 2), got {grid.shape}"
        )
    if not np.isfinite(grid).all():
        raise ValueError("displacement must be finite, got NaN or infinity")
    return tuple(tuple(tuple(row) for row in part) for part in grid.tolist())
