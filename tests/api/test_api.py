"""The package in four functions: from arrays, and from files, and what they refuse."""

import copy
import pickle

import numpy as np
import pytest
import tifffile
from runs import TINY, snapshot, tiny, tiny_arrays, tiny_dataset, write_stacks

import tinyunet
from tinyunet.images.write_folder import FolderWriter
from tinyunet.inference.predict import predict_tiled
from tinyunet.metrics import detection_table, iou, isbi2012_details, parted_pairs, seg
from tinyunet.training.checkpoint import load_checkpoint
from tinyunet.training.loop import train as train_dataset
from tinyunet.training.settings import Settings

SMALL = {name: value for name, value in TINY.items() if name != "val"}


def quiet(images, labels, out, **options):
    return tinyunet.train(images, labels, out, device="cpu", progress=False, **{**SMALL, **options})


def weights(run):
    return load_checkpoint(run / "last.safetensors")[0]


def same(one, other):
    return sorted(one) == sorted(other) and all(np.array_equal(one[n], other[n]) for n in one)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run of the plain function: (folder, its result)."""
    folder = tmp_path_factory.mktemp("api") / "run"
    return folder, train_dataset(tiny_dataset(), tiny(), folder, "cpu")


@pytest.mark.parametrize("source", ["arrays", "lists", "files", "dataset", "channels"])
def test_all_sources_train_the_same_run(made, tmp_path, source):
    images, labels = tiny_arrays()
    if source == "lists":
        images, labels = list(images), list(labels)
    elif source == "files":
        images, labels = write_stacks(tmp_path)
    elif source == "dataset":
        images, labels = tiny_dataset(), None
    elif source == "channels":
        images = images[..., None]
    result = quiet(images, labels, tmp_path / "run", val=(3, 4))
    assert same(weights(tmp_path / "run"), weights(made[0]))
    assert (result.steps, result.loss, result.best) == (12, made[1].loss, made[1].best)
    assert (tmp_path / "run" / "report.html").exists()


def test_results_settings_and_networks_say_what_they_are(made):
    text = repr(made[1])
    assert text.startswith("<TrainingResult: 12 steps in ")
    assert f"best at step {made[1].best.step}: " in text
    assert repr(Settings(lr=0.1, val=(1, 2))) == "Settings(lr=0.1, val=(1, 2))"
    assert eval(repr(tiny())) == tiny()
    assert "434 parameters" in repr(tinyunet.load(made[0], "cpu"))


@pytest.mark.parametrize("val", ["25%", 0.25])
def test_a_share_is_held_out(tmp_path, made, val):
    quiet(*tiny_arrays(), tmp_path / "run", val=val)
    assert same(weights(tmp_path / "run"), weights(made[0]))


def test_resume_and_more_steps(tmp_path, made):
    quiet(*tiny_arrays(), tmp_path / "run", val=(3, 4), steps=5)
    result = quiet(*tiny_arrays(), tmp_path / "run", resume=True)
    assert result.steps == 12
    whole = tmp_path / "whole"
    quiet(*tiny_arrays(), whole, val=(3, 4))
    assert same(weights(tmp_path / "run"), weights(whole))


def test_several_classes_objects_and_ignored_pixels(tmp_path):
    images, masks = tiny_arrays()
    classes = (masks > 0).astype(int)
    classes[:, 10:20, 10:20] = 2
    quiet(images, classes, tmp_path / "three", n_classes=3)
    assert tinyunet.load(tmp_path / "three", "cpu").n_classes == 3
    cells = np.where(masks > 0, 7, 0)
    cells[:, :15][cells[:, :15] > 0] = 3
    quiet(images, cells, tmp_path / "cells", kind="instances")
    assert tinyunet.load(tmp_path / "cells", "cpu").n_classes == 2
    ignored = (masks > 0).astype(int)
    ignored[:, 5, 5] = 9
    quiet(images, ignored, tmp_path / "ignored", ignore=9)
    some = [None, *masks[1:]]
    quiet(images, some, tmp_path / "some", val=(3, 4))
    quiet(images[1:], masks[1:], tmp_path / "rest", val=(2, 3))
    assert same(weights(tmp_path / "some"), weights(tmp_path / "rest"))


IMAGES, LABELS = tiny_arrays()


@pytest.mark.parametrize(
    ("images", "labels", "options", "message"),
    [
        (IMAGES, LABELS[:3], {}, "^4 images and 3 labels: wanted one for each$"),
        (IMAGES, LABELS[:, :20], {}, r"^labels\[0\] are \(20, 34\), the image is \(30, 34\)"),
        (IMAGES, None, {}, "^images are arrays: wanted an array or a list of arrays as labels"),
        (IMAGES, "labels.tif", {}, "^images are arrays: wanted an array"),
        ("images.tif", LABELS, {}, "^labels are arrays and images are files"),
        (tiny_dataset(), LABELS, {}, "^labels are given twice"),
        (IMAGES, [None] * 4, {}, "^labels are all None"),
        (IMAGES, LABELS.astype(complex), {}, r"^labels\[0\] are complex128: wanted whole numbers"),
        (IMAGES, LABELS / 2, {}, "^labels: labels have 2 values .0, 127.5.: wanted 0/1 or 0/255"),
        (
            IMAGES,
            LABELS * 0.0 + 256,
            {},
            "^labels: labels have 1 values .256.: wanted 0/1 or 0/255",
        ),
        (IMAGES, LABELS.astype(int) - 255, {}, "^labels: labels have 2 values .-255, 0.: wanted"),
        (np.zeros((4, 30, 34, 2)), LABELS, {}, r"an image is \(30, 34, 2\): wanted .* 1 channels$"),
        (IMAGES, LABELS, {"epochs": 3}, "^no such setting: epochs; there are depth, base_channels"),
        (IMAGES, LABELS, {"lr": -1.0}, "^learning rate -1.0 is not a positive number$"),
        (IMAGES, LABELS, {"val": "all"}, "^val 'all' is not a share like '20%' or a range like"),
        (IMAGES, LABELS, {"val": "abc%"}, "^val 'abc%' is not a share like '20%' or a range like"),
        (IMAGES, LABELS, {"val": "%"}, "^val '%' is not a share like '20%' or a range like"),
        (IMAGES, LABELS, {"seconds": np.nan}, "^seconds must be a number of at least 0, got nan$"),
        (IMAGES, LABELS, {"seconds": -1}, "^seconds must be a number of at least 0, got -1$"),
        (IMAGES, LABELS, {"seconds": "60"}, "^seconds must be a number of at least 0, got '60'$"),
        (IMAGES, LABELS, {"val": 1.5}, "^a share of 150 % is not between 0 and 100 %$"),
        (IMAGES, LABELS, {"val": (3, 9)}, "^validation range 3:9 is outside the 4 slices"),
    ],
)
def test_what_does_not_go_together_is_refused(tmp_path, images, labels, options, message):
    with pytest.raises(ValueError, match=message):
        quiet(images, labels, tmp_path / "run", **options)
    assert snapshot(tmp_path) == {}


@pytest.mark.parametrize("wrong", [256, 257, -255, 0.5, 1.9, np.nan])
def test_labels_that_8_bits_would_wrap_or_cut_never_reach_a_run(tmp_path, wrong):
    """As arrays, and in a data set that somebody made: 256 is 0 in 8 bits, 257 and −255 are 1."""
    labels = np.where(LABELS > 0, wrong, 0)
    with pytest.raises(ValueError, match=r"^labels"):
        quiet(IMAGES, labels, tmp_path / "run")
    dataset = tiny_dataset()
    dataset.labels[1] = np.where(dataset.labels[1] > 0, wrong, 0)
    with pytest.raises(ValueError, match=r"^labels of slice 1 (go from|are float64)"):
        quiet(dataset, None, tmp_path / "run")
    assert snapshot(tmp_path) == {}


def test_a_run_folder_must_be_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for out in ({}, {"out": ""}):
        with pytest.raises(ValueError, match="^the name of the run folder is empty$"):
            tinyunet.train(*tiny_arrays(), device="cpu", progress=False, **out)
    assert snapshot(tmp_path) == {}


def test_a_run_is_used_as_it_was_trained(made):
    """The images' brightness does not matter, for that of the training did not."""
    image = tiny_arrays()[0][3]
    net = tinyunet.load(made[0], "cpu")
    expected = predict_tiled(net, image, normalise="image")
    for model in (made[0], str(made[0]), made[0] / "best.safetensors", net):
        got = tinyunet.predict(model, image, device="cpu")
        assert got.shape == (2, 30, 34)
        np.testing.assert_array_equal(got, expected)
    as_stored = tinyunet.predict(net, image, normalise=None)
    assert np.abs(as_stored - expected).max() > 1e-3
    brighter = tinyunet.predict(net, 3.0 * image + 50)
    np.testing.assert_allclose(brighter, expected, atol=1e-5)


