"""`tinyunet evaluate`: a prediction and its labels in, scores out.

Lesson: lessons/12-scores.md.
"""

import argparse
from typing import Any, TypeAlias

import numpy as np

from tinyunet import metrics
from tinyunet.arrays import Array
from tinyunet.cli import common
from tinyunet.cli.evaluate_tables import cells_lines, classes_lines, membranes_lines
from tinyunet.cli.parser import add_command
from tinyunet.images.labels import IGNORED, decode_labels
from tinyunet.images.pairs import Pairs, open_pairs
from tinyunet.images.stack import read_all
from tinyunet.metrics.inputs import check_predictions
from tinyunet.networks import find_model

Pages: TypeAlias = list[Array]
Result: TypeAlias = dict[str, Any]

PURPOSE = "score a prediction against labels"
TEXT = """
Two classes get the scores of the ISBI 2012 challenge, more classes (--classes) the pixel error rate
and an IoU each, objects (--instances, or man_seg files) SEG, IoU, and how many are found: F1, and
AP = found / (found + invented + missed), as the 2018 Data Science Bowl counts. Files are paired by
name, frames by number, the pages of two stacks by order. Pixels of --ignore count as background on
both sides.

A prediction that is empty at some threshold has no merged or split cells there, so its warping
error is 0 and that threshold wins, as in the challenge. The warping error at the threshold that
wins V_Rand is shown beside it: that is what the segmentation you would use costs.
"""
EXAMPLES = (
    ("tinyunet evaluate probabilities.tif labels.tif --slices 20:24", "the slices held out"),
    ("tinyunet evaluate 01_RES 01_GT", "cells of a Cell Tracking sequence"),
)


def add_to(commands: Any) -> None:
    """Add the command to the parser."""
    usage = "PREDICTION LABELS [options]"
    parser = add_command(commands, "evaluate", usage, PURPOSE, TEXT, EXAMPLES)
    group = parser.add_argument_group("what is compared")
    group.add_argument(
        "prediction", metavar="PREDICTION", help="probabilities, class numbers or object numbers"
    )
    group.add_argument("labels", metavar="LABELS", help="stack or folder, or folder of man_seg")
    group.add_argument(
        "--slices",
        type=common.slice_range,
        metavar="A:B",
        help="slices of LABELS to compare with; frame numbers of man_seg files",
    )
    group = parser.add_argument_group("what the numbers in the files mean")
    common.add_labels(group, channels=False)
    group = parser.add_argument_group("threshold, for two classes")
    group.add_argument(
        "--threshold", type=float, metavar="P", help="also score the mask above this probability"
    )
    group.add_argument(
        "--run", dest="run_folder", metavar="RUN", help="take the threshold that this run chose"
    )
    common.add_json(parser.add_argument_group("output"))
    parser.set_defaults(run=evaluate)


def evaluate(arguments: argparse.Namespace) -> int:
    """Print all scores, per slice and for the stack; SEG and IoU for cells."""
    options = common.label_options(arguments)
    pairs = open_pairs(
        arguments.labels,
        arguments.prediction,
        arguments.slices,
        instances=arguments.instances,
        numbers=arguments.classes is not None,  # as `predict --masks` writes them, in colours
    )
    if pairs.challenge and arguments.classes is not None:
        raise ValueError(f"--classes: {arguments.labels} holds man_seg files: one number an object")
    if pairs.challenge or arguments.instances:
        result = _cells(pairs, {**options, "kind": "instances"})
        lines = cells_lines(result)
    elif options["n_classes"] > 2:
        result = _classes(pairs, {**options, "kind": "classes"})
        lines = classes_lines(result)
    else:
        result = _membranes(pairs, {**options, "kind": "classes"}, _threshold(arguments))
        lines = membranes_lines(result)
    if arguments.json:
        common.as_json(result)
    else:
        print("\n".join(lines))
    return 0


def _read(pairs: Pairs, options: dict[str, Any]) -> tuple[Pages, Pages, Pages]:
    """Labels decoded, prediction, and where there is ground truth; both are 0 elsewhere."""
    decoded = decode_labels(read_all(pairs.labels), pairs.labels.path, **options)
    there = [page != IGNORED for page in decoded]
    pages = [
        [np.where(mask, page, 0) for mask, page in zip(there, side, strict=True)]
        for side in (decoded, read_all(pairs.prediction))
    ]
    return pages[0], pages[1], there


