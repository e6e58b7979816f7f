"""What the scores make of their arguments: their order, masks, large numbers, and the results."""

import json

import numpy as np
import pytest

from tinyunet import metrics
from tinyunet.metrics import inputs, isbi, mismatches, overlap, rand, regions, thinning, warping
from tinyunet.metrics.overlap import Overlap

MEMBRANES = (
    metrics.isbi2012,
    metrics.pixel_error,
    metrics.pixel_error_rate,
    metrics.v_rand,
    metrics.v_info_thinned,
    metrics.warping_error,
)
CELLS = (metrics.iou, metrics.iou_per_class, metrics.seg, metrics.parted_pairs)


def smooth(rng, shape):
    """Probabilities with few whole numbers among them."""
    return np.clip(rng.normal(0.5, 0.3, shape), 0, 1)


# --- the order of the arguments ------------------------------------------------------------------


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("score", MEMBRANES, ids=lambda score: score.__name__)
def test_probabilities_as_ground_truth_are_a_swap(score, kind, rng):
    probabilities, labels = smooth(rng, (9, 8)).astype(kind), rng.integers(0, 2, (9, 8))
    score(labels, probabilities)
    with pytest.raises(ValueError, match=r"^ground_truth .*the order is \(ground_truth, predict"):
        score(probabilities, labels)


@pytest.mark.parametrize("score", MEMBRANES, ids=lambda score: score.__name__)
def test_labels_as_prediction_are_a_swap(score, rng):
    labels = rng.integers(0, 9, (9, 8))
    with pytest.raises(ValueError, match=r"^prediction .* got 0 to 8 in int64, as of labels: the"):
        score(rng.integers(0, 2, (9, 8)), labels)


def test_eight_bit_probabilities_as_ground_truth_are_a_swap(rng):
    probabilities = np.round(255 * smooth(rng, (60, 70))).astype(np.uint8)
    labels = rng.integers(0, 2, (60, 70))
    metrics.pixel_error(labels, probabilities)
    with pytest.raises(ValueError, match=r"^ground_truth looks like an image .*the order is \("):
        metrics.pixel_error(probabilities, labels)


@pytest.mark.parametrize("score", CELLS, ids=lambda score: score.__name__)
def test_probabilities_are_no_label_maps(score, rng):
    cells, probabilities = rng.integers(0, 4, (9, 8)), smooth(rng, (9, 8))
    for name, pair in (
        ("ground_truth", (probabilities, cells)),
        ("prediction", (cells, probabilities)),
    ):
        with pytest.raises(ValueError, match=rf"^{name} must hold whole numbers.*the order is \("):
            score(*pair)


def test_a_frame_that_only_the_prediction_lacks_may_be_a_swap():
    cells = np.array([[1, 0]])
    with pytest.raises(ValueError, match=r"^prediction frame 1 is missing.*the order is \(groun"):
        metrics.seg([cells, cells], [cells, None])
    assert metrics.seg([cells, None], [cells, cells]) == 1


# --- masks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("top", [1, 255])
@pytest.mark.parametrize("dtype", ["u1", "u2", "i4", "i8", "f4", "f8", "?"])
def test_a_mask_is_a_mask_in_every_dtype(dtype, top, rng):
    labels = rng.integers(0, 2, (2, 9, 8))
    other = rng.integers(0, 2, labels.shape)
    prediction = (other * top).astype(dtype)
    assert metrics.pixel_error_rate(labels, prediction) == (labels != other).mean()
    assert metrics.isbi2012(labels, prediction) == metrics.isbi2012(labels, other > 0)
    assert metrics.pixel_error_rate(labels, (labels * top).astype(dtype)) == 0


def test_eight_bits_are_probabilities_as_soon_as_they_hold_another_value():
    stack = np.array([[0, 1, 2]], np.uint8)
    assert inputs.check_prediction(stack).tolist() == (stack / np.float32(255)).tolist()
    assert inputs.check_prediction(stack[:, :2]).tolist() == [[0, 1]]
    stack = np.array([[0, 254, 255]], np.uint8)
    assert inputs.check_prediction(stack)[0, 1] == np.float32(254) / np.float32(255)


@pytest.mark.parametrize("dtype", ["u2", "i4", "u8", "f4"])
def test_a_mask_of_16_bits_is_a_mask(dtype, rng):
    labels, other = rng.integers(0, 2, (2, 2, 9, 8))
    prediction = (other * 65535).astype(dtype)
    assert metrics.isbi2012(labels, prediction) == metrics.isbi2012(labels, other)
    assert metrics.pixel_error_rate(labels, prediction) == (labels != other).mean()


def test_infinity_in_float16_is_no_mask():
    """65535 is infinity there."""
    with pytest.raises(ValueError, match=r"^prediction must be probabilities .* got 0 to inf$"):
        inputs.check_prediction(np.array([[0, np.inf]], np.float16))


