"""Which scores and weight maps do not change when the picture is turned or its cells renumbered.

The square has eight symmetries (`predict.dihedral`). By their definitions (lessons/12-scores.md):

- pixel error, Rand error, V_Rand, V_info, IoU and SEG ask only which pixels belong together, so
  all eight leave them as they are. Sums in another order may round otherwise.
- the warping walks through the wrong pixels from the surest to the least sure. Where no two are
  equally sure all eight leave it as it is (images below 20 pixels: above, a window of 41×41 round
  each pixel is judged, which is symmetric too). Equals are taken column by column: then only the
  result's meaning, not its number, survives a turn.
- the thinned scores flood column by column and grow dams where fronts meet: they change with any
  turn, and the test says so.
- IoU and SEG do not see which number a cell has. The ISBI scores do not see which number above 0 a
  label has, but cells that touch would be one for them.
- the weight map (equation 2) sees neither numbers nor directions; equal to the last bit.

`pytest -m slow tests/test_properties_symmetry.py` tries many more cases.
"""

import warnings

import numpy as np
import pytest
from hypothesis import assume
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from properties import holds_for, many_more, seeds

from tinyunet import metrics
from tinyunet.inference.predict import dihedral
from tinyunet.metrics.inputs import thresholds
from tinyunet.weight_map import find_instances, separate_touching, two_nearest_distances, weight_map

versions = st.integers(1, 7)
sizes = st.tuples(st.integers(1, 19), st.integers(1, 19))


def blobs(rng, shape, smooth):
    """Random numbers in 0..1, neighbours alike where `smooth`; no two equal."""
    field = rng.random(shape)
    if smooth:
        for axis in (-1, -2):
            field = field + np.roll(field, 1, axis) + np.roll(field, -1, axis)
    ranks = field.ravel().argsort().argsort().reshape(shape)
    return ((ranks + rng.uniform(0.2, 0.8, shape)) / field.size).astype(np.float32)


def pictures(seed, size, pages, smooth=True):
    """(labels, prediction) of a stack: cells of any values 1 to 3 on 0, and probabilities."""
    rng = np.random.default_rng(seed)
    ground_truth = blobs(rng, (pages, *size), smooth)
    labels = np.where(ground_truth > 0.4, rng.integers(1, 4, ground_truth.shape), 0)
    prediction = np.clip(0.7 * ground_truth + 0.3 * blobs(rng, (pages, *size), False), 0, 1)
    return labels, prediction.astype(np.float32)


def no_equals(prediction):
    """Whether no two pixels of a slice are equally far from any threshold."""
    for page in prediction:
        for t in thresholds():
            far = np.abs(page - np.float32(t)).ravel()
            if len(np.unique(far)) < far.size:
                return False
    return True


@holds_for(seed=seeds, size=sizes, pages=st.integers(1, 3), version=versions)
def test_scores_of_pixels_and_segments_do_not_change_with_a_turn(seed, size, pages, version):
    labels, prediction = pictures(seed, size, pages)
    # one object, or none, has an entropy of 0 that rounding may miss: METRICS calls it 0 or NaN
    assume((labels > 0).any() and (labels == 0).any())
    before = metrics.isbi2012_details(labels, prediction).tables
    after = metrics.isbi2012_details(
        dihedral(labels, version), dihedral(prediction, version)
    ).tables
    for name in ("pixel_f_score", "v_rand"):
        assert_allclose(after[name], before[name], rtol=1e-12)
    both = np.array([before["v_info"], after["v_info"]])
    sound = (both > 1e-6).all(axis=0)
    assert_allclose(both[1][sound], both[0][sound], rtol=1e-9)
    assert metrics.pixel_error_rate(dihedral(labels, version), dihedral(prediction, version)) == (
        metrics.pixel_error_rate(labels, prediction)
    )


@holds_for(seed=seeds, size=sizes, version=versions, smooth=st.booleans())
def test_warping_does_not_change_with_a_turn_where_no_two_pixels_are_equally_sure(
    seed, size, version, smooth
):
    labels, prediction = pictures(seed, size, 1, smooth)
    assume(no_equals(prediction))
    before = metrics.isbi2012_details(labels, prediction).tables
    after = metrics.isbi2012_details(
        dihedral(labels, version), dihedral(prediction, version)
    ).tables
    for name in ("warping_pixels", "warping_mergers", "warping_splits"):
        assert after[name] == before[name]


