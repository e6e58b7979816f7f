"""Borders between touching cells: `tinyunet/weight_map/separate.py` (lesson 08)."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyunet.weight_map import reference as plain
from tinyunet.weight_map import separate_touching
from tinyunet.weight_map.separate import _keep_innermost


def touches(labels):
    """True where two different cells are neighbours, diagonals included."""
    padded = np.pad(labels, 1)
    height, width = labels.shape
    for dy in range(3):
        for dx in range(3):
            beside = padded[dy : dy + height, dx : dx + width]
            if np.any((labels != 0) & (beside != 0) & (beside != labels)):
                return True
    return False


def discs(rng, height, width, cells, largest=9):
    labels = np.zeros((height, width), np.uint16)
    y, x = np.indices(labels.shape)
    for cell in range(1, cells + 1):
        cy, cx, radius = rng.uniform(0, height), rng.uniform(0, width), rng.uniform(1, largest)
        labels[(y - cy) ** 2 + (x - cx) ** 2 < radius**2] = cell * 3
    return labels


@pytest.mark.parametrize("width", range(7))
def test_border_is_exactly_as_wide_as_asked(width):
    """Two rectangles side by side: the wider one gives the odd pixel."""
    labels = np.zeros((8, 30), np.int16)
    labels[:, :12], labels[:, 12:] = 5, 4
    row = separate_touching(labels, width)[3]
    assert np.sum(row == 0) == width
    assert np.sum(row == 5) == 12 - width // 2
    assert np.sum(row == 4) == 18 - (width + 1) // 2
    np.testing.assert_array_equal(separate_touching(labels.T, width)[:, 3], row)


def test_equal_areas_let_the_larger_number_give_way():
    labels = np.repeat([[7, 7, 7, 2, 2, 2]], 3, axis=0)
    assert separate_touching(labels, 1)[1].tolist() == [7, 7, 0, 2, 2, 2]
    labels = np.repeat([[2, 2, 2, 7, 7, 7]], 3, axis=0)
    assert separate_touching(labels, 1)[1].tolist() == [2, 2, 2, 0, 7, 7]


def test_default_width_is_two():
    labels = np.repeat([[1, 1, 1, 2, 2, 2]], 3, axis=0)
    assert separate_touching(labels)[1].tolist() == [1, 1, 0, 0, 2, 2]


def test_corners_touch_too():
    labels = np.zeros((6, 6), np.int32)
    labels[:3, :3], labels[3:, 3:] = 1, 2
    got = separate_touching(labels, 1)
    assert got[2, 2] == 1
    assert got[3, 3] == 0
    assert np.sum(got == 2) == 8


@given(st.integers(0, 2**32 - 1), st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_no_two_cells_touch_afterwards(seed, width):
    rng = np.random.default_rng(seed)
    labels = discs(rng, 24, 31, 14, largest=rng.uniform(2, 9))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        got = separate_touching(labels, width)
    assert not touches(got)
    assert got.dtype == labels.dtype
    assert np.all((got == labels) | (got == 0))
    gone = set(np.unique(labels)) - set(np.unique(got))
    assert bool(gone) == bool(caught)


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_plain_morphology_gives_the_same(width):
    for seed in range(6):
        labels = discs(np.random.default_rng(seed), 40, 53, 14)
        expected = plain.separate_touching(labels, width)
        kept = np.isin(labels, np.unique(expected))  # pixels of cells that the cut left alive
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            got = separate_touching(labels, width)
        np.testing.assert_array_equal(got[kept], expected[kept])


def test_cells_apart_are_left_alone():
    labels = np.zeros((9, 9), np.uint8)
    labels[:, :4], labels[:, 5:] = 1, 2  # one column of background between
    np.testing.assert_array_equal(separate_touching(labels, 4), labels, strict=True)
    np.testing.assert_array_equal(separate_touching(labels > 0, 4), labels > 0, strict=True)


def test_width_zero_is_a_copy():
    labels = np.array([[1, 2]])
    got = separate_touching(labels, 0)
    np.testing.assert_array_equal(got, labels, strict=True)
    assert not np.shares_memory(got, labels)


def test_a_small_cell_keeps_its_innermost_pixel():
    labels = np.full((9, 9), 8)
    labels[3:6, 3:6] = 5  # three by three in the middle of a large cell
    got = separate_touching(labels, 4)
    assert np.argwhere(got == 5).tolist() == [[4, 4]]
    assert not touches(got)
    whole = np.full((9, 9), 8)
    whole[4, 4] = 5
    assert separate_touching(whole, 1)[4, 4] == 5  # the larger cell gives way


def test_a_cell_that_is_lost_is_named():
    labels = np.array([[21, 20]])
    with pytest.warns(UserWarning, match=r"1 cells .* border of 2 pixels and were removed: 21$"):
        got = separate_touching(labels, 2)
    assert got.tolist() == [[0, 20]]


@pytest.mark.parametrize(("lost", "dots"), [(1, False), (8, False), (9, True)])
def test_no_more_than_eight_lost_cells_are_named(lost, dots):
    pairs = np.zeros((1, 5 * lost), int)  # cells of one pixel, two by two: one of each is lost
    pairs[0, 0::5], pairs[0, 1::5] = np.arange(lost) + 100, np.arange(lost) + 200
    with pytest.warns(UserWarning, match=rf"{lost} cells are too small") as caught:
        separate_touching(pairs, 2)
    named = str(caught[0].message).split("removed: ")[1]
    assert named.endswith(", ...") == dots
    assert len(named.removesuffix(", ...").split(", ")) == min(lost, 8)
    assert caught[0].filename == __file__  # the warning points at the caller


def test_stack_and_dtype():
    rng = np.random.default_rng(1)
    stack = np.stack([discs(rng, 30, 37, 9) for _ in range(3)]).astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        got = separate_touching(stack, 2)
        assert got.dtype == np.float32
        for page, expected in zip(stack, got, strict=True):
            np.testing.assert_array_equal(separate_touching(page, 2), expected)
    assert not touches(got[0])


def test_large_numbers_and_no_background():
    labels = np.repeat(np.array([[2**40, 2**40, 2**40, 7, 7, 7]]), 4, axis=0)
    assert separate_touching(labels, 2)[0].tolist() == [2**40, 2**40, 0, 0, 7, 7]


@pytest.mark.parametrize("width", [-1, 1.5, True, "2"])
def test_width_must_be_a_whole_number(width):
    with pytest.raises(ValueError, match="width must be a whole number of pixels >= 0, got"):
        separate_touching(np.eye(3, dtype=int), width)


def test_labels_are_checked():
    with pytest.raises(ValueError, match="labels must not be negative"):
        separate_touching(np.full((2, 2), -3))


def test_a_pixel_is_given_back_unless_one_of_its_eight_neighbours_is_a_cell():
    cells = np.zeros((5, 5), np.int32)
    cells[2, 2] = 5
    for place in np.ndindex(5, 5):
        if place == (2, 2):
            continue
        cut = np.zeros((5, 5), np.int32)
        cut[place] = 8
        beside = max(abs(place[0] - 2), abs(place[1] - 2)) == 1
        assert _keep_innermost(cells, cut, 5, np.s_[2:3, 2:3]) is not beside, place
        assert cut[2, 2] == (0 if beside else 5)
        assert cut[place] == 8
    corner = np.array([[5, 0, 0], [0, 0, 0]], np.int32)
    cut = np.zeros_like(corner)
    assert _keep_innermost(corner, cut, 5, np.s_[0:1, 0:1])  # at the edge of the image, too
    assert cut.tolist() == corner.tolist()
