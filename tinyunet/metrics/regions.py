"""IoU and SEG: how well does a segmentation cover the cells?

Lesson: `lessons/12-scores.md`. Paper: table 2, "IOU", which is the Cell Tracking Challenge's SEG.

Shapes: a frame is a label map (H, W): whole numbers, 0 is background. Several frames are a list
of maps or one (T, H, W) array; a frame that nobody annotated is None in the truth.
"""

import numpy as np

from tinyunet.metrics.inputs import check_label_map, check_same_shape


def _frames(maps, name):
    """Give one map, a list of maps or a (T, H, W) array as a list of (H, W) maps or None."""
    if not isinstance(maps, list | tuple):
        maps = check_label_map(maps, name)
        maps = [maps] if maps.ndim == 2 else list(maps)
    frames = []
    for t, frame in enumerate(maps):
        if frame is not None:
            frame = check_label_map(frame, f"{name} frame {t}")
            if frame.ndim != 2:
                raise ValueError(f"{name} frame {t} must be (H, W), got shape {frame.shape}")
        frames.append(frame)
    return frames


def frame_pairs(result, truth):
    """Check and pair the frames that have a truth: a list of (result, truth)."""
    result, truth = _frames(result, "result"), _frames(truth, "truth")
    if len(result) != len(truth):
        raise ValueError(
            f"result and truth must have as many frames, got {len(result)} and {len(truth)}"
        )
    pairs = []
    for t, (ours, theirs) in enumerate(zip(result, truth, strict=True)):
        if theirs is None:
            continue
        if ours is None:
            raise ValueError(f"result frame {t} is missing, but the truth has it")
        check_same_shape(ours, f"result frame {t}", theirs, f"truth frame {t}")
        pairs.append((ours, theirs))
    return pairs


def iou(result, truth):
    """Intersection over union of the foreground (> 0), pooled over the frames: a float in 0..1.

    result, truth: masks or label maps (H, W), (T, H, W), or lists of (H, W). Frames whose truth
    is None are left out; without any foreground on either side there is nothing to miss, 1.0.
    Raises ValueError on unequal shapes or lengths, a missing result, fractions, negatives.
    """
    both = either = 0
    for ours, theirs in frame_pairs(result, truth):
        both += np.count_nonzero((ours > 0) & (theirs > 0))
        either += np.count_nonzero((ours > 0) | (theirs > 0))
    return both / either if either else 1.0


def iou_per_class(result, truth):
    """Intersection over union of every class that occurs on either side: {class: float}.

    Here a map's numbers are classes (0, the background, is one too), not single cells; arguments
    and errors as in `iou`. The keys are ints in ascending order.
    """
    pairs = frame_pairs(result, truth)
    classes = sorted({int(c) for pair in pairs for side in pair for c in np.unique(side)})
    scores = {}
    for c in classes:
        both = sum(np.count_nonzero((ours == c) & (theirs == c)) for ours, theirs in pairs)
        either = sum(np.count_nonzero((ours == c) | (theirs == c)) for ours, theirs in pairs)
        scores[c] = both / either
    return scores


def match_objects(result, truth):
    """The object of `result` that each object of `truth` is matched to: {object: object or 0}.

    result, truth: label maps (H, W) of one frame. R is matched to the object S that holds more
    than half of R's pixels, so to one at most; 0 if none does (the background is no object).
    """
    matches = {}
    for number in np.unique(truth[truth > 0]):
        met, counts = np.unique(result[truth == number], return_counts=True)
        most = int(counts.argmax())
        matches[int(number)] = int(met[most]) if 2 * counts[most] > counts.sum() else 0
    return matches


def seg_of_objects(result, truth):
    """The score of every object of one annotated frame, {object: float}, truth's numbers as keys.

    An object R that is matched to S scores |R ∩ S| / |R ∪ S|, one without a match 0.
    """
    scores = {}
    for number, match in match_objects(result, truth).items():
        ours, theirs = result == match, truth == number
        shared = np.count_nonzero(ours & theirs)
        scores[number] = shared / np.count_nonzero(ours | theirs) if match else 0.0
    return scores


def seg(result, truth):
    """The Cell Tracking Challenge's SEG: mean over all objects of all annotated frames, 0..1.

    result, truth: label maps (H, W), (T, H, W), or lists of (H, W); the same number in two frames
    is two objects. Frames whose truth is None or holds no object are left out, and their result
    is not asked for. Objects are pooled: a frame with many cells weighs more than one with few.
    Raises ValueError on a missing result frame, unequal shapes or lengths, fractions, negatives,
    and if no frame is annotated.
    """
    scores = []
    for ours, theirs in frame_pairs(result, truth):
        scores.extend(seg_of_objects(ours, theirs).values())
    if not scores:
        raise ValueError("truth must have at least one annotated frame with an object, got none")
    return sum(scores) / len(scores)
