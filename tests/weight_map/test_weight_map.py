"""Equation 2 against brute force: `tinyunet/weight_map/` (lesson 08)."""

import math
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyunet.images.instances import (
    connected_components,
    looks_like_image,
    number_parts,
)
from tinyunet.weight_map import class_weights, find_instances, two_nearest_distances, weight_map
from tinyunet.weight_map import reference as plain
from tinyunet.weight_map.distances import ENDLESS, NOBODY, nearest_in_rows, two_nearest_squares
from tinyunet.weight_map.equation2 import VANISHES, reach_of_border

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


def brute_force(cells):
    """d1 and d2 by visiting every pixel of every cell: no transform, no cleverness."""
    distances = []
    for cell in np.unique(cells[cells != 0]):
        rows, columns = np.nonzero(cells == cell)
        y, x = np.indices(cells.shape)
        squares = (y[..., None] - rows) ** 2 + (x[..., None] - columns) ** 2
        distances.append(np.sqrt(squares.min(axis=-1)))
    distances += [np.full(cells.shape, np.inf)] * 2
    return np.sort(np.stack(distances), axis=0)[:2]


def by_the_formula(cells, w0, sigma, balance):
    d1, d2 = brute_force(cells)
    background, foreground = 1.0, 1.0
    if balance and cells.any() and not cells.all():
        background = cells.size / (2 * np.sum(cells == 0))
        foreground = cells.size / (2 * np.sum(cells != 0))
    return np.where(
        cells != 0, foreground, background + w0 * np.exp(-((d1 + d2) ** 2) / (2 * sigma**2))
    )


def random_cells(rng, height, width, cells, cover):
    labels = rng.integers(1, cells + 1, (height, width)) * 7
    return np.where(rng.random((height, width)) < cover, labels, 0).astype(np.int32)


def blobs(rng, height, width, cells):
    """Discs of different cells, some touching, some cut by the edge."""
    labels = np.zeros((height, width), np.int32)
    y, x = np.indices(labels.shape)
    for cell in range(1, cells + 1):
        cy, cx, radius = rng.uniform(0, height), rng.uniform(0, width), rng.uniform(1, 9)
        labels[(y - cy) ** 2 + (x - cx) ** 2 < radius**2] = cell
    return labels


@given(st.integers(0, 2**32 - 1), st.integers(1, 23), st.integers(1, 23), st.integers(1, 6))
@settings(max_examples=150, deadline=None)
def test_distances_equal_brute_force(seed, height, width, cells):
    rng = np.random.default_rng(seed)
    labels = random_cells(rng, height, width, cells, rng.choice([0.02, 0.1, 0.5, 1.0]))
    d1, d2 = two_nearest_distances(labels, instances=True)
    expected1, expected2 = brute_force(labels)
    np.testing.assert_array_equal(d1, expected1)
    np.testing.assert_array_equal(d2, expected2)
    assert d1.dtype == d2.dtype == np.float64


@pytest.mark.parametrize(("shape", "cells"), [((61, 90), 40), ((90, 61), 9), ((40, 130), 3)])
@pytest.mark.parametrize("balance", [True, False])
def test_map_equals_the_formula(shape, cells, balance):
    labels = blobs(np.random.default_rng(cells), *shape, cells)
    got = weight_map(labels, w0=8.0, sigma=3.5, balance=balance)
    expected = by_the_formula(labels, 8.0, 3.5, balance)
    assert got.dtype == np.float32
    assert got.shape == shape
    np.testing.assert_allclose(got, expected, rtol=1e-6, atol=0)


def test_plain_version_equals_the_fast_one():
    labels = blobs(np.random.default_rng(5), 70, 83, 25)
    np.testing.assert_allclose(weight_map(labels), plain.weight_map(labels), rtol=1e-6, atol=0)
    for fast, slow in zip(
        two_nearest_distances(labels), plain.two_nearest_distances(labels), strict=True
    ):
        np.testing.assert_array_equal(fast, slow)
    for empty in (np.zeros((3, 4), int), np.full((3, 4), 5)):
        np.testing.assert_array_equal(
            plain.weight_map(empty), weight_map(empty, instances=True), strict=True
        )


