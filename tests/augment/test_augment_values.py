"""Resampling: labels and ties, intensities and dtypes, windows, grid lines, errors."""

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
    kernel,
    on_pixels,
    random_transform,
    resample,
    source_coordinates,
)

# ---- labels, weights, ties, intensities ----------------------------------------------------------


@bodies
def test_half_way_labels_come_from_the_larger_index(body):
    """floor(x + ½), decided in the mirrored world, whichever side the image is on."""
    labels = np.arange(5)[None, :] * 10 + np.arange(4)[:, None]
    got = apply_transform(still((4, 5), centre=(2.0, 2.5)), None, labels, **body).labels
    np.testing.assert_array_equal(got, labels[[1, 2, 3, 2]][:, [1, 2, 3, 4, 3]])
    got = apply_transform(still((4, 5), centre=(1.0, 1.5)), None, labels, **body).labels
    np.testing.assert_array_equal(got, labels[:, [0, 1, 2, 3, 4]][[0, 1, 2, 3]])


@bodies
def test_a_zoom_of_two_shows_every_second_distance(body):
    """The middle stays, and a source pixel is two pixels of the output wide."""
    image = rng().standard_normal((9, 11))
    zoomed = Transform(size=(17, 21), centre=(4.0, 5.0), zoom=2.0)
    got = apply_transform(zoomed, image, np.arange(99).reshape(9, 11), **body)
    np.testing.assert_allclose(got.image[::2, ::2], image, atol=1e-12)
    np.testing.assert_array_equal(got.labels[::2, ::2], np.arange(99).reshape(9, 11))
    half = Transform(size=(5, 5), centre=(4.0, 5.0), angle=90.0, zoom=0.5)
    np.testing.assert_allclose(
        apply_transform(half, image, **body).image, np.rot90(image[::2, 1::2]), atol=1e-12
    )


def test_zoom_is_drawn_last_and_between_its_bounds():
    """So that samples without it stay what they were before there was any."""
    same = [draw_transform(rng(), (30, 30)), draw_transform(rng(), (30, 30), max_zoom=1.5)]
    first, second = (transform.to_dict() for transform in same)
    assert first.pop("zoom") == 1.0
    assert second.pop("zoom") != 1.0
    assert first == second
    random = rng()
    zooms = [draw_transform(random, (9, 9), max_zoom=1.5).zoom for _ in range(400)]
    assert 1 / 1.5 <= min(zooms) < 0.7
    assert 1.45 < max(zooms) <= 1.5
    assert abs(np.log(zooms).mean()) < 0.05
    for wrong in (0.9, np.inf, "x"):
        with pytest.raises(ValueError, match="^max_zoom must be"):
            draw_transform(rng(), (9, 9), max_zoom=wrong)
    with pytest.raises(ValueError, match="^zoom must be"):
        Transform(4, 1.5, zoom=0)
    with pytest.raises(ValueError, match="flip, quarter turn or shift"):
        on_pixels(Transform(4, 1.5, zoom=2))


@bodies
def test_labels_gain_no_value(body):
    """Instance numbers stay what they were, and negative ones too."""
    labels = rng().choice([-7, 0, 3, 2**40 + 5], (30, 41))
    for seed in range(5):
        got = random_transform(labels * 0.0, labels, rng=rng(seed), **body).labels
        assert got.dtype == labels.dtype
        assert set(np.unique(got)) <= {-7, 0, 3, 2**40 + 5}  # no value is another's last 32 bits


def test_image_and_labels_stay_aligned():
    """A smooth disc, deformed as an image and as labels, differs by less than a pixel's edge."""
    rows, columns = np.mgrid[:120, :140]
    disc = np.hypot(rows - 55, columns - 70) < 35
    soft = ndimage.gaussian_filter(disc.astype(np.float64), 1.0)
    for seed in range(3):
        got = random_transform(soft, disc, rng=rng(seed), intensity=False)
        assert got.labels.dtype == bool
        assert 500 < got.labels.sum() < disc.size - 500
        sure = np.abs(got.image - 0.5) > 0.35  # away from the edge
        np.testing.assert_array_equal((got.image > 0.5)[sure], got.labels[sure])


