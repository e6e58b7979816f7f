"""Touching pairs: who touches whom, and which segmentation keeps them apart."""

import numpy as np
import pytest

from tinyunet.metrics import parted_pairs, seg, touching_pairs

TRUTH = np.array(
    [
        [1, 1, 2, 2, 0, 0],
        [1, 1, 2, 2, 0, 5],
        [0, 0, 0, 0, 4, 0],
        [3, 3, 0, 0, 4, 4],
    ]
)


def naive_pairs(labels):
    """Every pixel with each of its eight neighbours."""
    pairs = set()
    for y in range(labels.shape[0]):
        for x in range(labels.shape[1]):
            around = labels[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2]
            for other in around.ravel():
                if labels[y, x] and other and labels[y, x] != other:
                    pairs.add((int(min(labels[y, x], other)), int(max(labels[y, x], other))))
    return pairs


def test_pairs_touch_side_by_side_and_by_a_corner():
    assert touching_pairs(TRUTH) == {(1, 2), (2, 4), (4, 5)}


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (6, 1), (9, 8)])
@pytest.mark.parametrize("seed", range(4))
def test_pairs_equal_a_walk_over_all_neighbours(shape, seed):
    labels = np.random.default_rng(seed).integers(0, 5, shape, dtype=np.uint16)
    pairs = touching_pairs(labels)
    assert pairs == naive_pairs(labels)
    assert pairs == touching_pairs(labels.T) == touching_pairs(labels[:, ::-1])
    assert all(type(number) is int for pair in pairs for number in pair)


def test_the_truth_itself_parts_all_and_one_blob_none():
    assert parted_pairs(TRUTH, TRUTH) == (3, 3)
    assert parted_pairs(TRUTH, (TRUTH > 0).astype(int)) == (0, 3)
    assert parted_pairs(TRUTH, np.zeros_like(TRUTH)) == (0, 3)


def test_a_missed_or_half_found_cell_is_not_parted():
    missed = np.where(TRUTH == 2, 0, TRUTH)
    assert parted_pairs(TRUTH, missed) == (1, 3)
    half = TRUTH.copy()
    half[0, 2:4] = 0  # 2 of its 4 pixels are not more than half
    assert parted_pairs(TRUTH, half) == (1, 3)
    half[0, 2] = 2
    assert parted_pairs(TRUTH, half) == (3, 3)


def test_frames_are_added_up_and_those_without_ground_truth_left_out():
    blob = (TRUTH > 0).astype(np.uint16)
    assert parted_pairs([TRUTH, TRUTH, None], [TRUTH, blob, None]) == (3, 6)
    assert parted_pairs(np.stack([TRUTH, TRUTH]), np.stack([TRUTH, TRUTH])) == (6, 6)
    assert parted_pairs(TRUTH == 3, TRUTH == 3) == (0, 0)


def test_frames_that_do_not_go_together_are_refused():
    with pytest.raises(ValueError, match="as many frames, got 2 and 1"):
        parted_pairs([TRUTH, TRUTH], [TRUTH])
    with pytest.raises(ValueError, match="prediction frame 0 is missing"):
        parted_pairs([TRUTH], [None])


def test_seg_and_pairs_tell_the_same_merger():
    merged = np.where(TRUTH == 2, 1, TRUTH)
    assert parted_pairs(TRUTH, merged) == (2, 3)  # 2 and 4 still are two
    # 1 and 2 both match the blob of 8 pixels: 4/8 each; 3, 4 and 5 are perfect.
    assert seg(TRUTH, merged) == pytest.approx((0.5 + 0.5 + 3) / 5)