def _cells(pairs: Pairs, options: dict[str, Any]) -> Result:
    truth, predicted, _ = _read(pairs, options)
    parted = metrics.parted_pairs(truth, predicted)
    return {
        "seg": float(metrics.seg(truth, predicted)),
        "iou": float(metrics.iou(truth, predicted)),
        "parted": parted.parted,
        "touching": parted.touching,
        "frames": len(truth),
        "detection": metrics.detection_table(truth, predicted),
        "objects": int(sum(len(np.unique(page[page > 0])) for page in truth)),
    }


def _classes(pairs: Pairs, options: dict[str, Any]) -> Result:
    truth, predicted, there = _read(pairs, options)
    values = np.unique(np.concatenate([np.unique(page) for page in predicted]))
    most = options["n_classes"] - 1
    if values[0] < 0 or values[-1] > most or (values != np.floor(values)).any():
        raise ValueError(
            f"{pairs.prediction.path}: a prediction of {len(values)} values from {values[0]:g} to "
            f"{values[-1]:g}: wanted class numbers, 0 to {most}"
        )
    sides = [
        [page[mask][np.newaxis].astype(np.int32) for page, mask in zip(side, there, strict=True)]
        for side in (truth, predicted)
    ]
    wrong = sum(np.count_nonzero(one != other) for one, other in zip(*sides, strict=True))
    each = metrics.iou_per_class(*sides)
    return {
        "pixel_error_rate": wrong / max(1, sum(page.size for page in sides[0])),
        "mean_iou": float(np.mean(list(each.values()))),
        "iou": {str(number): float(score) for number, score in each.items()},
        "slices": len(truth),
    }


def _threshold(arguments: argparse.Namespace) -> float | None:
    """The threshold that was typed, or that a run chose on the slices that it held out."""
    threshold = arguments.threshold
    if threshold is not None and not 0 <= threshold < 1:
        raise ValueError(f"--threshold {threshold} is not in [0, 1)")
    if arguments.run_folder is None or threshold is not None:
        return threshold
    recipe = find_model(arguments.run_folder).recipe
    if not recipe.chosen:
        raise ValueError(f"--run {arguments.run_folder}: this run chose no threshold")
    common.note(f"threshold {recipe.threshold:g}: {recipe.chosen}")
    return recipe.threshold


def _membranes(pairs: Pairs, options: dict[str, Any], threshold: float | None) -> Result:
    truth, predicted, there = _read(pairs, options)
    predicted = _probabilities(predicted, pairs.prediction.path)
    report = metrics.isbi2012_details(truth, predicted)
    return {
        **report.scores,
        "thresholds": report.winners,
        "warping_at_v_rand": report.warping_at_v_rand.to_dict(),
        "slices": [part.scores.to_dict() for part in report.slices],
        "names": pairs.labels.names,
        "at_threshold": None
        if threshold is None
        else _at_threshold(threshold, truth, predicted, there),
    }


def _at_threshold(threshold: float, truth: Pages, predicted: Pages, there: Pages) -> Result:
    """The pixel error rate, and F of class 1, of the mask above a probability."""
    hits = said = true = 0
    for labels, page, known in zip(truth, predicted, there, strict=True):
        mask, cell = (page.astype(np.float64) > threshold) & known, (labels > 0) & known
        hits, said, true = hits + (mask & cell).sum(), said + mask.sum(), true + cell.sum()
    pixels = sum(int(known.sum()) for known in there)
    return {
        "threshold": threshold,
        "pixel_error_rate": float(said + true - 2 * hits) / max(1, pixels),
        "f_score": float(2 * hits / (said + true)) if said + true else 1.0,
    }


def _probabilities(pages: Pages, path: str) -> Pages:
    """Pages as probabilities, `check_predictions` in the words of the command line."""
    way_out = "for object numbers give --instances, for class numbers --classes"
    try:
        found = check_predictions(pages)
    except ValueError as error:
        if any(page.dtype.kind == "f" for page in pages):
            raise ValueError(f"{path}: {error}") from error
        least, most = min(page.min() for page in pages), max(page.max() for page in pages)
        raise ValueError(
            f"{path}: numbers from {least:g} to {most:g} are no probabilities: wanted floats in 0 "
            f"to 1, 8 bits, or a mask; {way_out}"
        ) from error
    highest = max(
        (float(p.max()) for page, p in zip(pages, found, strict=True) if page.dtype == np.uint8),
        default=0.0,
    )
    if 0 < highest < 0.5:
        common.note(
            f"{path}: 8 bits are taken as probabilities of 0 to 1, and none is above 0.5: {way_out}"
        )
    return found
