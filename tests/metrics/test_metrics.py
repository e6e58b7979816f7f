"""The scores on examples small enough to count by hand, and on the challenge's own examples."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from tinyunet import metrics
from tinyunet.images.instances import connected_components
from tinyunet.metrics import fscore, inputs, simple_points, thinning, warping
from tinyunet.metrics.information import information_score, mean_information
from tinyunet.metrics.overlap import Overlap

DATA = Path(__file__).resolve().parents[2] / "../shared/data/isbi2012"
KEYS = [
    "pixel_error",
    "rand_error",
    "warping_error",
    "warping_pixels",
    "v_rand",
    "v_rand_thinned",
    "v_info",
    "v_info_thinned",
    "pixel_error_rate",
]


def image(*rows, scale=1):
    """Rows of digits as float32: image("101", "011")."""
    return np.array([[int(c) for c in row] for row in rows], np.float32) / scale


def two_cells():
    """16 × 16: two cells, columns 1 to 7 and 9 to 14, rows 1 to 14, in a black frame."""
    label = np.zeros((16, 16), np.float32)
    label[1:15, 1:8] = 1
    label[1:15, 9:15] = 1
    return label


def case_same():
    return two_cells(), two_cells()


def case_a():
    prediction = two_cells()
    prediction[7, 8] = 1
    return two_cells(), prediction


def case_b():
    prediction = two_cells()
    prediction[:, 4] = 0
    return two_cells(), prediction


def case_c():
    prediction = two_cells()
    prediction[6:9, 3:6] = 0
    return two_cells(), prediction


def case_d():
    prediction, label = np.zeros((2, 16, 16), np.float32)
    prediction[1:15, 1:15] = label[1:15, 1:15] = 1
    label[:, 8:10] = 0
    prediction[:, 9:11] = 0
    return label, prediction


def case_e():
    g = np.random.default_rng(20)
    label = g.random((16, 16)) < 0.6
    return label, np.round(g.random((16, 16)) * 1024) / 1024


# pixel error, Rand error, warping pixels, V_Rand thinned, V_info thinned: the challenge's own
# reference implementation. (Its V_Rand of E ends in ...529 in the source of this table; it equals
# 1 - the Rand error, as nothing is black at the threshold that wins, so ...525.)
REFERENCE = {
    case_same: (0, 0, 0, 1, 1),
    case_a: (0.002739726027, 0.330708661417, 1, 0.669291338583, 0),
    case_b: (0.040000000000, 0.222393425783, 1, 0.777606574217, 0.649855112428),
    case_c: (0.025352112676, 0.052897680592, 0, 1, 1),
    case_d: (0.083333333333, 0.064201335388, 0, 0.935798664612, 0.760230412251),
    case_e: (0.251833740831, 0.336206404475, 37, 0.663793595525, 0.439955445720),
}


@pytest.mark.parametrize("case", REFERENCE)
@pytest.mark.parametrize("white", [1, 255])
def test_the_challenges_own_examples(case, white):
    label, prediction = case()
    scores = metrics.isbi2012(label.astype(np.uint8) * white, prediction)
    assert list(scores) == KEYS
    ours = [
        scores[key] for key in (*KEYS[:2], "warping_pixels", "v_rand_thinned", "v_info_thinned")
    ]
    np.testing.assert_allclose(ours, REFERENCE[case], rtol=0, atol=1e-12)
    assert scores["v_rand"] == pytest.approx(1 - REFERENCE[case][1], abs=1e-12)
    assert scores["warping_error"] == scores["warping_pixels"] / 256


def test_the_scores_are_plain_numbers():
    scores = metrics.isbi2012(*case_b())
    assert {type(score) for score in scores.values()} == {float, int}
    assert type(scores["warping_pixels"]) is int
    json.dumps(metrics.isbi2012_details(*case_b()).to_dict())


# --- the sweep -----------------------------------------------------------------------------


def test_the_sweep_adds_in_double_precision():
    sweep = inputs.thresholds()
    assert len(sweep) == 11
    assert sweep[0] == 0.0
    assert sweep[3] == 0.30000000000000004
    assert sweep[8] == 0.7999999999999999
    assert sweep[10] == 0.9999999999999999
    assert warping.judged_thresholds() == sweep[:10]
    assert sweep[9] == 0.8999999999999999


def test_white_is_strictly_above_the_threshold_in_double_precision():
    """float32(0.7) is 0.69999999, float32(0.8) 0.80000001, float32(0.9) 0.89999998."""
    tenths = (np.arange(11, dtype=np.float64) / 10).astype(np.float32)
    white = [bool(inputs.is_white(tenths[k], inputs.thresholds()[k])) for k in range(11)]
    #       0      .1    .2    .3    .4    .5     .6    .7     .8    .9     1.
    assert white == [False, True, True, True, True, False, True, False, True, False, True]


def test_f_score_conventions():
    assert fscore.f_score(0, 0, 0) == 1.0  # nothing said, nothing to say
    assert fscore.f_score(0, 0, 4) == 0.0  # precision 1, recall 0
    assert fscore.f_score(0, 4, 0) == 0.0  # precision 0, recall 1
    assert fscore.f_score(0, 4, 4) == 0.0  # both 0
    assert fscore.f_score(3, 4, 6) == pytest.approx(2 * 0.75 * 0.5 / 1.25)


def test_best_and_least_take_the_first_and_skip_nan():
    assert fscore.best_of([0.2, math.nan, 0.5, 0.5]) == (0.5, 2)
    assert fscore.best_of([math.nan, 0.0]) == (0.0, 0)
    assert fscore.least_of([3, 1, 1]) == (1, 1)


# --- pixels --------------------------------------------------------------------------------


def test_pixel_error_by_hand():
    """At t = 0: TP 3, FP 1, FN 0: precision 3/4, recall 1, F 6/7. At 0.3 and 0.4: 2/3, 2/3, F 2/3.
    From 0.5 on: TP 2, FP 0, FN 1: precision 1, recall 2/3, F 4/5. The best is 6/7."""
    label = image("110", "100")
    prediction = np.array([[1, 0.25, 0.5], [0.75, 0, 0]], np.float32)
    assert metrics.pixel_error(label, prediction) == pytest.approx(1 / 7, abs=1e-15)
    details = metrics.isbi2012_details(label, prediction)
    expected = [6 / 7] * 3 + [2 / 3] * 2 + [4 / 5] * 3 + [1 / 2] * 3
    np.testing.assert_allclose(details["tables"]["pixel_f_score"], expected, atol=1e-15)
    assert details["winners"]["pixel_error"] == 0.0
    # Cut at 0.5 (0.5 itself is black) only the 0.25 on a cell is wrong: 1 of 6.
    assert metrics.pixel_error_rate(label, prediction) == pytest.approx(1 / 6)


def test_pixel_counts_are_pooled_over_slices():
    """Slice 1: TP 1, FP 0, FN 0; slice 2: TP 1, FP 2, FN 1. Pooled 2, 2, 1: precision 1/2,
    recall 2/3, F 4/7. The mean of the two F (1 and 2/5) would be 7/10."""
    labels = np.stack([image("1000"), image("1100")])
    prediction = np.stack([image("1000"), image("0111")])
    assert metrics.pixel_error(labels, prediction) == pytest.approx(3 / 7, abs=1e-15)


# --- Rand and information -----------------------------------------------------------------


def test_v_rand_by_hand_with_a_split():
    """One cell of 4, cut in 1 and 2 by a black pixel: a = 16, b = 1 + 4 + 1, ab = 1 + 4 + 1,
    so F = 12/22."""
    prediction, label = image("1011"), image("1111")
    assert metrics.v_rand(label, prediction) == pytest.approx(6 / 11, abs=1e-15)
    assert metrics.rand_error(label, prediction) == pytest.approx(5 / 11, abs=1e-15)
    assert metrics.v_rand_thinned(label, prediction) == pytest.approx(6 / 11, abs=1e-15)


def test_v_rand_by_hand_with_a_merger():
    """Two cells of 2 merged into one: a = 8, b = 16, ab = 8, F = 16/24; the wall's own pixel is
    black in the label and in no sum."""
    assert metrics.v_rand(image("11011"), image("11111")) == pytest.approx(2 / 3, abs=1e-15)


def test_rand_sums_slices_and_thinned_rand_averages_them():
    """Slice 1 as in the split (16, 6, 6), slice 2 perfect with 2 pixels (4, 4, 4): summed
    2 · 10 / (20 + 10) = 2/3; averaged (6/11 + 1) / 2 = 17/22."""
    prediction = np.stack([image("1011"), image("1100")])
    labels = np.stack([image("1111"), image("1100")])
    assert metrics.v_rand(labels, prediction) == pytest.approx(2 / 3, abs=1e-15)
    assert metrics.v_rand_thinned(labels, prediction) == pytest.approx(17 / 22, abs=1e-15)


def test_v_info_by_hand():
    """Label cells of 2 and 2, prediction 11111 -> 11110: p_11 = 1/2, p_21 = 1/4, and one cell pixel
    is black, c = 1/4 ln 4. In units of ln 2: A = -1, B = 3/4 log2(3/4) - 1/2,
    AB = -1/2 - 1/2 - 1/2, I = AB - A - B."""
    b = 0.75 * math.log2(0.75) - 0.5
    information = -1.5 + 1 - b
    precision, recall = information / 1, information / -b
    expected = 2 * precision * recall / (precision + recall)
    assert metrics.v_info(image("11011"), image("11110")) == pytest.approx(expected, abs=1e-14)


def test_v_info_without_entropy_is_zero():
    assert metrics.v_info(image("11011"), image("11111")) == 0.0
    assert metrics.v_info(image("11111"), image("11011")) == 0.0
    assert metrics.v_info(image("00000"), image("11011")) == 0.0


def test_independent_segmentations_give_nan():
    """Four pixels, label cells by halves, prediction cells by the other halves: A = B = -ln 2 and
    AB = -2 ln 2, so I = 0, precision and recall are 0, and their harmonic mean is 0 / 0."""
    independent = Overlap(*np.array([[1, 1, 2, 2], [1, 2, 1, 2], [1, 1, 1, 1]]))
    assert math.isnan(information_score(independent))


def test_nan_spoils_its_threshold_and_is_skipped_by_the_maximum():
    means = mean_information([[0.2, math.nan, 0.6], [0.4, 1.0, 0.8]])
    assert means[0] == pytest.approx(0.3)
    assert math.isnan(means[1])
    assert fscore.best_of(means) == (pytest.approx(0.7), 2)


# --- thinning ------------------------------------------------------------------------------


def thinned(*rows):
    return thinning.thin(*connected_components(image(*rows) > 0))[0].tolist()


def test_thinning_by_hand():
    """1000 1: the fronts start at columns 1 and 3. Column 1 takes 1 and queues column 2; column 3
    takes 2; column 2 takes 1 from its left, then meets 2 on its right and becomes the dam."""
    assert thinned("10001") == [[1, 1, 0, 2, 2]]
    assert thinned("1001") == [[1, 1, 0, 2]]  # column 2 sees 1 on its left after column 1 fell
    assert thinned("000") == [[1, 1, 1]]  # without any cell the whole slice is one
    assert thinned("111") == [[1, 1, 1]]
    assert thinned("000", "010", "000") == [[1, 1, 1]] * 3


def test_basins_are_numbered_column_by_column():
    """The lower left is met first, so it is 1. Queued at the start, by columns: (1, 0), (0, 1),
    (2, 1), (1, 2), which take 1, 2, 1, 2; then the diagonal (0, 0), (1, 1), (2, 2), each between
    a 1 and a 2: dams."""
    assert thinned("001", "000", "100") == [[0, 2, 2], [1, 0, 2], [1, 1, 0]]


# --- simple points and warping -------------------------------------------------------------


def simple(ring):
    """`ring`: the 8 neighbours clockwise from the top, 1 is white."""
    return simple_points.is_simple(sum(int(c) << k for k, c in enumerate(ring)))


def test_simple_points_by_hand():
    assert simple("10000000")  # the end of a line
    assert not simple("00000000")  # a lone pixel: flipping makes or removes an object
    assert not simple("11111111")  # the middle of a cell: flipping makes or fills a hole
    assert not simple("10001000")  # a bridge from top to bottom
    assert not simple("01000000")  # a corner alone does not touch
    assert simple("11000000")  # a corner that hangs on a side
    assert simple("01001000")  # one part touches from below, the corner on top does not count
    assert simple("11111110")  # one black corner: reached diagonally
    assert not simple("11111010")  # black at two corners: white below is joined on one side only
    assert sum(simple_points.simple_table()) == 116
    assert not simple_points.simple_table().flags.writeable


def ring_cell(height, width, top, left, bottom, right):
    """A white line one pixel wide around a rectangle."""
    label = np.zeros((height, width), np.float32)
    label[top, left : right + 1] = label[bottom, left : right + 1] = 1
    label[top : bottom + 1, left] = label[top : bottom + 1, right] = 1
    return label


@pytest.mark.parametrize(
    ("shape", "box", "pixels"),
    [
        ((60, 60), (5, 10, 25, 50), 0),  # the way round stays 20 rows and columns away: one part
        ((60, 60), (5, 10, 26, 50), 1),  # 21 rows below: beyond the window, a split
        ((60, 60), (5, 9, 25, 50), 1),  # 21 columns to the left
        ((60, 60), (5, 10, 25, 51), 1),  # 21 columns to the right
        ((60, 60), (0, 10, 20, 50), 0),  # at the upper edge of the image
        ((20, 60), (0, 4, 18, 55), 1),  # both sides 20 or more: windowed
        ((19, 60), (0, 4, 18, 55), 0),  # a side below 20: the whole image is looked at
        ((60, 19), (1, 0, 50, 18), 0),
        ((60, 20), (1, 0, 50, 18), 1),
    ],
)
def test_the_window_of_a_split(shape, box, pixels):
    """A ring opened at (top, column 30): a split only if the way round is out of sight."""
    label = ring_cell(*shape, *box)
    prediction = label.copy()
    middle = 30 if shape[1] == 60 else 9
    prediction[box[0], middle] = 0
    assert metrics.warping_pixels(label, prediction) == pixels
    # Turned by a quarter, the same counts.
    assert metrics.warping_pixels(label.T.copy(), prediction.T.copy()) == pixels


def test_a_wall_added_costs_a_pixel_and_a_wall_missing_its_length():
    """Two cells of 5 × 2 with a wall of 5. Without the wall every wall pixel touches both cells
    (U = {0, 1, 2} at its ends, {1, 2} and black between... all stay: opening any joins them)."""
    walled = image("1101100", "1101100", "1101100", "1101100", "1101100")
    whole = image("1111100", "1111100", "1111100", "1111100", "1111100")
    # Adding: S = whole shrinks from both ends of the wall until one pixel holds the cells together.
    assert metrics.warping_pixels(whole, walled) == 1
    # Missing: opening any pixel of the wall would join; the rows between see no black neighbour
    # but the wall itself, so U = {0, 1, 2} everywhere: 5 mergers.
    assert metrics.warping_pixels(walled, whole) == 5
    assert metrics.warping_error(walled, whole) == 5 / 35


def test_one_pixel_wide_images():
    """In a row, a black pixel between two cells sees {1, 2} and no black: |U| = 2, a hole by the
    challenge's rule, so this merger costs nothing; in two rows it does."""
    assert metrics.warping_pixels(image("11011"), image("11111")) == 0
    assert metrics.warping_pixels(image("11011", "11011"), image("11111", "11111")) == 2
    # A split: blackened, U = {1, 2} without black, not more than 2 ids.
    assert metrics.warping_pixels(image("11111"), image("11011")) == 0
    # The only pixel of an image has no neighbours: nothing is simple, and it counts.
    assert metrics.warping_pixels(image("0"), image("1")) == 1


