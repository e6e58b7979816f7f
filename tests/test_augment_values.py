"""Resampling: labels and ties, grey values and dtypes, windows, grid lines, errors."""

import json

import numpy as np
import pytest
from scipy import ndimage
from transforms import bodies, rng, still

from tinyunet.augment import (
    Sample,
    Transform,
    apply_transform,
    draw_transform,
    elastic_deform,
    grid_lines,
    on_pixels,
    random_transform,
    source_coordinates,
)

# ---- labels, weights, ties, grey values ----------------------------------------------------------


@bodies
def test_half_way_labels_come_from_the_larger_index(body):
    """floor(x + ½), decided in the mirrored world, whichever side the image is on."""
    labels = np.arange(5)[None, :] * 10 + np.arange(4)[:, None]
    got = apply_transform(still((4, 5), centre=(2.0, 2.5)), None, labels, **body).labels
    np.testing.assert_array_equal(got, labels[[1, 2, 3, 2]][:, [1, 2, 3, 4, 3]])
    got = apply_transform(still((4, 5), centre=(1.0, 1.5)), None, labels, **body).labels
    np.testing.assert_array_equal(got, labels[:, [0, 1, 2, 3, 4]][[0, 1, 2, 3]])


@bodies
def test_labels_gain_no_value(body):
    """Instance numbers stay what they were, and negative ones too."""
    labels = rng().choice([-7, 0, 3, 2**40], (30, 41))
    for seed in range(5):
        got = random_transform(labels * 0.0, labels, rng=rng(seed), **body).labels
        assert got.dtype == labels.dtype
        assert set(np.unique(got)) <= {-7, 0, 3, 2**40}


def test_image_and_labels_stay_aligned():
    """A smooth disc, deformed as an image and as labels, differs by less than a pixel's edge."""
    rows, columns = np.mgrid[:120, :140]
    disc = np.hypot(rows - 55, columns - 70) < 35
    soft = ndimage.gaussian_filter(disc.astype(np.float64), 1.0)
    for seed in range(3):
        got = random_transform(soft, disc, rng=rng(seed), grey=False)
        assert got.labels.dtype == bool
        assert 500 < got.labels.sum() < disc.size - 500
        sure = np.abs(got.image - 0.5) > 0.35  # away from the edge
        np.testing.assert_array_equal((got.image > 0.5)[sure], got.labels[sure])


@bodies
def test_grey_values_are_changed_after_interpolation_rounded_and_clipped(body):
    """gain · v + offset: floats as they are, whole numbers half to even and within their dtype."""
    image = np.array([[0, 1, 2, 3], [100, 200, 250, 255]])
    transform = still((2, 4), gain=1.5, offset=-2.0)
    exact = 1.5 * image - 2.0
    for dtype in ("float32", "float64"):
        got = apply_transform(transform, image.astype(dtype), **body).image
        np.testing.assert_array_equal(got, exact.astype(dtype))
    for dtype in ("uint8", "uint16", "int16"):
        limits = np.iinfo(dtype)
        got = apply_transform(transform, image.astype(dtype), **body).image
        np.testing.assert_array_equal(got, np.clip(np.rint(exact), limits.min, limits.max))
    assert apply_transform(transform, image.astype("u1"), **body).image[0].tolist() == [0, 0, 1, 2]
    flags = apply_transform(still((1, 2), offset=0.5), np.array([[False, True]]), **body).image
    assert flags.tolist() == [[True, True]]
    for gain in (2.0, 3.0):  # beyond the largest 64-bit integers, by one and by far
        big = apply_transform(still((1, 2), gain=gain), np.array([[2**63, 5]], "u8"), **body).image
        assert big.tolist() == [[2**64 - 1, 5 * gain]]
        low = apply_transform(still((1, 2), gain=gain), np.array([[-(2**62), 2**62]]), **body).image
        assert low.tolist() == [[-(2**63), 2**63 - 1]]


def test_labels_and_weights_keep_their_values_under_grey_variation():
    """Gain and offset are for images alone."""
    labels, weights = np.full((4, 5), 3), np.full((4, 5), 2.5)
    got = apply_transform(still((4, 5), gain=2.0, offset=9.0), weights, labels, weights)
    np.testing.assert_array_equal(got.labels, labels)
    np.testing.assert_array_equal(got.weights, weights)
    np.testing.assert_array_equal(got.image, np.full((4, 5), 14.0))


