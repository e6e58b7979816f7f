"""State dictionaries of three layouts: names, shapes, and the order of the concatenation."""

import sys
from pathlib import Path

import numpy as np
import pytest

from tinyunet.arrays import to_numpy
from tinyunet.exchange.torch_file import export_torch, import_torch
from tinyunet.exchange.torch_names import LAYOUTS, from_state, names_of, to_layout


def _params(net):
    return {name: to_numpy(value) for name, value in net.params.items()}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_there_and_back_changes_nothing(exchange_net, layout):
    net = exchange_net
    state = to_layout(_params(net), net.layers, layout)
    params, architecture, found = from_state(state)
    assert found == layout
    assert architecture == {"in_channels": 2, "n_classes": 3, "depth": 3, "base_channels": 4}
    assert list(params) == list(net.params)
    assert all((params[name] == net.params[name]).all() for name in params)


def test_the_names_of_the_public_layouts(exchange_net):
    """Written down from the sources of the implementations that use them."""
    net = exchange_net
    double = names_of(net.layers, "double_conv")
    assert double["down1.conv1.weight"] == "inc.double_conv.0.weight"
    assert double["down3.conv2.bias"] == "down2.maxpool_conv.1.double_conv.2.bias"
    assert double["up2.upconv.weight"] == "up1.up.weight"
    assert double["up1.conv1.weight"] == "up2.conv.double_conv.0.weight"
    assert double["out.bias"] == "outc.conv.bias"
    path = names_of(net.layers, "down_path")
    assert path["down1.conv1.weight"] == "down_path.0.block.0.weight"
    assert path["down3.conv2.bias"] == "down_path.2.block.2.bias"
    assert path["up2.upconv.weight"] == "up_path.0.up.weight"
    assert path["up1.conv1.weight"] == "up_path.1.conv_block.block.0.weight"
    assert path["out.bias"] == "last.bias"
    for names in (double, path):
        assert len(set(names.values())) == len(names) == len(net.params)


def test_only_the_layout_that_wants_it_changes_halves(exchange_net):
    net = exchange_net
    weight = net.params["up1.conv1.weight"]  # 4 channels of the skip, 4 of the up-convolved map
    for layout in LAYOUTS:
        got = to_layout(_params(net), net.layers, layout)
        name = names_of(net.layers, layout)["up1.conv1.weight"]
        wanted = weight if layout != "down_path" else np.roll(weight, 4, axis=1)
        np.testing.assert_array_equal(got[name], wanted)


def test_what_does_not_fit_is_refused_by_name(exchange_net):
    net = exchange_net
    state = to_layout(_params(net), net.layers, "double_conv")
    cases = [
        ({"conv.weight": np.zeros((2, 1, 3, 3))}, "no known layout: it holds conv.weight"),
        ({}, "no known layout: it holds nothing"),
        (
            state | {"inc.double_conv.1.weight": np.ones(4)},
            r"inc\.double_conv\.1\.weight has no place in the paper's network \(batch norm",
        ),
        (
            {n: v for n, v in state.items() if n != "up1.up.bias"},
            r"up1\.up\.bias is missing, but must be \(8,\)",
        ),
        (
            state | {"up1.up.weight": np.zeros((16, 8, 4, 4))},
            r"up1\.up\.weight is \(16, 8, 4, 4\), but must be \(16, 8, 2, 2\)",
        ),
        ({n: v for n, v in state.items() if "outc" not in n}, r"outc\.conv\.weight is missing"),
    ]
    for wrong, message in cases:
        with pytest.raises(ValueError, match=message):
            from_state(wrong)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_safetensors_need_no_pytorch(exchange_net, tmp_path, layout, monkeypatch):
    net = exchange_net
    monkeypatch.setitem(sys.modules, "torch", None)
    export_torch(net, tmp_path / "net.safetensors", layout)
    params, _, found = import_torch(tmp_path / "net.safetensors")
    assert found == layout
    assert all((params[name] == net.params[name]).all() for name in net.params)
    with pytest.raises(ImportError, match=r'torch is not installed.*pip install "tinyunet\[exch'):
        export_torch(net, tmp_path / "net.pt", layout)
    assert [p.name for p in tmp_path.iterdir()] == ["net.safetensors"]


@pytest.mark.parametrize("layout", ["tinyunet", "down_path", "double_conv"])
def test_pytorch_computes_the_same_with_the_exported_file(exchange_net, tmp_path, rng, layout):
    """In the layouts' own networks, written as their authors write them."""
    net = exchange_net
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    export_torch(net, tmp_path / "net.pt", layout)
    if layout == "tinyunet":
        sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
        from torch_unet import torch_unet

        model = torch_unet(2, 3, 3, 4)
    else:
        from public_unets import DoubleConvUNet, DownPathUNet

        model = (DownPathUNet if layout == "down_path" else DoubleConvUNet)(2, 3, 3, 4)
    model.load_state_dict(torch.load(tmp_path / "net.pt", weights_only=True))
    x = rng.standard_normal((2, 2, 52, 44), dtype=np.float32)
    with torch.no_grad():
        wanted = model(torch.from_numpy(x)).numpy()
    assert np.abs(net(x) - wanted).max() < 2e-5 * np.abs(wanted).max()
    params, _, _ = import_torch(tmp_path / "net.pt")
    assert all((params[name] == net.params[name]).all() for name in params)


def test_files_that_are_no_state_dictionary_are_refused(exchange_net, tmp_path):
    net = exchange_net
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    (tmp_path / "text.pt").write_text("no archive")
    torch.save([torch.zeros(2)], tmp_path / "list.pt")
    torch.save({"a": print}, tmp_path / "code.pt")
    export_torch(net, tmp_path / "whole.pt")
    (tmp_path / "half.pt").write_bytes((tmp_path / "whole.pt").read_bytes()[:5000])
    (tmp_path / "half.safetensors").write_bytes(b"\x20" + bytes(40))
    for name, message in (
        ("text.pt", "PyTorch cannot read it as plain tensors"),
        ("code.pt", "PyTorch cannot read it as plain tensors"),
        ("half.pt", "PyTorch cannot read it as plain tensors"),
        ("list.pt", "no state dictionary of tensors"),
        ("half.safetensors", "not a whole safetensors file"),
        ("net.bin", r"a state dictionary ends in \.pt"),
    ):
        with pytest.raises(ValueError, match=message):
            import_torch(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        import_torch(tmp_path / "missing.pt")
    wrapped = {f"module.{name}": torch.from_numpy(v.copy()) for name, v in net.params.items()}
    torch.save({"state_dict": wrapped}, tmp_path / "deeper.pt")
    assert import_torch(tmp_path / "deeper.pt")[2] == "tinyunet"
