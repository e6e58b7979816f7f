"""The U of figure 1 as one list of layers, in the order in which the data pass through them.

Everything that walks through the U walks through this list: the shapes of the parameters and their
initialisation, the sizes of the maps, memory, and operation counts. Level 1 is the top of the U;
the contracting path goes down to level `depth`, the expanding path comes up again:

    down1.conv1  down1.conv2  down2.pool  down2.conv1  …  down5.conv2  dropout
    up4.upconv   up4.concat   up4.conv1   up4.conv2    …  up1.conv2    out

Paper: section 2, figure 1. Lessons: lessons/05-the-u.md, lessons/05a-forward-and-backward.md.
"""

import math
from numbers import Integral
from typing import NamedTuple

from tinyunet import geometry

SHAPE = ("in_channels", "n_classes", "depth", "base_channels")  # what decides all layers


class Layer(NamedTuple):
    """One arrow of figure 1.

    `kind` is "conv" (valid, kernel×kernel), "pool" (2×2 maximum), "dropout", "upconv" (2×2) or
    "concat" (the centre-cropped skip in front of the up-convolved map). `stage` is "down1" …,
    "up1" … or "" for the last convolution. A parameter's name is the layer's with ".weight" or
    ".bias" behind it.
    """

    name: str
    kind: str
    stage: str
    level: int
    in_channels: int
    out_channels: int
    kernel: int = 0

    @property
    def weight_shape(self) -> tuple[int, int, int, int] | None:
        """Shape of the weight: PyTorch's layouts, (out, in, k, k) and (in, out, 2, 2); or None."""
        if self.kind == "conv":
            return self.out_channels, self.in_channels, self.kernel, self.kernel
        if self.kind == "upconv":
            return self.in_channels, self.out_channels, 2, 2
        return None

    @property
    def incoming_nodes(self) -> int:
        """N of section 3: how many input values one output pixel adds up (0 without a weight)."""
        return {
            "conv": self.kernel**2 * self.in_channels,
            "upconv": self.in_channels,  # its patches do not overlap: one tap an input channel
        }.get(self.kind, 0)

    @property
    def n_params(self) -> int:
        """How many numbers the layer learns, biases included."""
        return 0 if self.weight_shape is None else math.prod(self.weight_shape) + self.out_channels

    def output_size(self, size: int) -> int:
        """Return the size of the map that leaves the layer, along one axis.

        Parameters
        ----------
        size : int
            The size of the map that enters it (the up-convolved one, for "concat").

        Returns
        -------
        int
            Pixels.
        """
        if self.kind == "conv":
            return size - self.kernel + 1
        if self.kind == "pool":
            return size // 2
        if self.kind == "upconv":
            return 2 * size
        return size


def check_architecture(
    in_channels: int, n_classes: int, depth: int, base_channels: int, dropout: float = 0.0
) -> None:
    """Refuse numbers that no U can be built from.

    Parameters
    ----------
    in_channels, n_classes, depth, base_channels : int
        As for `unet_layers`.
    dropout : float, optional
        Share of the bottom's activations that are dropped.

    Raises
    ------
    ValueError
        Unless all are whole numbers of at least 1, the classes at least 2, and the share in [0, 1).
    """
    for name, value, least in (
        ("in_channels", in_channels, 1),
        ("n_classes", n_classes, 2),
        ("depth", depth, 1),
        ("base_channels", base_channels, 1),
    ):
        if not isinstance(value, Integral) or value < least:
            raise ValueError(f"{name} {value} is not a whole number of at least {least}")
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout {dropout} is not in [0, 1)")


def unet_layers(in_channels: int, n_classes: int, depth: int, base_channels: int) -> list[Layer]:
    """Return the layers of the U, in the order of the data.

    Parameters
    ----------
    in_channels, n_classes : int
        Channels of the image; classes of the segmentation.
    depth : int
        Levels of the U; the paper's is 5.
    base_channels : int
        Channels of the first level, doubled at every level; the paper's is 64.

    Returns
    -------
    list of Layer
        From "down1.conv1" to "out".
    """
    geometry.scale(depth)  # refuses a depth that no memory could hold the list of
    layers: list[Layer] = []
    channels = in_channels  # of the map that the next layer receives

    def add(part: str, kind: str, out_channels: int, kernel: int = 0) -> None:
        nonlocal channels
        name = f"{stage}.{part}" if stage else part
        layers.append(Layer(name, kind, stage, level, channels, out_channels, kernel))
        channels = out_channels

    for level in range(1, depth + 1):
        stage = f"down{level}"
        width = base_channels * 2 ** (level - 1)  # 64, 128, 256, 512, 1024
        if level > 1:
            add("pool", "pool", channels)
        add("conv1", "conv", width, 3)
        add("conv2", "conv", width, 3)
    stage = ""
    add("dropout", "dropout", channels)
    for level in range(depth - 1, 0, -1):
        stage = f"up{level}"
        width = base_channels * 2 ** (level - 1)
        add("upconv", "upconv", width)
        add("concat", "concat", 2 * width)  # the skip's channels and the up-convolved map's
        add("conv1", "conv", width, 3)
        add("conv2", "conv", width, 3)
    stage, level = "", 1
    add("out", "conv", n_classes, 1)
    return layers