def test_objects_and_holes_cost_nothing():
    full, holed = image("11111", "11111", "11111"), image("11111", "11011", "11111")
    empty, dot = np.zeros_like(full), image("00000", "00100", "00000")
    for prediction, label in ((full, holed), (holed, full), (empty, dot), (dot, empty)):
        assert metrics.warping_pixels(label, prediction) == 0
        assert metrics.pixel_error(label, prediction) > 0


def test_an_empty_threshold_wins_the_warping_error():
    """The wall is missing up to 0.5; from 0.5 on nothing is white, and that costs nothing."""
    label = image("1101100", "1101100", "1101100")
    prediction = np.where(image("1111100", "1111100", "1111100") > 0, 0.5, 0).astype(np.float32)
    details = metrics.isbi2012_details(label, prediction)
    assert details["tables"]["warping_pixels"] == [3] * 5 + [0] * 6
    assert details["tables"]["warping_mergers"] == [3] * 5 + [0] * 6
    assert details["tables"]["warping_splits"] == [0] * 11
    assert details["winners"]["warping_pixels"] == details["winners"]["warping_error"] == 0.5
    assert details["winners"]["v_rand"] == details["winners"]["rand_error"] == 0.0
    assert details["warping_at_v_rand"] == {
        "threshold": 0.0,
        "warping_error": 3 / 21,
        "warping_pixels": 3,
        "mergers": 3,
        "splits": 0,
    }
    assert details["scores"]["warping_error"] == 0