@pytest.mark.parametrize(("w0", "sigma"), [(10.0, 5.0), (3.0, 1.0), (100.0, 12.0), (1e-9, 5.0)])
def test_reach_loses_nothing_that_float32_could_hold(w0, sigma):
    """Two far cells in a long image: the bound must not eat a visible term."""
    labels = np.zeros((3, 240), np.int32)
    labels[1, 0], labels[1, 60], labels[:, 200] = 1, 2, 3
    got = weight_map(labels, w0=w0, sigma=sigma).astype(np.float64)
    expected = by_the_formula(labels, w0, sigma, True)
    np.testing.assert_allclose(got, expected, rtol=2.0**-24, atol=VANISHES)
    reach = reach_of_border(w0, sigma)
    assert w0 * math.exp(-(reach**2) / (2 * sigma**2)) <= VANISHES * (1 + 1e-12)
    if w0 > VANISHES:
        assert w0 * math.exp(-((0.999 * reach) ** 2) / (2 * sigma**2)) > VANISHES
    assert VANISHES == 2.0**-26


def test_bounded_visit_is_exact_up_to_its_reach():
    rng = np.random.default_rng(11)
    labels = random_cells(rng, 40, 50, 5, 0.01)
    near = nearest_in_rows(labels)
    d1, d2 = brute_force(labels)
    for reach in (0.0, 3.0, 10.0, 25.0):
        for y, x in np.ndindex(labels.shape):
            square1, square2 = two_nearest_squares(near, y, x, reach)
            assert math.sqrt(square1) >= d1[y, x] - 1e-12
            assert math.sqrt(square2) >= d2[y, x] - 1e-12
            if d1[y, x] + d2[y, x] <= reach:
                assert (square1, square2) == (round(d1[y, x] ** 2), round(d2[y, x] ** 2))


class Spied(np.ndarray):
    """An array that keeps the rows that were read."""

    def __getitem__(self, key):
        self.rows.append(int(key[0]))
        return self.view(np.ndarray)[key]


@pytest.mark.parametrize(
    ("cells", "reach", "farthest"),
    [
        ({(12, 5): 1, (25, 5): 2}, np.inf, 8),  # 5 and 8 away in its own column
        ({(20, 3): 1, (20, 8): 2}, np.inf, 2),  # 2 and 3 in its own row: rows 3 away are too far
        ({}, 10, 5),  # six rows away with nothing found: at least 6 + 6
        ({}, 0, 0),
        ({(20, 3): 1}, 10, 8),  # 2 away, the second at least 8: 2 + 9 is beyond
        ({(20, 3): 1}, 30, 20),
    ],
)
def test_the_visit_ends_when_nothing_nearer_can_come(cells, reach, farthest):
    labels = np.zeros((41, 9), np.int32)
    for place, cell in cells.items():
        labels[place] = cell
    near = nearest_in_rows(labels).view(Spied)
    near.rows = []
    plain_python = getattr(two_nearest_squares, "py_func", two_nearest_squares)
    plain_python(near, 20, 5, reach)
    assert set(near.rows) == set(range(20 - farthest, 20 + farthest + 1))


def test_numbers_worked_by_hand():
    """One row, two cells with three background pixels between: d1 + d2 is 4 everywhere."""
    labels = np.array([[3, 0, 0, 0, 9, 9, 0, 0]])
    border = [10 * math.exp(-s * s / 50) for s in (4, 4, 4, 5, 7)]
    # 5 of 8 pixels are background: 8 / 10; 3 are cell: 8 / 6. Right of 9: d1 = 1, d2 = 6, ...
    background, foreground = 8 / 10, 8 / 6
    expected = [foreground, *(background + b for b in border[:3]), foreground, foreground]
    expected += [background + 10 * math.exp(-((1 + 6) ** 2) / 50)]
    expected += [background + 10 * math.exp(-((2 + 7) ** 2) / 50)]
    np.testing.assert_allclose(weight_map(labels)[0], expected, rtol=1e-6)


