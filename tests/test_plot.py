"""Pictures: written whole, not empty, and showing what they were given."""

import numpy as np
import pytest
from PIL import Image

from tinyunet.plot import (
    error_overlay,
    plot_augmented,
    plot_curves,
    plot_results,
    plot_weight_map,
    running_mean,
)
from tinyunet.plot.canvas import new_figure, save_figure, show_picture

# matplotlib's way of saying that a picture went wrong
pytestmark = pytest.mark.filterwarnings("error")

BLUE, ORANGE = (0, 114, 178), (230, 159, 0)


def pixels(path):
    """(H, W, 3) of the PNG; it must be one."""
    with Image.open(path) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB")).astype(int)


def near(picture, colour, within=12):
    return int((np.abs(picture - colour).max(axis=-1) <= within).sum())


def log(steps, val_every=5):
    at = range(1, steps + 1)
    validated = [step % val_every == 0 for step in at]
    return {
        "step": list(at),
        "loss": [1 / step for step in at],
        "val_loss": [2 / step if v else None for step, v in zip(at, validated, strict=True)],
        "val_pixel_error_rate": [
            0.5 / step if v else None for step, v in zip(at, validated, strict=True)
        ],
    }


def test_running_mean():
    values = [4.0, 2.0, 6.0, 0.0]
    np.testing.assert_allclose(running_mean(values, 1), values)
    np.testing.assert_allclose(running_mean(values, 2), [4, 3, 4, 3])
    np.testing.assert_allclose(running_mean(values, 99), [4, 3, 4, 3])
    np.testing.assert_allclose(running_mean([1, 5, 9], 3), [1, 3, 5])
    assert len(running_mean([], 3)) == 0


@pytest.mark.parametrize("width", [0, -1, 1.5])
def test_a_running_mean_is_of_one_value_at_least(width):
    with pytest.raises(
        ValueError, match=f"^width must be a whole number of at least 1, got {width}"
    ):
        running_mean([4.0, 2.0, 6.0], width)


def test_curves(tmp_path):
    assert plot_curves(log(60), tmp_path / "c.png") == tmp_path / "c.png"
    picture = pixels(tmp_path / "c.png")
    assert picture.shape == (396, 990, 3)  # 9 × 3.6 inches at 110 dots
    left, right = picture[:, :495], picture[:, 495:]
    assert near(left, BLUE) > 100  # the training loss
    assert near(left, ORANGE) > 30  # the validation's
    assert near(right, BLUE) == 0
    assert near(right, ORANGE) > 30
    assert [p.name for p in tmp_path.iterdir()] == ["c.png"]


def test_curves_without_validation(tmp_path):
    picture = pixels(plot_curves(log(60, val_every=99), tmp_path / "c.png"))
    assert near(picture[:, :495], BLUE) > 100
    assert near(picture, ORANGE) == 0
    assert (picture[:, 495:] < 200).any()  # axes and "no validation"


