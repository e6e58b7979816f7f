"""Networks of the package: cards, words, runs and files, in Python and on the command line.

The network here is one of random weights in a folder of the test's own.
"""

import json

import numpy as np
import pytest
import tifffile
from PIL import Image
from runs import tiny, tiny_arrays, tiny_dataset

import tinyunet
from tinyunet import UNet, networks
from tinyunet.cli import main
from tinyunet.images import normalise
from tinyunet.inference.cores import cores_to_cells
from tinyunet.inference.postprocess import probabilities_to_cells
from tinyunet.inference.predict import predict_tiled
from tinyunet.inference.recipe import DEFAULTS, Recipe
from tinyunet.networks import card as cards
from tinyunet.networks import find_model
from tinyunet.training.checkpoint import save_weights
from tinyunet.training.loop import train
from tinyunet.training.recipe_file import read_recipe, write_recipe

SETTINGS = {"threshold": 0.45, "min_size": 4, "border": 1}
CARD = {
    "title": "dots in noise",
    "postprocessing": {"function": "probabilities_to_cells", "settings": SETTINGS},
    "typical_diameter": 5,
    "scores": {"SEG": 0.5},
}


@pytest.fixture
def dots(tmp_path, monkeypatch):
    """The word of a network of random weights."""
    folder = tmp_path / "networks"
    folder.mkdir()
    net = UNet(1, 2, depth=2, base_channels=4, dropout=0, seed=1, device="cpu")
    logits = np.log(predict_tiled(net, normalise(tiny_arrays()[0][0])))
    net.params["out.bias"] -= logits.mean(axis=(1, 2))  # so that each class has its pixels
    net.normalisation = "image"
    save_weights(folder / "dots.safetensors", net)
    (folder / "dots.json").write_text(json.dumps(CARD), encoding="utf-8")
    monkeypatch.setattr(cards, "FOLDER", folder)
    return "dots"


def expected_cells(net, image):
    p = predict_tiled(net, normalise(image))
    return probabilities_to_cells(1 - p[0], **{**DEFAULTS, **SETTINGS})


def test_what_is_shipped_can_be_read():
    for name in networks.names():
        card = networks.read_card(name)
        assert card.title != name
        assert card.recipe.objects
        assert card.typical_diameter > 0
        assert card.weights.stat().st_size <= 2 * 10**6
        assert isinstance(tinyunet.load(name, "cpu"), UNet)


def test_a_word_loads_and_predicts(dots):
    net = tinyunet.load(dots, "cpu")
    image = tiny_arrays()[0][0]
    p = tinyunet.predict(dots, image, device="cpu")
    np.testing.assert_allclose(p, predict_tiled(net, normalise(image)), atol=1e-6)
    cells = tinyunet.predict_cells(dots, image, device="cpu")
    assert cells.dtype == np.int32
    assert np.array_equal(cells, expected_cells(net, image))
    assert cells.max() > 1
    other = tinyunet.predict_cells(dots, image, device="cpu", threshold=0.6, min_size=0)
    assert not np.array_equal(other, cells)
    with pytest.raises(ValueError, match="takes no treshold"):
        tinyunet.predict_cells(dots, image, treshold=0.6)


def test_cells_of_a_network_at_hand_have_the_defaults(dots):
    net = tinyunet.load(dots, "cpu")
    images = tiny_arrays()[0]
    p = predict_tiled(net, normalise(images[1]))
    found = tinyunet.predict_cells(net, images)
    assert len(found) == len(images)
    assert np.array_equal(found[1], probabilities_to_cells(1 - p[0], **DEFAULTS))


def test_a_folder_with_weights_goes_before_the_word(dots, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dots").mkdir()  # of images, say
    assert find_model(dots).card.name == dots
    net = UNet(1, 2, depth=2, base_channels=3, device="cpu")
    save_weights(tmp_path / "dots" / "last.safetensors", net)
    assert find_model(dots).card is None
    assert tinyunet.load(dots, "cpu").base_channels == 3


def test_words_that_are_none(dots, tmp_path):
    with pytest.raises(FileNotFoundError, match="networks of the package: dots"):
        find_model("dotz")
    with pytest.raises(FileNotFoundError, match="holds no best.safetensors or"):
        find_model(tmp_path)
    with pytest.raises(ValueError, match="comes with one set of weights"):
        find_model(dots, "last")
    with pytest.raises(FileNotFoundError, match="dotz: no such network: there is dots"):
        networks.read_card("dotz")


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"postprocessing": {"settings": {"x": 1}}}'])
def test_a_damaged_card(dots, text):
    (cards.FOLDER / "dots.json").write_text(text)
    with pytest.raises(ValueError, match="dots.json: damaged"):
        find_model(dots)