@pytest.mark.parametrize("version", range(1, 8))
def test_thinned_scores_do_change_with_a_turn(version):
    """Their flooding goes column by column: a claim of symmetry would be wrong."""
    labels, prediction = pictures(3, (19, 17), 1, smooth=False)
    before = metrics.isbi2012_details(labels, prediction).tables
    after = metrics.isbi2012_details(
        dihedral(labels, version), dihedral(prediction, version)
    ).tables
    for name in ("v_rand_thinned", "v_info_thinned"):
        assert not np.allclose(before[name], after[name], rtol=1e-6, equal_nan=True)


@holds_for(seed=seeds, size=sizes, pages=st.integers(1, 3), value=st.sampled_from([2, 255, 9]))
def test_isbi_scores_see_only_whether_a_label_is_above_zero(seed, size, pages, value):
    labels, prediction = pictures(seed, size, pages)
    assume((labels > 0).any())
    assert_same_scores(
        metrics.isbi2012(labels, prediction), metrics.isbi2012((labels > 0) * value, prediction)
    )


def assert_same_scores(one, other):
    for name, value in one.items():
        assert_array_equal(value, other[name], err_msg=name)


def cells(rng, size, count):
    """A label map of rectangles of numbers 1 to `count` over one another; some may be gone."""
    labels = np.zeros(size, np.int32)
    for number in range(1, count + 1):
        top, left = (int(rng.integers(0, n)) for n in size)
        tall, wide = rng.integers(1, 9, 2)
        labels[top : top + tall, left : left + wide] = number
    return labels


def renumbered(rng, labels):
    """The same cells under other numbers from 1 to 999; 0 stays."""
    table = np.concatenate([[0], 1 + rng.permutation(999)])
    return table[labels].astype(np.int32)


two_maps = {
    "seed": seeds,
    "size": st.tuples(st.integers(1, 24), st.integers(1, 24)),
    "count": st.integers(1, 8),
}


@holds_for(**two_maps, version=versions)
def test_iou_and_seg_do_not_change_with_a_turn_or_with_other_numbers(seed, size, count, version):
    rng = np.random.default_rng(seed)
    ground_truth = cells(rng, size, count)
    prediction = np.where(rng.random(size) < rng.random(), ground_truth, cells(rng, size, count))
    for prediction2, ground_truth2 in (
        (dihedral(prediction, version), dihedral(ground_truth, version)),
        (renumbered(rng, prediction), renumbered(rng, ground_truth)),
    ):
        assert metrics.iou(ground_truth2, prediction2) == metrics.iou(ground_truth, prediction)
        assert_allclose(
            metrics.seg(ground_truth2, prediction2),
            metrics.seg(ground_truth, prediction),
            rtol=1e-12,
        )
    per_class = metrics.iou_per_class(ground_truth, prediction)
    assert (
        metrics.iou_per_class(dihedral(ground_truth, version), dihedral(prediction, version))
        == per_class
    )
    # here the numbers are classes: they travel along
    moved = metrics.iou_per_class(5 * ground_truth, 5 * prediction)
    assert moved == {5 * c: score for c, score in per_class.items()}
    assert metrics.seg(ground_truth, ground_truth) == metrics.iou(ground_truth, ground_truth) == 1


@holds_for(**two_maps)
def test_swapping_ground_truth_and_prediction_keeps_the_overlap(seed, size, count):
    rng = np.random.default_rng(seed)
    a, b = cells(rng, size, count), cells(rng, size, count)
    assert metrics.iou(b, a) == metrics.iou(a, b)
    assert metrics.iou_per_class(b, a) == metrics.iou_per_class(a, b)
    assert 0 <= metrics.seg(b, a) <= 1


