"""What predict writes beside probabilities, of several classes, and what it does not replace."""

import json

import numpy as np
import pytest
import tifffile
from PIL import Image
from runs import tiny_arrays

from tinyunet import UNet
from tinyunet.cli import main
from tinyunet.images import read_labels
from tinyunet.inference.predict import predict_tiled
from tinyunet.inference.recipe import DEFAULTS
from tinyunet.plot import find_contours
from tinyunet.training.checkpoint import load_network, save_weights
from tinyunet.training.recipe_file import read_recipe

COLOURS = {0: (0, 0, 0), 1: (230, 159, 0), 2: (0, 0, 255)}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(images.tif, a folder with a network of three classes, its classes in two pages)."""
    folder = tmp_path_factory.mktemp("classes")
    images = tiny_arrays(count=5)[0]
    tifffile.imwrite(folder / "i.tif", images, photometric="minisblack")
    net = UNet(1, 3, depth=2, base_channels=4, dropout=0, seed=2, device="cpu")
    net.normalisation = "image"
    p = predict_tiled(net, images[0])
    net.params["out.bias"] -= np.log(p).mean(axis=(1, 2))  # so that each class has its pixels
    run = folder / "run"
    run.mkdir()
    save_weights(run / "best.safetensors", net)
    answers = [predict_tiled(net, image).argmax(axis=0) for image in images[:2]]
    assert len(np.unique(answers)) == 3
    return folder / "i.tif", run, answers


def predict(*arguments):
    return main(["predict", *map(str, arguments), "--device", "cpu", "--slices", "0:2"])


def test_masks_of_several_classes_hold_numbers_and_show_colours(made, tmp_path, capsys):
    images, run, answers = made
    (tmp_path / "c.csv").write_text("2,vesicle,blue\n")
    flags = ("--classes-file", tmp_path / "c.csv", "--json")
    assert predict(run, images, "--masks", tmp_path / "m", *flags) == 0
    said = json.loads(capsys.readouterr().out)
    for name, answer in zip(("0", "1"), answers, strict=True):
        with Image.open(tmp_path / "m" / f"{name}.png") as mask:
            assert np.array_equal(np.asarray(mask), answer)
            shown = np.asarray(mask.convert("RGB"))
        for number, colour in COLOURS.items():
            assert (shown[answer == number] == colour).all()
    read = read_labels(tmp_path / "m", n_classes=3)  # as `evaluate --classes 3` reads them
    assert np.array_equal(read, answers)
    assert [one["name"] for one in said["classes"]] == ["class 0", "class 1", "vesicle"]
    shares = [one["share"] for one in said["classes"]]
    assert shares == pytest.approx([(np.stack(answers) == k).mean() for k in range(3)])


def test_masks_in_a_stack(made, tmp_path, capsys):
    images, run, answers = made
    assert predict(run, images, "--masks", tmp_path / "m.tif") == 0
    assert np.array_equal(tifffile.imread(tmp_path / "m.tif"), answers)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{tmp_path / 'm.tif'}: 2 slices"
    assert lines[1].startswith("of all pixels: class 0 ")


def test_overlays_and_colours_of_classes(made, tmp_path):
    images, run, answers = made
    assert predict(run, images, "--overlays", tmp_path / "o", "--colours", tmp_path / "k") == 0
    for name, answer in zip(("0", "1"), answers, strict=True):
        colours = np.asarray(Image.open(tmp_path / "k" / f"{name}.png"))
        overlay = np.asarray(Image.open(tmp_path / "o" / f"{name}.png"))
        contours = find_contours(answer)
        assert contours.any()
        assert np.array_equal(overlay[contours], colours[contours])
        assert (overlay[~contours].min(axis=1) == overlay[~contours].max(axis=1)).all()  # grey
        assert len(np.unique(colours.reshape(-1, 3), axis=0)) == 3


def test_cells_of_several_classes_are_all_that_is_no_background(made, tmp_path):
    images, run, _ = made
    flags = ("--cells", tmp_path / "c.tif", "--min-size", 0, "--border", 0)
    assert read_recipe(run) is None  # of three classes nobody chooses a threshold
    assert predict(run, images, *flags, "--overlays", tmp_path / "o") == 0
    net, _ = load_network(run / "best.safetensors", "cpu")
    p = predict_tiled(net, tiny_arrays(count=5)[0][0])
    found = tifffile.imread(tmp_path / "c.tif")[0] > 0
    assert (found | ~(1 - p[0].astype(float) > DEFAULTS["threshold"])).all()


def test_nothing_is_replaced_without_overwrite(made, tmp_path, capsys):
    images, run, _ = made
    file, folder = tmp_path / "p.tif", tmp_path / "m"
    folder.mkdir()
    file.write_bytes(b"mine")
    (folder / "0.png").write_bytes(b"mine")
    (folder / "notes.txt").write_bytes(b"mine")
    for flags in (("--out", file), ("--masks", folder)):
        assert predict(run, images, *flags) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert "--overwrite" in error
    assert file.read_bytes() == (folder / "0.png").read_bytes() == b"mine"
    assert predict(run, images, "--out", file, "--masks", folder, "--overwrite") == 0
    assert len(tifffile.imread(file)) == 2
    assert sorted(p.name for p in folder.iterdir()) == ["0.png", "1.png", "notes.txt"]
    assert Image.open(folder / "0.png").size == (34, 30)
    assert (folder / "notes.txt").read_bytes() == b"mine"


def test_an_image_is_never_its_own_result(made, capsys):
    images, run, _ = made
    before = images.read_bytes()
    assert predict(run, images, "--out", images, "--overwrite") == 2
    assert "is an input of this command" in capsys.readouterr().err
    assert images.read_bytes() == before


def test_a_wrong_classes_file_is_said_before_the_work(made, tmp_path, capsys):
    images, run, _ = made
    (tmp_path / "c.csv").write_text("7,vesicle,blue\n")
    flags = ("--masks", tmp_path / "m", "--classes-file", tmp_path / "c.csv")
    assert predict(run, images, *flags) == 2
    assert "number '7' is not one of the network's classes, 0 to 2" in capsys.readouterr().err
    assert not (tmp_path / "m").exists()


def test_the_next_command_takes_the_threshold_of_the_run(made, tmp_path, capsys):
    images, run, _ = made
    assert predict(run, images, "--out", tmp_path / "p.tif") == 0
    assert f"next: tinyunet evaluate {tmp_path / 'p.tif'} LABELS --classes 3\n" in (
        capsys.readouterr().err
    )