def test_defaults_are_the_papers():
    labels = blobs(np.random.default_rng(2), 40, 41, 12)
    np.testing.assert_array_equal(weight_map(labels), weight_map(labels, 10, 5, True))


def test_no_cell_and_all_cell():
    np.testing.assert_array_equal(weight_map(np.zeros((4, 5), bool)), np.ones((4, 5), np.float32))
    np.testing.assert_array_equal(weight_map(np.ones((4, 5), bool)), np.ones((4, 5), np.float32))
    d1, d2 = two_nearest_distances(np.zeros((4, 5), int))
    assert np.isinf(d1).all()
    assert np.isinf(d2).all()


def test_one_cell_has_no_border_term():
    labels = np.zeros((9, 7), np.uint16)
    labels[2:5, 3] = 40
    expected = np.where(labels != 0, 63 / (2 * 3), 63 / (2 * 60)).astype(np.float32)
    np.testing.assert_array_equal(weight_map(labels), expected)
    np.testing.assert_array_equal(
        weight_map(labels, balance=False), np.ones((9, 7), np.float32), strict=True
    )


def test_second_cell_is_a_distinct_one():
    """A cell in two pieces is its own neighbour in a mask, but not in an instance map."""
    labels = np.zeros((5, 9), int)
    labels[2, 2] = labels[2, 6] = 1
    one = weight_map(labels, instances=True)
    assert np.unique(one[labels == 0]).size == 1
    two = weight_map(labels)  # {0, 1}: a mask, so the pieces are two cells
    assert two[2, 4] == pytest.approx(45 / 86 + 10 * math.exp(-16 / 50), rel=1e-6)


def test_balance_has_mean_one_and_equal_shares():
    labels = blobs(np.random.default_rng(0), 50, 60, 6)
    weights = weight_map(labels, w0=0)
    assert weights.mean(dtype=np.float64) == pytest.approx(1.0, rel=1e-6)
    shares = [weights[labels == 0].sum(), weights[labels != 0].sum()]
    assert shares[0] == pytest.approx(shares[1], rel=1e-5)
    assert class_weights(labels) == (
        labels.size / (2 * np.sum(labels == 0)),
        labels.size / (2 * np.sum(labels != 0)),
    )


def test_pixels_without_truth_weigh_nothing():
    labels = blobs(np.random.default_rng(3), 40, 50, 12)
    valid = np.random.default_rng(4).random(labels.shape) < 0.6
    got = weight_map(labels, valid=valid)
    assert np.all(got[~valid] == 0)
    # Outside pixels leave the class counts, their cells stay where they are.
    background = valid.sum() / (2 * np.sum(valid & (labels == 0)))
    foreground = valid.sum() / (2 * np.sum(valid & (labels != 0)))
    border = weight_map(labels, balance=False) - 1.0
    expected = np.where(labels != 0, foreground, background + border)
    np.testing.assert_allclose(got[valid], expected[valid], rtol=1e-5)
    np.testing.assert_array_equal(got, weight_map(labels, valid=valid.astype(np.uint8) * 255))
    assert not weight_map(labels, valid=np.zeros_like(valid)).any()
    assert class_weights(labels, np.zeros_like(valid)) == (1.0, 1.0)


def test_stack_is_its_slices():
    rng = np.random.default_rng(8)
    stack = np.stack([blobs(rng, 30, 41, n) for n in (0, 2, 30)])
    valid = rng.random(stack.shape) < 0.8
    together = weight_map(stack, valid=valid)
    assert together.shape == stack.shape
    for index, page in enumerate(stack):
        alone = weight_map(page, valid=valid[index], instances=True)
        np.testing.assert_array_equal(together[index], alone)
    d1, d2 = two_nearest_distances(stack)
    np.testing.assert_array_equal(d1[2], two_nearest_distances(stack[2])[0])
    np.testing.assert_array_equal(d2[1], two_nearest_distances(stack[1])[1])


