"""Drawing transforms: the ranges, the switches, and repeatability."""

import threading

import numpy as np
import pytest
from scipy import ndimage

from tinyunet.augment import (
    Transform,
    draw_transform,
    elastic_deform,
    on_pixels,
    random_transform,
    source_coordinates,
)

LATTICE = {"rotation": False, "elastic": False, "intensity": False}


def rng(seed=0):
    """A generator in a known state."""
    return np.random.default_rng(seed)


# ---- ranges --------------------------------------------------------------------------------------


def drawn_numbers(count=500, **parts):
    """Transforms of a 100×60 image, all from one generator."""
    draw = rng(11)
    return [draw_transform(draw, (100, 60), **parts) for _ in range(count)]


def test_angles_are_uniform_in_degrees():
    """±180° by default, ±max_angle otherwise."""
    angles = np.array([t.angle for t in drawn_numbers()])
    assert angles.min() < -170
    assert angles.max() > 170
    assert np.abs(angles).max() <= 180
    assert angles.std() == pytest.approx(360 / np.sqrt(12), rel=0.05)
    small = np.array([t.angle for t in drawn_numbers(max_angle=15)])
    assert 14 < np.abs(small).max() <= 15


def test_flips_are_fair_and_independent():
    """Each combination for a quarter of the samples."""
    flips = [t.flip for t in drawn_numbers()]
    for combination in [(False, False), (False, True), (True, False), (True, True)]:
        assert flips.count(combination) == pytest.approx(125, abs=40)


def test_shift_is_a_tenth_of_the_image_or_anywhere_for_tiles():
    """And ±max_shift pixels where it is given."""
    middle = np.array([49.5, 29.5])
    for parts, reach in [
        ({}, (10, 6)),
        ({"size": (30, 20)}, (50, 30)),
        ({"max_shift": (3, 7)}, (3, 7)),
        ({"max_shift": 4}, (4, 4)),
        ({"size": (30, 20), "max_shift": 4}, (4, 4)),
    ]:
        offsets = np.array([t.centre for t in drawn_numbers(**parts)]) - middle
        assert (np.abs(offsets).max(axis=0) <= reach).all()
        assert (np.abs(offsets).max(axis=0) > 0.95 * np.array(reach)).all()
        assert np.abs(offsets.mean(axis=0) / reach).max() < 0.1
    assert {t.centre for t in drawn_numbers(5, shift=False)} == {(49.5, 29.5)}
    assert {t.centre for t in drawn_numbers(5, centre=(3.25, 70))} == {(3.25, 70.0)}


def test_intensities_turn_about_the_middle_of_their_range():
    """Contrast 0.8 to 1.2 about the middle, brightness ±0.1 of the range."""
    for low, high in [(0.0, 1.0), (0, 255), (-1000, 3000)]:
        drawn = drawn_numbers(intensity_range=(low, high))
        gains = np.array([t.gain for t in drawn])
        middle, length = (low + high) / 2, high - low
        moved = np.array([(t.gain * middle + t.offset - middle) / length for t in drawn])
        assert 0.8 <= gains.min() < 0.81
        assert 1.19 < gains.max() <= 1.2
        assert np.abs(moved).max() == pytest.approx(0.1, abs=0.005)
        assert np.abs(moved).max() <= 0.1 + 1e-12
        assert abs(np.corrcoef(gains, moved)[0, 1]) < 0.15
    wide = drawn_numbers(contrast=0.5, brightness=0)
    assert 0.5 <= min(t.gain for t in wide) < 0.52
    assert max(abs(t.gain * 0.5 + t.offset - 0.5) for t in wide) < 1e-12


def test_intensity_range_follows_the_images_dtype():
    """0 to 1 for floats and booleans, the dtype's range for integers, unless given."""
    for dtype, middle, length in [("f4", 0.5, 1), ("?", 0.5, 1), ("u1", 127.5, 255)]:
        image = np.zeros((12, 12), dtype)
        got = random_transform(image, rng=rng(3)).transform
        expected = draw_transform(
            rng(3), (12, 12), intensity_range=(middle - length / 2, middle + length / 2)
        )
        assert got == expected
    got = random_transform(np.zeros((12, 12), "i2"), rng=rng(3)).transform
    assert got == draw_transform(rng(3), (12, 12), intensity_range=(-(2**15), 2**15 - 1))
    got = random_transform(
        np.zeros((12, 12), "u2"), rng=rng(3), intensity_range=(0, 4095)
    ).transform
    assert got == draw_transform(rng(3), (12, 12), intensity_range=(0, 4095))


