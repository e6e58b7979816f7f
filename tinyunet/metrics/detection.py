"""How many objects are found: objects matched by their overlap, counted at several overlaps.

Lesson: `lessons/12-scores.md`. Not in the paper; the 2018 Data Science Bowl ranked by it.

At a threshold t an object of the prediction is a hit (a true positive, TP) if its intersection over
union with an object of the ground truth is above t. What is left over on the side of the prediction
is a false positive (FP), on the side of the ground truth a false negative (FN). Above 0.5 an object
has one partner at most, so nothing has to be assigned.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tinyunet.arrays import Array
from tinyunet.metrics.overlap import count_overlaps, group_pixels
from tinyunet.metrics.regions import frame_pairs, renumbered

IOU_THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9)


class Detections(NamedTuple):
    """Objects counted at one threshold of the intersection over union.

    Attributes
    ----------
    threshold : float
        Of the intersection over union.
    tp, fp, fn : int
        Objects found, invented and missed, over all frames.
    """

    threshold: float
    tp: int
    fp: int
    fn: int

    @property
    def f1(self) -> float:
        """2 TP / (2 TP + FP + FN); 1.0 where there are no objects on either side."""
        each = 2 * self.tp + self.fp + self.fn
        return 2 * self.tp / each if each else 1.0

    @property
    def ap(self) -> float:
        """TP / (TP + FP + FN), which the challenge calls average precision; 1.0 without objects."""
        either = self.tp + self.fp + self.fn
        return self.tp / either if either else 1.0


def detections(
    ground_truth: object, prediction: object, thresholds: Sequence[float] = IOU_THRESHOLDS
) -> list[Detections]:
    """Count found, invented and missed objects, pooled over all frames.

    Parameters
    ----------
    ground_truth, prediction : array_like or list
        Label maps (H, W), (T, H, W), or lists of (H, W); the same number in two frames is two
        objects. Frames whose ground truth is None are left out.
    thresholds : sequence of float
        Of the intersection over union, from 0.5 to below 1.

    Returns
    -------
    list of Detections
        One a threshold.

    Raises
    ------
    ValueError
        As `iou` does, and for thresholds out of range.
    """
    counts = _counts(ground_truth, prediction, thresholds)
    sums = counts.sum(axis=0).tolist()
    return [Detections(t, *row) for t, row in zip(thresholds, sums, strict=True)]


def average_precision(
    ground_truth: object, prediction: object, thresholds: Sequence[float] = IOU_THRESHOLDS
) -> dict[float, float]:
    """Return TP / (TP + FP + FN) at each threshold, as the 2018 Data Science Bowl takes its mean.

    Parameters
    ----------
    ground_truth, prediction : array_like or list
        As in `detections`.
    thresholds : sequence of float
        Of the intersection over union, from 0.5 to below 1.

    Returns
    -------
    dict of float to float
        For each threshold the mean over the frames, so that every image weighs the same; a frame
        without objects on either side scores 1.

    Raises
    ------
    ValueError
        As `detections` does, and if no frame is annotated.

    Notes
    -----
    The challenge then takes the mean over the thresholds 0.5, 0.55, …, 0.95. `Detections.ap` pools
    the objects of all frames instead, as the evaluation of StarDist does.

    References
    ----------
    .. [1] J. C. Caicedo et al., "Nucleus segmentation across imaging experiments: the 2018 Data
       Science Bowl", Nature Methods 16, 2019.
    """
    counts = _counts(ground_truth, prediction, thresholds)
    if not len(counts):
        raise ValueError("ground_truth must have at least one annotated frame, got none")
    either = counts.sum(axis=2)
    scores = np.where(either == 0, 1.0, counts[:, :, 0] / np.maximum(either, 1)).mean(axis=0)
    return {float(t): float(score) for t, score in zip(thresholds, scores, strict=True)}


def detection_table(
    ground_truth: object, prediction: object, thresholds: Sequence[float] = IOU_THRESHOLDS
) -> list[dict[str, float]]:
    """Return all that this file counts, a row a threshold.

    Parameters
    ----------
    ground_truth, prediction : array_like or list
        As in `detections`.
    thresholds : sequence of float
        Of the intersection over union, from 0.5 to below 1.

    Returns
    -------
    list of dict
        "iou" (the threshold), "tp", "fp", "fn", "f1" and "ap" of all objects, and "ap_by_image",
        the mean over the images.

    Raises
    ------
    ValueError
        As `average_precision` does.
    """
    by_image = average_precision(ground_truth, prediction, thresholds)
    return [
        {"iou": row.threshold, "tp": row.tp, "fp": row.fp, "fn": row.fn}
        | {"f1": row.f1, "ap": row.ap, "ap_by_image": by_image[row.threshold]}
        for row in detections(ground_truth, prediction, thresholds)
    ]


def _counts(ground_truth: object, prediction: object, thresholds: Sequence[float]) -> Array:
    """(frames, thresholds, 3) TP, FP and FN."""
    for threshold in thresholds:
        if not 0.5 <= threshold < 1:
            raise ValueError(f"thresholds must be from 0.5 to below 1, got {threshold}")
    frames = frame_pairs(ground_truth, prediction)
    rows = [_count(truth, predicted, thresholds) for truth, predicted in frames]
    return np.array(rows, np.int64).reshape(len(frames), len(thresholds), 3)


def _count(truth: Array, predicted: Array, thresholds: Sequence[float]) -> list[list[int]]:
    """TP, FP and FN of one frame at each threshold."""
    numbers, ids = renumbered(truth)
    theirs, their_ids = renumbered(predicted)
    true, said = len(numbers) - 1, len(theirs) - 1
    overlap = count_overlaps(group_pixels(ids, true), their_ids, said)
    both = overlap.columns > 0  # rows are those of objects already
    rows, columns, shared = overlap.rows[both], overlap.columns[both], overlap.counts[both]
    size = np.bincount(ids.ravel(), minlength=true + 1)
    their_size = np.bincount(their_ids.ravel(), minlength=said + 1)
    overlaps = shared / (size[rows] + their_size[columns] - shared)
    hits = [int((overlaps > threshold).sum()) for threshold in thresholds]
    return [[tp, said - tp, true - tp] for tp in hits]