def test_warping_leaves_out_the_last_threshold():
    """White at 1.0 everywhere but black at 0.9999999999999999 is impossible, so 0.95: the wall is
    missing at all ten thresholds; at the eleventh nothing is white and the error would be 0."""
    label = image("11011", "11011")
    prediction = np.full((2, 5), 0.95, np.float32)
    assert metrics.warping_pixels(label, prediction) == 2
    details = metrics.isbi2012_details(label, prediction)
    assert details["tables"]["warping_pixels"] == [2] * 10 + [0]
    assert details["scores"]["warping_pixels"] == 2


@pytest.mark.parametrize(
    ("wall", "stuck"), [((0.1, 0.3), 1), ((0.3, 0.1), 0), ((0.2, 0.2), 1), ((0.0, 0.4), 1)]
)
def test_surest_pixels_are_warped_first(wall, stuck):
    """A wall of two pixels is added to a cell of two rows. Whichever is flipped first leaves the
    other as the bridge between the halves: the surest goes first, of equals the upper one."""
    prediction = np.ones((2, 5), np.float32)
    prediction[:, 2] = wall
    warped, rows, columns = warping.warp(np.ones((2, 5), bool), prediction, 0.5)
    assert (rows.tolist(), columns.tolist()) == ([stuck], [2])
    assert warped.sum() == 9
    assert not warped[1 - stuck, 2]


