"""Odd arrays for every public door: what comes to it, and what is wrong with what it does.

A *door* is one array argument of a public function: a row holds a call with that argument left
open, and a plain array that is right for it. Against each door go

- the same numbers in other clothes (every dtype that holds them, byte orders, strides, read-only,
  nested lists, a masked array without a mask) and other sizes (one pixel, one row, one column): the
  result must equal that of the plain array;
- numbers and objects that are wrong (`BROKEN`): ValueError or TypeError in one line that names the
  argument, unless the row says that the door accepts them.

Warnings count as errors. The doors are in tests/test_odd_inputs.py and
tests/nn/test_odd_operations.py.
"""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

DTYPES = ["?", "u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8", "g"]
DTYPES += [">u2", ">u8", ">i4", ">i8", ">f2", ">f4", ">f8"]
SIZES = ((1, 1), (1, 7), (6, 1), (9, 8))
REAL = frozenset({"negative", "fraction", "beyond float32"})


@dataclass(frozen=True)
class Door:
    """One array argument of one public function."""

    name: str  # room.function
    argument: str  # as messages call it
    call: Callable[[Any], Any]
    plain: Callable[[tuple[int, int]], np.ndarray]  # size → an array that is right
    refuses: str = ""  # kinds of dtype that are wrong here even if they hold the numbers
    lists: bool = True  # whether nested lists are an array here
    accepts: frozenset = field(default_factory=frozenset)  # of BROKEN: what is right here
    without: frozenset = field(default_factory=frozenset)  # of BROKEN: not tried here
    tolerance: float = 0.0  # of results, absolute: rounding of the dtypes that came

    def __str__(self):
        return f"{self.name}({self.argument}) {self.plain.__name__}"


# --- arrays that are right -----------------------------------------------------------------------


def labels(size):
    """Blocks of cells 1 to 5 on background."""
    rows, columns = np.indices(size)
    return ((rows // 3 * 2 + columns // 2) % 6).astype(np.float64)


def mask(size):
    """0 and 1."""
    return (labels(size) > 2).astype(np.float64)


def probabilities(size):
    """Quarters, which every float holds; the first pixel is not 0 or 1."""
    rows, columns = np.indices(size)
    return (1 + 3 * rows + 2 * columns) % 5 / 4


def intensities(size):
    """Small whole numbers, as of an image."""
    rows, columns = np.indices(size)
    return ((7 * rows + 5 * columns) % 100).astype(np.float64)


def vectors(size):
    """Displacements of a grid."""
    return np.arange(2.0 * 3 * 4).reshape(2, 3, 4) % 7


def size_of(array):
    """Rows and columns of an array, or any where it has none."""
    try:
        shape = np.shape(array)
    except ValueError:  # ragged
        shape = ()
    return shape if len(shape) == 2 and 0 not in shape else SIZES[-1]


def like(array, make):
    """`make` an array of the size of another."""
    return make(size_of(array))


# --- what comes to them --------------------------------------------------------------------------


def other_clothes(plain):
    """Yield (name, the same numbers as another array)."""
    for dtype in DTYPES:
        same = plain.astype(dtype)
        if np.array_equal(same.astype(np.float64), plain.astype(np.float64)):
            yield dtype, same
    yield "Fortran order", np.asfortranarray(plain)
    yield "strided", np.repeat(plain, 2, axis=-1)[..., ::2]
    yield "reversed", plain[::-1].copy()[::-1]
    fixed = plain.copy()
    fixed.flags.writeable = False
    yield "read-only", fixed
    yield "list", plain.tolist()
    yield "masked array without a mask", np.ma.array(plain)
    yield "subclass", plain.view(type("Sub", (np.ndarray,), {}))


def with_value(plain, value):
    array = plain.astype(np.float64)
    array.flat[0] = value
    return array


BROKEN = {
    "NaN": lambda a: with_value(a, np.nan),
    "infinity": lambda a: with_value(a, np.inf),
    "negative": lambda a: with_value(a, -1) if a.dtype.kind == "f" else a - 1,
    "fraction": lambda a: with_value(a, 0.3),
    "beyond float32": lambda a: with_value(a, 1e300),
    "objects": lambda a: a.astype(object),
    "complex": lambda a: a.astype(complex),
    "text": lambda a: a.astype(str),
    "bytes": lambda a: a.astype(bytes),
    "dates": lambda a: a.astype("i8").astype("M8[s]"),
    "records": lambda a: a.astype([("x", "f8")]),
    "masked": lambda a: np.ma.array(a, mask=np.arange(a.size).reshape(a.shape) == 0),
    "no rows": lambda a: a[:0],
    "no columns": lambda a: a[..., :0],
    "a number": lambda a: 3.0,
    "an axis too few": lambda a: a[0],
    "axes too many": lambda a: a[None, None],
    "None": lambda a: None,
    "ragged": lambda a: [[1, 2], [3]],
    "an empty list": lambda a: [],
    "a set": lambda a: {1, 2},
    "a generator": lambda a: (x for x in (1, 2)),
    "a function": lambda a: len,
}
ONE_AXIS = {"no columns", "an axis too few", "an empty list", "no rows"}  # of one that has one


def same(one, other, tolerance=0.0):
    """Whether two results are equal; arrays by their numbers, whatever their dtype."""
    if isinstance(one, Mapping):
        return list(one) == list(other) and all(same(one[k], other[k], tolerance) for k in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(
            same(a, b, tolerance) for a, b in zip(one, other, strict=True)
        )
    if isinstance(one, np.ndarray | float):
        one, other = np.asarray(one, np.float64), np.asarray(other, np.float64)
        if tolerance and one.shape == other.shape:
            return np.allclose(one, other, 0, tolerance, equal_nan=True)
        return np.array_equal(one, other, equal_nan=True)
    return one == other


def finding(door, name, array, expected=None):
    """What is wrong with one call, or None. `expected`: the right result; None wants an error."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            got = door.call(array)
    except (ValueError, TypeError) as error:
        message = str(error)
        if expected is not None:
            return f"{name}: refused: {message}"
        if "\n" in message or door.argument not in message:
            return f"{name}: not one line that names {door.argument}: {message!r}"
        return None
    except Exception as error:  # whatever else comes through a door is the finding
        return f"{name}: {type(error).__name__}: {error}"
    if expected is None:
        return f"{name}: taken without a word: {got!r}"
    return None if same(expected, got, door.tolerance) else f"{name}: {got!r}, not {expected!r}"


def findings(door):
    """Yield what is wrong, or None, for every call at one door."""
    for size in SIZES:
        plain = door.plain(size)
        expected = door.call(plain)
        for name, array in other_clothes(plain):
            refused = np.asarray(array).dtype.kind in door.refuses
            refused |= isinstance(array, list) and not door.lists
            yield finding(door, f"{size} {name}", array, None if refused else expected)
    plain = door.plain(SIZES[-1])
    for name, break_it in BROKEN.items():
        if name in door.without or (plain.ndim == 1 and name in ONE_AXIS):
            continue
        array = break_it(plain)
        if name in door.accepts:
            wanted = array if array is None else np.array(array)
            expected = door.call(wanted)
            yield finding(door, name, array, expected)
        else:
            yield finding(door, name, array)