def test_mask_parts_share_a_side():
    mask = np.array([[1, 0, 1], [0, 1, 0], [1, 1, 0]], bool)
    np.testing.assert_array_equal(find_instances(mask), [[1, 0, 2], [0, 3, 0], [3, 3, 0]])
    stack = np.stack([mask, ~mask])
    np.testing.assert_array_equal(find_instances(stack)[1], find_instances(~mask))
    assert find_instances(stack).dtype == np.int32


@pytest.mark.parametrize(
    ("labels", "cells"),
    [
        ([[1, 0, 1]], [[1, 0, 2]]),
        ([[255, 0, 255]], [[1, 0, 2]]),
        ([[255, 255, 255]], [[1, 1, 1]]),
        ([[2, 0, 2]], [[2, 0, 2]]),
        ([[1, 0, 255]], [[1, 0, 255]]),
        ([[1.0, 0.0, 1.0]], [[1, 0, 2]]),
        ([[1000.0, 0.0, 3.0]], [[1000, 0, 3]]),
        ([[2**40, 0, 5]], [[2, 0, 1]]),
        ([[2**31 - 1, 0, 5]], [[2**31 - 1, 0, 5]]),
        ([[2**31, 2**31, 5]], [[2, 2, 1]]),
    ],
)
def test_mask_or_instances_is_decided_by_the_values(labels, cells):
    np.testing.assert_array_equal(find_instances(np.array(labels)), cells)


def test_mask_or_instances_can_be_said():
    labels = np.array([[2, 3, 0, 1]])
    np.testing.assert_array_equal(find_instances(labels, instances=False), [[1, 1, 0, 2]])
    mask = np.array([[255, 0, 255]], np.uint8)
    np.testing.assert_array_equal(find_instances(mask, instances=True), [[255, 0, 255]])
    np.testing.assert_array_equal(find_instances(mask > 0, instances=True), [[1, 0, 1]])


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int16, np.uint16, np.int64, np.float32])
def test_any_layout_and_dtype_gives_the_same_map(dtype):
    labels = blobs(np.random.default_rng(6), 33, 52, 3) > 0
    expected = weight_map(labels)
    strided = np.repeat(labels.astype(dtype), 2, axis=1)[:, ::2]
    np.testing.assert_array_equal(weight_map(strided), expected)
    fortran = np.asfortranarray(labels.astype(dtype))
    np.testing.assert_array_equal(weight_map(fortran), expected)
    np.testing.assert_array_equal(weight_map(strided.T).T, expected)