@bodies
def test_intensities_are_changed_after_interpolation_rounded_and_clipped(body):
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


def test_labels_and_weights_keep_their_values_under_intensity_variation():
    """Gain and offset are for images alone."""
    labels, weights = np.full((4, 5), 3), np.full((4, 5), 2.5)
    got = apply_transform(still((4, 5), gain=2.0, offset=9.0), weights, labels, weights)
    np.testing.assert_array_equal(got.labels, labels)
    np.testing.assert_array_equal(got.weight_map, weights)
    np.testing.assert_array_equal(got.image, np.full((4, 5), 14.0))


@bodies
def test_constants_reproduce(body):
    """Every kernel's weights sum to one, everywhere."""
    flat = np.full((2, 23, 31), 7.25)
    got = random_transform(flat, flat.astype(int), flat, rng=rng(4), intensity=False, **body)
    np.testing.assert_allclose(got.image, 7.25, rtol=0, atol=1e-13)
    np.testing.assert_allclose(got.weight_map, 7.25, rtol=0, atol=1e-13)
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
    np.testing.assert_array_equal(got.weight_map, whole.weight_map[13:34, 25:46])
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


@bodies
def test_nan_and_infinity_are_refused_where_they_are_seen(body):
    """In images and weights; a NaN outside of the window is nobody's business."""
    image = np.ones((8, 9), np.float32)
    for bad in (np.nan, np.inf):
        broken = image.copy()
        broken[4, 4] = bad
        with pytest.raises(ValueError, match=r"^image holds NaN or infinity where"):
            apply_transform(still((8, 9)), broken, **body)
        with pytest.raises(ValueError, match=r"^weight_map holds NaN or infinity where"):
            apply_transform(still((8, 9)), image, None, broken, **body)
    with pytest.raises(ValueError, match=r"^image holds NaN or infinity where"):  # 70000 in 16 bits
        apply_transform(still((8, 9), gain=70000.0), image.astype(np.float16), **body)
    corner = apply_transform(still((8, 9)), broken, size=(2, 2), **body).image
    np.testing.assert_array_equal(corner, np.ones((2, 2)))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda t, a: apply_transform(t), ValueError, "^nothing to transform: give image, labels"),
        (
            lambda t, a: apply_transform(t, a, a[:, 1:].astype(int)),
            ValueError,
            r"^image, labels and weight_map must share height and width, got "
            r"image \(6, 7\), labels \(6, 6\)$",
        ),
        (lambda t, a: apply_transform(t, a * 1j), TypeError, "^image must hold real .*complex128$"),
        (lambda t, a: apply_transform(t, a, a), TypeError, "^labels must hold integers or bool"),
        (
            lambda t, a: apply_transform(t, a, None, a > 0),
            TypeError,
            "^weight_map must hold floats, got dtype bool",
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
            lambda t, a: still((5, 5), displacement=[[[0, 0], [0, np.nan]], [[0, 0], [0, 0]]]),
            ValueError,
            "^displacement must be finite, got NaN or infinity$",
        ),
        (lambda t, a: still((5, 5), spacing=(3, 0)), ValueError, "^spacing .* give pixels above 0"),
        (lambda t, a: still((5, 5), centre=(np.nan, 1)), ValueError, "^centre .* does not fit"),
        (
            lambda t, a: apply_transform(t, a, label_size=(8, 7)),
            ValueError,
            r"^label_size \(8, 7\) does not fit in the middle of size \(6, 7\): give one",
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


# ---- which body does the work --------------------------------------------------------------------


def test_one_thread_unless_asked_and_the_plain_body_only_by_name(monkeypatch):
    """Same numbers from all three, so the choice itself is what has to be watched."""
    rows = []
    original = kernel.warp_rows

    def noted(first, end, *arguments):
        rows.append((first, end))
        return original(first, end, *arguments)

    monkeypatch.setattr(kernel, "warp_rows", noted)
    monkeypatch.setattr(resample, "usable_cores", lambda: 4)
    image = rng().random((6, 7))

    def whole(**body):
        return apply_transform(still((6, 7)), image, **body)

    def elastic(**body):
        return elastic_deform(image, rng=rng(), **body)

    def drawn(**body):
        return random_transform(image, rng=rng(), **body)

    for function in (whole, elastic, drawn):
        for body, expected in (
            ({}, [(0, 6)]),
            ({"parallel": True}, [(0, 1), (1, 3), (3, 4), (4, 6)]),
            ({"plain": True}, []),
            ({"plain": True, "parallel": True}, []),
        ):
            rows.clear()
            function(**body)
            assert sorted(rows) == expected, (function.__name__, body)


def test_no_more_threads_than_rows_and_every_row_once(monkeypatch):
    image = rng().random((3, 8))
    transform = draw_transform(rng(1), (3, 8))
    expected = apply_transform(transform, image).image
    for cores in (1, 2, 3, 5, 64):
        monkeypatch.setattr(resample, "usable_cores", lambda cores=cores: cores)
        got = apply_transform(transform, image, parallel=True).image
        np.testing.assert_array_equal(got, expected)


def test_an_error_in_a_thread_reaches_the_caller(monkeypatch):
    def broken(first, end, *_):
        if first:
            raise MemoryError("no room")

    monkeypatch.setattr(kernel, "warp_rows", broken)
    monkeypatch.setattr(resample, "usable_cores", lambda: 2)
    with pytest.raises(MemoryError, match="no room"):
        apply_transform(still((4, 4)), np.ones((4, 4)), parallel=True)


@pytest.mark.parametrize(
    ("given", "native"),
    [
        (("u1", "u1", "f4"), ("u1", "u1", "f4")),
        (("f4", "i8", "f8"), ("f4", "i8", "f8")),
        (("f8", "?", "f8"), ("f8", "u1", "f8")),
        (("u2", "u2", "f2"), ("f8", "i8", "f8")),
        ((">f4", ">i8", ">f4"), ("f4", "i8", "f4")),
    ],
)
def test_what_the_kernel_reads_without_a_copy_of_another_dtype(monkeypatch, given, native):
    """Every dtype compiles a kernel of its own, so only the common ones go in as they are."""
    seen = []

    def warp(_first, _end, arrays, outs, *_):  # instead of a kernel for each row of the table
        seen.extend(arrays)
        for out in outs:
            out[...] = 0

    monkeypatch.setattr(kernel, "warp_rows", warp)
    arrays = [np.ones((4, 5), dtype) for dtype in given]
    out = apply_transform(still((4, 5)), *arrays)
    assert [array.dtype for array in seen] == [np.dtype(dtype) for dtype in native]
    assert [array.shape for array in seen] == [(1, 4, 5)] * 3
    assert [part.dtype for part in out[:3]] == [np.dtype(dtype) for dtype in given]
    seen.clear()
    apply_transform(still((4, 5)), arrays[0])  # what is not given costs no channel
    assert [array.shape for array in seen] == [(1, 4, 5), (0, 4, 5), (0, 4, 5)]


@bodies
def test_label_window_in_the_middle_by_axis(body):
    """Different margins up and down, left and right; equal sizes are the whole window."""
    labels = np.arange(63).reshape(7, 9)
    got = apply_transform(still((7, 9)), None, labels, label_size=(3, 7), **body).labels
    np.testing.assert_array_equal(got, labels[2:5, 1:8])
    got = apply_transform(still((7, 9)), None, labels, label_size=(7, 9), **body).labels
    np.testing.assert_array_equal(got, labels)
    got = apply_transform(still((7, 9)), None, labels, label_size=1, **body).labels
    np.testing.assert_array_equal(got, labels[3:4, 4:5])
    part = {"origin": (1, 2), "size": (5, 5), "label_size": (5, 3)}
    got = apply_transform(still((7, 9)), None, labels, **part, **body).labels
    np.testing.assert_array_equal(got, labels[1:6, 3:6])


@bodies
def test_halves_of_booleans_and_of_whole_numbers(body):
    """Intensities exactly half way: booleans are true from ½ on, whole numbers go to the even."""
    flags = np.array([[False, True]])
    for offset, expected in ((0.5, [True, True]), (-0.5, [False, True]), (-0.51, [False, False])):
        got = apply_transform(still((1, 2), offset=offset), flags, **body).image
        assert got.tolist() == [expected]
    for dtype in ("u1", "i2", "i8"):
        whole = np.array([[0, 1, 2, 3]], dtype)
        got = apply_transform(still((1, 4), offset=0.5), whole, **body).image
        assert got.tolist() == [[0, 2, 2, 4]]


def test_the_smallest_grids_steps_and_frames_are_taken():
    """Every lower bound is itself allowed."""
    parts = {"grid": 2, "sigma": 0, "max_angle": 0, "max_shift": 0, "contrast": 0, "brightness": 0}
    got = draw_transform(rng(), (1, 1), 1, **parts)
    assert got.size == (1, 1)
    assert got.centre == (0.0, 0.0)
    assert (got.angle, got.gain, got.offset) == (0.0, 1.0, 0.0)
    assert np.shape(got.displacement) == (2, 2, 2)
    assert not np.any(got.displacement)
    assert np.array_equal(apply_transform(got, np.array([[7.5]])).image, [[7.5]])
    assert len(grid_lines(still((1, 1)), step=1)) == 2
    assert draw_transform(rng(), (3, 3), spacing=1e-9).spacing == (1e-9, 1e-9)


def test_a_transform_keeps_plain_numbers():
    """Whatever kind of number comes in; defaults leave everything at rest."""
    got = Transform(np.array([5, 6]), np.float32(2), np.int64(3), [1, np.False_], gain=np.ones(()))
    assert got == Transform((5, 6), (2.0, 2.0), 3.0, (True, False))
    assert [type(v) for v in (*got.size, *got.centre, got.angle, *got.flip, got.gain)] == [
        *(int, int, float, float, float),
        *(bool, bool, float),
    ]
    rest = {"angle": 0.0, "flip": (False, False), "displacement": None, "spacing": None}
    rest |= {"gain": 1.0, "offset": 0.0, "zoom": 1.0}
    assert Transform(4, 1.5).to_dict() == {"size": (4, 4), "centre": (1.5, 1.5), **rest}
    for wrong in ((5.5, 5), (1, 2, 3), (), None, (np.inf, 1)):
        with pytest.raises(ValueError, match="^size .* give one whole number or two, each at"):
            Transform(wrong, 0)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("dtype", ["u1", "i1", "u4", "i4", "u8", "i8"])
def test_what_leaves_the_range_is_clipped_without_a_cast_that_overflows(dtype):
    """NumPy warns of a float that fits no whole number of the dtype: none may get that far."""
    limits = np.iinfo(dtype)
    image = np.array([[limits.min, 0, 1, limits.max]], dtype)
    got = apply_transform(still((1, 4), gain=4.0), image, plain=True).image
    assert got.tolist() == [[limits.min, 0, 4, limits.max]]
    got = apply_transform(still((1, 4), offset=-9e99), image, plain=True).image
    assert got.tolist() == [[limits.min] * 4]
    got = apply_transform(still((1, 4), offset=9e99), image, plain=True).image
    assert got.tolist() == [[limits.max] * 4]