def test_one_image_several_and_files(made, tmp_path):
    images, _ = tiny_arrays()
    tifffile.imwrite(tmp_path / "i.tif", images, photometric="minisblack")
    net = tinyunet.load(made[0], "cpu")
    each = [tinyunet.predict(net, image) for image in images]
    for several in (images, list(images), tmp_path / "i.tif", images[:, None], images[..., None]):
        found = tinyunet.predict(net, several)
        assert isinstance(found, list)
        assert all(np.array_equal(a, b) for a, b in zip(found, each, strict=True))
    np.testing.assert_array_equal(tinyunet.predict(net, images[0][None]), each[0])
    sizes = tinyunet.predict(net, [images[0], images[1][:20]], tile=26, average=2)
    assert [p.shape for p in sizes] == [(2, 30, 34), (2, 20, 34)]


def test_colour_in_either_order():
    net = tinyunet.UNet(3, 2, 2, 2, device="cpu")
    image = np.random.default_rng(0).random((3, 20, 24))
    first = tinyunet.predict(net, image)
    np.testing.assert_array_equal(tinyunet.predict(net, np.moveaxis(image, 0, 2)), first)
    several = tinyunet.predict(net, np.stack([image, image]))
    assert len(several) == 2
    np.testing.assert_array_equal(several[1], first)
    with pytest.raises(ValueError, match=r"an image is \(20, 24\): wanted .* of 3 channels"):
        tinyunet.predict(net, [image[0]])


