"""A bioimage.io package: valid by the specification, and run by its own reference consumer."""

import zipfile

import numpy as np
import pytest

from tinyunet import geometry
from tinyunet.exchange.bioimageio_package import export_bioimageio

pytest.importorskip("onnx", reason='onnx is not installed: pip install ".[exchange]"')
try:
    import bioimageio.spec
except (ImportError, TypeError, ValueError) as error:
    pytest.skip(f"bioimageio.spec cannot be used: {error}", allow_module_level=True)


def _works():
    """Whether the installed pydantic is one that bioimageio.spec works with."""
    import pydantic

    return tuple(map(int, pydantic.VERSION.split(".")[:2])) < (2, 13)


pytestmark = pytest.mark.skipif(
    not _works(), reason="bioimageio.spec does not work with pydantic 2.13 and newer"
)


def test_the_package_is_valid_and_holds_what_it_promises(exchange_net, tmp_path, rng):
    net = exchange_net
    image = rng.random((2, 90, 71)).astype(np.float32)
    export_bioimageio(net, tmp_path / "net.zip", "Cells", image, data="noise")
    model = bioimageio.spec.load_description(tmp_path / "net.zip", perform_io_checks=True)
    assert model.validation_summary.status in ("valid-format", "passed")
    halo = [axis.halo for axis in model.outputs[0].axes if hasattr(axis, "halo")]
    assert halo == [geometry.margin(3)] * 2
    with zipfile.ZipFile(tmp_path / "net.zip") as archive:
        assert {"weights.onnx", "cover.png", "README.md", "test_input.npy"} <= set(
            archive.namelist()
        )
        assert "Training data: noise" in archive.read("README.md").decode()


@pytest.mark.parametrize("normalisation", ["image", "none", None])
def test_the_reference_consumer_gets_the_expected_output(exchange_net, tmp_path, normalisation):
    net = exchange_net
    net.normalisation = normalisation
    core = pytest.importorskip("bioimageio.core", reason="bioimageio.core is not installed")
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    export_bioimageio(net, tmp_path / "net.zip")
    assert core.test_model(tmp_path / "net.zip").status == "passed"
    steps = bioimageio.spec.load_description(tmp_path / "net.zip").inputs[0].preprocessing
    assert any(step.id == "zero_mean_unit_variance" for step in steps) == (normalisation == "image")


def test_an_image_that_does_not_fit_is_refused(exchange_net, tmp_path):
    net = exchange_net
    for shape in ((1, 90, 90), (2, 51, 90), (90, 90)):
        with pytest.raises(ValueError, match=r"image must be \(2, H, W\) with at least 52 pixels"):
            export_bioimageio(net, tmp_path / "net.zip", image=np.zeros(shape, np.float32))
    with pytest.raises(ValueError, match="not a valid package"):
        export_bioimageio(net, tmp_path / "net.zip", licence="no such licence")
    assert list(tmp_path.iterdir()) == []
