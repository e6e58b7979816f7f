"""From probabilities to cells, on maps small enough to check by eye."""

import numpy as np
import pytest

from tinyunet.inference import postprocess
from tinyunet.inference.postprocess import probabilities_to_cells
from tinyunet.weight_map import separate_touching


def grid(*rows):
    """Rows of digits as int32, dots are 0."""
    return np.array([[int(c) for c in row.replace(".", "0")] for row in rows], np.int32)


def show(cells):
    return ["".join(str(c) if c else "." for c in row) for row in cells]


def cells(*rows, **settings):
    return show(probabilities_to_cells(grid(*rows) > 0, **settings))


def test_corners_do_not_connect_and_numbers_go_by_rows():
    assert cells("..11", "11..", "1..1") == ["..11", "22..", "2..3"]


def test_the_threshold_is_strict_and_in_double_precision():
    probability = np.array([[0.5, 0.50001, 0.2, 0.7]], np.float32)
    assert show(probabilities_to_cells(probability)) == [".1.2"]
    assert show(probabilities_to_cells(probability, threshold=0.7)) == ["...."]  # 0.69999999
    assert show(probabilities_to_cells(probability, threshold=0.2)) == ["1111"]  # 0.20000000298
    assert show(probabilities_to_cells(probability.astype(float), threshold=0)) == ["1111"]


def test_small_cells_go_before_numbering():
    rows = ("1.11", "..11", "1...", "1..1")
    assert cells(*rows) == ["1.22", "..22", "3...", "3..4"]
    assert cells(*rows, min_size=1) == ["1.22", "..22", "3...", "3..4"]
    assert cells(*rows, min_size=2) == ["..11", "..11", "2...", "2..."]
    assert cells(*rows, min_size=3) == ["..11", "..11", "....", "...."]
    assert cells(*rows, min_size=5) == ["....", "....", "....", "...."]


def test_size_is_counted_before_holes_are_filled():
    ring = ("111", "1.1", "111")
    assert cells(*ring, min_size=8) == ["111"] * 3
    assert cells(*ring, min_size=9) == ["..."] * 3


def test_holes_are_filled():
    rows = ("11111.", "1...1.", "1.1.1.", "1...1.", "11111.")
    # The dot inside is a cell of its own: what lies between belongs to neither.
    assert cells(*rows) == ["11111.", "1...1.", "1.2.1.", "1...1.", "11111."]
    # Once it is removed for its size, the whole inside is one hole.
    assert cells(*rows, min_size=2) == ["11111."] * 5
    assert cells(*rows, min_size=2, fill_holes=False)[1:4] == ["1...1."] * 3


def test_two_holes_of_two_cells():
    rows = ("111.111", "1.1.1.1", "111.111")
    assert cells(*rows) == ["111.222"] * 3


def test_a_bay_and_a_gap_at_a_corner_are_no_holes():
    assert cells("1.1", "111") == ["1.1", "111"]
    assert cells("111", "1.1", "1.1") == ["111", "1.1", "1.1"]
    assert cells("111", "1..", "111") == ["111", "1..", "111"]
    assert cells("111", "..1", "111") == ["111", "..1", "111"]
    assert cells("1111", "1.11", "11.1", "111.") == ["1111", "1.11", "11.1", "111."]


def test_what_two_cells_enclose_is_no_hole():
    rows = ("1111", "1..1", "....", "1..1", "1111")
    assert cells(*rows) == ["1111", "1..1", "....", "2..2", "2222"]
    touching = grid("1111", "1..1", "2..2", "2222")
    assert postprocess.fill_cell_holes(touching).tolist() == touching.tolist()


def test_growing_stops_at_the_distance():
    dot = (".......", ".......", ".......", "...1...", ".......", ".......", ".......")
    assert cells(*dot, grow=0.9) == list(dot)
    cross = ["...1...", "..111..", "...1..."]
    assert cells(*dot, grow=1) == ["......."] * 2 + cross + ["......."] * 2
    assert cells(*dot, grow=1.4) == ["......."] * 2 + cross + ["......."] * 2
    assert cells(*dot, grow=1.5) == ["......."] * 2 + ["..111.."] * 3 + ["......."] * 2
    disc = ["...1...", "..111..", ".11111.", "..111..", "...1..."]
    assert cells(*dot, grow=2) == [".......", *disc, "......."]
    assert cells(*dot, grow=50) == ["1111111"] * 7


def test_growing_goes_to_the_nearest_cell_and_ties_to_the_smaller_number():
    assert cells("1...1..", grow=3) == ["1112222"]
    assert cells("1..1", grow=3) == ["1122"]
    assert cells("1....1", grow=1) == ["11..22"]
    assert cells("..1", "1..", grow=9) == ["211", "221"]
    # The smaller number wins the tie in the middle from the right as well as from the left.
    grown = postprocess.grow_cells(grid("2...1"), 4)
    assert show(grown) == ["22111"]


