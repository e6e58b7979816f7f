"""Odd arrays at every public door: the right result, or one documented error.

What a door is and what comes to it: tests/odd_arrays.py. To extend it to another room, add the room
to ROOMS, its doors to DOORS, and its names that take no array to NO_ARRAYS. The operations of the
network have doors of their own: tests/nn/test_odd_operations.py. `python tests/test_odd_inputs.py`
counts the calls.
"""

import importlib
import tempfile
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import tifffile
from odd_arrays import (
    REAL,
    Door,
    findings,
    intensities,
    labels,
    like,
    mask,
    probabilities,
    size_of,
    vectors,
)

import tinyunet
from tinyunet import augment, images, metrics, plot
from tinyunet.api.inputs import as_dataset
from tinyunet.inference import cores, postprocess, predict

weight_map = importlib.import_module("tinyunet.weight_map")  # the package shows the function

ROOMS = {  # module: its public names
    name: importlib.import_module(f"tinyunet.{name}").__all__
    for name in ("api", "augment", "images", "metrics", "plot", "weight_map")
} | {
    "inference.cores": ["cores_to_cells"],
    "inference.postprocess": ["probabilities_to_cells"],
    "inference.predict": ["predict_stack", "predict_tiled"],
}
NO_ARRAYS = {  # results, files, or arguments that are numbers, transforms and lists of arrays
    "api": {"load"},
    "images": {
        *("Dataset", "FolderWriter", "Stack", "StackWriter", "open_stack", "read_images"),
        *("read_labels", "read_pair", "read_segmentation", "synthetic_cells"),
        "synthetic_membranes",
    },
    "plot": {
        *("BLUE", "GREEN", "ORANGE", "RED", "colour_table", "plot_augmented", "plot_classes"),
        *("plot_curves", "plot_results", "plot_weight_map"),
    },
    "metrics": {"IOU_THRESHOLDS", "Detections", "PartedPairs", "Report", "Scores", "WarpingCost"},
    "augment": {"Sample", "draw_transform", "grid_lines", "on_pixels", "source_coordinates"},
}
TRANSFORM = {"centre": (0.0, 0.0), "angle": 90.0, "flip": (True, False)}  # a copy, pixel by pixel


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


NET = tinyunet.UNet(1, 2, 2, 2, dropout=0, seed=1, dtype="float64", device="cpu")


def predicted_pages(image):
    """What `predict_stack` hands over."""
    pages = []
    predict.predict_stack(NET, [image], lambda _, page: pages.append(page), 20)
    return pages


def normalised(image):
    """`normalise`; that one pixel has no deviation is what it warns of."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "image: every pixel is", UserWarning)
        return images.normalise(image)


def stored(write, *options):
    """A door that writes a page into a file: what is read back."""

    def call(page):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "x.tif"
            files = write(path, [page], *options) or [path]
            return tifffile.imread(files[0])

    return call


def trained_on(argument, values):
    """The images or the labels that `train` makes of arrays."""
    given = {"images": like(values, intensities), "labels": like(values, mask)} | {argument: values}
    second = {"images": intensities((9, 8)), "labels": mask((9, 8))}  # of two classes for certain
    pairs = {name: [given[name], second[name]] for name in given}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*every pixel is", UserWarning)
        return getattr(as_dataset(*pairs.values(), 1, 2, "auto", None), argument)


def three(size):
    """Probabilities of background, rim and core."""
    return np.stack([1 - probabilities(size), probabilities(size) / 2, probabilities(size) / 2])


FINITE_OR_NOT = REAL | {"NaN", "infinity"}


def of_files_and_networks():
    """The doors of images, prediction and training."""
    yield Door("images.normalise", "image", normalised, intensities, accepts=REAL)
    yield Door(
        "images.mean_and_std", "image", images.mean_and_std, intensities, accepts=FINITE_OR_NOT
    )
    yield Door("images.compress", "image", images.compress, intensities, accepts=REAL)
    write = stored(images.write_stack, np.float64)
    yield Door("images.write_stack", "page", write, intensities, accepts=FINITE_OR_NOT)
    yield Door("images.write_label_frames", "page", stored(images.write_label_frames), labels)
    call = partial(trained_on, "images")
    yield Door("api.train", "image", call, intensities, accepts=REAL)
    call = partial(trained_on, "labels")  # None: an image without ground truth
    yield Door("api.train", "labels", call, mask, accepts=frozenset({"None"}))
    accepts = REAL | {"axes too many"}  # one image of a stack
    for name in ("predict", "predict_cells"):
        call = partial(getattr(tinyunet, name), NET, tile=20)
        yield Door(f"api.{name}", "image", call, intensities, lists=False, accepts=accepts)
    call = partial(predict.predict_tiled, NET, tile=20)
    yield Door("inference.predict.predict_tiled", "image", call, intensities, accepts=REAL)
    yield Door(
        "inference.predict.predict_stack", "image", predicted_pages, intensities, accepts=REAL
    )
    for argument in ("ground_truth", "prediction"):
        call = partial(evaluated, argument)
        accepts = frozenset({"fraction"} if argument == "prediction" else ())
        yield Door("api.evaluate", argument, call, mask, lists=False, accepts=accepts)
    accepts = frozenset({"fraction"})
    yield Door(
        "inference.cores.cores_to_cells",
        "probabilities",
        cores.cores_to_cells,
        three,
        refuses="ui",
        accepts=accepts,
    )


def evaluated(argument, values):
    """The scores of a mask."""
    pair = {"ground_truth": like(values, mask), "prediction": like(values, mask)}
    return tinyunet.evaluate(**pair | {argument: values}, kind="membranes")


DOORS = [
    *of_scores(),
    *of_files_and_networks(),
    Door("plot.colour_labels", "labels", plot.colour_labels, labels),
    Door("plot.find_contours", "labels", plot.find_contours, labels),
    Door(
        "plot.draw_contours",
        "image",
        lambda a: plot.draw_contours(a, like(a, labels)),
        intensities,
        accepts=REAL,
    ),
    Door(
        "plot.draw_contours",
        "labels",
        lambda a: plot.draw_contours(like(a, intensities), a),
        labels,
    ),
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
    names = len({door.name for door in DOORS})
    print(
        f"{names} names, {len(DOORS)} doors, {len(total)} calls, {sum(map(bool, total))} findings"
    )