# --- IoU and SEG ---------------------------------------------------------------------------


def test_seg_by_hand():
    """Object 1: 4 pixels, 3 shared with S of 4: 3/5. Object 2: 1 of 2 shared, not more than half:
    0. Mean 3/10."""
    ground_truth = np.array([[1, 1, 0, 2], [1, 1, 0, 2]])
    prediction = np.array([[7, 7, 7, 0], [7, 0, 0, 9]])
    assert metrics.seg(ground_truth, prediction) == pytest.approx(0.3)
    assert metrics.iou(ground_truth, prediction) == pytest.approx(4 / 7)


def test_seg_needs_more_than_half_and_no_background():
    ground_truth = np.array([[1, 1, 1, 1, 1]])
    assert metrics.seg(ground_truth, np.array([[3, 3, 3, 0, 0]])) == pytest.approx(3 / 5)
    mostly_missed = np.array([[3, 3, 0, 0, 0]])  # background holds most of it
    assert metrics.seg(ground_truth, mostly_missed) == 0
    assert metrics.seg(ground_truth, np.array([[3, 3, 3, 4, 4]])) == pytest.approx(3 / 5)
    assert metrics.seg(np.array([[1, 1]]), np.array([[3, 3]])) == 1
    assert metrics.seg(np.array([[1, 1]]), np.array([[3, 4]])) == 0  # exactly half