@holds_for(**two_maps, version=versions, balance=st.booleans(), masked=st.booleans())
def test_the_weight_map_sees_neither_numbers_nor_directions(
    seed, size, count, version, balance, masked
):
    rng = np.random.default_rng(seed)
    labels = cells(rng, size, count)
    valid = rng.random(size) < 0.9 if masked else None
    options = {"balance": balance, "instances": True}
    weights = weight_map(labels, valid=valid, **options)
    assert_array_equal(weight_map(renumbered(rng, labels), valid=valid, **options), weights)
    turned_valid = None if valid is None else dihedral(valid, version)
    again = weight_map(dihedral(labels, version), valid=turned_valid, **options)
    assert_array_equal(again, dihedral(weights, version))
    # transposed, too, and a stack is a pile of single maps
    assert_array_equal(weight_map(labels.T, **options), weight_map(labels, **options).T)
    stack = weight_map(np.stack([labels, labels[::-1]]), **options)
    assert_array_equal(stack[1], stack[0][::-1])


@holds_for(**two_maps, version=versions, size_of=st.floats(0.5, 8), w0=st.floats(0, 20))
def test_the_border_term_is_linear_in_w0_and_lies_on_the_background(
    seed, size, count, version, size_of, w0
):
    labels = cells(np.random.default_rng(seed), size, count)
    one, flat, scaled = (
        weight_map(labels, w0=w, sigma=size_of, instances=True).astype("f8") for w in (1, 0, w0)
    )
    assert (one >= flat).all()
    assert_array_equal(one[labels > 0], flat[labels > 0])
    assert_allclose(scaled - flat, w0 * (one - flat), rtol=0, atol=1e-6 * (1 + w0 + flat.max()))


@holds_for(**two_maps, version=versions)
def test_distances_turn_with_the_picture_and_do_not_see_numbers(seed, size, count, version):
    rng = np.random.default_rng(seed)
    labels = cells(rng, size, count)
    d1, d2 = two_nearest_distances(labels, instances=True)
    for other, expected in (
        (dihedral(labels, version), (dihedral(d1, version), dihedral(d2, version))),
        (renumbered(rng, labels), (d1, d2)),
    ):
        assert_array_equal(two_nearest_distances(other, instances=True), expected)
    assert (d1 <= d2).all()
    assert_array_equal(d1 == 0, labels > 0)


def part(labels, width):
    """`separate_touching` without its warning of cells that are cut away all but one pixel."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return separate_touching(labels, width)


@holds_for(**two_maps, version=versions, width=st.integers(0, 3))
def test_the_cut_between_touching_cells_turns_with_the_picture(seed, size, count, version, width):
    rng = np.random.default_rng(seed)
    labels = cells(rng, size, count)
    parted = part(labels, width)
    assert_array_equal(parted[parted > 0], labels[parted > 0])  # pixels are only taken away
    # An odd width takes one pixel more from the larger cell, and of equals from the larger number;
    # cells that would vanish are asked by number which may keep a pixel.
    numbers, sizes = np.unique(labels[labels > 0], return_counts=True)
    left = [(parted == number).sum() for number in numbers]
    if min(left, default=2) > 1 and (width % 2 == 0 or len(np.unique(sizes)) == len(sizes)):
        assert_array_equal(part(renumbered(rng, labels), width) > 0, parted > 0)
    # a cell that would vanish keeps one pixel, the first of equals: that one may lie elsewhere
    again = dihedral(part(dihedral(labels, version), width), _back(version))
    kept = [n for n in range(1, count + 1) if (parted == n).sum() > 1]
    for number in kept:
        assert_array_equal(again == number, parted == number)


def _back(version):
    """The symmetry that undoes `version`: a flip undoes itself, a turn the other way round."""
    return version if version >= 4 else -version % 4


@holds_for(**two_maps, version=versions)
def test_the_connected_parts_of_a_mask_turn_with_it(seed, size, count, version):
    rng = np.random.default_rng(seed)
    mask = rng.random(size) < 0.6
    parts = find_instances(mask)
    again = dihedral(find_instances(dihedral(mask, version)), _back(version))
    assert parts.max(initial=0) == again.max(initial=0)
    pairs = np.unique(np.stack([parts, again]).reshape(2, -1), axis=1)  # one to one
    assert pairs.shape[1] == len(np.unique(parts)) == len(np.unique(again))


test_many_more_cases = many_more(globals())
