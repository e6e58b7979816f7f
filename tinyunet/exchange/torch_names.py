"""Which parameter of figure 1 is called what in PyTorch: one explicit table a layout.

Three layouts of the same network (valid 3×3 convolutions, 2×2 up-convolutions, no batch
normalisation) are told apart by the name of their first convolution:

    tinyunet      down1.conv1, down1.conv2, …, up4.upconv, up4.conv1, …, out
    double_conv   inc.double_conv.0, …, down1.maxpool_conv.1.double_conv.0, …, up1.up,
                  up1.conv.double_conv.0, …, outc.conv
    down_path     down_path.0.block.0, …, up_path.0.up, up_path.0.conv_block.block.0, …, last

The layouts of the weights are PyTorch's, and so are ours. One thing differs beside the names: the
last layout concatenates the up-convolved map first and the skip behind it, so that the input
channels of the first convolution of an expanding level change halves. Lesson: lessons/05-the-u.md.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tinyunet.nn.architecture import Layer, parameter_shapes, unet_layers


class Layout(NamedTuple):
    """`first` tells it by its first weight; `name_of(layer, depth)` is its name of a layer."""

    first: str
    name_of: Callable[[Layer, int], str]
    skip_first: bool


def _double_conv(layer: Layer, depth: int) -> str:
    part = {"conv1": "double_conv.0", "conv2": "double_conv.2"}.get(layer.name.split(".")[-1], "")
    if layer.name == "out":
        return "outc.conv"
    if layer.stage == "down1":
        return f"inc.{part}"
    if layer.stage.startswith("down"):
        return f"down{layer.level - 1}.maxpool_conv.1.{part}"
    up = f"up{depth - layer.level}"  # counted from the bottom
    return f"{up}.up" if layer.kind == "upconv" else f"{up}.conv.{part}"


def _down_path(layer: Layer, depth: int) -> str:
    part = {"conv1": "block.0", "conv2": "block.2"}.get(layer.name.split(".")[-1], "")
    if layer.name == "out":
        return "last"
    if layer.stage.startswith("down"):
        return f"down_path.{layer.level - 1}.{part}"
    up = f"up_path.{depth - 1 - layer.level}"
    return f"{up}.up" if layer.kind == "upconv" else f"{up}.conv_block.{part}"


LAYOUTS = {
    "tinyunet": Layout("down1.conv1.weight", lambda layer, depth: layer.name, True),
    "double_conv": Layout("inc.double_conv.0.weight", _double_conv, True),
    "down_path": Layout("down_path.0.block.0.weight", _down_path, False),
}


def names_of(layers: list[Layer], layout: str) -> dict[str, str]:
    """Return {this package's name: the layout's name} of every parameter.

    Parameters
    ----------
    layers : list of Layer
        What `unet_layers` returned.
    layout : {"tinyunet", "double_conv", "down_path"}
        The layout.

    Returns
    -------
    dict of str to str
        In the order of figure 1.
    """
    depth = max(layer.level for layer in layers)
    name_of = LAYOUTS[layout].name_of
    return {
        f"{layer.name}.{kind}": f"{name_of(layer, depth)}.{kind}"
        for layer in layers
        if layer.weight_shape is not None
        for kind in ("weight", "bias")
    }


def to_layout(
    params: dict[str, np.ndarray], layers: list[Layer], layout: str
) -> dict[str, np.ndarray]:
    """Rename parameters of this package for a layout.

    Parameters
    ----------
    params : dict of str to numpy.ndarray
        Under this package's names.
    layers : list of Layer
        The network's, `UNet.layers`.
    layout : {"tinyunet", "double_conv", "down_path"}
        The layout to write.

    Returns
    -------
    dict of str to numpy.ndarray
        The same arrays under the layout's names, halves of channels changed where it wants them so.
    """
    names = names_of(layers, layout)
    return {theirs: _change_halves(ours, params[ours], layout) for ours, theirs in names.items()}


def from_state(state: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], dict[str, Any], str]:
    """Read a state dictionary of any of the layouts.

    Parameters
    ----------
    state : dict of str to numpy.ndarray
        A PyTorch model's parameters.

    Returns
    -------
    params : dict of str to numpy.ndarray
        Under this package's names, float32.
    architecture : dict
        in_channels, n_classes, depth, base_channels, as the shapes say.
    layout : str
        The name of the layout that was recognised.

    Raises
    ------
    ValueError
        Naming the first parameter that is missing, unknown or of another shape.
    """
    layout = next((n for n, known in LAYOUTS.items() if known.first in state), None)
    if layout is None:
        wanted = ", ".join(known.first for known in LAYOUTS.values())
        some = ", ".join(list(state)[:3]) or "nothing"
        raise ValueError(f"no known layout: it holds {some} …; known ones begin with {wanted}")
    architecture = _architecture(state, layout)
    layers = unet_layers(**architecture)
    names, shapes = names_of(layers, layout), parameter_shapes(**architecture)
    unknown = [name for name in state if name not in set(names.values())]
    if unknown:
        raise ValueError(
            f"layout {layout}: {unknown[0]} has no place in the paper's network"
            + (" (batch normalisation?)" if state[unknown[0]].ndim < 2 else "")
        )
    params = {}
    for ours, theirs in names.items():
        has = tuple(state[theirs].shape) if theirs in state else "missing"
        if has != shapes[ours]:
            raise ValueError(f"layout {layout}: {theirs} is {has}, but must be {shapes[ours]}")
        params[ours] = _change_halves(ours, np.asarray(state[theirs], np.float32), layout)
    return params, architecture, layout


def _architecture(state: dict[str, np.ndarray], layout: str) -> dict[str, Any]:
    first = state[LAYOUTS[layout].first]
    if first.ndim != 4:
        raise ValueError(
            f"layout {layout}: {LAYOUTS[layout].first} is {first.shape}, no 2-D kernel"
        )
    base_channels, in_channels = first.shape[:2]
    depth = 1
    # Level by level: is there a first convolution below?
    while any(
        names_of(unet_layers(1, 2, depth + 1, 1), layout)[f"down{depth + 1}.conv1.weight"] == name
        for name in state
    ):
        depth += 1
    last = names_of(unet_layers(1, 2, depth, 1), layout)["out.weight"]
    if last not in state:
        raise ValueError(f"layout {layout}: {last} is missing")
    return {
        "in_channels": int(in_channels),
        "n_classes": int(state[last].shape[0]),
        "depth": depth,
        "base_channels": int(base_channels),
    }


def _change_halves(name: str, value: np.ndarray, layout: str) -> np.ndarray:
    """Exchange the halves of the input channels behind a concatenation, where the orders differ."""
    if LAYOUTS[layout].skip_first or not (name.startswith("up") and name.endswith("conv1.weight")):
        return value
    half = value.shape[1] // 2
    return np.concatenate([value[:, half:], value[:, :half]], axis=1)