@pytest.mark.parametrize("dtype", ["u1", "f8"])
def test_what_numbers_mean_is_decided_for_all_slices_of_a_list(dtype, rng):
    """A slice may hold only 0 and 1 of 255, or only 0 and 1.0, by chance."""
    labels = rng.integers(0, 2, (2, 9, 8))
    stack = rng.integers(0, 256, labels.shape)
    stack[0] %= 2
    stack = stack.astype(dtype) / (1 if dtype == "u1" else 255)
    stack = stack.astype(dtype)
    assert isbi.isbi2012_details(list(labels), list(stack)) == isbi.isbi2012_details(labels, stack)


def test_slices_of_a_list_may_be_masks_beside_probabilities_of_another_dtype(rng):
    labels = rng.integers(0, 2, (2, 9, 8))
    pages = [labels[0].astype(np.uint8), labels[1] * 0.8 + 0.1]
    assert isbi.isbi2012_details(list(labels), pages).scores.pixel_error_rate == 0


@pytest.mark.parametrize(
    ("truth", "predicted", "message"),
    [
        (0, 0, "^ground_truth must hold at least one slice, got none$"),
        (1, 2, "^ground_truth and prediction must have as many slices, got 1 and 2$"),
        (2, 0, "^ground_truth and prediction must have as many slices, got 2 and 0$"),
    ],
)
def test_lists_without_slices_or_of_unequal_length_are_refused(truth, predicted, message):
    page = np.eye(4, dtype=np.uint8)
    with pytest.raises(ValueError, match=message):
        isbi.isbi2012_details([page] * truth, [page] * predicted)


# --- widths --------------------------------------------------------------------------------------


def test_squares_of_pixels_are_counted_in_64_bits():
    """A cell of 100,000 pixels has 10¹⁰ pairs; a slice has up to 2³¹ pixels."""
    many = 2**31 - 1
    table = Overlap(*np.array([[1, 1, 2], [1, 0, 2], [many, 5, 100_000]], np.int64))
    terms = rand.rand_terms(table)
    assert terms.dtype == np.int64
    assert terms.tolist() == [
        many**2 + 100_000**2 + 5,
        many**2 + 100_000**2 + 5,
        (many + 5) ** 2 + 100_000**2,
    ]


