"""`tinyunet.evaluate`: how good a prediction is.

Lesson: lessons/12-scores.md.
"""

import os
from typing import Any

import numpy as np

from tinyunet import metrics
from tinyunet._text import plural
from tinyunet.api.inputs import Images, as_maps
from tinyunet.arrays import Array
from tinyunet.images.pairs import open_pairs
from tinyunet.images.stack import read_all
from tinyunet.metrics import Report
from tinyunet.metrics.regions import frame_pairs


def evaluate(
    ground_truth: Images, prediction: Images, *, kind: str = "auto"
) -> Report | dict[str, Any]:
    """Score a prediction against its ground truth.

    Parameters
    ----------
    ground_truth : path, array or sequence of arrays
        A mask, class numbers or object numbers: (H, W), or (N, H, W).
    prediction : path, array or sequence of arrays
        Of the same shape: probabilities of class 1, a mask, class numbers or object numbers.
    kind : {"auto", "membranes", "classes", "instances"}, optional
        What to score: probabilities or a mask against a mask, with the scores of ISBI 2012; class
        numbers against class numbers; objects against objects. "auto" takes fractions and masks
        for "membranes", man_seg files and whole numbers of more than two values for "instances".

    Returns
    -------
    Report or dict
        "membranes": a `tinyunet.metrics.Report`. "classes": pixel error rate, and IoU of each
        class. "instances": SEG, IoU of the foreground, how many touching pairs are parted,
        and "detection": a list of the objects found (tp), invented (fp) and missed (fn), with F1
        and AP = TP / (TP + FP + FN), at intersections over union of 0.5 to 0.9.

    Raises
    ------
    ValueError
        For what cannot be compared; the message names the argument, or the files: those of two
        folders are paired by name, and a stack's pages by order.
    OSError
        For files that cannot be read.
    """
    truth, predicted, objects = _as_pairs(ground_truth, prediction, kind)
    if kind == "auto" and objects:
        kind = "instances"
    if kind == "auto":
        kind = "instances" if _whole_numbers(truth) and _whole_numbers(predicted) else "membranes"
    if kind == "membranes":
        return metrics.isbi2012_details(truth, predicted)
    if kind == "classes":
        pairs = frame_pairs(truth, predicted)
        wrong = sum(int((true != said).sum()) for true, said in pairs)
        ious = metrics.iou_per_class(truth, predicted)
        return {"pixel_error_rate": wrong / sum(true.size for true, _ in pairs), "iou": ious}
    if kind == "instances":
        pair = metrics.parted_pairs(truth, predicted)
        scores = {"seg": metrics.seg(truth, predicted), "iou": metrics.iou(truth, predicted)}
        parted = {"parted": pair.parted, "touching": pair.touching}
        return scores | parted | {"detection": metrics.detection_table(truth, predicted)}
    raise ValueError(f"kind {kind!r} is not one of 'auto', 'membranes', 'classes', 'instances'")


def _as_pairs(
    ground_truth: Images, prediction: Images, kind: str
) -> tuple[list[Array], list[Array], bool]:
    """Two lists of maps that belong to each other, and whether they are objects by their files.

    Files are paired by name or number, all else by order.
    """
    numbers, instances = kind == "classes", kind == "instances"
    if isinstance(ground_truth, str | os.PathLike) and isinstance(prediction, str | os.PathLike):
        pairs = open_pairs(ground_truth, prediction, instances=instances, numbers=numbers)
        return read_all(pairs.labels), read_all(pairs.prediction), pairs.challenge
    truth = as_maps(ground_truth, "ground_truth", labels=True)
    predicted = as_maps(prediction, "prediction", labels=numbers or instances)
    if len(truth) != len(predicted):
        raise ValueError(
            f"ground_truth has {plural(len(truth), 'map')} and prediction {len(predicted)}: "
            "wanted as many"
        )
    if not truth:
        raise ValueError("ground_truth and prediction hold no map: wanted one at least")
    return truth, predicted, False


def _whole_numbers(maps: list[Array]) -> bool:
    """Whether these are whole numbers of more than two values: objects, no mask."""
    if any(page.dtype.kind not in "ui" for page in maps):
        return False
    return len(set().union(*(np.unique(page).tolist() for page in maps))) > 2
