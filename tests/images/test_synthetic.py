"""The synthetic pictures: repeatable, exact truth, and hard for a threshold."""

import numpy as np
import pytest
from scipy import ndimage

from tinyunet.images import synthetic, synthetic_cells, synthetic_membranes


@pytest.fixture(scope="module")
def membranes():
    return synthetic_membranes(4, 256, seed=11)


@pytest.fixture(scope="module")
def cells():
    return synthetic_cells(3, 256, seed=12)


def best_threshold(images, labels):
    """Wrong fraction of the best single grey value, and of saying nothing is membrane."""
    dark = np.bincount(images[labels == 0], minlength=256)
    light = np.bincount(images[labels == 1], minlength=256)
    wrong = np.append(dark.sum(), light.cumsum() + dark.sum() - dark.cumsum())
    return wrong.min() / labels.size, dark.sum() / labels.size


def test_membranes_are_arrays_of_the_promised_kind(membranes):
    images, labels = membranes
    assert images.shape == labels.shape == (4, 256, 256)
    assert images.dtype == labels.dtype == np.uint8
    assert set(np.unique(labels)) == {0, 1}


def test_membranes_are_dark_thin_and_enclose_cells_of_uneven_size(membranes):
    images, labels = membranes
    for image, label in zip(images, labels, strict=True):
        assert 0.15 < (label == 0).mean() < 0.3
        assert image[label == 0].mean() < image[label == 1].mean() - 30
        assert 2 < ndimage.distance_transform_edt(label == 0).max() < 12
        pieces, _ = ndimage.label(label)
        sizes = np.bincount(pieces.ravel())[1:]
        sizes = sizes[sizes > 20]
        assert len(sizes) > 30
        assert np.percentile(sizes, 90) > 4 * np.percentile(sizes, 10)


def test_no_threshold_tells_membranes_from_organelles(membranes):
    images, labels = membranes
    wrong, all_cell = best_threshold(images, labels)
    assert 0.13 < wrong < all_cell
    # much of what is as dark as a membrane lies well inside a cell
    for image, label in zip(images, labels, strict=True):
        inside = ndimage.distance_transform_edt(label) > 3
        dark = image < np.median(image[label == 0])
        assert (dark & inside).sum() > 0.2 * (dark & (label == 0)).sum()


def test_images_use_their_range_and_are_noisy(membranes):
    images, _ = membranes
    for image in images:
        assert np.percentile(image, 99) - np.percentile(image, 1) > 100
        assert ((image == 0) | (image == 255)).mean() < 0.05
        noise = image - ndimage.gaussian_filter(image.astype(float), 1)
        assert 2 < noise.std() < 20


def test_cells_touch_and_are_whole(cells):
    images, labels = cells
    assert labels.dtype == np.uint16
    assert images.dtype == np.uint8
    for image, label in zip(images, labels, strict=True):
        numbers = np.unique(label)
        assert np.array_equal(numbers, np.arange(label.max() + 1))
        assert 20 <= label.max() <= 40
        for number in range(1, label.max() + 1):
            _, pieces = ndimage.label(label == number)
            assert pieces == 1
            assert (label == number).sum() >= 20
        touching = (label[:, 1:] != label[:, :-1]) & (label[:, 1:] > 0) & (label[:, :-1] > 0)
        assert touching.sum() > 50
        assert 0.1 < (label > 0).mean() < 0.5
        assert image[label > 0].mean() > image[label == 0].mean() + 60


@pytest.mark.parametrize("make", [synthetic_membranes, synthetic_cells])
def test_seeds(make):
    one, same, other = make(2, 64, seed=3), make(2, 64, seed=3), make(2, 64, seed=4)
    drawn = make(2, 64, seed=np.random.default_rng(3))
    for a, b, c in zip(one, same, drawn, strict=True):
        assert np.array_equal(a, b)
        assert np.array_equal(a, c)
    assert not np.array_equal(one[0], other[0])
    assert not np.array_equal(one[0][0], one[0][1])


def test_a_full_picture_takes_a_centre_somewhere_inside():
    """Nowhere in 16×16 pixels lies 14 from all of these: the search must end all the same."""
    centres = [(y, x) for y in (2, 8, 14) for x in (2, 8, 14)]
    for seed in range(20):
        y, x = synthetic._place(centres, 16, np.random.default_rng(seed))
        assert 0 <= y <= 15
        assert 0 <= x <= 15


def test_of_a_cell_that_another_cut_through_only_the_largest_piece_stays():
    labels = np.zeros((12, 20), int)
    labels[:, :5] = 1  # 60 pixels and, behind the second cell, 12 more
    labels[:, 5:9] = 2
    labels[:, 9] = 1
    labels[:4, 12:16] = 3  # 16 pixels: too small
    whole = synthetic._whole_cells(labels)
    expected = np.zeros_like(labels)
    expected[:, :5], expected[:, 5:9] = 1, 2
    assert np.array_equal(whole, expected)


@pytest.mark.parametrize("make", [synthetic_membranes, synthetic_cells])
def test_sizes(make):
    assert make(1, 32)[0].shape == (1, 32, 32)
    assert make(1, 131)[1].shape == (1, 131, 131)
    with pytest.raises(ValueError, match="size is 31: wanted at least 32 pixels"):
        make(1, 31)
    with pytest.raises(ValueError, match="n is 0: wanted at least one image"):
        make(0)
