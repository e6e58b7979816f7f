"""`tinyunet evaluate`: a prediction and its labels in, scores out.

Lesson: lessons/12-scores.md.
"""

import argparse
from typing import Any, TypeAlias

import numpy as np

from tinyunet import metrics
from tinyunet.arrays import Array
from tinyunet.cli import common
from tinyunet.cli.parser import add_command
from tinyunet.images.labels import IGNORED, decode_labels
from tinyunet.images.pairs import Pairs, open_pairs
from tinyunet.images.stack import read_all

Pages: TypeAlias = list[Array]
Result: TypeAlias = dict[str, Any]

SCORES = (  # key, words, whether small is good
    ("pixel_error", "pixel error, 1 − best F", "↓"),
    ("rand_error", "Rand error", "↓"),
    ("warping_error", "warping error", "↓"),
    ("v_rand", "V_Rand", "↑"),
    ("v_rand_thinned", "V_Rand thinned", "↑"),
    ("v_info", "V_info", "↑"),
    ("v_info_thinned", "V_info thinned", "↑"),
    ("pixel_error_rate", "pixel error rate at 0.5", "↓"),
)
MOST_COLUMNS = 12  # slices that are shown beside the stack; --json has all
PURPOSE = "score a prediction against labels"
TEXT = """
Two classes get the scores of the ISBI 2012 challenge, more classes (--classes) the pixel error rate
and an IoU each, objects (--instances, or man_seg files) SEG and IoU. Files are paired by name,
frames by number, the pages of two stacks by order. Pixels of --ignore count as background on both
sides.

A prediction that is empty at some threshold has no merged or split cells there, so its warping
error is 0 and that threshold wins, as in the challenge. The warping error at the threshold that
wins V_Rand is shown beside it: that is what the segmentation you would use costs.
"""
EXAMPLES = (
    ("tinyunet evaluate probabilities.tif labels.tif --slices 20:24", "the slices held out"),
    ("tinyunet evaluate predicted/ labels/ --classes 4", "two folders of class numbers"),
    ("tinyunet evaluate 01_RES 01_GT", "cells of a Cell Tracking sequence"),
)


def add_to(commands: Any) -> None:
    """Add the command to the parser."""
    usage = "PREDICTION LABELS [options]"
    parser = add_command(commands, "evaluate", usage, PURPOSE, TEXT, EXAMPLES)
    parser.add_argument(
        "prediction", metavar="PREDICTION", help="probabilities, class numbers or object numbers"
    )
    parser.add_argument("labels", metavar="LABELS", help="stack or folder, or folder of man_seg")
    parser.add_argument(
        "--slices",
        type=common.slice_range,
        metavar="A:B",
        help="slices of LABELS to compare with; frame numbers of man_seg files",
    )
    common.add_labels(parser, channels=False)
    common.add_json(parser)
    parser.set_defaults(run=evaluate)


def evaluate(arguments: argparse.Namespace) -> int:
    """Print all scores, per slice and for the stack; SEG and IoU for cells."""
    options = common.label_options(arguments)
    pairs = open_pairs(
        arguments.labels, arguments.prediction, arguments.slices, arguments.instances
    )
    if pairs.challenge and arguments.classes is not None:
        raise ValueError(f"--classes: {arguments.labels} holds man_seg files: one number an object")
    if pairs.challenge or arguments.instances:
        result = _cells(pairs, {**options, "kind": "instances"})
        lines = _cells_lines(result)
    elif options["n_classes"] > 2:
        result = _classes(pairs, {**options, "kind": "classes"})
        lines = _classes_lines(result)
    else:
        result = _membranes(pairs, {**options, "kind": "classes"})
        lines = _membranes_lines(result, arguments.slices[0] if arguments.slices else 0)
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
        "objects": int(sum(len(np.unique(page[page > 0])) for page in truth)),
    }


def _cells_lines(result: Result) -> list[str]:
    return [
        f"SEG {result['seg']:.4f}",
        f"IoU {result['iou']:.4f}",
        f"touching pairs parted: {result['parted']} of {result['touching']}",
        f"({result['objects']} objects in {result['frames']} annotated frames)",
    ]


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


def _classes_lines(result: Result) -> list[str]:
    lines = [f"pixel error rate {result['pixel_error_rate']:.6f}"]
    lines += [f"mean IoU {result['mean_iou']:.4f}"]
    lines += [f"IoU of class {number} {score:.4f}" for number, score in result["iou"].items()]
    return [*lines, f"({result['slices']} slices)"]


def _membranes(pairs: Pairs, options: dict[str, Any]) -> Result:
    truth, predicted, _ = _read(pairs, options)
    report = metrics.isbi2012_details(truth, _probabilities(predicted, pairs.prediction.path))
    return {
        **report.scores,
        "thresholds": report.winners,
        "warping_at_v_rand": report.warping_at_v_rand.to_dict(),
        "slices": [part.scores.to_dict() for part in report.slices],
        "names": pairs.labels.names,
    }


def _probabilities(pages: Pages, path: str) -> Pages:
    """Pages as probabilities: masks of 0 and 1, 255 or 65535, and uint8; floats as they are.

    What whole numbers mean is decided for all pages of a dtype: a page may hold few values.
    """
    out, small = [], False
    for dtype in {page.dtype for page in pages if page.dtype.kind in "bui"}:
        values = np.unique(np.concatenate([np.unique(p) for p in pages if p.dtype == dtype]))
        top = int(values[-1])
        if set(values.tolist()) <= {0, top} and top in (0, 1, 255, 65535):
            scale = max(top, 1)
        elif dtype == np.uint8:
            scale, small = 255, small or top < 128
        else:
            raise ValueError(
                f"{path}: {dtype} numbers from {values[0]} to {top} are no probabilities: wanted "
                "floats in 0 to 1, 8 bits, or a mask; for object numbers give --instances, for "
                "class numbers --classes"
            )
        out.append((dtype, np.float32(scale)))
    if small:
        common.note(
            f"{path}: 8 bits are taken as probabilities of 0 to 1, and none is above 0.5: for "
            "object numbers give --instances, for class numbers --classes"
        )
    scales = dict(out)
    return [
        page.astype(np.float32) / scales[page.dtype] if page.dtype in scales else page
        for page in pages
    ]


def _membranes_lines(result: Result, first: int) -> list[str]:
    count = len(result["slices"])
    shown = result["slices"] if count <= MOST_COLUMNS else []
    names = [f"slice {first + i}" for i in range(count)]
    if result["names"] != [str(first + i) for i in range(count)]:
        names = [name[-10:] for name in result["names"]]
    columns = "".join(f"{name:>11}" for name in names[: len(shown)])
    lines = [f"{'':<28}{'stack':>12}{'at':>6}{columns}"]
    for key, words, arrow in SCORES:
        at = result["thresholds"].get(key)
        told = f"{at:.1f}" if at is not None else ""
        each = "".join(f"{part[key]:>11.6f}" for part in shown)
        lines.append(f"{words + ' ' + arrow:<28}{result[key]:>12.6f}{told:>6}{each}")
    fair = result["warping_at_v_rand"]
    words = "warping error at V_Rand’s ↓"
    lines.append(f"{words:<28}{fair['warping_error']:>12.6f}{fair['threshold']:>6.1f}")
    if not shown:
        lines.append(f"({count} slices; --json tells the scores of each)")
    return lines