def test_stacks_are_pooled_beyond_64_bits():
    """Three slices, each one cell of 2³¹ − 1 pixels that lost a quarter."""
    whole = (2**31 - 1) ** 2
    terms = np.array([[[whole // 4 * 3, whole // 4 * 3, whole]]] * 3, np.int64)
    assert 3 * whole > 2**63
    assert rand.pooled_scores(terms) == pytest.approx([2 * 0.75 / 1.75], rel=1e-12)
    assert rand.pooled_scores(terms) == pytest.approx(rand.mean_scores(terms), rel=1e-12)


def test_overlaps_are_as_wide_as_an_index():
    ids = np.array([[1, 1, 0, 2]], np.int32)
    table = overlap.count_overlaps(overlap.group_pixels(ids, 2), ids, 2)
    assert [part.dtype for part in table] == [np.dtype(np.intp)] * 3
    assert [part.tolist() for part in table] == [[1, 2], [1, 2], [2, 1]]


def test_the_tables_of_a_sweep_are_64_bits():
    label = np.array([[True, False, True]])
    sweep = isbi._sweep_slice(label, label.astype(np.float32))
    for name in ("pixels", "rand", "rand_thinned", "warping", "wrong", "size"):
        assert getattr(sweep, name).dtype == np.int64, name


def test_queues_are_as_wide_as_an_index(monkeypatch):
    """A slice of one row and 2³¹ − 1 pixels has three times as many places with its frame."""
    given = {}

    def noting(name, kernel):
        def run(*arguments):
            given[name] = arguments
            return kernel(*arguments)

        return run

    for module, name in ((thinning, "_flood"), (mismatches, "_classify")):
        monkeypatch.setattr(module, name, noting(name, getattr(module, name)))
    label = np.array([[1, 1, 0, 1, 1]] * 2)
    metrics.isbi2012(label, np.full(label.shape, 0.95))
    queues = [given["_flood"][1], given["_classify"][6], given["_classify"][8]]
    assert [queue.dtype for queue in queues] == [np.dtype(np.intp)] * 3


@pytest.mark.parametrize("score", [metrics.pixel_error, metrics.seg, metrics.touching_pairs])
def test_a_slice_that_32_bits_cannot_number_is_refused(score):
    """By its shape, before anything is allocated: these views hold one pixel."""
    huge = np.broadcast_to(np.zeros((1, 1), np.uint8), (2**16, 2**15))
    arguments = (huge,) if score is metrics.touching_pairs else (huge, huge)
    with pytest.raises(ValueError, match=r"must hold at most 2\*\*31 - 1 pixels an image, got"):
        score(*arguments)


# --- many cells ----------------------------------------------------------------------------------


def tiny_cells(count):
    """`count` cells of 2 × 2 pixels with a pixel of background between."""
    across = int(np.ceil(np.sqrt(count)))
    numbers = np.arange(1, across * across + 1).reshape(across, across)
    numbers[numbers > count] = 0
    return np.kron(numbers, np.array([[1, 1, 0], [1, 1, 0], [0, 0, 0]])).astype(np.int32)


def test_seg_of_more_cells_than_16_bits_number():
    cells = tiny_cells(70_000)
    moved = np.roll(cells, 1, axis=1)  # shares 2 of 4 pixels with each: not more than half
    assert metrics.seg(cells, cells) == 1
    assert metrics.seg(cells, moved) == 0
    merged = (cells > 0).astype(int)
    assert metrics.seg(cells, merged) == pytest.approx(1 / 70_000)
    assert metrics.parted_pairs(cells, merged) == (0, 0)
    assert len(metrics.iou_per_class(cells, cells)) == 70_001


@pytest.mark.parametrize("seed", range(12))
def test_seg_equals_its_definition(seed):
    """Object by object with masks, on maps that touch, miss and merge; any dtypes."""
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 12, 2))
    truth = rng.integers(0, 5, shape).astype([np.uint8, np.int64, np.uint64, np.int16][seed % 4])
    prediction = np.where(rng.random(shape) < 0.7, truth * 3, rng.integers(0, 9, shape))
    expected, matches = {}, {}
    for number in np.unique(truth[truth > 0]):
        inside = truth == number
        matches[number] = 0
        expected[number] = 0.0
        for other in np.unique(prediction[prediction > 0]):
            shared = np.count_nonzero(inside & (prediction == other))
            if 2 * shared > inside.sum():
                matches[number] = other
                expected[number] = shared / np.count_nonzero(inside | (prediction == other))
    assert regions.match_objects(truth, prediction) == matches
    assert regions.seg_of_objects(truth, prediction) == expected
    if expected:
        assert metrics.seg(truth, prediction) == sum(expected.values()) / len(expected)


def test_numbers_of_64_bits_and_masks_are_objects():
    large = np.array([[2**63 + 1, 2**63 + 3, 0]], np.uint64)
    assert regions.match_objects(large, large) == {2**63 + 1: 2**63 + 1, 2**63 + 3: 2**63 + 3}
    mask = np.array([[True, False]])
    assert regions.seg_of_objects(mask, mask) == {1: 1.0}
    assert all(type(key) is int for key in metrics.iou_per_class(mask, mask))


# --- thresholds ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wall", "pixels", "wins"),
    [
        (0.85, 0, 0.8999999999999999),  # the wall is there at 0.9 alone: the tenth threshold counts
        (0.95, 2, 0.0),  # there at 1.0 alone, which does not
    ],
)
def test_the_last_threshold_of_the_warping_error_is_the_tenth(wall, pixels, wins):
    label = np.array([[1, 1, 0, 1, 1]] * 2)
    prediction = np.where(label > 0, 1.0, wall)
    assert metrics.warping_pixels(label, prediction) == pixels
    assert metrics.warping_error(label, prediction) == pixels / 10
    assert metrics.isbi2012_details(label, prediction).winners["warping_error"] == wins
    assert warping.judged_thresholds() == inputs.thresholds()[:10]


# --- results -------------------------------------------------------------------------------------


def test_scores_are_attributes_and_items():
    label = np.array([[1, 1, 0, 1]])
    scores = metrics.isbi2012(label, label)
    assert scores.v_rand == scores["v_rand"] == dict(scores)["v_rand"] == 1.0
    assert scores == scores.to_dict() == dict(**scores)
    assert len(scores) == 9
    assert repr(scores).startswith("Scores(pixel_error=0.0, rand_error=0.0, warping_error=0.0, ")
    with pytest.raises(KeyError, match="wrong_pixels"):
        scores["wrong_pixels"]
    with pytest.raises(KeyError, match="to_dict"):
        scores["to_dict"]
    with pytest.raises(AttributeError):
        scores.v_rand = 0.5


def test_a_report_travels_as_json_and_shows_what_matters():
    labels, prediction = np.array([[[1, 0, 1]]] * 2), np.array([[[1, 0.25, 1]]] * 2)
    report = metrics.isbi2012_details(labels, prediction)
    assert json.loads(json.dumps(report.to_dict())) == report.to_dict()
    assert list(report) == [
        "thresholds",
        "scores",
        "winners",
        "warping_at_v_rand",
        "tables",
        "slices",
    ]
    assert [part.slices for part in report.slices] == [[], []]
    assert report.slices[0].thresholds == report.thresholds == inputs.thresholds()
    assert "scores=Scores(" in repr(report)
    assert "tables" not in repr(report)
    assert "slices=" not in repr(report)


def test_parted_pairs_are_named():
    cells = np.array([[1, 2]])
    assert repr(metrics.parted_pairs(cells, cells)) == "PartedPairs(parted=1, touching=1)"