def test_one_object_of_the_prediction_may_match_two_of_the_ground_truth():
    """A merger: S of 5 covers R of 3 and R of 2: 3/5 and 2/5."""
    assert metrics.seg(np.array([[1, 1, 1, 2, 2]]), np.array([[1] * 5])) == pytest.approx(0.5)


def test_seg_pools_objects_over_annotated_frames():
    """Frame 0: scores 1 and 0, frame 2: score 1; pooled 2/3 (the mean of frames would be 3/4).
    Frame 1 is not annotated: None, or without any object; its prediction may be missing."""
    ground_truth = [np.array([[1, 2]]), None, np.array([[1, 0]]), np.zeros((1, 2), int)]
    prediction = [np.array([[5, 0]]), None, np.array([[300, 0]]), np.array([[1, 1]])]
    assert metrics.seg(ground_truth, prediction) == pytest.approx(2 / 3)
    stack = metrics.seg(np.array([[[1, 2]], [[1, 2]]]), np.array([[[1, 2]], [[1, 1]]]))
    assert stack == pytest.approx(3 / 4)  # 1 and 1, then a merger: 1/2 and 1/2


def test_iou_pools_frames_and_takes_masks():
    ground_truth = [np.array([[True, True]]), None]
    assert metrics.iou(ground_truth, [np.array([[0.0, 255.0]]), None]) == 0.5
    assert metrics.iou(np.zeros((2, 2)), np.zeros((2, 2))) == 1.0
    assert metrics.iou(np.zeros((2, 2)), np.ones((2, 2))) == 0.0
    frames = metrics.iou(np.array([[[1, 0]], [[1, 0]]]), np.array([[[1, 1]], [[1, 0]]]))
    assert frames == pytest.approx(2 / 3)