def trace_sizes(layers: list[Layer], size: int) -> list[tuple[Layer, int, int]]:
    """Follow the size of the maps through the U, along one axis.

    Parameters
    ----------
    layers : list of Layer
        What `unet_layers` returned.
    size : int
        Pixels of the image.

    Returns
    -------
    list of (Layer, int, int)
        Each layer with the sizes of the map that enters it and of the one that leaves it.

    Raises
    ------
    ValueError
        If `size` does not fit the depth, with the nearest sizes that do.
    """
    geometry.check_size(size, max(layer.level for layer in layers))
    trace = []
    for layer in layers:
        trace.append((layer, size, layer.output_size(size)))
        size = trace[-1][2]
    return trace


def level_sizes(size: int, depth: int) -> list[tuple[str, list[int]]]:
    """Return the sizes of the maps on the way through the U, as figure 1 prints them.

    Parameters
    ----------
    size : int
        Pixels of the image along one axis.
    depth : int
        Levels of the U.

    Returns
    -------
    list of (str, list of int)
        ("down1", [572, 570, 568]), …, ("up1", [392, 390, 388]): what enters the stage's first
        convolution, and what leaves its first and its second.

    Raises
    ------
    ValueError
        If `size` does not fit the depth.
    """
    sizes: dict[str, list[int]] = {}
    for layer, entering, leaving in trace_sizes(unet_layers(1, 2, depth, 1), size):
        if layer.kind == "conv" and layer.stage:
            sizes.setdefault(layer.stage, [entering]).append(leaving)
    return list(sizes.items())


def parameter_shapes(
    in_channels: int, n_classes: int, depth: int, base_channels: int
) -> dict[str, tuple[int, ...]]:
    """Return the shapes of all parameters, in the order of figure 1, left to right.

    Parameters
    ----------
    in_channels, n_classes, depth, base_channels : int
        As for `unet_layers`.

    Returns
    -------
    dict of str to tuple of int
        Convolutions are (out, in, k, k), up-convolutions (in, out, 2, 2), biases (out,).
    """
    shapes: dict[str, tuple[int, ...]] = {}
    for layer in unet_layers(in_channels, n_classes, depth, base_channels):
        if layer.weight_shape is not None:
            shapes[f"{layer.name}.weight"] = layer.weight_shape
            shapes[f"{layer.name}.bias"] = (layer.out_channels,)
    return shapes


def count_parameters(in_channels: int, n_classes: int, depth: int, base_channels: int) -> int:
    """Return how many numbers a network of this architecture learns.

    Parameters
    ----------
    in_channels, n_classes, depth, base_channels : int
        As for `unet_layers`.

    Returns
    -------
    int
        31,030,658 for the paper's, with one input channel.
    """
    layers = unet_layers(in_channels, n_classes, depth, base_channels)
    return sum(layer.n_params for layer in layers)


def layer_table(
    size: int, in_channels: int = 1, n_classes: int = 2, depth: int = 5, base_channels: int = 64
) -> list[dict]:
    """Return what each layer makes of one square tile: its map, its parameters, its work.

    Parameters
    ----------
    size : int
        Pixels of the tile along one axis.
    in_channels, n_classes, depth, base_channels : int
        As for `unet_layers`.

    Returns
    -------
    list of dict
        For every layer but the drop-out: name; shape (channels, height, width) of its
        output; parameters; flops (floating-point operations of its forward pass, a multiplication
        and an addition counting two); bytes of its output in float32.

    Raises
    ------
    ValueError
        If `size` does not fit the depth.
    """
    layers = unet_layers(in_channels, n_classes, depth, base_channels)
    table = []
    for layer, _, side in trace_sizes(layers, size):
        if layer.kind == "dropout":
            continue
        values = layer.out_channels * side * side
        table.append(
            {
                "name": layer.name,
                "shape": [layer.out_channels, side, side],
                "parameters": layer.n_params,
                "flops": values * 2 * layer.incoming_nodes,
                "bytes": 4 * values,
            }
        )
    return table