def test_there_is_no_such_run(tmp_path):
    with pytest.raises(FileNotFoundError, match="gone: no such run folder or file of weights"):
        tinyunet.load(tmp_path / "gone")
    with pytest.raises(FileNotFoundError, match="holds no best.safetensors or last.safetensors"):
        tinyunet.predict(tmp_path, np.zeros((9, 9)))


def test_without_validation_the_last_weights_are_loaded(tmp_path):
    quiet(*tiny_arrays(), tmp_path / "run", steps=2)
    net = tinyunet.load(tmp_path / "run", "cpu", "float64")
    assert net.dtype == np.float64
    assert net.normalisation == "image"
    last = weights(tmp_path / "run")
    assert all(np.array_equal(p, last[f"params/{name}"]) for name, p in net.params.items())


def test_networks_can_be_copied_and_pickled(made):
    net = tinyunet.load(made[0], "cpu")
    image = tiny_arrays()[0][0]
    expected = tinyunet.predict(net, image)
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net)), copy.copy(net)):
        np.testing.assert_array_equal(tinyunet.predict(other, image), expected)
        assert other.device.name == "cpu"
        assert other.rng.bit_generator.state == net.rng.bit_generator.state
    twin = copy.deepcopy(net)
    twin.params["out.bias"][...] = 9
    assert not np.array_equal(net.params["out.bias"], twin.params["out.bias"])
    assert twin.workspace is not net.workspace


