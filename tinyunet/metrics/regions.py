"""IoU and SEG: how well does a segmentation cover the cells?

Lesson: `lessons/12-scores.md`. Paper: table 2, "IOU", which is the Cell Tracking Challenge's SEG.

Shapes: a frame is a label map (H, W): whole numbers, 0 is background. Several frames are a list
of maps or one (T, H, W) array; a frame that nobody annotated is None in the ground truth.
"""

from collections import Counter
from collections.abc import Iterator

import numpy as np

from tinyunet.arrays import Array
from tinyunet.metrics.inputs import ORDER, check_ground_truth, check_same_shape
from tinyunet.metrics.overlap import count_overlaps, group_pixels


def _frames(maps: object, name: str) -> list[Array | None]:
    """Give one map, a list of maps or a (T, H, W) array as a list of (H, W) maps or None."""
    if not isinstance(maps, list | tuple):
        stack = check_ground_truth(maps, name)
        return [stack] if stack.ndim == 2 else list(stack)
    frames: list[Array | None] = []
    for t, frame in enumerate(maps):
        if frame is not None:
            frame = check_ground_truth(frame, f"{name} frame {t}")
            if frame.ndim != 2:
                raise ValueError(f"{name} frame {t} must be (H, W), got shape {frame.shape}")
        frames.append(frame)
    return frames


def frame_pairs(ground_truth: object, prediction: object) -> list[tuple[Array, Array]]:
    """Check and pair the frames that are annotated.

    Parameters
    ----------
    ground_truth, prediction : array_like or list
        Label maps (H, W), (T, H, W), or lists of (H, W); in the ground truth also None.

    Returns
    -------
    list of (Array, Array)
        The ground truth and the prediction of each annotated frame, (H, W) whole numbers.

    Raises
    ------
    ValueError
        On unequal shapes or lengths, a missing prediction, and all that is no label map.
    """
    truth, predicted = _frames(ground_truth, "ground_truth"), _frames(prediction, "prediction")
    if len(truth) != len(predicted):
        raise ValueError(
            "ground_truth and prediction must have as many frames, "
            f"got {len(truth)} and {len(predicted)}"
        )
    pairs = []
    for t, (ours, theirs) in enumerate(zip(truth, predicted, strict=True)):
        if ours is None:
            continue
        if theirs is None:
            raise ValueError(f"prediction frame {t} is missing, and ground_truth has it: {ORDER}")
        check_same_shape(ours, f"ground_truth frame {t}", theirs, f"prediction frame {t}")
        pairs.append((ours, theirs))
    return pairs


def iou(ground_truth: object, prediction: object) -> float:
    """Return the intersection over union of the foreground, pooled over the frames.

    Parameters
    ----------
    ground_truth, prediction : array_like or list
        Masks or label maps (H, W), (T, H, W), or lists of (H, W); above 0 is foreground. Frames
        whose ground truth is None are left out.

    Returns
    -------
    float
        In 0..1, 1 is best; without any foreground on either side there is nothing to miss, 1.0.

    Raises
    ------
    ValueError
        On unequal shapes or lengths, a missing prediction, fractions, negative numbers.
    """
    both = either = 0
    for truth, predicted in frame_pairs(ground_truth, prediction):
        both += np.count_nonzero((truth > 0) & (predicted > 0))
        either += np.count_nonzero((truth > 0) | (predicted > 0))
    return both / either if either else 1.0


def iou_per_class(ground_truth: object, prediction: object) -> dict[int, float]:
    """Return the intersection over union of every class that occurs on either side.

    Parameters
    ----------
    ground_truth, prediction : array_like or list
        As in `iou`, but here a map's numbers are classes (0, the background, is one too), not
        single cells.

    Returns
    -------
    dict of int to float
        A score in 0..1 for each class, in ascending order.

    Raises
    ------
    ValueError
        As `iou` does.
    """
    both: Counter[int] = Counter()
    each: Counter[int] = Counter()  # the pixels of a class on the one side and on the other
    for truth, predicted in frame_pairs(ground_truth, prediction):
        both.update(_sizes(truth[truth == predicted]))
        each.update(_sizes(truth))
        each.update(_sizes(predicted))
    return {c: both[c] / (each[c] - both[c]) for c in sorted(each)}