@pytest.mark.parametrize("count", [1, 3, 8])
def test_curves_with_pictures_below(tmp_path, count):
    rng = np.random.default_rng(0)
    pictures = [(f"step {i}", rng.random((30, 40))) for i in range(count)]
    shown = pixels(plot_curves(log(60), tmp_path / "c.png", pictures))
    alone = pixels(plot_curves(log(60), tmp_path / "alone.png"))
    assert shown.shape[1] == 990
    height = shown.shape[0] - alone.shape[0]
    assert height == pytest.approx(110 * (9 / count * 0.75 + 0.3), abs=2)
    assert shown[-height // 2 :, :, 0].std() > 20  # noise of the pictures
    assert near(shown[: alone.shape[0]], BLUE) > 100


def test_pictures_of_8_bits_are_shown_as_they_are(tmp_path):
    """A network that is not sure yet is grey, and a class has one shade at every step."""
    sure = np.zeros((30, 40), np.uint8)
    unsure = sure + np.uint8(122)
    sure[:15], unsure[:15] = 255, 133
    shown = {
        name: pixels(plot_curves(log(60), tmp_path / f"{name}.png", [("step 1", picture)]))[500:]
        for name, picture in (("sure", sure), ("unsure", unsure), ("floats", unsure / 255))
    }
    for name, dark, bright in (("sure", 0, 255), ("unsure", 122, 133), ("floats", 0, 255)):
        height, width = shown[name].shape[:2]
        columns = shown[name][:, width // 3 : width // 2]
        # matplotlib's colours are cut down to 8 bits, not rounded: 122 may be shown as 121
        assert np.abs(columns[height // 6] - bright).max() <= 1
        assert np.abs(columns[5 * height // 6] - dark).max() <= 1


@pytest.mark.parametrize("value", [False, True])
def test_a_mask_that_is_the_same_everywhere_is_shown_as_what_it_is(tmp_path, value):
    figure = new_figure(2, 2)
    show_picture(figure.subplots(), np.full((4, 5), value), "mask")
    picture = pixels(save_figure(figure, tmp_path / "m.png"))
    assert (picture[110, 110] == 255 * value).all()


@pytest.mark.parametrize("steps", [0, 1, 2, 49, 51])
def test_short_logs(tmp_path, steps):
    assert len(np.unique(pixels(plot_curves(log(steps, 1), tmp_path / "c.png")))) > 10


@pytest.mark.parametrize("value", [0.0, 1e-9, 1e30])
def test_curves_of_extremes(tmp_path, value):
    flat = {
        "step": [1, 2],
        "loss": [value] * 2,
        "val_loss": [value] * 2,
        "val_pixel_error_rate": [0.0, 0.0],
    }
    assert len(np.unique(pixels(plot_curves(flat, tmp_path / "c.png")))) > 10


def test_the_earlier_picture_is_replaced(tmp_path):
    (tmp_path / "c.png").write_text("old")
    plot_curves(log(5), tmp_path / "c.png")
    assert pixels(tmp_path / "c.png").size


def test_error_overlay():
    image = np.tile(np.linspace(0, 1, 40), (40, 1))
    truth, predicted = np.zeros((40, 40), bool), np.zeros((40, 40), bool)
    truth[:20] = True
    predicted[10:30] = True
    rgb = error_overlay(image, truth, predicted)
    assert rgb.shape == (40, 40, 3)
    np.testing.assert_allclose(rgb[:10], np.broadcast_to([0.90, 0.62, 0.0], (10, 40, 3)))  # missed
    np.testing.assert_allclose(rgb[20:30], np.broadcast_to([0.0, 0.45, 0.7], (10, 40, 3)))
    for rows in (rgb[10:20], rgb[30:]):  # right either way: the image in grey
        assert (rows[..., 0] == rows[..., 1]).all()
        assert (rows[..., 0] == rows[..., 2]).all()
        np.testing.assert_allclose(rows[:, 0], 0.25)
        np.testing.assert_allclose(rows[:, -1], 1.0)
        assert (np.diff(rows[0, :, 0]) >= 0).all()
    flat = error_overlay(image * 0 + 3, truth, truth)
    assert np.isfinite(flat).all()
    assert flat.min() >= 0


def test_few_bright_pixels_keep_their_shades_under_the_errors():
    """Nearly all pixels are black, so both percentiles are: then the extremes are shown."""
    image, nothing = np.zeros((40, 40)), np.zeros((40, 40), bool)
    image[3, 4], image[20, 30] = 1, 1000
    rgb = error_overlay(image, nothing, nothing)
    np.testing.assert_allclose(rgb[3, 4], 0.25 + 0.75 / 1000)
    np.testing.assert_allclose(rgb[20, 30], 1)


def scene(size=40):
    image = np.random.default_rng(0).normal(size=(size, size))
    truth = np.zeros((size, size), np.uint8)
    truth[5:25, 5:25] = 255
    p = np.where(np.roll(truth, 4, axis=1) > 0, 0.9, 0.1)
    return image, truth, p


def test_results(tmp_path):
    image, truth, p = scene()
    path = plot_results([image, image], [truth, truth], [p, p], tmp_path / "r.png")
    picture = pixels(path)
    assert picture.shape == (726, 1375, 3)  # 12.5 × 6.6 inches
    columns = np.array_split(picture, 4, axis=1)
    for column in columns:
        assert len(np.unique(column)) > 10
    assert near(columns[3], (230, 158, 0)) > 500
    assert near(columns[3], (0, 115, 178)) > 500
    assert near(columns[0], (230, 158, 0)) == 0
    right = pixels(plot_results([image], [truth], [truth / 255.0], tmp_path / "s.png", ["mine"]))
    assert right.shape == (363, 1375, 3)
    assert near(np.array_split(right, 4, axis=1)[3], (230, 158, 0)) == 0


def test_results_of_unequal_lists(tmp_path):
    image, truth, p = scene()
    with pytest.raises(ValueError):
        plot_results([image], [truth, truth], [p, p], tmp_path / "r.png")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("top", [0, 1, 7])
def test_augmented(tmp_path, top):
    image, truth, _ = scene(96)
    labels = (truth > 0).astype(int) * top
    source = np.indices(image.shape).astype(float)
    samples = [("original", image, labels, source), ("moved", image, labels, source + 40.5)]
    picture = pixels(plot_augmented(samples, tmp_path / "a.png"))
    assert picture.shape == (726, 682, 3)  # 2 · 3.1 × 6.6 inches
    half = len(picture) // 2
    assert near(picture[:half], ORANGE, 70) > 200  # the grid, in the upper row only
    assert len(np.unique(picture[half:])) > 10


@pytest.mark.parametrize("top", [1, 9])
def test_weight_map(tmp_path, top):
    _, truth, _ = scene()
    labels = (truth > 0).astype(int) * top
    weights = np.linspace(0, 11, 1600).reshape(40, 40)
    picture = pixels(plot_weight_map(labels, weights, tmp_path / "w.png"))
    assert picture.shape == (506, 1100, 3)
    right = picture[:, 550:]
    assert near(right, (68, 1, 84)) > 100  # viridis from its lowest
    assert near(right, (253, 231, 37)) > 100  # to its highest
