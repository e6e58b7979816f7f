"""Mirroring against numpy's own padding, tiles against a slow reference, poses exactly."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyunet.data import mirror_indices, mirrored, random_tile
from tinyunet.data.tiles import _random_start, pose


@given(st.integers(1, 9), st.integers(0, 40), st.integers(0, 40))
def test_mirror_indices_are_numpys_reflection(n, before, after):
    expected = np.pad(np.arange(n), (before, after), mode="reflect")
    found = mirror_indices(n, -before, n + after)
    assert np.array_equal(found, expected)
    assert found.dtype == np.int64


def test_mirror_indices_by_hand():
    assert mirror_indices(4, -5, 9).tolist() == [1, 2, 3, 2, 1, 0, 1, 2, 3, 2, 1, 0, 1, 2]
    assert mirror_indices(1, -2, 2).tolist() == [0, 0, 0, 0]
    assert mirror_indices(3, 2, 2).tolist() == []
    with pytest.raises(ValueError, match="n is 0: wanted a row of at least one pixel"):
        mirror_indices(0, 0, 1)
    with pytest.raises(ValueError, match="stop is 2, before start 3"):
        mirror_indices(3, 3, 2)


def test_mirrored_window(rng):
    image = rng.standard_normal((2, 5, 7))
    padded = np.pad(image, ((0, 0), (6, 9), (8, 3)), mode="reflect")
    assert np.array_equal(mirrored(image, -6, -8, 20, 18), padded)
    assert np.array_equal(mirrored(image, 1, 2, 3, 4), image[:, 1:4, 2:6])


def test_the_eight_poses_are_all_different_and_turn_the_right_way():
    square = np.array([[1, 2], [3, 4]])
    assert pose(square, 1, False).tolist() == [[2, 4], [1, 3]]  # a quarter anticlockwise
    assert pose(square, 0, True).tolist() == [[2, 1], [4, 3]]
    assert pose(square, 1, True).tolist() == [[4, 2], [3, 1]]
    found = {pose(square, k, f).tobytes() for k in range(4) for f in (False, True)}
    assert len(found) == 8


def test_tile_is_a_posed_window_with_its_labels_in_the_middle(rng):
    # every pixel carries its place, so a tile tells where it was cut
    image = np.arange(3 * 20 * 26).reshape(3, 20, 26).astype("f4")
    labels = np.arange(20 * 26).reshape(20, 26)
    weights = labels * 0.5
    starts, poses = set(), set()
    for _ in range(600):
        tile, label, weight = random_tile(image, labels, 14, 6, rng, maps=[weights])
        assert (tile.shape, label.shape, weight.shape) == ((3, 14, 14), (6, 6), (6, 6))
        assert (tile.dtype, label.dtype, weight.dtype) == ("f4", labels.dtype, "f8")
        assert tile.flags.c_contiguous
        assert label.flags.c_contiguous
        assert np.array_equal(tile[0, 4:10, 4:10], label)
        assert np.array_equal(weight, label * 0.5)
        top, left = divmod(int(label.min()), 26)
        window = np.pad(image, ((0, 0), (4, 4), (4, 4)), mode="reflect")
        window = window[:, top : top + 14, left : left + 14]
        which = [
            (k, f)
            for k in range(4)
            for f in (False, True)
            if np.array_equal(pose(window, k, f), tile)
        ]
        assert len(which) == 1
        poses.update(which)
        starts.add((top, left))
    assert len(poses) == 8
    rows, columns = zip(*starts, strict=True)
    assert (min(rows), max(rows), min(columns), max(columns)) == (0, 14, 0, 20)


def test_an_image_smaller_than_the_window_is_covered_whole(rng):
    labels = np.arange(5 * 30).reshape(5, 30)
    offsets = set()
    for _ in range(200):
        tile, label = random_tile(labels[None], labels, 12, 8, rng)
        rows = {int(v) // 30 for v in label.ravel()}
        assert rows == set(range(5))
        offsets.add(label.tobytes())
        assert np.array_equal(tile[0, 2:10, 2:10], label)
    assert len(offsets) > 50


def test_starts_reach_both_ends(rng):
    def starts(n, tile):
        return {_random_start(n, tile, rng) for _ in range(200)}

    assert starts(9, 6) == {0, 1, 2, 3}
    assert starts(5, 8) == {-3, -2, -1, 0}
    assert starts(6, 6) == {0}


def test_the_same_generator_gives_the_same_tile(rng):
    image, labels = rng.standard_normal((1, 20, 20)), rng.integers(0, 2, (20, 20))
    one, other = (random_tile(image, labels, 12, 8, np.random.default_rng(5)) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize(("tile_in", "tile_out"), [(13, 8), (8, 12), (4, 0)])
def test_sizes_that_do_not_fit(rng, tile_in, tile_out):
    image = np.zeros((1, 20, 20))
    with pytest.raises(ValueError, match=f"tile_in {tile_in} and tile_out {tile_out} do not fit"):
        random_tile(image, image[0], tile_in, tile_out, rng)


def test_maps_of_another_size(rng):
    image = np.zeros((1, 20, 21))
    with pytest.raises(ValueError, match=r"labels or map is \(21, 20\): wanted \(20, 21\)"):
        random_tile(image, image[0].T, 12, 8, rng)
    with pytest.raises(ValueError, match=r"labels or map is \(20, 20\): wanted \(20, 21\)"):
        random_tile(image, image[0], 12, 8, rng, maps=[np.zeros((20, 20))])
    assert random_tile(image, image[0], 8, 8, rng)[0].shape == (1, 8, 8)
