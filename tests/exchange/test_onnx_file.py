"""ONNX: the exported graph computes what the network computes, on any size that fits."""

import json

import numpy as np
import pytest

from tinyunet import UNet, geometry
from tinyunet.exchange.onnx_file import build_model, export_onnx, import_onnx

onnx = pytest.importorskip("onnx", reason='onnx is not installed: pip install ".[exchange]"')
runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")


def _run(path, x):
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(["probabilities"], {"image": x})[0]


@pytest.mark.parametrize("sizes", [(44, 52), (48, 44), (100, 60)])
@pytest.mark.parametrize("batch", [1, 2])
def test_the_graph_equals_the_network(exchange_net, tmp_path, rng, sizes, batch):
    net = exchange_net
    export_onnx(net, tmp_path / "net.onnx")
    x = rng.standard_normal((batch, 2, *sizes), dtype=np.float32)
    got, wanted = _run(tmp_path / "net.onnx", x), net.predict_proba(x)
    assert got.shape == wanted.shape
    assert np.abs(got - wanted).max() < 1e-5


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_every_depth_is_exported(tmp_path, rng, depth):
    net = UNet(depth=depth, base_channels=3, seed=5, device="cpu")
    size = geometry.smallest_size(depth) + geometry.scale(depth)
    x = rng.standard_normal((1, 1, size, size), dtype=np.float32)
    export_onnx(net, tmp_path / "net.onnx")
    assert np.abs(_run(tmp_path / "net.onnx", x) - net.predict_proba(x)).max() < 1e-5


@pytest.mark.parametrize("sizes", [(40, 44), (44, 60)])
def test_a_mirrored_graph_gives_an_output_of_the_images_size(exchange_net, tmp_path, rng, sizes):
    net = exchange_net
    export_onnx(net, tmp_path / "net.onnx", mirror=True)
    x = rng.standard_normal((1, 2, *sizes), dtype=np.float32)
    margin = geometry.margin(net.depth)
    pad = [(0, 0), (0, 0), (margin, margin), (margin, margin)]
    got = _run(tmp_path / "net.onnx", x)
    assert got.shape == (1, 3, *sizes)
    assert np.abs(got - net.predict_proba(np.pad(x, pad, mode="reflect"))).max() < 1e-5


@pytest.mark.parametrize("mirror", [False, True])
def test_the_metadata_say_what_a_caller_must_know(exchange_net, tmp_path, mirror):
    net = exchange_net
    export_onnx(net, tmp_path / "net.onnx", mirror)
    model = onnx.load(tmp_path / "net.onnx")
    notes = {entry.key: entry.value for entry in model.metadata_props}
    assert model.opset_import[0].version == 18
    assert json.loads(notes["tinyunet"]) == {
        "in_channels": 2, "n_classes": 3, "depth": 3, "base_channels": 4, "mirror": mirror,
    }  # fmt: skip
    assert notes["normalisation"] == "not known"
    smallest = int(notes["sizes"].removeprefix("height and width: ").split(",")[0])
    x = np.zeros((1, 2, smallest, smallest), np.float32)
    assert _run(tmp_path / "net.onnx", x).shape[2] >= 1
    assert notes["margin"].startswith("20 pixels a side")


@pytest.mark.parametrize(
    ("normalisation", "said"),
    [("image", "subtract the image's mean"), ("compressed", "sqrt"), ("none", "as they are")],
)
def test_the_metadata_say_how_images_are_prepared(exchange_net, normalisation, said):
    exchange_net.normalisation = normalisation
    notes = {entry.key: entry.value for entry in build_model(exchange_net).metadata_props}
    assert said in notes["normalisation"]


def test_parameters_come_back_as_they_left(exchange_net, tmp_path):
    net = exchange_net
    export_onnx(net, tmp_path / "net.onnx")
    params, architecture = import_onnx(tmp_path / "net.onnx")
    assert architecture == {"in_channels": 2, "n_classes": 3, "depth": 3, "base_channels": 4}
    assert list(params) == list(net.params)
    assert all((params[name] == net.params[name]).all() for name in params)


def test_foreign_and_damaged_files_are_refused(tmp_path):
    (tmp_path / "text.onnx").write_text("no model")
    with pytest.raises(ValueError, match=r"text\.onnx: not an ONNX model, or a damaged one"):
        import_onnx(tmp_path / "text.onnx")
    helper = onnx.helper
    info = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["x2"])], "g", [info], [])
    onnx.save(helper.make_model(graph, producer_name="pytorch"), tmp_path / "other.onnx")
    with pytest.raises(ValueError, match="an ONNX model of pytorch; only those that tinyunet"):
        import_onnx(tmp_path / "other.onnx")


def test_a_failed_export_leaves_the_old_file(exchange_net, tmp_path, monkeypatch):
    net = exchange_net
    file = tmp_path / "net.onnx"
    export_onnx(net, file)
    before = file.read_bytes()

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(onnx, "save", fail)
    with pytest.raises(OSError, match="No space left"):
        export_onnx(net, file, mirror=True)
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]
