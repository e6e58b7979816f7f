"""Resampling: the two bodies agree, exact copies, directions, mirrored borders."""

import numpy as np
import pytest
from scipy import ndimage
from transforms import BODIES, bodies, rng, still

from tinyunet.augment import (
    Transform,
    apply_transform,
    draw_transform,
    source_coordinates,
)
from tinyunet.augment.reference import keys_weights
from tinyunet.geometry import mirror


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
            assert got.labels.shape == got.weight_map.shape == (12, 25)
            if dtype.startswith("float"):
                np.testing.assert_allclose(got.image, results[0].image, rtol=0, atol=1e-5)
            else:
                np.testing.assert_array_equal(got.image, results[0].image)
            np.testing.assert_array_equal(got.labels, results[0].labels)
            np.testing.assert_allclose(got.weight_map, results[0].weight_map, rtol=0, atol=1e-6)


def test_image_is_keys_cubic_of_the_mirrored_world():
    """Against an oracle that knows neither body: the cubic's formula on a padded image."""
    image = rng(1).random((9, 12))
    transform = draw_transform(rng(5), (9, 12), (15, 10), sigma=2.0, intensity=False)
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
    np.testing.assert_allclose(got.weight_map, linear, rtol=0, atol=1e-12)
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
    rotated = apply_transform(Transform((14, 9), (4.0, 6.5), angle=90), tall, **body).image
    np.testing.assert_array_equal(rotated, np.rot90(tall))


def test_flips_come_before_the_rotation():
    """Each flip alone, and one with a turn."""
    image = rng().normal(size=(8, 13))
    np.testing.assert_array_equal(turn(image, flip=(True, False)), image[::-1])
    np.testing.assert_array_equal(turn(image, flip=(False, True)), image[:, ::-1])
    np.testing.assert_array_equal(turn(image, flip=(True, True)), image[::-1, ::-1])
    square = image[:, :8]
    rotated = turn(square, flip=(True, False), angle=90)
    np.testing.assert_array_equal(rotated, np.rot90(square[::-1]))
    assert not np.array_equal(rotated, np.rot90(square)[::-1])


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


def test_mirror_names_indices_without_repeating_the_edge():
    """The sequence itself, over more than two periods."""
    assert mirror(np.arange(-5, 9), 4).tolist() == [1, 2, 3, 2, 1, 0, 1, 2, 3, 2, 1, 0, 1, 2]
    assert mirror(np.arange(-2, 3), 1).tolist() == [0] * 5
    assert mirror(np.arange(-3, 4), 2).tolist() == [1, 0, 1, 0, 1, 0, 1]


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
