"""`tinyunet export` and `tinyunet import`, as typed."""

import numpy as np
import pytest
import tifffile

from tinyunet import UNet, load_network, predict_tiled, save_weights
from tinyunet.cli import main


@pytest.fixture
def weights(tmp_path):
    net = UNet(depth=2, base_channels=3, seed=7, device="cpu")
    save_weights(tmp_path / "net.safetensors", net, tile=34)
    return tmp_path / "net.safetensors"


@pytest.mark.parametrize("layout", ["tinyunet", "double_conv", "down_path"])
def test_a_network_leaves_and_returns(weights, tmp_path, capsys, layout):
    out, back = tmp_path / "out.safetensors", tmp_path / "back.safetensors"
    assert main(["export", str(weights), str(out), "--to", "torch", "--layout", layout]) == 0
    assert main(["import", str(out), "--out", str(back), "--tile", "34"]) == 0
    assert f"from layout {layout}" in capsys.readouterr().out
    one, two = (load_network(file, "cpu") for file in (weights, back))
    assert two[1]["tile"] == 34
    assert all((one[0].params[name] == two[0].params[name]).all() for name in one[0].params)


def test_onnx_leaves_and_returns(weights, tmp_path, capsys):
    pytest.importorskip("onnx", reason='onnx is not installed: pip install ".[exchange]"')
    out, back = tmp_path / "out.onnx", tmp_path / "back.safetensors"
    assert main(["export", str(weights), str(out)]) == 0
    assert main(["import", str(out), "--out", str(back)]) == 0
    x = np.ones((1, 1, 34, 34), np.float32)
    assert (load_network(weights, "cpu")[0](x) == load_network(back, "cpu")[0](x)).all()


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ([], "image"),
        (["--normalise", "compressed"], "compressed"),
        (["--normalise", "none"], "none"),
    ],
)
def test_an_imported_network_knows_how_its_images_were_normalised(weights, tmp_path, typed, kept):
    out, back = tmp_path / "out.safetensors", tmp_path / "back.safetensors"
    assert main(["export", str(weights), str(out), "--to", "torch"]) == 0
    assert main(["import", str(out), "--out", str(back), *typed]) == 0
    assert load_network(back, "cpu")[0].normalisation == kept


def test_predict_gives_the_image_as_the_function_does(weights, tmp_path, capsys, rng):
    """Of a file that does not say how, pixels as they are, and a warning; else normalised once."""
    image = (200 * rng.random((40, 52))).astype("uint8")
    tifffile.imwrite(tmp_path / "i.tif", image)
    for name in (None, "image", "compressed"):
        net = load_network(weights, "cpu")[0]
        net.normalisation = name
        save_weights(tmp_path / f"{name}.safetensors", net, tile=34)
        command = ["predict", f"{tmp_path}/{name}.safetensors", f"{tmp_path}/i.tif"]
        assert main([*command, "--out", f"{tmp_path}/{name}.tif", "--tile", "34"]) == 0
        warned = "does not say how its images were normalised" in capsys.readouterr().err
        assert warned == (name is None)
        expected = predict_tiled(net, image, 34)[1]
        np.testing.assert_array_equal(tifffile.imread(tmp_path / f"{name}.tif"), expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["export", "W", "out.xyz"], "out.xyz: which format? give --to onnx, torch, bioimageio"),
        (["export", "W", "out.onnx", "--to", "torch"], "must end in .pt or .pth or .safetensors"),
        (["export", "W", "W", "--to", "torch"], "is an input of this command"),
        (["export", "none", "out.onnx"], "none: no such run folder or file of weights"),
        (["export", "W", "there.pt"], "there.pt: exists already: name a new file"),
        (["import", "none.pt", "--out", "x.safetensors"], "none.pt: no such file"),
        (["import", "none.onnx", "--out", "x.safetensors"], "none.onnx: no such file"),
        (["import", "W", "--out", "x.safetensors"], "no known layout: it holds params/"),
        (["import", "W", "--out", "x.pt"], "x.pt: must end in .safetensors"),
    ],
)
def test_wrong_inputs_get_one_line(weights, tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.pt").write_text("mine")
    before = sorted(p.name for p in tmp_path.iterdir())
    given = [str(weights.name) if a == "W" else a for a in arguments]
    assert main(given) == 2
    error = capsys.readouterr().err
    assert error.startswith("tinyunet: error: ")
    assert message in error
    assert error.count("\n") == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == before
    assert (tmp_path / "there.pt").read_text() == "mine"