def test_input_is_left_alone():
    labels = blobs(np.random.default_rng(6), 20, 20, 5)
    valid = labels > 2
    kept = labels.copy(), valid.copy()
    weight_map(labels, valid=valid)
    np.testing.assert_array_equal(labels, kept[0])
    np.testing.assert_array_equal(valid, kept[1])
    labels.flags.writeable = False  # and an array that cannot be written to is good enough
    assert weight_map(labels).shape == labels.shape


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": np.zeros(4, int)}, r"^labels must be \(H, W\) or"),
        # one wrong value among right ones
        ({"labels": np.array([[3, -1]])}, r"labels must not be negative.*got -1$"),
        ({"labels": np.array([[3.0, 0.5]])}, "labels must hold whole numbers, got fractions or"),
        ({"labels": np.array([[3.0, np.nan]])}, "labels must hold whole numbers, got fractions"),
        ({"labels": np.array([[3.0, np.inf]])}, "labels must hold whole numbers, got fractions"),
        ({"labels": np.array([[3.0, 2.0**53]])}, r"stay below 2\*\*53, got 9007199254740992.0$"),
        ({"labels": np.array([[3.0, -(2.0**53)]])}, r"stay below 2\*\*53, got 9007199254740992.0"),
        ({"labels": np.array([[3.0, -2.0]])}, "labels must not be negative .0 is background., got"),
        ({"w0": np.nan}, "w0 must be a finite number >= 0, got nan"),
        ({"sigma": np.inf}, "sigma must be a finite number > 0, got inf"),
        ({"sigma": -1e-9}, "sigma must be a finite number > 0, got -1e-09"),
        ({"w0": None}, "w0 must be a finite number >= 0, got None"),
        ({"instances": 2}, "instances must be None, True or False, got 2"),
        ({"labels": np.zeros((1, 1, 1, 1))}, r"labels must be .* got shape \(1, 1, 1, 1\)$"),
        ({"labels": np.zeros(4, int)}, r"labels must be \(H, W\) or \(Z, H, W\), got shape \(4,\)"),
        ({"labels": np.zeros((2, 0), int)}, r"labels must hold at least one pixel.*\(2, 0\)"),
        ({"labels": np.full((2, 2), -1)}, r"labels must not be negative.*got -1"),
        ({"labels": np.full((2, 2), 0.5)}, "labels must hold whole numbers"),
        ({"labels": np.full((2, 2), np.nan)}, "labels must hold whole numbers"),
        ({"labels": np.full((2, 2), 2.0**53)}, "labels as floats must stay below"),
        ({"labels": np.full((2, 2), "a")}, "labels must be bool or whole numbers, got dtype"),
        ({"w0": -1}, "w0 must be a finite number >= 0, got -1"),
        ({"w0": np.inf}, "w0 must be a finite number >= 0, got inf"),
        ({"sigma": 0}, "sigma must be a finite number > 0, got 0"),
        ({"sigma": "5"}, "sigma must be a finite number > 0, got '5'"),
        ({"valid": np.ones((3, 2))}, r"valid must have the shape of labels \(2, 2\), got \(3, 2\)"),
        ({"instances": "mask"}, "instances must be None, True or False, got 'mask'"),
    ],
)
def test_errors_name_the_argument(change, message):
    arguments = {"labels": np.eye(2, dtype=int)} | change
    with pytest.raises(ValueError, match=message):
        weight_map(**arguments)


def test_zero_w0_and_tiny_sigma_leave_the_class_weights():
    labels = np.array([[2, 0, 3]])
    np.testing.assert_allclose(weight_map(labels, w0=0), [[0.75, 1.5, 0.75]])
    np.testing.assert_allclose(weight_map(labels, sigma=1e-3), [[0.75, 1.5, 0.75]])


@pytest.mark.skipif(not DATA.is_dir(), reason="real labels (../shared/data) are not here")
def test_real_nuclei_equal_the_plain_version():
    import tifffile

    files = sorted((DATA / "dsb2018-nuclei" / "01_GT" / "SEG").glob("*.tif"))[:3]
    assert files
    for file in files:
        labels = tifffile.imread(file)
        np.testing.assert_allclose(weight_map(labels), plain.weight_map(labels), rtol=1e-6, atol=0)


@pytest.mark.skipif(not DATA.is_dir(), reason="real labels (../shared/data) are not here")
def test_real_membranes_weigh_more_than_cells():
    import tifffile

    file = sorted((DATA / "isbi2012").glob("*label*.tif"))[0]
    labels = tifffile.imread(file)
    labels = (labels if labels.ndim == 2 else labels[0])[:160, :200]
    got = weight_map(labels)
    expected = plain.weight_map(find_instances(labels))
    np.testing.assert_allclose(got, expected, rtol=1e-6, atol=0)
    assert got[labels == 0].mean() > 3 * got[labels != 0].mean()


def test_the_largest_whole_float_and_the_largest_label():
    """2**53 − 1 is the last float that has a whole number of its own on either side."""
    labels = np.array([[2.0**53 - 1, 0.0, 3.0]])
    assert find_instances(labels).tolist() == [[2, 0, 1]]
    top = np.array([[2**31 - 1, 0, 2]], np.uint32)
    assert find_instances(top).tolist() == top.tolist()
    assert find_instances(top + 1).tolist() == [[3, 1, 2]]  # no background: 1 is a cell as well
    assert find_instances(np.array([[2**40, 2**41]])).tolist() == [[1, 2]]