def test_iou_per_class_by_hand():
    """Class 0: 1 of 3, class 1: 1 of 2, class 2 (only in the ground truth): 0, class 9: 0."""
    prediction, ground_truth = np.array([[0, 0, 1, 9]]), np.array([[0, 1, 1, 2]])
    scores = metrics.iou_per_class(ground_truth, prediction)
    assert scores == {0: pytest.approx(1 / 2), 1: pytest.approx(1 / 2), 2: 0.0, 9: 0.0}
    assert list(scores) == [0, 1, 2, 9]


# --- inputs --------------------------------------------------------------------------------


def test_eight_bit_proposals_are_divided_by_255():
    prediction = np.array([[0, 51, 128], [255, 178, 77]], np.uint8)
    label = image("011", "110")
    scaled = prediction.astype(np.float32) / 255
    assert metrics.isbi2012(label, prediction) == metrics.isbi2012(label, scaled)
    assert inputs.check_prediction(prediction).dtype == np.float32
    assert inputs.check_prediction(prediction)[1, 0] == 1
    assert metrics.pixel_error_rate(np.array([[1, 1]]), np.array([[127, 128]], np.uint8)) == 0.5


def test_other_types_are_taken():
    label = image("0110", "1101")
    expected = metrics.isbi2012(label, label)
    for kind in (bool, np.int64, np.float64, np.float16):
        assert metrics.isbi2012(label.astype(kind), label.astype(kind)) == expected
    assert metrics.isbi2012(label.astype(int).tolist(), label.tolist()) == expected
    big = np.asfortranarray(np.kron(label, np.ones((3, 3))))[::-1]
    assert metrics.isbi2012(big, big) == metrics.isbi2012(big.copy(), big.copy())


def test_a_stack_of_one_is_a_slice():
    label, prediction = case_e()
    assert metrics.isbi2012(label[None], prediction[None]) == metrics.isbi2012(label, prediction)


def test_the_arguments_are_not_changed():
    label, prediction = case_e()
    kept = prediction.copy(), label.copy()
    metrics.isbi2012(label, prediction)
    assert np.array_equal(prediction, kept[0])
    assert np.array_equal(label, kept[1])


OK = np.zeros((2, 3), np.float32)