# Scores


def test_membranes_are_scored_as_the_challenge_does(tmp_path):
    rng = np.random.default_rng(0)
    truth = tiny_arrays()[1]
    p = np.clip(truth / 255 * 0.6 + rng.uniform(0, 0.4, truth.shape), 0, 1).astype(np.float32)
    expected = isbi2012_details(truth, p)
    assert tinyunet.evaluate(truth, p) == expected
    assert tinyunet.evaluate(list(truth), list(p)) == expected
    assert tinyunet.evaluate(truth[0], p[0]).scores == isbi2012_details(truth[:1], p[:1]).scores
    for name, array in (("t.tif", truth), ("p.tif", p)):
        tifffile.imwrite(tmp_path / name, array, photometric="minisblack")
    assert tinyunet.evaluate(tmp_path / "t.tif", tmp_path / "p.tif") == expected
    assert tinyunet.evaluate(truth, truth > 0).scores.pixel_error_rate == 0


def test_what_8_bits_mean_is_decided_for_the_whole_stack(tmp_path):
    truth = tiny_arrays()[1]
    stack = np.where(truth > 0, 200, 30).astype(np.uint8)
    stack[0] = truth[0] > 0  # 1 of 255
    expected = isbi2012_details(truth, stack)
    assert expected.scores.pixel_error_rate > 0.05
    assert tinyunet.evaluate(truth, stack) == expected
    for name, array in (("t.tif", truth), ("p.tif", stack)):
        tifffile.imwrite(tmp_path / name, array, photometric="minisblack")
    assert tinyunet.evaluate(tmp_path / "t.tif", tmp_path / "p.tif") == expected
    mask = (truth > 0).astype(np.uint16) * 65535
    assert tinyunet.evaluate(truth, mask).scores.pixel_error_rate == 0


@pytest.mark.parametrize("kind", ["auto", "membranes", "classes", "instances"])
def test_no_map_is_no_score(kind):
    for nothing in ([], np.zeros((0, 4, 4), np.uint8)):
        with pytest.raises(ValueError, match="^ground_truth and prediction hold no map: wanted"):
            tinyunet.evaluate(nothing, nothing, kind=kind)


def write_classes(folder):
    """Class numbers: as a stack, and as PNG files with a palette, as `predict --masks` has them."""
    classes = tiny_arrays()[1] // 255
    classes[:, 10:20, 10:20] = 2
    colours = np.array([[0, 0, 0], [230, 60, 20], [20, 60, 230]], np.uint8)
    with FolderWriter(folder / "masks") as writer:
        for number, page in enumerate(classes):
            writer.append_png(str(number), page, colours)
    tifffile.imwrite(folder / "l.tif", classes, photometric="minisblack")
    return classes


@pytest.mark.filterwarnings("ignore:.*palette of colours", "ignore:.*paired by order")
def test_class_numbers_in_a_palette_are_read_as_numbers(tmp_path):
    classes = write_classes(tmp_path)
    masks, labels = tmp_path / "masks", tmp_path / "l.tif"
    for pair in ((labels, masks), (masks, labels), (classes, masks), (masks, classes)):
        scores = tinyunet.evaluate(*pair, kind="classes")
        assert scores == {"pixel_error_rate": 0, "iou": {0: 1, 1: 1, 2: 1}}


def test_masks_of_one_bit_are_scored_against_arrays(tmp_path):
    truth = tiny_arrays()[1]
    tifffile.imwrite(tmp_path / "m.tif", truth > 0, photometric="minisblack")
    tifffile.imwrite(tmp_path / "t.tif", truth, photometric="minisblack")
    path = tmp_path / "m.tif"
    for pair in ((truth, path), (path, truth / 255), (tmp_path / "t.tif", path)):
        assert tinyunet.evaluate(*pair).scores.pixel_error_rate == 0