def test_masks_are_what_holds_two_values_at_most():
    for mask in ([[0, 0]], [[1, 1]], [[0, 255]], [[255, 255]], [[0, 1]]):
        assert find_instances(np.array(mask)).max() <= 1
    for labels in ([[0, 254]], [[0, 2]], [[1, 255]], [[0, 256]]):
        assert find_instances(np.array(labels)).tolist() == labels
    stack = np.array([[[0, 1]], [[0, 2]]])  # decided for the whole stack, not slice by slice
    assert find_instances(stack).tolist() == stack.tolist()


def test_two_nearest_cells_of_a_row_and_nobody():
    """Gap and number, twice; NOBODY and 0 where there is no such cell."""
    nobody = [NOBODY, 0]
    got = nearest_in_rows(np.array([[0, 0, 0], [0, 5, 0], [7, 7, 0], [5, 0, 1]], np.int32))
    assert got.dtype == np.int32
    assert got[0].tolist() == [nobody + nobody] * 3
    assert got[1].tolist() == [[1, 5, *nobody], [0, 5, *nobody], [1, 5, *nobody]]
    assert got[2].tolist() == [[0, 7, *nobody], [0, 7, *nobody], [1, 7, *nobody]]
    assert got[3, 0].tolist() == [0, 5, 2, 1]
    assert got[3, 2].tolist() == [0, 1, 2, 5]
    assert sorted(got[3, 1].reshape(2, 2).tolist()) == [[1, 1], [1, 5]]
    assert NOBODY > 2**20  # longer than the sides of any image
    assert NOBODY * NOBODY == ENDLESS
    assert ENDLESS + 2 * 2**40 < 2**63


def test_rows_equal_a_search_of_each_row():
    labels = random_cells(np.random.default_rng(3), 40, 17, 4, 0.15)
    near = nearest_in_rows(labels)
    for (y, x), _ in np.ndenumerate(labels):
        gaps = {}
        for other in np.flatnonzero(labels[y]):
            cell = labels[y, other]
            gaps[cell] = min(gaps.get(cell, NOBODY), abs(int(other) - x))
        expected = [*sorted(gaps.values()), NOBODY, NOBODY][:2]
        gap1, cell1, gap2, cell2 = near[y, x].tolist()
        assert [gap1, gap2] == expected
        assert [gaps.get(cell1, NOBODY), gaps.get(cell2, NOBODY)] == expected
        assert cell1 != cell2 or cell1 == 0
        assert [cell1 == 0, cell2 == 0] == [gap == NOBODY for gap in expected]


# --- components, and labels that are none ---------------------------------------------------------


def flood(mask):
    """Number the parts of a mask by flooding from each pixel, read row by row."""
    ids, count = np.zeros(mask.shape, int), 0
    for start in zip(*np.nonzero(mask), strict=True):
        if ids[start]:
            continue
        count += 1
        ids[start] = count
        todo = [start]
        while todo:
            y, x = todo.pop()
            for place in ((y, x - 1), (y - 1, x), (y, x + 1), (y + 1, x)):
                inside = 0 <= place[0] < mask.shape[0] and 0 <= place[1] < mask.shape[1]
                if inside and mask[place] and not ids[place]:
                    ids[place] = count
                    todo.append(place)
    return ids, count


@given(st.integers(0, 2**32 - 1), st.integers(1, 24), st.integers(1, 24), st.floats(0, 1))
@settings(max_examples=150, deadline=None)
def test_components_equal_a_flood_and_are_numbered_as_one_reads(seed, height, width, cover):
    """SciPy's numbers come in this order; V_info adds in it, so it is part of the scores."""
    mask = np.random.default_rng(seed).random((height, width)) < cover
    ids, count = connected_components(mask)
    expected, parts = flood(mask)
    np.testing.assert_array_equal(ids, expected)
    assert (ids.dtype, count) == (np.int32, parts)
    np.testing.assert_array_equal(number_parts(np.stack([mask, ~mask]))[1], flood(~mask)[0])
    strided = np.repeat(mask, 2, axis=1)[:, ::2]
    np.testing.assert_array_equal(connected_components(strided)[0], expected)