def one(value, others=0.0):
    """A single wrong value in the middle of right ones."""
    array = np.full((2, 3), others, np.float32)
    array[1, 1] = value
    return array


RANGE = r"prediction must be probabilities in 0..1, uint8, or a mask of 0 and 1, 255 or 65535, got "
TO_PROBABILITIES = "fractions, as of probabilities: "
ORDER = r"the order is \(ground_truth, prediction\)"
BAD_PAIRS = [
    (OK, one(1.5), RANGE + "0 to 1.5"),
    (OK, one(-0.25, 1), RANGE + "-0.25 to 1"),
    (OK, one(np.nan), r"prediction must be probabilities in 0..1, got 1 NaN"),
    (OK, OK + 1.5, RANGE + "1.5 to 1.5"),
    (OK, OK - 0.25, RANGE + "-0.25 to -0.25"),
    (OK, OK + np.nan, "prediction must be probabilities in 0..1, got 6 NaN"),
    (OK, OK + np.inf, RANGE + "inf to inf"),
    (OK, np.full((2, 3), 1e300), RANGE + "inf to inf"),  # beyond float32
    (OK, np.full((2, 3), 254), RANGE + f"254 to 254 in int64, as of labels: {ORDER}"),
    (OK, np.zeros(3), r"prediction must be \(H, W\) or \(Z, H, W\), got shape \(3,\)"),
    (OK, np.zeros((1, 1, 1, 1)), r"prediction must be \(H, W\) .*, got shape \(1, 1, 1, 1\)"),
    (OK, np.zeros((0, 3)), r"prediction must hold at least one pixel, got shape \(0, 3\)"),
    (OK, OK.astype(complex), "prediction must hold booleans or real .*, got dtype complex128"),
    (OK, np.array([["a"]]), "prediction must hold booleans or real numbers, got dtype <U1"),
    (OK, np.ma.masked_equal(OK + 1, 1), "prediction must not be masked, got 6 masked elements.*"),
    (OK, [[1, 0], [1]], "prediction must be an array, got sequences of unequal lengths"),
    (one(-1, 4), OK, r"ground_truth must not be negative \(0 is background\), got -1"),
    (OK - 1, OK, r"ground_truth must not be negative \(0 is background\), got -1"),
    (np.full((2, 3), -2, np.int8), OK, "ground_truth must not be negative .*, got -2"),
    (one(0.5, 1), OK, f"ground_truth must hold whole numbers, got {TO_PROBABILITIES}{ORDER}"),
    (OK + 0.5, OK, f"ground_truth must hold whole numbers, got {TO_PROBABILITIES}{ORDER}"),
    (one(1.5, 1), OK, "ground_truth must hold whole numbers, got fractions or NaN"),
    (one(np.nan, 1), OK, "ground_truth must hold whole numbers, got fractions or NaN"),
    (one(np.inf, 1), OK, "ground_truth must hold whole numbers, got fractions or NaN"),
    (OK + np.nan, OK, "ground_truth must hold whole numbers, got fractions or NaN"),
    (OK + np.inf, OK, "ground_truth must hold whole numbers, got fractions or NaN"),
    (
        one(2.0**53, 1),
        OK,
        r"ground_truth as floats must stay below 2\*\*53, got 9007199254740992.0",
    ),
    (np.zeros(3), OK, r"ground_truth must be \(H, W\) or \(Z, H, W\), got shape \(3,\)"),
    (np.zeros((2, 0)), OK, r"ground_truth must hold at least one pixel, got shape \(2, 0\)"),
    (np.zeros((3, 2)), OK, r"ground_truth and prediction must .*, got \(3, 2\) and \(2, 3\)"),
    (OK, OK[None], r"ground_truth and prediction must .*, got \(2, 3\) and \(1, 2, 3\)"),
]


@pytest.mark.parametrize(("labels", "prediction", "message"), BAD_PAIRS)
def test_bad_membranes_are_refused_in_one_line(labels, prediction, message):
    for name in ("isbi2012", "pixel_error", "v_rand", "v_info_thinned", "warping_error"):
        with pytest.raises(ValueError, match=f"^{message}$") as caught:
            getattr(metrics, name)(labels, prediction)
        assert "\n" not in str(caught.value)