def test_growing_equals_a_search_over_all_cells():
    rng = np.random.default_rng(4)
    for shape in ((1, 9), (13, 8), (8, 13)):
        for distance in (0, 1, 2.3, 4):
            start = np.where(rng.random(shape) < 0.08, rng.integers(1, 6, shape), 0).astype(
                np.int32
            )
            expected = start.copy()
            for y, x in np.argwhere(start == 0):
                reach = [
                    ((qy - y) ** 2 + (qx - x) ** 2, start[qy, qx])
                    for qy, qx in np.argwhere(start > 0)
                    if (qy - y) ** 2 + (qx - x) ** 2 <= distance**2
                ]
                if reach:
                    expected[y, x] = min(reach)[1]
            kept = start.copy()
            assert np.array_equal(postprocess.grow_cells(start, distance), expected)
            assert np.array_equal(start, kept)


def test_the_border_comes_back_without_merging():
    """Two cells parted by a black line of three: each takes back its side."""
    rows = ("111...111", "111...111")
    assert cells(*rows, grow=1) == ["1111.2222"] * 2
    assert cells(*rows, grow=2) == ["111112222"] * 2


def test_a_narrow_border_is_given_back_and_nothing_else_grows():
    rows = ("...........", ".111..2222.", ".111..2222.", "...........")
    closed = ["...........", ".111122222.", ".111122222.", "..........."]
    assert cells(*rows, border=2) == closed
    assert cells(*rows, border=2.5) == closed
    assert cells(*rows, border=1.9) == list(rows)
    assert cells("11...22", border=3) == ["1111222"]  # the middle goes to the smaller number
    assert cells("11....22", border=3) == ["11....22"]
    assert cells("11..", border=9) == ["11.."]  # one cell has no border with another
    # Growing comes first, and the gap that is left may be narrow enough then.
    assert cells("11....22", border=2, grow=1) == ["11112222"]


def test_the_border_that_training_cuts_comes_back():
    truth = np.kron(np.array([[1, 2], [1, 0]]), np.ones((12, 9), int)).astype(np.int32)
    cut = separate_touching(truth, 2)
    assert np.count_nonzero(cut != truth) == 25
    closed = postprocess.close_borders(cut, 2)
    assert closed.dtype == np.int32
    # The cut's ends lie at a corner, where the other cell is farther away than straight across.
    assert np.count_nonzero(closed != truth) <= 2
    assert np.array_equal(postprocess.close_borders(cut, 0), cut)


def test_the_result_is_int32_and_the_defaults_change_nothing_but_holes():
    probability = np.array([[0.9, 0.1], [0.2, 0.8]], np.float32)
    result = probabilities_to_cells(probability)
    assert result.dtype == np.int32
    assert result.tolist() == [[1, 0], [0, 2]]
    assert probabilities_to_cells(np.zeros((2, 3))).tolist() == [[0, 0, 0], [0, 0, 0]]
    assert probabilities_to_cells(np.zeros((2, 3)), grow=3, min_size=2).sum() == 0
    assert probabilities_to_cells(np.ones((2, 3)), grow=3).tolist() == [[1, 1, 1], [1, 1, 1]]


OK = np.zeros((2, 2))


@pytest.mark.parametrize(
    ("probability", "settings", "message"),
    [
        (OK + 1.1, {}, "probability must lie in 0..1 without NaN, got 1.1 to 1.1"),
        (OK - 0.1, {}, "probability must lie in 0..1 without NaN, got -0.1 to -0.1"),
        (OK + np.nan, {}, "probability must lie in 0..1 without NaN, got nan to nan"),
        (OK[0], {}, r"probability must be \(H, W\) with at least one pixel, got shape \(2,\)"),
        (
            OK[None],
            {},
            r"probability must be \(H, W\) with at least one pixel, got shape \(1, 2, 2\)",
        ),
        (OK[:0], {}, r"probability must be \(H, W\) with at least one pixel, got shape \(0, 2\)"),
        (
            OK.astype(np.uint8),
            {},
            "probability must be floats in 0..1 or booleans, got dtype uint8",
        ),
        (OK, {"threshold": 1}, "threshold must be at least 0 and below 1, got 1"),
        (OK, {"threshold": -0.1}, "threshold must be at least 0 and below 1, got -0.1"),
        (OK, {"threshold": np.nan}, "threshold must be at least 0 and below 1, got nan"),
        (OK, {"min_size": -1}, "min_size must be 0 or more pixels, got -1"),
        (OK, {"grow": -1}, "grow must be 0 or more pixels and finite, got -1"),
        (OK, {"grow": np.inf}, "grow must be 0 or more pixels and finite, got inf"),
        (OK, {"border": -1}, "border must be 0 or more pixels and finite, got -1"),
        (OK, {"border": np.inf}, "border must be 0 or more pixels and finite, got inf"),
    ],
)
def test_bad_input_is_refused_in_one_line(probability, settings, message):
    with pytest.raises(ValueError, match=f"^{message}$") as caught:
        probabilities_to_cells(probability, **settings)
    assert "\n" not in str(caught.value)


def test_a_fractional_size_is_refused():
    with pytest.raises(TypeError):
        probabilities_to_cells(OK, min_size=2.5)