def test_a_card_without_weights_is_no_network(dots):
    (cards.FOLDER / "dots.safetensors").unlink()
    assert networks.names() == []


# ---- on the command line -------------------------------------------------------------------------


def predict(*arguments):
    return main(["predict", *map(str, arguments), "--device", "cpu"])


def test_cells_of_a_folder_keep_their_names(dots, tmp_path, capsys):
    images = tiny_arrays()[0]
    (tmp_path / "photos").mkdir()
    for name, image in zip(("b 1.png", "t003.png"), images, strict=False):
        Image.fromarray(image).save(tmp_path / "photos" / name)
    cells = tmp_path / "cells"
    assert predict(dots, tmp_path / "photos", "--out", cells) == 0
    said = capsys.readouterr()
    assert "dots: dots in noise; made for objects about 5 pixels across" in said.err
    net = tinyunet.load(dots, "cpu")
    assert sorted(path.name for path in cells.iterdir()) == ["b 1.tif", "mask003.tif"]
    found = tifffile.imread(cells / "b 1.tif")
    assert found.dtype == np.uint16
    assert np.array_equal(found, expected_cells(net, images[0]))
    total = int(found.max()) + int(tifffile.imread(cells / "mask003.tif").max())
    assert said.out == f"{cells}: {total} cells in 2 frames\n"


def test_one_picture_gives_files_of_its_name(dots, tmp_path):
    image = tiny_arrays()[0][0]
    Image.fromarray(image).save(tmp_path / "my cell.png")
    places = [("--out", "c"), ("--overlays", "o"), ("--colours", "k"), ("--masks", "m")]
    flags = [word for flag, name in places for word in (flag, tmp_path / name)]
    assert (
        predict(dots, tmp_path / "my cell.png", *flags, "--probabilities", tmp_path / "p.tif") == 0
    )
    assert {p.name for name in "cokm" for p in (tmp_path / name).iterdir()} == {
        "my cell.tif",
        "my cell.png",
    }
    net = tinyunet.load(dots, "cpu")
    p = predict_tiled(net, normalise(image))
    np.testing.assert_allclose(tifffile.imread(tmp_path / "p.tif"), p[1], atol=1e-6)
    mask = np.asarray(Image.open(tmp_path / "m" / "my cell.png"))
    assert np.array_equal(mask, np.where(p[1] > SETTINGS["threshold"], 255, 0))
    colours = np.asarray(Image.open(tmp_path / "k" / "my cell.png"))
    cells = tifffile.imread(tmp_path / "c" / "my cell.tif")
    assert np.array_equal(colours.any(axis=2), cells > 0)
    assert len(np.unique(colours.reshape(-1, 3), axis=0)) == cells.max() + 1
    overlay = np.asarray(Image.open(tmp_path / "o" / "my cell.png"))
    coloured = (overlay[..., 0] != overlay[..., 1]) | (overlay[..., 1] != overlay[..., 2])
    assert coloured.any()
    assert not (coloured & (cells == 0)).any()


def test_what_is_typed_goes_before_the_card(dots, tmp_path, capsys):
    image = tiny_arrays()[0][:1]
    tifffile.imwrite(tmp_path / "i.tif", image, photometric="minisblack")
    flags = ("--threshold", 0.6, "--min-size", 0, "--border", 0, "--grow", 1, "--json")
    assert predict(dots, tmp_path / "i.tif", "--out", tmp_path / "c.tif", *flags) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["recipe"]["settings"] == {"threshold": 0.6, "min_size": 0, "border": 0, "grow": 1}
    p = predict_tiled(tinyunet.load(dots, "cpu"), normalise(image[0]))
    expected = probabilities_to_cells(1 - p[0], threshold=0.6, grow=1)
    assert np.array_equal(tifffile.imread(tmp_path / "c.tif"), expected)
    assert said["cells"] == {"0": int(expected.max())}
    assert said["written"] == {"cells": str(tmp_path / "c.tif")}