def test_more_cells_than_16_bits_number():
    """70,000 cells of one pixel, two pixels apart: each background pixel knows its two nearest."""
    cells = np.zeros((530, 530), np.int32)
    places = [(y, x) for y in range(0, 530, 2) for x in range(0, 530, 2)][:70_000]
    cells[tuple(np.array(places).T)] = np.arange(1, 70_001)
    got = weight_map(cells, instances=True)
    background = cells.size / (2 * (cells.size - 70_000))
    assert got[0, 1] == pytest.approx(background + 10 * math.exp(-4 / 50), rel=1e-6)
    assert got[1, 1] == pytest.approx(background + 10 * math.exp(-8 / 50), rel=1e-6)
    np.testing.assert_array_equal(weight_map(cells > 0), got)
    assert find_instances(cells > 0).max() == 70_000


def noise(rng, shape, values):
    return rng.integers(1, values + 1, shape)


def test_an_image_given_as_labels_is_refused():
    rng = np.random.default_rng(0)
    image = noise(rng, (60, 70), 200)
    for labels in (image, np.stack([image, image]), image.astype(np.float32)):
        for function in (find_instances, weight_map, two_nearest_distances):
            with pytest.raises(ValueError, match="^labels look like an image: many values, each"):
                function(labels)
    assert find_instances(image, instances=True).tolist() == image.tolist()
    weight_map(image, instances=True)


def test_what_an_image_is_told_by():
    """More than 16 values, and more than 4 pixels a value that stand alone."""
    rng = np.random.default_rng(1)
    assert looks_like_image(noise(rng, (20, 30), 17))
    assert not looks_like_image(noise(rng, (20, 30), 16))
    assert not looks_like_image(np.kron(noise(rng, (20, 30), 200), np.ones((1, 2), int)))
    apart = np.zeros((18, 80), int)
    apart[::2, ::2] = np.arange(1, 361).reshape(9, 40)  # cells of one pixel, each its own
    assert not looks_like_image(apart)
    apart[::2, ::2] = apart[::2, ::2] % 89 + 1  # 360 pixels alone, 89 values and the background
    assert not looks_like_image(apart)
    apart[1, 1] = 7  # touches none
    assert looks_like_image(apart)


def test_real_labels_do_not_look_like_images_and_images_do(nuclei):
    import tifffile

    for file in sorted((nuclei / "01_GT" / "SEG").glob("*.tif"))[:5]:
        assert not looks_like_image(tifffile.imread(file))
        image = nuclei / "01" / file.name.replace("man_seg", "t")
        assert looks_like_image(tifffile.imread(image))


def test_half_precision_labels_raise_no_warning():
    """2**53 is beyond float16: the limit must not be cast to it."""
    labels = np.array([[2048, 0, 7]], np.float16)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert find_instances(labels).tolist() == [[2048, 0, 7]]


def test_class_weights_are_checked_floats():
    got = class_weights([[1, 0, 0, 0]])
    assert got == (4 / 6, 4 / 2)
    assert {type(weight) for weight in got} == {float}
    assert class_weights([[1, 0, 0, 0]], [[1, 1, 0, 0]]) == (1.0, 1.0)
    with pytest.raises(ValueError, match="^cells must not be negative"):
        class_weights([[-1, 0]])
    with pytest.raises(ValueError, match=r"^valid must have the shape of labels \(1, 2\), got"):
        class_weights([[1, 0]], [[1]])
    with pytest.raises(ValueError, match="^valid must be booleans or numbers, got dtype float64, "):
        class_weights([[1, 0]], [[1, np.nan]])
    with pytest.raises(ValueError, match="^valid must be booleans or numbers, got dtype <U1"):
        class_weights([[1, 0]], [["a", "b"]])
