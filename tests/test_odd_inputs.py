"""Odd arrays at every public door: the right result, or one documented error.

A *door* is one array argument of a public function: a row of DOORS holds a call with that argument
left open, and a plain array that is right for it. Against each door go

- the same numbers in other clothes (every dtype that holds them, byte orders, strides, read-only,
  nested lists, a masked array without a mask) and other sizes (one pixel, one row, one column): the
  result must equal that of the plain array;
- numbers and objects that are wrong (`BROKEN`): ValueError or TypeError in one line that names the
  argument, unless the row says that the door accepts them.

Warnings count as errors. To extend it to another room, add the room to ROOMS, its doors to DOORS,
and its names that take no array to NO_ARRAYS. `python tests/test_odd_inputs.py` counts the calls.
"""

import importlib
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from tinyunet import augment, metrics, plot
from tinyunet.inference import postprocess

weight_map = importlib.import_module("tinyunet.weight_map")  # the package shows the function

ROOMS = {  # module: its public names
    name: importlib.import_module(f"tinyunet.{name}").__all__
    for name in ("augment", "metrics", "weight_map")
} | {
    "inference.postprocess": ["probabilities_to_cells"],
    "plot": ["error_overlay", "running_mean"],
}
NO_ARRAYS = {  # results, or arguments that are numbers and transforms
    "metrics": {"IOU_THRESHOLDS", "Detections", "PartedPairs", "Report", "Scores", "WarpingCost"},
    "augment": {"Sample", "draw_transform", "grid_lines", "on_pixels", "source_coordinates"},
}
DTYPES = ["?", "u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8", "g"]
DTYPES += [">u2", ">u8", ">i4", ">i8", ">f2", ">f4", ">f8"]
SIZES = ((1, 1), (1, 7), (6, 1), (9, 8))
TRANSFORM = {"centre": (0.0, 0.0), "angle": 90.0, "flip": (True, False)}  # a copy, pixel by pixel


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


# --- doors ---------------------------------------------------------------------------------------


def transformed(argument, values):
    """The array that comes out of a transform which only copies."""
    transform = augment.on_pixels(augment.Transform(size_of(values), **TRANSFORM))
    return getattr(augment.apply_transform(transform, **{argument: values}), argument)


def rng():
    return np.random.default_rng(5)


STILL = {"elastic": False, "rotation": False, "intensity": False, "rng": rng()}
MEMBRANE_SCORES = (
    "isbi2012",
    "isbi2012_details",
    "pixel_error",
    "pixel_error_rate",
    "rand_error",
    "v_info",
    "v_info_thinned",
    "v_rand",
    "v_rand_thinned",
    "warping_error",
    "warping_pixels",
)
CELL_SCORES = (
    *("average_precision", "detection_table", "detections", "iou", "iou_per_class"),
    *("parted_pairs", "seg"),
)


def of_scores():
    """The doors of scores: ground truth and prediction."""
    for name in MEMBRANE_SCORES:
        score = getattr(metrics, name)

        def truth_open(a, score=score):
            return score(a, like(a, probabilities))

        def prediction_open(a, score=score):
            return score(like(a, mask), a)

        yield Door(f"metrics.{name}", "ground_truth", truth_open, labels)
        for plain in (probabilities, mask):
            accepts = frozenset({"fraction"})
            yield Door(f"metrics.{name}", "prediction", prediction_open, plain, accepts=accepts)
    for name in CELL_SCORES:
        score = getattr(metrics, name)

        def truth_open(a, score=score):
            return score(a, like(a, mask))

        def prediction_open(a, score=score):
            return score(like(a, mask) + 1, a)

        # A list is one of frames here.
        yield Door(f"metrics.{name}", "ground_truth", truth_open, some_cell, lists=False)
        yield Door(f"metrics.{name}", "prediction", prediction_open, labels, lists=False)
    yield Door("metrics.touching_pairs", "labels", metrics.touching_pairs, labels)


def some_cell(size):
    """Labels, the last pixel a cell: SEG wants one."""
    cells = labels(size)
    cells[-1, -1] = 3
    return cells


def bounded(array):
    """Whether a door that takes any real number can take this one."""
    return augment.random_transform(array, **STILL | {"rng": rng()}).image


