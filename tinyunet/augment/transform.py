"""One drawn transform as plain numbers: where every output pixel looks in the mirrored image.

An output pixel p (row, column) of a frame of `size` pixels looks at the source point

    source(p) = centre + F·R·(p − middle of the frame) + u(p)                            (in pixels)

R rotates, F flips, and u is the elastic displacement: a bicubic surface through the vectors drawn
on a coarse grid (field.py). The three are evaluated together, so that the image is resampled once.

Paper: section 3.1. Lesson: lessons/09-elastic-deformation.md.
"""

import math
from dataclasses import asdict, dataclass

import numpy as np

# Quarter turns come out of this table and not out of cos and sin, whose cos(90°) is 6e-17: half a
# rounding error is enough to turn an exact copy of the pixels into an interpolation.
QUARTER = {0.0: (1.0, 0.0), 90.0: (0.0, 1.0), 180.0: (-1.0, 0.0), 270.0: (0.0, -1.0)}


def pair(value, name, *, kind=float, low=None):
    """`value` as two numbers (rows, columns): a single number counts for both.

    Raises ValueError naming the argument unless both are finite, of the kind, and at least `low`.
    """
    wanted = "one whole number or two" if kind is int else "one finite number or two"
    wanted += "" if low is None else f", each at least {low}"
    both = (value, value) if np.ndim(value) == 0 else tuple(value)
    try:
        numbers = tuple(float(v) for v in both)
    except (TypeError, ValueError):
        raise ValueError(f"{name} {value!r} does not fit: give {wanted}") from None
    good = len(numbers) == 2 and all(math.isfinite(v) for v in numbers)
    if good and kind is int:
        good = all(v.is_integer() for v in numbers)
    if not good or (low is not None and min(numbers) < low):
        raise ValueError(f"{name} {value!r} does not fit: give {wanted}")
    return kind(numbers[0]), kind(numbers[1])


def finite(value, name, *, low=None):
    """`value` as a finite float, at least `low` if given; ValueError naming the argument if not."""
    if np.ndim(value) != 0:
        raise ValueError(f"{name} must be one number, got {value!r}")
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be a finite number, got {value!r}") from None
    if not math.isfinite(number) or (low is not None and number < low):
        limit = "" if low is None else f", at least {low}"
        raise ValueError(f"{name} must be a finite number{limit}, got {value!r}")
    return number


@dataclass(frozen=True)
class Transform:
    """One transform of one sample; nothing in it is random any more.

    size          (rows, columns) of the output frame, in pixels
    centre        source point (row, column) under the middle of the frame, in pixels; pixel (0, 0)
                  has its centre at 0.0, so the middle of n pixels is (n − 1)/2
    angle         degrees, counter-clockwise as one looks at the picture, like `np.rot90`
    flip          (upside down, left-right), done to the image before it is turned
    displacement  None, or two grids (down, right) of vectors in source pixels: nested tuples of
                  shape (2, grid rows, grid columns), at least 2 control points along each side
    spacing       None: the outer control points sit on the frame's outermost pixel centres; or the
                  distance (rows, columns) of control points in pixels, grid centred on the frame
    gain, offset  grey values of images become gain · v + offset

    Raises ValueError, in one line, for anything that is not finite or has another shape.
    """

    size: tuple
    centre: tuple
    angle: float = 0.0
    flip: tuple = (False, False)
    displacement: tuple | None = None
    spacing: tuple | None = None
    gain: float = 1.0
    offset: float = 0.0

    def __post_init__(self):
        """Check every field and bring it to plain Python numbers."""
        clean = {
            "size": pair(self.size, "size", kind=int, low=1),
            "centre": pair(self.centre, "centre"),
            "angle": finite(self.angle, "angle"),
            "flip": _two_flags(self.flip),
            "displacement": _nested(self.displacement),
            "spacing": _positive_spacing(self.spacing),
            "gain": finite(self.gain, "gain"),
            "offset": finite(self.offset, "offset"),
        }
        for name, value in clean.items():
            object.__setattr__(self, name, value)  # the dataclass is frozen for everyone else

    @property
    def matrix(self):
        """F·R, a 2×2 float64 array: offsets in the frame → offsets in the source.

        The only place where degrees become radians. R = [[cos, sin], [−sin, cos]]: at 90° the pixel
        at the right of the output looks at what was at the bottom, as `np.rot90` does.
        """
        degrees = self.angle % 360.0
        if degrees in QUARTER:
            cos, sin = QUARTER[degrees]
        else:
            radians = math.radians(degrees)
            cos, sin = math.cos(radians), math.sin(radians)
        signs = np.array([[-1.0 if self.flip[0] else 1.0], [-1.0 if self.flip[1] else 1.0]])
        return signs * np.array([[cos, sin], [-sin, cos]])

    def to_dict(self):
        """The transform as a dictionary of plain numbers, tuples and None (fit for JSON)."""
        return asdict(self)

    @classmethod
    def from_dict(cls, numbers):
        """The transform back from `to_dict`, also after a way through JSON (lists for tuples)."""
        return cls(**numbers)


def _two_flags(value):
    """(upside down, left-right) as two booleans."""
    if np.shape(value) != (2,) or any(v not in (0, 1) for v in value):
        raise ValueError(f"flip must be two booleans (upside down, left-right), got {value!r}")
    return bool(value[0]), bool(value[1])


def _positive_spacing(value):
    """None, or two spacings in pixels above zero."""
    if value is None:
        return None
    spacing = pair(value, "spacing")
    if min(spacing) <= 0:
        raise ValueError(f"spacing {value!r} does not fit: give pixels above 0, or None")
    return spacing


def _nested(value):
    """The displacement as nested tuples of floats, or None."""
    if value is None:
        return None
    try:
        grid = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError("displacement must be numbers of shape (2, rows, columns)") from None
    if grid.ndim != 3 or grid.shape[0] != 2 or min(grid.shape[1:]) < 2:
        raise ValueError(
            f"displacement must have shape (2, rows ≥ 2, columns ≥ 2), got {grid.shape}"
        )
    if not np.isfinite(grid).all():
        raise ValueError("displacement must be finite, got NaN or infinity")
    return tuple(tuple(tuple(row) for row in part) for part in grid.tolist())
