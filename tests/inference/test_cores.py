"""Background, rim and core: from object numbers to classes, and from probabilities to cells."""

import numpy as np
import pytest

from tinyunet.inference.cores import cores_to_cells, grow_within
from tinyunet.metrics import seg
from tinyunet.weight_map.cores import core_classes, near_two


def discs(size=64, centres=((20, 20), (20, 37), (44, 30)), radius=9):
    """Three cells; the first two touch."""
    y, x = np.mgrid[:size, :size]
    labels = np.zeros((size, size), np.int32)
    for number, (cy, cx) in enumerate(centres, 1):
        labels[((y - cy) ** 2 + (x - cx) ** 2 <= radius**2) & (labels == 0)] = 7 * number
    return labels


def one_hot(classes, high=0.9):
    """Probabilities of which the class's own is `high`."""
    p = np.full((3, *classes.shape), (1 - high) / 2, np.float32)
    np.put_along_axis(p, classes[None].astype(np.int64), high, axis=0)
    return p


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 0.9])
def test_every_object_has_a_core_and_keeps_its_pixels(share):
    labels = discs()
    labels[0, 0] = 99  # a single pixel
    classes = core_classes(labels, share)
    assert classes.dtype == np.uint8
    np.testing.assert_array_equal(classes > 0, labels > 0)
    assert {labels[y, x] for y, x in np.argwhere(classes == 2)} == {7, 14, 21, 99}
    if share == 0:
        assert (classes != 1).all()


def test_a_core_is_deeper_than_half_of_the_depth():
    labels = np.zeros((13, 13), np.int64)
    labels[1:12, 1:12] = 5  # depths 1 to 6
    expected = np.zeros((13, 13), np.uint8)
    expected[1:12, 1:12], expected[4:9, 4:9] = 1, 2
    np.testing.assert_array_equal(core_classes(labels), expected)
    labels[:] = 5  # the image ends where the object goes on: its border is the image's
    assert core_classes(labels)[6, 6] == 2
    assert core_classes(labels)[0, 6] == 1


def test_cores_of_touching_cells_become_those_cells():
    labels = discs()
    cells = cores_to_cells(one_hot(core_classes(labels)))
    assert cells.dtype == np.int32
    assert cells.max() == 3
    assert float(seg(labels, cells)) > 0.97
    np.testing.assert_array_equal(cells > 0, labels > 0)
    together = one_hot((labels > 0).astype(np.uint8))  # no core at all
    assert cores_to_cells(together).max() == 2


def test_thresholds_decide():
    p = one_hot(core_classes(discs()), 0.6)  # foreground 0.8, core 0.6
    assert cores_to_cells(p, threshold=0.85).max() == 0
    assert cores_to_cells(p, threshold=0.75, core=0.55).max() == 3
    assert cores_to_cells(p, threshold=0.75, core=0.65).max() == 2
    assert cores_to_cells(p, min_size=10**4).max() == 0
    assert cores_to_cells(p, min_core=10**4).max() == 2


def test_a_core_grows_in_its_own_part_only():
    parts = np.array([[1, 1, 1, 0, 2, 2, 0, 3]])
    cores = np.array([[0, 0, 4, 0, 0, 9, 0, 0]])
    np.testing.assert_array_equal(grow_within(cores, parts), [[4, 4, 4, 0, 9, 9, 0, 12]])


def test_cores_keep_numbers_beyond_32_bits():
    cores = np.array([[2**33 + 4, 0, 0, 0, 0, 7, 0, 0]])
    parts = np.array([[1, 1, 1, 0, 2, 2, 0, 3]])
    expected = [[2**33 + 4] * 3 + [0, 7, 7, 0, 2**33 + 7]]
    np.testing.assert_array_equal(grow_within(cores, parts), expected)


def test_numbers_that_differ_in_64_bits_are_two_objects():
    labels = np.array([[1, 1, 1, 2, 2, 2]] * 3)
    large = np.array([0, 2**60, 2**60 + 1], np.uint64)[labels]
    np.testing.assert_array_equal(core_classes(large, 0.5), core_classes(labels, 0.5))


def test_pixels_near_two_objects():
    labels = np.array([[1, 1, 0, 0, 0, 2, 2, 0, 0, 0, 0]])
    expected = np.array([[0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0]], bool)
    # a disc of radius 2 with its rounding reaches the pixels two away on a row
    np.testing.assert_array_equal(near_two(labels, 2), expected * (np.arange(11) == 3))
    np.testing.assert_array_equal(near_two(labels, 3), expected)
    assert not near_two(labels > 0, 3).any()  # one object has no neighbour
    for first, second in ((2**31 - 1, 2**31), (2**40, 2**41), (2**60, 2**60 + 1), (2, 2**31 - 1)):
        beyond_32 = np.array([0, first, second])[labels]
        np.testing.assert_array_equal(near_two(beyond_32, 3), expected)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: core_classes(discs(), 1.0), "^share must be in"),
        (lambda: core_classes(np.zeros((2, 3, 4), int)), r"^labels must be \(H, W\)"),
        (lambda: core_classes(-discs()), "^labels must not be negative"),
        (lambda: near_two(discs(), 0), "^distance must be at least 1 pixel"),
        (lambda: cores_to_cells(np.zeros((2, 4, 4))), "background, rim and core: got float64"),
        (lambda: cores_to_cells(np.zeros((3, 4, 4), int)), "^probabilities must be floats"),
        (lambda: cores_to_cells(np.full((3, 4, 4), np.nan)), "without NaN$"),
        (lambda: cores_to_cells(np.zeros((3, 4, 4)), threshold=1), "^threshold must be"),
        (lambda: cores_to_cells(np.zeros((3, 4, 4)), core=-0.1), "^core must be"),
        (lambda: cores_to_cells(np.zeros((3, 4, 4)), min_core=-1), "^min_core must be"),
        (lambda: cores_to_cells(np.zeros((3, 4, 4)), min_size=-1), "^min_size must be"),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("distance", [1, 2, 3])
def test_near_two_is_where_a_disc_holds_two_objects(rng, distance):
    labels = np.where(rng.random((13, 17)) < 0.12, rng.integers(1, 6, (13, 17)), 0)
    y, x = np.indices(labels.shape)
    expected = [
        len(set(labels[(y - i) ** 2 + (x - j) ** 2 <= distance**2 + 1].tolist()) - {0}) > 1
        for i, j in np.ndindex(labels.shape)
    ]
    np.testing.assert_array_equal(near_two(labels, distance).ravel(), expected)
