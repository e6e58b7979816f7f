"""The U as an ONNX graph: the list of layers, one node an arrow of figure 1.

The sizes of the maps stay open: a valid convolution takes any size, and the border that a skip
loses in the crop is the same for every tile. With `mirror` the graph mirrors the image at its
border first, so that the output has the image's own size. Lesson: lessons/10-overlap-tile.md.
"""

import json
from pathlib import Path
from typing import Any

from tinyunet import geometry
from tinyunet._files import atomic_write
from tinyunet.arrays import to_numpy
from tinyunet.exchange._libraries import needs
from tinyunet.images.normalise import FLOOR, HIGHEST, LOWEST
from tinyunet.nn import UNet
from tinyunet.nn.architecture import SHAPE, Layer, trace_sizes
from tinyunet.training.checkpoint import architecture

OPSET = 18  # Pad with axes; every runtime of the last years has it
IR_VERSION = 9

NORMALISED = "subtract the image's mean, divide by its standard deviation"
COMPRESSED = (
    f"v to sqrt(max(0, (v - low) / (high - low)) + {FLOOR}), low and high being the image's "
    f"percentiles {LOWEST:g} and {HIGHEST:g}; then {NORMALISED}"
)
NORMALISATION = {
    "image": NORMALISED,
    "compressed": COMPRESSED,
    "none": "none: pixels as they are",
    None: "not known",
}


def export_onnx(net: UNet, path: str | Path, mirror: bool = False) -> None:
    """Write a network as an ONNX file.

    Input "image" (batch, in_channels, height, width), float32, normalised as for training (mean 0,
    standard deviation 1 over each image; the file's metadata say so). Output "probabilities"
    (batch, n_classes, height', width').

    Parameters
    ----------
    net : UNet
        The network; its parameters become float32.
    path : str or Path
        The file to write.
    mirror : bool, optional
        Whether the graph mirrors the image by `geometry.margin(depth)` pixels on every side, so
        that the output is as large as the image.

    Raises
    ------
    ImportError
        If the package onnx is not installed.
    OSError
        If the file cannot be written; what was there before stays.
    """
    onnx = needs("onnx")
    model = build_model(net, mirror)
    onnx.checker.check_model(model, full_check=True)
    with atomic_write(path) as temporary:
        onnx.save(model, temporary)


def build_model(net: UNet, mirror: bool = False) -> Any:
    """Return the `onnx.ModelProto` of a network.

    Parameters
    ----------
    net : UNet
        The network.
    mirror : bool, optional
        As for `export_onnx`.

    Returns
    -------
    onnx.ModelProto
        Named as the layers are, so that `import_onnx` finds every parameter again.
    """
    onnx = needs("onnx")
    helper, float32 = onnx.helper, onnx.TensorProto.FLOAT
    nodes, constants = _nodes(onnx, net.layers, geometry.margin(net.depth) if mirror else 0)
    parameters = [
        onnx.numpy_helper.from_array(to_numpy(value).astype("float32"), name)
        for name, value in net.params.items()
    ]
    out = ["height", "width"] if mirror else ["height_out", "width_out"]
    graph = helper.make_graph(
        nodes,
        "tinyunet",
        [helper.make_tensor_value_info(
            "image", float32, ["batch", net.in_channels, "height", "width"])],
        [helper.make_tensor_value_info("probabilities", float32, ["batch", net.n_classes, *out])],
        [*parameters, *constants],
    )  # fmt: skip
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="tinyunet"
    )
    model.ir_version = IR_VERSION
    helper.set_model_props(model, _metadata(net, mirror))
    return model