REAL = frozenset({"negative", "fraction", "beyond float32"})
DOORS = [
    *of_scores(),
    Door("weight_map.weight_map", "labels", weight_map.weight_map, labels),
    Door("weight_map.weight_map", "labels", weight_map.weight_map, mask),
    Door(
        "weight_map.weight_map",
        "valid",
        lambda a: weight_map.weight_map(like(a, labels), valid=a),
        mask,
        accepts=frozenset({"None", "negative", "fraction", "infinity", "beyond float32"}),  # not 0
    ),
    Door("weight_map.find_instances", "labels", weight_map.find_instances, labels),
    Door("weight_map.find_instances", "labels", weight_map.find_instances, mask),
    Door("weight_map.separate_touching", "labels", lambda a: cut(a), labels),
    Door("weight_map.two_nearest_distances", "labels", weight_map.two_nearest_distances, labels),
    Door("weight_map.class_weights", "cells", weight_map.class_weights, labels),
    Door(
        "augment.apply_transform",
        "image",
        lambda a: transformed("image", a),
        intensities,
        accepts=REAL,
    ),
    Door(
        "augment.apply_transform",
        "image",
        lambda a: transformed("image", a),
        mask,
        accepts=REAL,
    ),
    Door(
        "augment.apply_transform",
        "labels",
        lambda a: transformed("labels", a),
        lambda size: labels(size).astype(np.int64),
        refuses="f",
        accepts=frozenset({"negative"}),
    ),
    Door(
        "augment.apply_transform",
        "weight_map",
        lambda a: transformed("weight_map", a),
        probabilities,
        accepts=REAL,
    ),
    Door(
        "augment.elastic_deform",
        "image",
        lambda a: augment.elastic_deform(a, rng=rng(), sigma=0),
        intensities,
        accepts=REAL,
    ),
    Door("augment.random_transform", "image", bounded, intensities, accepts=REAL),
    Door(
        "augment.Transform",
        "displacement",
        lambda a: augment.Transform((9, 8), (4.0, 3.5), displacement=a),
        vectors,
        accepts=frozenset({"negative", "fraction", "beyond float32", "None"}),
    ),
    Door(
        "inference.postprocess.probabilities_to_cells",
        "probability",
        postprocess.probabilities_to_cells,
        probabilities,
        refuses="ui",
        accepts=frozenset({"fraction"}),
    ),
    Door(
        "plot.error_overlay",
        "image",
        lambda a: plot.error_overlay(a, like(a, mask) > 0, like(a, labels) > 0),
        intensities,
        accepts=REAL,
    ),
    *(
        Door(
            "plot.error_overlay",
            argument,
            lambda a, argument=argument: plot.error_overlay(
                like(a, intensities),
                **{"ground_truth": like(a, mask) > 0, "prediction": like(a, mask) > 0}
                | {argument: a},
            ),
            lambda size: mask(size) > 0,
            refuses="uif",
        )
        for argument in ("ground_truth", "prediction")
    ),
    Door(
        "plot.running_mean",
        "values",
        lambda a: plot.running_mean(a, 3),
        lambda size: intensities(size)[0],
        accepts=REAL,
    ),
]


def cut(array):
    """`separate_touching`; that small cells are lost is what it warns of."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "separate_touching", UserWarning)
        return weight_map.separate_touching(array, 1)


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


def same(one, other):
    """Whether two results are equal; arrays by their numbers, whatever their dtype."""
    if isinstance(one, Mapping):
        return list(one) == list(other) and all(same(one[k], other[k]) for k in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, np.ndarray | float):
        one, other = np.asarray(one, np.float64), np.asarray(other, np.float64)
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
    return None if same(expected, got) else f"{name}: {got!r}, not {expected!r}"


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
        if plain.ndim == 1 and name in ONE_AXIS:
            continue
        array = break_it(plain)
        if name in door.accepts:
            wanted = array if array is None else np.array(array)
            expected = door.call(wanted)
            yield finding(door, name, array, expected)
        else:
            yield finding(door, name, array)


@pytest.mark.parametrize("door", DOORS, ids=str)
def test_every_door_gives_the_right_result_or_one_documented_error(door):
    wrong = [found for found in findings(door) if found]
    assert not wrong, "\n".join(wrong)


def test_every_public_name_has_a_door():
    known = {door.name for door in DOORS}
    for room, names in ROOMS.items():
        without = NO_ARRAYS.get(room, set())
        assert without <= set(names)
        missing = [name for name in names if f"{room}.{name}" not in known and name not in without]
        assert not missing, f"{room}: no door for {missing}"


if __name__ == "__main__":
    total = [found for door in DOORS for found in findings(door)]
    print(f"{len(DOORS)} doors, {len(total)} calls, {sum(map(bool, total))} findings")