# ---- switches ------------------------------------------------------------------------------------


def test_each_part_can_be_turned_off_and_leaves_the_others_as_they_were():
    """The same state draws the same remaining parts: ablations are paired."""
    full = draw_transform(rng(5), (50, 60), (30, 30)).to_dict()
    still = {
        "elastic": {"displacement": None},
        "rotation": {"angle": 0.0},
        "flips": {"flip": (False, False)},
        "shift": {"centre": (24.5, 29.5)},
        "intensity": {"gain": 1.0, "offset": 0.0},
    }
    for part, numbers in still.items():
        generator = rng(5)
        got = draw_transform(generator, (50, 60), (30, 30), **{part: False}).to_dict()
        assert got == {**full, **numbers}
        assert any(full[name] != value for name, value in numbers.items())
        other = rng(5)
        draw_transform(other, (50, 60), (30, 30))
        assert generator.random() == other.random()  # the next sample, too, is the same


@pytest.mark.parametrize("shape", [(12, 12), (12, 15), (13, 15)])
@pytest.mark.parametrize("parallel", [False, True])
def test_flips_quarter_turns_and_shifts_are_exact_copies(shape, parallel):
    """Bit for bit equal to a slice of the padded image, flipped and rotated by NumPy."""
    image = rng().normal(size=shape).astype(np.float32)
    world = np.pad(image, 40, mode="reflect")
    seen = set()
    for seed in range(120):
        got = random_transform(
            image, rng=rng(seed), size=(9, 14), quarter_turns=True, parallel=parallel, **LATTICE
        )
        turns = int(got.transform.angle // 90)
        seen.add((turns, got.transform.flip))
        points = source_coordinates(got.transform)
        np.testing.assert_array_equal(points, np.rint(points))
        top, left = (int(p.min()) + 40 for p in points)
        height, width = (9, 14) if turns % 2 == 0 else (14, 9)
        part = world[top : top + height, left : left + width]
        if got.transform.flip[0]:
            part = part[::-1]
        if got.transform.flip[1]:
            part = part[:, ::-1]
        np.testing.assert_array_equal(got.image, np.rot90(part, turns))
    assert len(seen) == 16


def test_whole_square_image_with_flips_and_turns_only_is_one_of_eight():
    """Without shift the image stays in its frame."""
    image = rng().normal(size=(11, 11))
    eight = [np.rot90(part, k) for part in (image, image[::-1]) for k in range(4)]
    found = set()
    for seed in range(60):
        parts = {"quarter_turns": True, "shift": False, **LATTICE}
        got = random_transform(image, rng=rng(seed), **parts).image
        equal = [k for k, version in enumerate(eight) if np.array_equal(version, got)]
        assert len(equal) == 1
        found.add(equal[0])
    assert found == set(range(8))


def test_on_pixels_moves_by_at_most_half_a_pixel():
    """And not at all where pixels already fall on pixels; exactly half way goes up."""
    for centre in [(4.3, 7.8), (5.0, 6.5), (4.5, 7.0)]:
        for angle in (0, 90, 180, 270):
            before = Transform((8, 11), centre, angle=angle, flip=(True, False), gain=1.5)
            after = on_pixels(before)
            moved = np.subtract(after.centre, before.centre)
            assert np.abs(moved).max() <= 0.5
            points = source_coordinates(after)
            np.testing.assert_array_equal(points, np.rint(points))
            assert on_pixels(after) == after
            assert (after.angle, after.flip, after.gain) == (angle, (True, False), 1.5)
    assert on_pixels(Transform((3, 3), (1.5, 2.5))).centre == (2.0, 3.0)
    with pytest.raises(ValueError, match=r"^transform must be a flip, quarter turn or shift"):
        on_pixels(draw_transform(rng(), (9, 9), rotation=False))


# ---- repeatability, tiles ------------------------------------------------------------------------


def test_a_generator_state_gives_one_sample():
    """Equal states, equal samples and equal states after; the next sample differs."""
    image = rng().random((33, 44), dtype=np.float32)
    one, two = rng(9), rng(9)
    first = random_transform(image, image > 0.5, image, rng=one)
    second = random_transform(image, image > 0.5, image, rng=two)
    for a, b in zip(first, second, strict=True):
        assert np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b
    assert one.bit_generator.state == two.bit_generator.state
    assert random_transform(image, rng=one).transform != first.transform


def test_a_training_tile_is_572_with_the_labels_of_its_middle_388():
    """The tile of a small image: mirrored all round, labels aligned with the image."""
    image = np.add.outer(np.arange(90), np.arange(70)).astype(np.float32) / 160
    labels = (image * 160).astype(np.int64)
    got = random_transform(
        image, labels, image, rng=rng(3), size=(572, 572), label_size=(388, 388), intensity=False
    )
    assert got.image.shape == (572, 572)
    assert got.labels.shape == got.weight_map.shape == (388, 388)
    assert (got.image.dtype, got.labels.dtype) == (np.float32, np.int64)
    middle = got.image[92:-92, 92:-92]
    np.testing.assert_allclose(middle, got.weight_map, atol=0.02)
    assert np.abs(middle * 160 - got.labels).max() <= 2
    points = source_coordinates(got.transform, (92, 92), (388, 388))
    near = ndimage.map_coordinates(labels, points, order=0, mode="mirror")
    np.testing.assert_array_equal(got.labels, near)


def test_arrays_that_came_are_left_alone():
    """Inputs are read and never written."""
    arrays = rng().random((20, 20)), rng().integers(0, 5, (20, 20)), rng().random((20, 20))
    before = [array.copy() for array in arrays]
    random_transform(*arrays, rng=rng(1))
    for array, copy in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_threads_do_not_disturb_each_other():
    """Four background threads make the samples that one thread makes."""
    image = rng().random((64, 64), dtype=np.float32)
    expected = [random_transform(image, rng=rng(seed)).image for seed in range(8)]
    made = [None] * 8

    def work(start):
        for seed in range(start, 8, 4):
            made[seed] = random_transform(image, rng=rng(seed)).image

    threads = [threading.Thread(target=work, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for got, want in zip(made, expected, strict=True):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"grid": 1}, r"^grid 1 does not fit: give one whole number or two, each at least 2$"),
        ({"grid": 2.5}, r"^grid 2.5 does not fit"),
        ({"sigma": -1}, r"^sigma must be a finite number, at least 0, got -1$"),
        ({"sigma": np.nan}, r"^sigma must be a finite number, at least 0, got nan$"),
        ({"spacing": -3}, r"^spacing -3 does not fit: give pixels above 0, or None$"),
        ({"max_angle": -1}, r"^max_angle must be a finite number, at least 0, got -1$"),
        ({"max_shift": (1, -1)}, r"^max_shift \(1, -1\) does not fit: .*, each at least 0$"),
        ({"contrast": -0.1}, r"^contrast must be a finite number, at least 0, got -0.1$"),
        ({"brightness": -0.1}, r"^brightness must be a finite number, at least 0, got -0.1$"),
        (
            {"intensity_range": (1, 1)},
            r"^intensity_range must be \(lowest, highest\), got \(1, 1\)$",
        ),
        ({"size": (0, 4)}, r"^size \(0, 4\) does not fit: .* each at least 1$"),
        ({"image_size": (4, 0)}, r"^image_size \(4, 0\) does not fit"),
        ({"centre": (np.inf, 0)}, r"^centre \(inf, 0\) does not fit: give one finite number"),
    ],
)
def test_draw_refuses_what_makes_no_sense(arguments, message):
    """One line, the argument's name first."""
    with pytest.raises(ValueError, match=message):
        draw_transform(**{"rng": rng(), "image_size": (20, 20), **arguments})


def test_randomness_must_be_a_generator():
    """No hidden global state, no seeds in passing."""
    with pytest.raises(TypeError, match=r"^rng must be a numpy.random.Generator, got int$"):
        random_transform(np.zeros((5, 5)), rng=3)
    with pytest.raises(TypeError, match=r"^rng must be a numpy.random.Generator, got NoneType$"):
        elastic_deform(np.zeros((5, 5)), rng=None)
