"""Objects found at several overlaps: against brute force, by hand, and at the edges."""

import numpy as np
import pytest

from tinyunet.metrics import Detections, average_precision, detection_table, detections


def brute_force(truth, predicted, threshold):
    """TP, FP and FN of one frame, pair by pair."""
    ours, theirs = (sorted(set(page.ravel().tolist()) - {0}) for page in (truth, predicted))
    hits = 0
    for i in ours:
        for j in theirs:
            one, other = truth == i, predicted == j
            hits += (one & other).sum() / (one | other).sum() > threshold
    return hits, len(theirs) - hits, len(ours) - hits


def frame_pair(rng, shape):
    """Blocks by number, with gaps in the numbers, and the same blocks disturbed."""
    truth = np.kron(rng.integers(0, 9, (shape[0] // 4, shape[1] // 5)), np.ones((4, 5), int)) * 7
    predicted = np.where(rng.random(truth.shape) < rng.uniform(0, 0.4), 0, truth)
    return truth.astype(np.uint16), np.roll(predicted, rng.integers(0, 2), 1).astype(np.int32)


def test_against_brute_force(rng):
    thresholds = (0.5, 0.55, 0.6, 0.7, 0.8, 0.9, 0.95)
    pairs = [frame_pair(rng, shape) for shape in ((20, 30), (12, 45), (40, 15))]
    truth, predicted = map(list, zip(*pairs, strict=True))
    counted = detections(truth, predicted, thresholds)
    each = average_precision(truth, predicted, thresholds)
    for threshold, row in zip(thresholds, counted, strict=True):
        rows = [brute_force(*pair, threshold) for pair in pairs]
        tp, fp, fn = np.sum(rows, axis=0)
        assert row == (threshold, tp, fp, fn)
        assert row.f1 == pytest.approx(2 * tp / (2 * tp + fp + fn))
        assert row.ap == pytest.approx(tp / (tp + fp + fn))
        assert each[threshold] == pytest.approx(np.mean([r[0] / max(1, sum(r)) for r in rows]))
    table = detection_table(truth, predicted, thresholds)
    assert [(r["iou"], r["tp"], r["fp"], r["fn"]) for r in table] == counted
    assert [r["ap_by_image"] for r in table] == list(each.values())
    assert [(r["f1"], r["ap"]) for r in table] == [(row.f1, row.ap) for row in counted]
    assert counted[0].tp > counted[-1].tp  # the thresholds tell something here


def test_an_overlap_of_exactly_the_threshold_is_no_hit():
    truth, predicted = np.zeros((2, 10), int), np.zeros((2, 10), int)
    truth[0], predicted[0, :6] = 1, 1  # 6 of 10 pixels
    truth[1, :4], predicted[1, 1:3] = 2, 9  # 2 of 4
    assert detections(truth, predicted, (0.5, 0.59, 0.6)) == [
        Detections(0.5, 1, 1, 1),
        Detections(0.59, 1, 1, 1),
        Detections(0.6, 0, 2, 2),
    ]


def test_frames_without_objects_and_without_ground_truth():
    empty, one = np.zeros((3, 4), int), np.ones((3, 4), int)
    truth, predicted = [empty, None, one, empty], [empty, one, one, one]
    (row,) = detections(truth, predicted, (0.5,))
    assert row == (0.5, 1, 1, 0)
    assert average_precision(truth, predicted, (0.5,)) == {0.5: pytest.approx(2 / 3)}
    (row,) = detections(empty, empty, (0.75,))
    assert (row.f1, row.ap) == (1.0, 1.0)
    with pytest.raises(ValueError, match="at least one annotated frame"):
        average_precision([None], [one])


@pytest.mark.parametrize("threshold", [0.49, 1.0, float("nan")])
def test_thresholds_that_leave_the_partner_open_are_refused(threshold):
    with pytest.raises(ValueError, match="from 0.5 to below 1"):
        detections(np.ones((2, 2), int), np.ones((2, 2), int), (threshold,))
