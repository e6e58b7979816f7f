"""How much memory a tile will take, told before anything is computed.

Both estimates walk the list of layers. Lessons: lessons/10-overlap-tile.md (prediction),
lessons/11-training.md (training); a GPU's is in tinyunet/backends/cuda/memory.py.
"""

from tinyunet.nn.architecture import Layer, trace_sizes, unet_layers

PYTHON = 165_000_000  # bytes of the interpreter with NumPy, SciPy and numba


def training_memory(
    size: int, in_channels: int = 1, n_classes: int = 2, depth: int = 5, base_channels: int = 64
) -> int:
    """Return about how many bytes a training step on one square tile needs on the CPU, float32.

    Counted: every map that the backward pass needs again (the up-convolved ones live on in their
    concatenation), two maps of the largest kind for the gradients in flight, parameters with
    velocity and gradients, one transformed filter bank of the widest layer (36 values for 9), and
    Python with its libraries. `tests/backends/test_counts_memory.py` holds it against a
    measurement.

    Parameters
    ----------
    size : int
        Pixels of the tile along one axis.
    in_channels, n_classes, depth, base_channels : int
        As for `architecture.unet_layers`.

    Returns
    -------
    int
        Bytes.

    Raises
    ------
    ValueError
        If `size` does not fit the depth.
    """
    layers = unet_layers(in_channels, n_classes, depth, base_channels)
    maps = [
        (layer.kind, 4 * layer.out_channels * side**2)
        for layer, _, side in trace_sizes(layers, size)
        if layer.kind != "dropout"
    ]
    kept = sum(n_bytes for kind, n_bytes in maps if kind != "upconv")
    gradients = 2 * max(n_bytes for _, n_bytes in maps)
    parameters = 4 * sum(layer.n_params for layer in layers)
    widest = max(layer.out_channels for layer in layers)
    return kept + gradients + 3 * parameters + 4 * 36 * widest**2 + PYTHON


def prediction_memory(layers: list[Layer], height: int, width: int, itemsize: int) -> int:
    """Return about how many bytes a forward pass of one tile takes, at its peak.

    Counted: the maps of all levels, each 3×3 convolution's before and after its ReLU, and the
    largest matrix of patches with the product beside it (the plain convolution's workspace; the
    kernels need less).

    Parameters
    ----------
    layers : list of Layer
        The network's, `UNet.layers`.
    height, width : int
        Pixels of the tile.
    itemsize : int
        Bytes of a number: 4 for float32.

    Returns
    -------
    int
        Bytes.

    Raises
    ------
    ValueError
        If a size does not fit the depth.
    """
    maps, largest = layers[0].in_channels * height * width, 0
    rows, columns = trace_sizes(layers, height), trace_sizes(layers, width)
    for (layer, _, high), (_, _, wide) in zip(rows, columns, strict=True):
        pixels = high * wide
        if layer.kind in ("pool", "upconv", "concat"):
            maps += layer.out_channels * pixels
        elif layer.kernel == 3:
            maps += 2 * layer.out_channels * pixels
            largest = max(largest, (9 * layer.in_channels + layer.out_channels) * pixels)
    return (maps + largest) * itemsize