def test_rims_and_cores_are_cells_and_no_classes(dots, tmp_path, capsys):
    image = tiny_arrays()[0][0]
    net = UNet(1, 3, depth=2, base_channels=4, dropout=0, seed=3, device="cpu")
    net.normalisation = "image"
    net.params["out.bias"] -= np.log(predict_tiled(net, image)).mean(axis=(1, 2))
    save_weights(cards.FOLDER / "dots.safetensors", net)
    recipe = {"function": "cores_to_cells", "settings": {"threshold": 0.6, "min_size": 3}}
    card = CARD | {"postprocessing": recipe}
    (cards.FOLDER / "dots.json").write_text(json.dumps(card), encoding="utf-8")
    Image.fromarray(image).save(tmp_path / "i.png")
    places = ("--cells", "c.tif"), ("--masks", "m.tif"), ("--probabilities", "p.tif")
    flags = [word for flag, name in places for word in (flag, tmp_path / name)]
    assert predict(dots, tmp_path / "i.png", *flags) == 0
    assert "of all pixels: class 0 " in capsys.readouterr().out
    p = predict_tiled(net, image)
    cells = cores_to_cells(p, threshold=0.6, min_size=3)
    assert cells.max() > 1
    assert np.array_equal(tifffile.imread(tmp_path / "c.tif"), cells)
    assert np.array_equal(tifffile.imread(tmp_path / "m.tif"), np.where(cells > 0, 255, 0))
    np.testing.assert_allclose(tifffile.imread(tmp_path / "p.tif"), 1 - p[0], atol=1e-6)
    assert predict(dots, tmp_path / "i.png", "--out", tmp_path / "d", "--grow", 1) == 2
    assert "cores_to_cells takes no grow" in capsys.readouterr().err


def test_info_lists_networks_and_shows_a_card(dots, capsys):
    assert main(["info"]) == 0
    assert "dots: dots in noise" in capsys.readouterr().out
    assert main(["info", dots]) == 0
    out = capsys.readouterr().out
    assert "dots in noise" in out
    assert "objects about 5 pixels across" in out
    assert main(["info", dots, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["card"] == CARD


# ---- what a run chose ----------------------------------------------------------------------------


@pytest.fixture
def run(tmp_path):
    train(tiny_dataset(), tiny(steps=3), tmp_path / "run", "cpu")
    return tmp_path / "run"


def test_a_run_keeps_its_threshold(run, tmp_path, capsys):
    assert find_model(run).recipe == Recipe()
    recipe = Recipe(settings={**DEFAULTS, "threshold": 0.3}, chosen="by hand")
    write_recipe(run, recipe)
    assert read_recipe(run) == recipe
    tifffile.imwrite(tmp_path / "i.tif", tiny_arrays()[0], photometric="minisblack")
    assert predict(run, tmp_path / "i.tif", "--masks", tmp_path / "m.tif") == 0
    said = capsys.readouterr()
    assert "threshold 0.3: by hand (postprocessing.json)" in said.err
    p = predict_tiled(tinyunet.load(run, "cpu"), normalise(tiny_arrays()[0][2]))
    masks = tifffile.imread(tmp_path / "m.tif")
    assert np.array_equal(masks[2], np.where(p[1].astype(float) > 0.3, 255, 0))
    share = f"class 0 {100 * (masks == 0).mean():.1f} %, class 1 {100 * (masks > 0).mean():.1f} %"
    assert f"of all pixels: {share}\n" in said.out
    flags = ("--masks", tmp_path / "m2.tif", "--threshold", "0.5")
    assert predict(run / "best.safetensors", tmp_path / "i.tif", *flags) == 0
    assert "postprocessing" not in capsys.readouterr().err


@pytest.mark.parametrize("content", ["{}", '{"settings": {"threshold": "0.6"}}'])
def test_a_damaged_choice_is_one_line(run, capsys, content):
    (run / "postprocessing.json").write_text(content)
    assert predict(run, run, "--masks", run / "m") == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "postprocessing.json: damaged (" in said