def _metadata(net: UNet, mirror: bool) -> dict[str, str]:
    margin, step = geometry.margin(net.depth), geometry.scale(net.depth)
    smallest = geometry.smallest_size(net.depth)
    if mirror:  # a mirror image is smaller than what it mirrors
        smallest -= 2 * margin
        smallest += step * max(0, -(-(margin + 1 - smallest) // step))
    built = architecture(net)
    shape = {name: built[name] for name in SHAPE}  # drop-out is the training's
    return {
        "tinyunet": json.dumps({**shape, "mirror": mirror}, sort_keys=True),
        "normalisation": NORMALISATION[net.normalisation],
        "sizes": f"height and width: {smallest}, then every {step} pixels",
        "margin": f"{margin} pixels a side" + (", mirrored in the graph" if mirror else ""),
    }


def _nodes(onnx: Any, layers: list[Layer], mirrored: int) -> tuple[list, list]:
    """Return the graph's nodes in the order of the data, and its constants."""
    make = onnx.helper.make_node
    nodes, constants, skips, current = [], [], {}, "image"

    def constant(name: str, values: list[int]) -> str:
        constants.append(
            onnx.helper.make_tensor(name, onnx.TensorProto.INT64, [len(values)], values)
        )
        return name

    if mirrored:
        pads = [constant("mirror.pads", [mirrored] * 4), "", constant("mirror.axes", [2, 3])]
        nodes.append(make("Pad", ["image", *pads], ["mirrored"], "mirror", mode="reflect"))
        current = "mirrored"
    borders = _crops(layers)
    for layer in layers:
        entering, current = current, layer.name
        weights = [f"{layer.name}.weight", f"{layer.name}.bias"]
        if layer.kind == "dropout":  # does nothing outside training
            current = entering
        elif layer.kind == "conv":
            out = [f"{layer.name}.sum"] if layer.kernel == 3 else ["logits"]
            nodes.append(make("Conv", [entering, *weights], out, f"{layer.name}.conv",
                              kernel_shape=[layer.kernel] * 2))  # fmt: skip
            if layer.kernel == 3:
                nodes.append(make("Relu", out, [layer.name], f"{layer.name}.relu"))
                if layer.stage.startswith("down"):
                    skips[layer.level] = layer.name  # the last one of a level stays
        elif layer.kind == "pool":
            nodes.append(make("MaxPool", [entering], [layer.name], layer.name,
                              kernel_shape=[2, 2], strides=[2, 2]))  # fmt: skip
        elif layer.kind == "upconv":
            nodes.append(make("ConvTranspose", [entering, *weights], [layer.name], layer.name,
                              kernel_shape=[2, 2], strides=[2, 2]))  # fmt: skip
        elif layer.kind == "concat":
            border, cropped = borders[layer.level], f"{layer.name}.crop"
            window = [
                constant(f"{cropped}.starts", [border, border]),
                constant(f"{cropped}.ends", [-border, -border]),
                constant(f"{cropped}.axes", [2, 3]),
            ]
            nodes.append(make("Slice", [skips[layer.level], *window], [cropped], cropped))
            nodes.append(make("Concat", [cropped, entering], [layer.name], layer.name, axis=1))
    nodes.append(make("Softmax", ["logits"], ["probabilities"], "softmax", axis=1))
    return nodes, constants


def _crops(layers: list[Layer]) -> dict[int, int]:
    """Return {level: pixels that the skip loses on each side}: the same for every tile."""
    depth = max(layer.level for layer in layers)
    down, crops = {}, {}
    for layer, entering, leaving in trace_sizes(layers, geometry.smallest_size(depth)):
        if layer.stage.startswith("down"):
            down[layer.level] = leaving
        elif layer.kind == "concat":
            crops[layer.level] = (down[layer.level] - entering) // 2
    return crops


def import_onnx(path: str | Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read the parameters out of an ONNX file that `export_onnx` wrote.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    params : dict of str to numpy.ndarray
        Under this package's names.
    architecture : dict
        in_channels, n_classes, depth, base_channels.

    Raises
    ------
    ImportError
        If the package onnx is not installed.
    ValueError
        For a file that is no ONNX model, or one that this package did not write: the graph of
        another program cannot be told to be this network.
    """
    onnx = needs("onnx")
    try:
        model = onnx.load(path)
    except needs("google.protobuf.message").DecodeError as error:
        raise ValueError(f"{path}: not an ONNX model, or a damaged one") from error
    notes = {entry.key: entry.value for entry in model.metadata_props}
    if "tinyunet" not in notes:
        producer = model.producer_name or "another program"
        raise ValueError(
            f"{path}: an ONNX model of {producer}; only those that tinyunet exported can be "
            "imported (from PyTorch: give the .pt or .safetensors file of its parameters)"
        )
    architecture = json.loads(notes["tinyunet"])
    architecture.pop("mirror")
    tensors = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}
    names = [n for n in tensors if n.endswith((".weight", ".bias"))]
    return {name: tensors[name] for name in names}, architecture
