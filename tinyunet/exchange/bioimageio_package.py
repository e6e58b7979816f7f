"""A bioimage.io model: one file that deepImageJ, ilastik, napari and others take.

The package holds the ONNX graph that mirrors its image (so that the output is as large), the
normalisation as a processing step, a pair of test arrays, a cover and a description. Its `halo` is
the network's margin: so far from the edge of a tile the output depends on mirrored pixels, and a
program that tiles must overlap its tiles by that much (lessons/10-overlap-tile.md).
Specification: bioimage.io model 0.5.
"""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from tinyunet import geometry
from tinyunet._files import atomic_write, printable
from tinyunet.exchange._libraries import needs
from tinyunet.exchange.onnx_file import OPSET, export_onnx
from tinyunet.images import normalise, synthetic_membranes
from tinyunet.nn import UNet

PAPER = (
    "Ronneberger, Fischer, Brox: U-Net: Convolutional Networks for Biomedical Image Segmentation"
)
DOI = "10.1007/978-3-319-24574-4_28"


def export_bioimageio(
    net: UNet,
    path: str | Path,
    name: str = "U-Net",
    image: np.ndarray | None = None,
    author: str = "the network's trainer",
    licence: str = "MIT",
    data: str = "not stated",
) -> None:
    """Write a network as a bioimage.io package.

    Parameters
    ----------
    net : UNet
        The network.
    path : str or Path
        The `.zip` file to write.
    name : str, optional
        The model's title.
    image : numpy.ndarray, shape (C, H, W), optional
        An image to test with and to show on the cover; synthetic membranes if None.
    author, licence, data : str, optional
        Who trained it, an SPDX name of the licence, and what it was trained on.

    Raises
    ------
    ImportError
        If onnx or bioimageio.spec are not installed.
    ValueError
        If the package does not pass the specification's own validation, with its reason, and for
        a network whose images are compressed first, which the specification has no step for.
    OSError
        If the file cannot be written; what was there before stays.
    """
    if net.normalisation == "compressed":
        raise ValueError(
            "this network takes square roots of its images, which the packages of bioimage.io do "
            "not know: export it as ONNX"
        )
    spec = needs("bioimageio.spec")
    with tempfile.TemporaryDirectory() as folder:
        try:
            model = _describe(net, Path(folder), name, image, author, licence, data)
            with atomic_write(path) as temporary:
                spec.save_bioimageio_package(model, output_path=temporary)
        except needs("pydantic").ValidationError as error:
            raise ValueError(f"{path}: not a valid package: {printable(error)}") from error


def _describe(
    net: UNet,
    folder: Path,
    name: str,
    image: np.ndarray | None,
    author: str,
    licence: str,
    data: str,
) -> Any:
    """Write the files of the package into `folder` and return its description."""
    v = needs("bioimageio.spec.model.v0_5")
    export_onnx(net, folder / "weights.onnx", mirror=True)
    image = _test_image(net, image)
    given, expected = image[None], _predicted(net, image)[None]  # (1, C, H, W), (1, K, H, W)
    np.save(folder / "test_input.npy", given)
    np.save(folder / "test_output.npy", expected)
    _cover(folder / "cover.png", image[0], expected[0, -1])
    margin, step = geometry.margin(net.depth), geometry.scale(net.depth)
    (folder / "README.md").write_text(_documentation(net, name, data, margin), encoding="utf-8")
    sizes = v.ParameterizedSize(min=_smallest(net.depth), step=step)
    source = v.TensorId("image")
    inputs = v.InputTensorDescr(
        id=source,
        axes=[
            v.BatchAxis(),
            v.ChannelAxis(channel_names=[f"channel{k}" for k in range(net.in_channels)]),
            v.SpaceInputAxis(id=v.AxisId("y"), size=sizes),
            v.SpaceInputAxis(id=v.AxisId("x"), size=sizes),
        ],
        test_tensor=v.FileDescr(source=folder / "test_input.npy"),
        data=v.IntervalOrRatioDataDescr(type="float32"),
        preprocessing=_preprocessing(net),
    )
    outputs = v.OutputTensorDescr(
        id=v.TensorId("probabilities"),
        axes=[
            v.BatchAxis(),
            v.ChannelAxis(channel_names=[f"class{k}" for k in range(net.n_classes)]),
            *(
                v.SpaceOutputAxisWithHalo(
                    id=v.AxisId(axis),
                    size=v.SizeReference(tensor_id=source, axis_id=v.AxisId(axis)),
                    halo=margin,
                )
                for axis in "yx"
            ),
        ],
        test_tensor=v.FileDescr(source=folder / "test_output.npy"),
        data=v.IntervalOrRatioDataDescr(type="float32", range=(0.0, 1.0)),
    )
    return v.ModelDescr(
        name=name,
        description=f"The U-Net of the paper, depth {net.depth}, {net.base_channels} channels in "
        "its first level: probabilities of classes for every pixel of a 2-D image.",
        authors=[v.Author(name=author)],
        cite=[v.CiteEntry(text=PAPER, doi=v.Doi(DOI))],
        license=v.LicenseId(licence),
        documentation=v.FileDescr(source=folder / "README.md"),
        covers=[v.FileDescr(source=folder / "cover.png")],
        inputs=[inputs],
        outputs=[outputs],
        weights=v.WeightsDescr(
            onnx=v.OnnxWeightsDescr(source=folder / "weights.onnx", opset_version=OPSET)
        ),
    )