@bodies
def test_constants_reproduce(body):
    """Every kernel's weights sum to one, everywhere."""
    flat = np.full((2, 23, 31), 7.25)
    got = random_transform(flat, flat.astype(int), flat, rng=rng(4), grey=False, **body)
    np.testing.assert_allclose(got.image, 7.25, rtol=0, atol=1e-13)
    np.testing.assert_allclose(got.weights, 7.25, rtol=0, atol=1e-13)
    np.testing.assert_array_equal(got.labels, 7)


# ---- windows -------------------------------------------------------------------------------------


@bodies
def test_a_window_is_a_piece_of_the_whole(body):
    """Any window equals the same part of the frame; labels are its middle."""
    image = rng().random((40, 50))
    transform = draw_transform(rng(1), (40, 50), (70, 80))
    whole = apply_transform(transform, image, image > 0.5, image, **body)
    window = {"origin": (3, 20), "size": (41, 31), "label_size": 21}
    got = apply_transform(transform, image, image > 0.5, image, **window, **body)
    np.testing.assert_array_equal(got.image, whole.image[3:44, 20:51])
    np.testing.assert_array_equal(got.labels, whole.labels[13:34, 25:46])
    np.testing.assert_array_equal(got.weights, whole.weights[13:34, 25:46])
    assert isinstance(got, Sample)
    assert got.transform is transform


def test_non_contiguous_and_reversed_inputs():
    """Views are read as what they show."""
    base = rng().random((3, 60, 44))
    view = base[::-1, ::-2, 5:35]
    transform = draw_transform(rng(1), view.shape[-2:])
    got = apply_transform(transform, view, parallel=True).image
    np.testing.assert_array_equal(got, apply_transform(transform, view.copy()).image)


def test_transform_travels_through_json():
    """Plain numbers, equal after the journey, and the same picture."""
    transform = draw_transform(rng(1), (20, 30), spacing=12)
    back = Transform.from_dict(json.loads(json.dumps(transform.to_dict())))
    assert back == transform
    image = rng().random((20, 30))
    np.testing.assert_array_equal(
        apply_transform(back, image).image, apply_transform(transform, image).image
    )


def test_grid_lines_are_rows_and_columns_of_the_source_points():
    """Rows first, then columns, a line every `step` pixels."""
    transform = draw_transform(rng(1), (50, 70))
    points = source_coordinates(transform)
    lines = grid_lines(transform, step=20)
    assert len(lines) == 3 + 4
    for line, row in zip(lines, (0, 20, 40), strict=False):
        np.testing.assert_allclose(line, points[:, row].T, atol=1e-12)
    for line, column in zip(lines[3:], (0, 20, 40, 60), strict=True):
        np.testing.assert_allclose(line, points[:, :, column].T, atol=1e-12)
    assert len(grid_lines(still((33, 64)))) == 2 + 2  # 0 and 32: 32 pixels by default
    assert len(grid_lines(still((2, 3)), step=1)) == 5
    with pytest.raises(ValueError, match=r"^step must be at least 1 pixel, got 0$"):
        grid_lines(transform, step=0)