def test_the_ends_of_the_range_are_probabilities():
    ends = np.array([[0.0, 1.0, 0.5]])
    assert inputs.check_prediction(ends).tolist() == ends.tolist()
    assert inputs.check_ground_truth(np.array([[0.0, 7.0]])).dtype == np.int64
    assert inputs.check_ground_truth(np.array([[True, False]])).dtype == bool


def test_rounding_past_the_ends_is_forgiven():
    """A float64 softmax may give 1.0000000000000002; as float32 it is 1."""
    prediction = np.array([[1 + 1e-12, -1e-60]])
    assert metrics.pixel_error(np.array([[1, 0]]), prediction) == 0


MAP = np.array([[1, 0]])
BAD_MAPS = [
    ([MAP, MAP], [MAP], "ground_truth and prediction must have as many frames, got 2 and 1"),
    ([MAP, MAP], [MAP, None], f"prediction frame 1 is missing, and ground_truth has it: {ORDER}"),
    (MAP.T, MAP, r"ground_truth frame 0 and prediction frame 0 must .*\(2, 1\) and \(1, 2\)"),
    ([MAP, MAP], [MAP, MAP.T], "ground_truth frame 1 and prediction frame 1 must have the same.*"),
    (MAP, MAP - 1, r"prediction must not be negative \(0 is background\), got -1"),
    ([MAP - 2], [MAP], r"ground_truth frame 0 must not be negative .*, got -2"),
    (MAP, MAP * 0.5, f"prediction must hold whole numbers, got {TO_PROBABILITIES}{ORDER}"),
    (MAP * 0.5, MAP, f"ground_truth must hold whole numbers, got {TO_PROBABILITIES}{ORDER}"),
    (MAP, MAP * 1.5, "prediction must hold whole numbers, got fractions or NaN"),
    (np.zeros((0, 2)), MAP, r"ground_truth must hold at least one pixel, got shape \(0, 2\)"),
    ([MAP], [MAP[None]], r"prediction frame 0 must be \(H, W\), got shape \(1, 1, 2\)"),
    (MAP, np.array(["a"]), "prediction must be bool or whole numbers, got dtype <U1"),
    (MAP, np.ma.masked_equal(MAP, 1), "prediction must not be masked, got 1 masked elements.*"),
]


@pytest.mark.parametrize(("ground_truth", "prediction", "message"), BAD_MAPS)
def test_bad_maps_are_refused_in_one_line(ground_truth, prediction, message):
    for score in (metrics.seg, metrics.iou, metrics.iou_per_class):
        with pytest.raises(ValueError, match=f"^{message}$") as caught:
            score(ground_truth, prediction)
        assert "\n" not in str(caught.value)


def test_seg_without_any_annotation_is_refused():
    nothing = np.zeros((1, 2), int)
    for ground_truth in ([None], [nothing], nothing):
        with pytest.raises(
            ValueError,
            match="^ground_truth must have at least one annotated frame with an object, got none$",
        ):
            metrics.seg(ground_truth, [MAP])


# --- a real slice --------------------------------------------------------------------------


def test_a_real_slice():
    """A label scored against itself is perfect, and shifted by a pixel it warps back."""
    if not (DATA / "train-labels.tif").exists():
        pytest.skip("the challenge's slices are not at ../shared/data/isbi2012")
    tifffile = pytest.importorskip("tifffile")
    label = tifffile.imread(DATA / "train-labels.tif", key=20)
    scores = metrics.isbi2012(label, label)
    for key in KEYS:
        assert scores[key] == pytest.approx(1.0 if key.startswith("v_") else 0.0, abs=1e-12)
    shifted = metrics.isbi2012(label, np.roll(label, 1, axis=1))
    assert shifted["pixel_error_rate"] > 0.03
    assert shifted["warping_pixels"] < 0.01 * shifted["pixel_error_rate"] * label.size
    assert shifted["v_rand_thinned"] > 0.9