def _preprocessing(net: UNet) -> list:
    """Return the step that normalises an image; none where pixels go in as they are."""
    if net.normalisation != "image":
        return []
    v = needs("bioimageio.spec.model.v0_5")
    axes = [v.AxisId(axis) for axis in ("channel", "y", "x")]
    return [v.ZeroMeanUnitVarianceDescr(kwargs=v.ZeroMeanUnitVarianceKwargs(axes=axes))]


def _smallest(depth: int) -> int:
    """Return the smallest image of the package: it fits, and something is left inside the halo."""
    return 2 * geometry.margin(depth) + 12


def _test_image(net: UNet, image: np.ndarray | None) -> np.ndarray:
    """Return an image (C, H, W) float32 of a size that fits, cut from the one given."""
    smallest = _smallest(net.depth)
    if image is None:
        images, _ = synthetic_membranes(1, size=smallest + 4 * geometry.scale(net.depth), seed=0)
        image = np.repeat(np.asarray(images[0], np.float32).reshape(1, *images[0].shape[-2:]),
                          net.in_channels, axis=0)  # fmt: skip
    if image.ndim != 3 or image.shape[0] != net.in_channels or min(image.shape[1:]) < smallest:
        raise ValueError(
            f"image must be ({net.in_channels}, H, W) with at least {smallest} pixels a side: "
            f"got {image.shape}"
        )
    step = geometry.scale(net.depth)
    height, width = (size - (size - 4) % step for size in image.shape[1:])
    return np.ascontiguousarray(image[:, :height, :width], np.float32)


def _predicted(net: UNet, image: np.ndarray) -> np.ndarray:
    margin = geometry.margin(net.depth)
    pad = [(0, 0), (margin, margin), (margin, margin)]
    prepared = normalise(image) if net.normalisation == "image" else image
    return net.predict_proba(np.pad(prepared, pad, mode="reflect")[None])[0]


def _cover(path: Path, image: np.ndarray, probability: np.ndarray) -> None:
    """Draw the image beside what the network says of it."""
    from PIL import Image

    low, high = np.percentile(image, (1, 99))
    grey = np.clip((image - low) / max(high - low, 1e-9), 0, 1)
    both = np.concatenate([grey, probability], axis=1)
    Image.fromarray((255 * both).round().astype(np.uint8)).convert("RGB").save(path)


def _documentation(net: UNet, name: str, data: str, margin: int) -> str:
    prepared = {
        "image": "normalised to mean 0 and standard deviation 1 by the package's processing step",
        "none": "whose pixels go to the network as they are",
        None: "whose pixels go to the network as they are: how those of the training were prepared "
        "is not known",
    }[net.normalisation]
    return f"""# {name}

The network of figure 1 of {PAPER} (MICCAI 2015), trained with tinyunet: depth {net.depth},
{net.base_channels} channels in the first level, {net.in_channels} input channel(s),
{net.n_classes} classes. Training data: {data}.

## Input and output

A 2-D image, {prepared}.
The graph mirrors the image by {margin} pixels on every side and predicts without padding, so the
output has the image's size. Tiles must overlap by {margin} pixels a side (the `halo`).

## Validation

The test arrays are this network's own prediction; how good it is must be judged on images of your
own. Probabilities near the border of an image rest on mirrored context.
"""
