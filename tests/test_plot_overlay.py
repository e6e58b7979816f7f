"""Labels for the eye: colours, contours, the image below them."""

import numpy as np
import pytest

from tinyunet.plot import colour_labels, colour_table, draw_contours, find_contours
from tinyunet.plot.overlay import stretch, table_of


def two_touching():
    """A 4×3 cell beside a 4×4 one, in 6×9."""
    labels = np.zeros((6, 9), np.int32)
    labels[1:5, 1:4], labels[1:5, 4:8] = 1, 300
    return labels


def test_each_of_two_touching_cells_keeps_a_contour():
    contours = find_contours(two_touching())
    assert np.array_equal(
        contours.astype(int),
        [
            [0, 0, 0, 0, 0, 0, 0, 0, 0],
            [0, 1, 1, 1, 1, 1, 1, 1, 0],
            [0, 1, 0, 1, 1, 0, 0, 1, 0],
            [0, 1, 0, 1, 1, 0, 0, 1, 0],
            [0, 1, 1, 1, 1, 1, 1, 1, 0],
            [0, 0, 0, 0, 0, 0, 0, 0, 0],
        ],
    )


def test_contours_against_neighbours_one_by_one(rng):
    labels = np.kron(rng.integers(0, 4, (5, 7)), np.ones((3, 2), int))
    contours = find_contours(labels)
    height, width = labels.shape
    for y in range(height):
        for x in range(width):
            around = [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
            other = any(
                labels[v, u] != labels[y, x]
                for v, u in around
                if 0 <= v < height and 0 <= u < width
            )
            assert contours[y, x] == (labels[y, x] > 0 and other)


def test_wide_contours_grow_inwards():
    labels = np.zeros((11, 13), int)
    labels[1:10, 1:12] = 4
    two = find_contours(labels, 2)
    assert two.sum() == 9 * 11 - 5 * 7
    assert not two[labels == 0].any()
    assert not two[3:8, 3:10].any()


def test_an_object_at_the_edge_of_the_image_is_open_there():
    labels = np.zeros((5, 6), int)
    labels[:3, :4] = 1
    contours = find_contours(labels)
    assert not contours[0, 0]
    assert contours[2, :4].all()
    assert contours[:3, 3].all()
    assert find_contours(np.ones((3, 3), int)).sum() == 0


def test_colours_are_many_and_none_is_black():
    table = colour_table()
    assert table.shape == (256, 3)
    assert table.dtype == np.uint8
    assert not table[0].any()
    assert len(np.unique(table, axis=0)) == 256
    assert (table[1:] @ [0.299, 0.587, 0.114]).min() > 0.37 * 255  # seen on black
    # numbers that follow each other belong to neighbours most of the time
    steps = np.abs(np.diff(table[1:].astype(int), axis=0)).sum(axis=1)
    assert steps.min() > 100


def test_labels_beyond_the_table_begin_again_behind_the_background():
    table = table_of([(0, 0, 0), (9, 8, 7), (1, 2, 3)])
    labels = np.array([[0, 1, 2], [3, 4, 70_001]], np.uint32)
    picture = colour_labels(labels, table)
    assert picture.tolist() == [
        [[0, 0, 0], [9, 8, 7], [1, 2, 3]],
        [[9, 8, 7], [1, 2, 3], [9, 8, 7]],
    ]


def test_only_contours_are_drawn_over_the_image(rng):
    image = rng.integers(0, 4000, (6, 9)).astype(np.uint16)
    labels = two_touching()
    picture = draw_contours(image, labels)
    contours = find_contours(labels)
    assert np.array_equal(picture[~contours], stretch(image)[~contours])
    assert np.array_equal(picture[contours], colour_labels(labels)[contours])
    with pytest.raises(ValueError, match="labels are"):
        draw_contours(image, labels.T)


def test_the_image_is_stretched_to_what_8_bits_show():
    image = np.linspace(-3, 5, 1000).reshape(20, 50)
    shown = stretch(image)
    assert shown.shape == (20, 50, 3)
    assert (shown.min(), shown.max()) == (0, 255)
    assert (np.diff(shown[..., 0].ravel().astype(int)) >= 0).all()
    assert not stretch(np.full((3, 4), 7)).any()
    few = np.zeros((100, 100))
    few[0, 0] = 8  # less than half a per cent: it is not cut off
    assert stretch(few).max() == 255


def test_colour_stays_colour_and_other_channels_are_averaged(rng):
    image = rng.random((3, 5, 4))
    shown = stretch(image)
    assert len(np.unique(shown.reshape(-1, 3)[:, 0] - shown.reshape(-1, 3)[:, 1])) > 1
    assert np.array_equal(stretch(image[:2]), stretch(image[:2].mean(axis=0)))
