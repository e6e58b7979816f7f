"""Resampling: exact copies, mirrored borders, directions, ties, dtypes, and one pass for all."""

import json

import numpy as np
import pytest
from scipy import ndimage

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
from tinyunet.augment.field import reflect
from tinyunet.augment.plain import keys_weights

BODIES = [{"plain": True}, {"parallel": False}, {"parallel": True}]
bodies = pytest.mark.parametrize("body", BODIES, ids=["plain", "serial", "parallel"])


def rng(seed=0):
    """A generator in a known state."""
    return np.random.default_rng(seed)


def still(shape, **changes):
    """A transform that leaves an image of this shape where it is, with changes."""
    numbers = {"size": shape, "centre": ((shape[0] - 1) / 2, (shape[1] - 1) / 2)}
    return Transform(**{**numbers, **changes})


def turn(image, **changes):
    """`image` under a transform about its middle."""
    return apply_transform(still(image.shape, **changes), image).image


# ---- the two bodies ------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8", "uint16", "int16", "bool"])
@pytest.mark.parametrize("channels", [(), (1,), (3,)], ids=["HW", "1HW", "3HW"])
def test_compiled_pass_equals_the_plain_one(dtype, channels):
    """Images to 1e-5 (in fact to the last bit), labels exactly, weights to 1e-6, any window."""
    draw = rng(3)
    image = (draw.random((*channels, 37, 52)) * 200).astype(dtype)
    labels = draw.integers(0, 70000, (37, 52), dtype=np.int32)
    weights = draw.random((37, 52), dtype=np.float32)
    for seed in range(4):
        transform = draw_transform(rng(seed), (37, 52), (61, 44), spacing=(None, 9.5)[seed % 2])
        window = {"origin": (-7, 11), "size": (30, 41), "label_size": (12, 25)}
        results = [
            apply_transform(transform, image, labels, weights, **window, **body) for body in BODIES
        ]
        for got in results[1:]:
            assert got.image.shape == (*channels, 30, 41)
            assert got.labels.shape == got.weights.shape == (12, 25)
            if dtype.startswith("float"):
                np.testing.assert_allclose(got.image, results[0].image, rtol=0, atol=1e-5)
            else:
                np.testing.assert_array_equal(got.image, results[0].image)
            np.testing.assert_array_equal(got.labels, results[0].labels)
            np.testing.assert_allclose(got.weights, results[0].weights, rtol=0, atol=1e-6)


def test_image_is_keys_cubic_of_the_mirrored_world():
    """Against an oracle that knows neither body: the cubic's formula on a padded image."""
    image = rng(1).random((9, 12))
    transform = draw_transform(rng(5), (9, 12), (15, 10), sigma=2.0, grey=False)
    ys, xs = source_coordinates(transform)
    border = 60
    world = np.pad(image, border, mode="reflect")

    def cubic(x):  # Keys (1981), equation 15
        x = np.abs(x)
        near = 1.5 * x**3 - 2.5 * x**2 + 1
        far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
        return np.where(x < 1, near, np.where(x < 2, far, 0.0))

    places = np.arange(-border, image.shape[0] + border)
    across = np.arange(-border, image.shape[1] + border)
    oracle = np.array(
        [
            [cubic(places - y) @ world @ cubic(across - x) for y, x in zip(*row, strict=True)]
            for row in zip(ys, xs, strict=True)
        ]
    )
    got = apply_transform(transform, image).image
    np.testing.assert_allclose(got, oracle, rtol=0, atol=1e-12)


def test_cubic_reproduces_parabolas_and_its_weights_sum_to_one():
    """Third order, which only a = −1/2 has among the cubic convolutions."""
    t = np.linspace(0, 0.99, 23)
    weights = np.array(keys_weights(t))
    for power in (0, 1, 2):
        moments = sum(w * tap**power for w, tap in zip(weights, (-1, 0, 1, 2), strict=True))
        np.testing.assert_allclose(moments, t**power, atol=1e-14)
    assert keys_weights(0.0) == (0.0, 1.0, 0.0, 0.0)
    assert keys_weights(0.5) == (-0.0625, 0.5625, 0.5625, -0.0625)


@bodies
def test_one_resampling_for_rotation_and_deformation_together(body):
    """Labels and weights equal SciPy's at the composed source points."""
    draw = rng(8)
    labels = draw.integers(0, 9, (40, 33)).astype(np.uint8)
    weights = draw.random((40, 33))
    transform = draw_transform(rng(2), (40, 33))
    points = source_coordinates(transform)
    got = apply_transform(transform, None, labels, weights, **body)
    near = ndimage.map_coordinates(labels, points, order=0, mode="mirror")
    np.testing.assert_array_equal(got.labels, near)
    linear = ndimage.map_coordinates(weights, points, order=1, mode="mirror")
    np.testing.assert_allclose(got.weights, linear, rtol=0, atol=1e-12)
    assert got.image is None


# ---- exact copies and directions -----------------------------------------------------------------