# ---- errors --------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@bodies
def test_nan_and_infinity_are_refused_where_they_are_seen(body):
    """In images and weights; a NaN outside of the window is nobody's business."""
    image = np.ones((8, 9), np.float32)
    for bad in (np.nan, np.inf):
        broken = image.copy()
        broken[4, 4] = bad
        with pytest.raises(ValueError, match=r"^image holds NaN or infinity where"):
            apply_transform(still((8, 9)), broken, **body)
        with pytest.raises(ValueError, match=r"^weights holds NaN or infinity where"):
            apply_transform(still((8, 9)), image, None, broken, **body)
    corner = apply_transform(still((8, 9)), broken, size=(2, 2), **body).image
    np.testing.assert_array_equal(corner, np.ones((2, 2)))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda t, a: apply_transform(t), ValueError, "^nothing to transform: give image, labels"),
        (
            lambda t, a: apply_transform(t, a, a[:, 1:].astype(int)),
            ValueError,
            r"^image, labels and weights must share height and width, got "
            r"image \(6, 7\), labels \(6, 6\)$",
        ),
        (lambda t, a: apply_transform(t, a * 1j), TypeError, "^image must hold real .*complex128$"),
        (lambda t, a: apply_transform(t, a, a), TypeError, "^labels must hold integers or bool"),
        (
            lambda t, a: apply_transform(t, a, None, a > 0),
            TypeError,
            "^weights must hold floats, got dtype bool",
        ),
        (lambda t, a: apply_transform(t, a[0]), ValueError, r"^image must be \(H, W\) or .*\(7,\)"),
        (lambda t, a: apply_transform(t, a[None, None]), ValueError, r"shape \(1, 1, 6, 7\)$"),
        (lambda t, a: apply_transform(t, a[:0]), ValueError, r"with pixels, got shape \(0, 7\)$"),
        (lambda t, a: apply_transform(t, a, origin=0.5), ValueError, "^origin 0.5 does not fit"),
        (lambda t, a: apply_transform(t, a, size=0), ValueError, "^size 0 .* each at least 1$"),
        (
            lambda t, a: apply_transform(t, a, label_size=(6, 8)),
            ValueError,
            r"^label_size \(6, 8\) does not fit in the middle of size \(6, 7\): give one",
        ),
        (
            lambda t, a: apply_transform(t, a, label_size=(5, 7)),
            ValueError,
            "even number of pixels",
        ),
        (
            lambda t, a: apply_transform(t, a, label_size=(6, 6)),
            ValueError,
            "even number of pixels",
        ),
        (lambda t, a: Transform((5, 0), (1, 1)), ValueError, r"^size \(5, 0\) does not fit: give"),
        (lambda t, a: Transform((5, 5), (1, np.nan)), ValueError, "^centre .* finite number or"),
        (lambda t, a: Transform((5, 5, 5), (1, 1)), ValueError, "one whole number or two, each"),
        (lambda t, a: Transform("ab", (1, 1)), ValueError, "^size 'ab' does not fit"),
        (
            lambda t, a: still((5, 5), angle=np.inf),
            ValueError,
            "^angle must be a finite .* got inf",
        ),
        (
            lambda t, a: still((5, 5), angle="x"),
            ValueError,
            "^angle must be a finite number, got 'x'",
        ),
        (lambda t, a: still((5, 5), gain=[1]), ValueError, r"^gain must be one number, got \[1\]"),
        (lambda t, a: still((5, 5), offset=np.nan), ValueError, "^offset must be a finite number"),
        (lambda t, a: still((5, 5), flip=True), ValueError, "^flip must be two booleans"),
        (lambda t, a: still((5, 5), flip=(0, 2)), ValueError, r"got \(0, 2\)$"),
        (lambda t, a: still((5, 5), spacing=(0, 3)), ValueError, "^spacing .* give pixels above 0"),
        (
            lambda t, a: still((5, 5), displacement=np.zeros((2, 1, 3))),
            ValueError,
            r"^displacement must have shape \(2, rows ≥ 2, columns ≥ 2\), got \(2, 1, 3\)$",
        ),
        (lambda t, a: still((5, 5), displacement=np.zeros((3, 2, 2))), ValueError, r"\(3, 2, 2\)$"),
        (lambda t, a: still((5, 5), displacement=np.zeros((2, 2))), ValueError, r"got \(2, 2\)$"),
        (
            lambda t, a: still((5, 5), displacement="no"),
            ValueError,
            "^displacement must be numbers",
        ),
        (
            lambda t, a: still((5, 5), displacement=np.full((2, 2, 2), np.inf)),
            ValueError,
            "^displacement must be finite, got NaN or infinity$",
        ),
        (
            lambda t, a: on_pixels(still((5, 5), angle=45)),
            ValueError,
            "^transform must be a flip, quarter turn or shift",
        ),
    ],
)
def test_errors_are_one_line_that_names_the_argument(call, error, message):
    """Each with what came and what is accepted."""
    with pytest.raises(error, match=message) as caught:
        call(still((6, 7)), rng().random((6, 7)))
    assert "\n" not in str(caught.value)


def test_elastic_deform_returns_what_was_given():
    """The image alone, or a tuple in the order of the arguments."""
    image = rng().random((30, 20))
    labels = image > 0.5
    alone = elastic_deform(image, rng=rng(1))
    both = elastic_deform(image, labels, rng=rng(1), parallel=True)
    three = elastic_deform(image, labels, image, rng=rng(1), plain=True)
    assert isinstance(alone, np.ndarray)
    assert (len(both), len(three)) == (2, 3)
    for image_again in (both[0], three[0]):
        np.testing.assert_array_equal(image_again, alone)
    np.testing.assert_array_equal(both[1], three[1])
    assert not np.array_equal(alone, image)