def _sizes(labels: Array) -> dict[int, int]:
    """How many pixels each number has."""
    values, counts = np.unique(labels, return_counts=True)
    return {int(value): int(count) for value, count in zip(values, counts, strict=True)}


def overlaps_by_object(
    ground_truth: Array, prediction: Array
) -> Iterator[tuple[int, Array, Array]]:
    """Go through the objects of one frame's ground truth: what does the prediction have there?

    Parameters
    ----------
    ground_truth, prediction : Array
        Label maps (H, W).

    Yields
    ------
    number : int
        Of the object, in ascending order.
    met : Array
        The prediction's numbers among the object's pixels, ascending, 0 for background.
    counts : Array
        The object's pixels under each of them.
    """
    numbers, ids = renumbered(ground_truth)
    theirs, their_ids = renumbered(prediction)
    overlap = count_overlaps(group_pixels(ids, len(numbers) - 1), their_ids, len(theirs) - 1)
    starts = np.searchsorted(overlap.rows, np.arange(1, len(numbers) + 1))
    for number, start, end in zip(numbers[1:], starts, starts[1:], strict=False):
        yield int(number), theirs[overlap.columns[start:end]], overlap.counts[start:end]


def renumbered(labels: Array) -> tuple[Array, Array]:
    """Number the objects of a label map without gaps.

    Parameters
    ----------
    labels : Array
        A label map (H, W).

    Returns
    -------
    numbers : Array
        The numbers of the map, ascending, 0 in front whether it occurs or not.
    ids : Array
        int32 (H, W), the map as places in that list.
    """
    background = labels.dtype.type(0)  # whether it occurs or not
    numbers, ids = np.unique(np.append(labels.ravel(), background), return_inverse=True)
    return numbers, ids[:-1].reshape(labels.shape).astype(np.int32)


def match_objects(ground_truth: Array, prediction: Array) -> dict[int, int]:
    """Match each object of one frame's ground truth to an object of the prediction.

    R is matched to the object S that holds more than half of R's pixels, so to one at most.

    Parameters
    ----------
    ground_truth, prediction : Array
        Label maps (H, W).

    Returns
    -------
    dict of int to int
        S for each R, 0 where none holds more than half (the background is no object).
    """
    objects = overlaps_by_object(ground_truth, prediction)
    return {number: _match(met, counts)[0] for number, met, counts in objects}


def _match(met: Array, counts: Array) -> tuple[int, int]:
    """The object with more than half of R's pixels, and with how many of them; else (0, 0)."""
    most = int(counts.argmax())
    if met[most] == 0 or 2 * counts[most] <= counts.sum():
        return 0, 0
    return int(met[most]), int(counts[most])


def seg_of_objects(ground_truth: Array, prediction: Array) -> dict[int, float]:
    """Score every object of one annotated frame.

    An object R that is matched to S scores |R ∩ S| / |R ∪ S|, one without a match 0.

    Parameters
    ----------
    ground_truth, prediction : Array
        Label maps (H, W).

    Returns
    -------
    dict of int to float
        A score in 0..1 for each number of the ground truth.
    """
    sizes = _sizes(prediction) | {0: 0}
    scores = {}
    for number, met, counts in overlaps_by_object(ground_truth, prediction):
        match, shared = _match(met, counts)
        either = int(counts.sum()) + sizes[match] - shared  # |R| + |S| − |R ∩ S| = |R ∪ S|
        scores[number] = shared / either
    return scores


def seg(ground_truth: object, prediction: object) -> float:
    """Return the Cell Tracking Challenge's SEG: the mean over all objects of all annotated frames.

    Parameters
    ----------
    ground_truth, prediction : array_like or list
        Label maps (H, W), (T, H, W), or lists of (H, W); the same number in two frames is two
        objects. Frames whose ground truth is None or holds no object are left out.

    Returns
    -------
    float
        In 0..1, 1 is best. Objects are pooled: a frame with many cells weighs more than one with
        few.

    Raises
    ------
    ValueError
        As `iou` does, and if no annotated frame holds an object.
    """
    scores: list[float] = []
    for truth, predicted in frame_pairs(ground_truth, prediction):
        scores.extend(seg_of_objects(truth, predicted).values())
    if not scores:
        raise ValueError(
            "ground_truth must have at least one annotated frame with an object, got none"
        )
    return sum(scores) / len(scores)