@pytest.mark.parametrize(
    "dtype",
    ["bool", "u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8", ">u2", ">f4"],
)
@bodies
def test_identity_returns_the_input_exactly(dtype, body):
    """Every dtype, with its extreme values, comes back in its own dtype."""
    dtype = np.dtype(dtype)
    if dtype.kind in "ui":
        top = min(np.iinfo(dtype).max, 2**53)
        image = rng().integers(np.iinfo(dtype).min // 2**10, top, (7, 11), endpoint=True)
        image.flat[:2] = np.iinfo(dtype).min, top
        image = image.astype(dtype)
    else:
        image = (rng().normal(size=(7, 11)) > 0.2).astype(dtype)
        if dtype.kind == "f":
            image = rng().normal(size=(7, 11)).astype(dtype)
    labels = rng(1).integers(0, 2, (7, 11)).astype(dtype if dtype.kind != "f" else "i8")
    weights = rng(2).random((7, 11)).astype(dtype if dtype.kind == "f" else "f4")
    for k, array in enumerate((image, labels, weights)):
        arrays = [array if k == place else None for place in range(3)]
        out = apply_transform(still((7, 11)), *arrays, **body)[k]
        assert out.dtype == array.dtype
        np.testing.assert_array_equal(out, array)
        assert not np.shares_memory(out, array)


@bodies
def test_rotation_by_quarter_turns_is_rot90(body):
    """Counter-clockwise for positive angles, bit for bit, also for negative and large angles."""
    image = rng().normal(size=(3, 10, 10)).astype(np.float32)
    for angle in (0, 90, 180, 270, 360, 450, -90):
        transform = still((10, 10), angle=angle)
        got = apply_transform(transform, image, **body).image
        np.testing.assert_array_equal(got, np.rot90(image, angle // 90, axes=(1, 2)))
    tall = rng().normal(size=(9, 14))
    turned = apply_transform(Transform((14, 9), (4.0, 6.5), angle=90), tall, **body).image
    np.testing.assert_array_equal(turned, np.rot90(tall))


def test_flips_come_before_the_rotation():
    """Each flip alone, and one with a turn."""
    image = rng().normal(size=(8, 13))
    np.testing.assert_array_equal(turn(image, flip=(True, False)), image[::-1])
    np.testing.assert_array_equal(turn(image, flip=(False, True)), image[:, ::-1])
    np.testing.assert_array_equal(turn(image, flip=(True, True)), image[::-1, ::-1])
    square = image[:, :8]
    turned = turn(square, flip=(True, False), angle=90)
    np.testing.assert_array_equal(turned, np.rot90(square[::-1]))
    assert not np.array_equal(turned, np.rot90(square)[::-1])


def test_angle_is_in_degrees_and_counter_clockwise():
    """A dot to the right of the middle goes up, by exactly 30°; SciPy's rotation agrees."""
    dot = np.zeros((101, 101))
    dot[50, 80] = 1.0
    smooth = ndimage.gaussian_filter(dot, 2.0)
    got = turn(smooth, angle=30.0)
    row, column = ndimage.center_of_mass(got)
    assert row == pytest.approx(50 - 30 * np.sin(np.pi / 6), abs=0.05)
    assert column == pytest.approx(50 + 30 * np.cos(np.pi / 6), abs=0.05)
    peer = ndimage.rotate(smooth, 30.0, reshape=False, order=3, mode="mirror")
    assert np.abs(got - peer).max() < 0.01 * smooth.max()


def test_shift_moves_the_source_point_under_the_middle():
    """A centre one pixel further down and two to the right shows the image up and to the left."""
    image = rng().normal(size=(9, 12))
    moved = turn(image, centre=(4 + 1, 5.5 + 2))
    np.testing.assert_array_equal(moved[:-1, :-2], image[1:, 2:])


def test_matrix_turns_vectors_of_the_frame_into_vectors_of_the_source():
    """Angle, then flip, as numbers."""
    half = np.sqrt(3) / 2
    np.testing.assert_allclose(still((5, 5), angle=30).matrix, [[half, 0.5], [-0.5, half]])
    flipped = still((5, 5), angle=30, flip=(True, False)).matrix
    np.testing.assert_allclose(flipped, [[-half, -0.5], [-0.5, half]])
    np.testing.assert_array_equal(still((5, 5), angle=-270).matrix, [[0, 1], [-1, 0]])


# ---- the mirrored world --------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(6, 9), (2, 3), (1, 5), (1, 1)])
@bodies
def test_outside_is_numpys_reflect_however_far(shape, body):
    """A window far larger than the image equals np.pad, for images, labels and weights."""
    draw = rng()
    image, weights = draw.normal(size=shape), draw.random(shape)
    labels = draw.integers(0, 9, shape)
    size = (shape[0] + 26, shape[1] + 26)
    got = apply_transform(
        still(shape), image, labels, weights, origin=(-13, -13), size=size, **body
    )
    for out, array in zip(got[:3], (image, labels, weights), strict=True):
        np.testing.assert_array_equal(out, np.pad(array, 13, mode="reflect"))


def test_reflect_names_indices_without_repeating_the_edge():
    """The sequence itself, over more than two periods."""
    assert reflect(np.arange(-5, 9), 4).tolist() == [1, 2, 3, 2, 1, 0, 1, 2, 3, 2, 1, 0, 1, 2]
    assert reflect(np.arange(-2, 3), 1).tolist() == [0] * 5
    assert reflect(np.arange(-3, 4), 2).tolist() == [1, 0, 1, 0, 1, 0, 1]


@bodies
def test_corners_after_rotation_are_mirrored_and_not_black(body):
    """45° brings in the outside: it is the same as turning a padded image."""
    image = rng().random((31, 24)) + 5.0
    transform = still((31, 24), angle=45.0)
    got = apply_transform(transform, image, **body).image
    padded = np.pad(image, 40, mode="reflect")
    numbers = {**transform.to_dict(), "centre": (15 + 40, 11.5 + 40)}
    oracle = apply_transform(Transform(**numbers), padded, **body).image
    np.testing.assert_allclose(got, oracle, rtol=0, atol=1e-12)
    assert got.min() > 4.5


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