def test_objects_in_files_are_paired_by_their_numbers(tmp_path):
    """mask002.tif belongs to page 2, man_seg002.tif to frame 2."""
    truth = np.zeros((3, 30, 34), np.uint16)
    for t, page in enumerate(truth):
        page[5 * t : 5 * t + 5, 4:9] = 1
    tifffile.imwrite(tmp_path / "t.tif", truth, photometric="minisblack")
    for folder, form in (("found", "mask{}.tif"), ("GT/SEG", "man_seg{}.tif")):
        (tmp_path / folder).mkdir(parents=True)
        for t, number in enumerate(("000", "1", "02")):
            tifffile.imwrite(tmp_path / folder / form.format(number), truth[t])
    found, gold = tmp_path / "found", tmp_path / "GT"
    (found / "a.tif").write_bytes((found / "mask02.tif").read_bytes())  # no frame
    assert tinyunet.evaluate(tmp_path / "t.tif", found, kind="instances")["seg"] == 1
    (found / "a.tif").unlink()
    for kind in ("auto", "instances"):  # one object a frame, by the name of the files
        assert tinyunet.evaluate(gold, found, kind=kind)["seg"] == 1
    assert tinyunet.evaluate(gold, truth, kind="instances")["seg"] == 1
    assert tinyunet.evaluate(truth, gold, kind="instances")["seg"] == 1


def test_objects_and_classes():
    rng = np.random.default_rng(0)
    truth, found = (np.kron(rng.integers(0, 4, (2, 4, 5)), np.ones((6, 6), int)) for _ in range(2))
    pair = parted_pairs(truth, found)
    assert tinyunet.evaluate(truth, found) == {
        "seg": seg(truth, found),
        "iou": iou(truth, found),
        "parted": pair.parted,
        "touching": pair.touching,
        "detection": detection_table(truth, found),
    }
    scores = tinyunet.evaluate(truth, found, kind="classes")
    assert scores["pixel_error_rate"] == (truth != found).mean()
    both, either = ((truth == 2) & (found == 2)).sum(), ((truth == 2) | (found == 2)).sum()
    assert scores["iou"][2] == both / either


def test_slices_of_several_sizes_are_scored_together():
    truth = tiny_arrays()[1] // 255
    pair = [truth[0], truth[1][:20]], [truth[0] * 0.8, 1 - truth[1][:20] * 0.9]
    report = tinyunet.evaluate(*pair)
    wrong = (pair[1][1] > 0.5) != (pair[0][1] > 0)
    pixels = truth[0].size + wrong.size
    assert report.scores.pixel_error_rate == pytest.approx(wrong.sum() / pixels)
    assert [part.scores.pixel_error_rate for part in report.slices] == [0, wrong.mean()]


def test_folders_are_scored_by_name(tmp_path):
    from PIL import Image

    truth = tiny_arrays()[1]
    for folder, names in (("p", "abcd"), ("l", "cb"), ("m", "cx")):
        (tmp_path / folder).mkdir()
        for name in names:
            page = truth["abcdx".index(name) % 4]
            Image.fromarray(page).save(tmp_path / folder / f"{name}.png")
    report = tinyunet.evaluate(tmp_path / "l", tmp_path / "p")
    assert report.scores.pixel_error_rate == 0
    assert len(report.slices) == 2
    with pytest.raises(ValueError, match="m: x has no prediction of that name in"):
        tinyunet.evaluate(tmp_path / "m", str(tmp_path / "p"))


def test_what_cannot_be_scored():
    truth = tiny_arrays()[1]
    with pytest.raises(ValueError, match="^ground_truth has 2 maps and prediction 1: wanted as"):
        tinyunet.evaluate([truth[0], truth[1]], [truth[0]])
    with pytest.raises(ValueError, match="must have the same shape"):
        tinyunet.evaluate([truth[0], truth[1]], [truth[0], truth[1][:20]], kind="membranes")
    with pytest.raises(ValueError, match="^kind 'cells' is not one of"):
        tinyunet.evaluate(truth, truth, kind="cells")
