"""A network as a file: its parameters and all that it takes to build it again.

How the file is written, read and checked stands in tensor_file.py, what a run adds to go on from in
state.py. Lesson: lessons/11-training.md.
"""

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from tinyunet._files import printable
from tinyunet.arrays import Device, to_numpy
from tinyunet.images.normalise import NORMALISATIONS
from tinyunet.nn.unet import UNet
from tinyunet.training.tensor_file import (
    FileName,
    Tensors,
    load_checkpoint,
    save_checkpoint,
    strip_prefix,
)

__all__ = [
    "architecture",
    "find_weights",
    "load_checkpoint",
    "load_network",
    "save_checkpoint",
    "save_weights",
    "strip_prefix",
]

HUGE = 1e6  # a weight that no training ends with: a prediction with it is likely to overflow


def find_weights(path: FileName, which: str | None = None) -> Path:
    """Find the file of weights that is meant by a run folder or a file.

    Parameters
    ----------
    path : path
        A run folder, or a safetensors file.
    which : {"best", "last"}, optional
        Of a folder; None takes the best weights, or the last if nothing was held out.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    FileNotFoundError
        If there is none.
    """
    path = Path(path)
    if path.is_file():
        return path
    if not path.is_dir():
        raise FileNotFoundError(f"{path}: no such run folder or file of weights")
    names = ["best", "last"] if which is None else [which]
    for name in names:
        if (path / f"{name}.safetensors").is_file():
            return path / f"{name}.safetensors"
    raise FileNotFoundError(f"{path}: holds no {' or '.join(n + '.safetensors' for n in names)}")


def architecture(net: UNet) -> dict[str, Any]:
    """Describe how a network is built.

    Parameters
    ----------
    net : UNet
        The network.

    Returns
    -------
    dict
        What it takes to build it again, of a kind that JSON can hold.
    """
    return {
        "in_channels": net.in_channels,
        "n_classes": net.n_classes,
        "depth": net.depth,
        "base_channels": net.base_channels,
        "dropout": net.dropout,
    }


def save_weights(path: FileName, net: UNet, **meta: Any) -> None:
    """Write the weights of a network, its architecture and how its images were normalised.

    Parameters
    ----------
    path : path
        The safetensors file; an earlier one is replaced.
    net : UNet
        The network.
    **meta
        More to remember, of a kind that JSON can hold.

    Raises
    ------
    OSError
        Where the file cannot be written.
    """
    tensors = {f"params/{name}": to_numpy(value) for name, value in net.params.items()}
    about = {"architecture": architecture(net), "normalisation": net.normalisation}
    save_checkpoint(path, tensors, {**meta, **about})


def load_network(
    path: FileName, device: str | Device = "auto", dtype: str = "float32"
) -> tuple[UNet, dict[str, Any]]:
    """Build the network whose weights are in a checkpoint or a file of weights.

    Parameters
    ----------
    path : path
        A safetensors file.
    device : str or Device
        Where the network is to live: "auto", "cpu", "gpu" or "gpu:1".
    dtype : {"float32", "float64"}
        What it computes in.

    Returns
    -------
    net : UNet
        The network; its `normalisation` is that of its training, None where the file does not say.
    meta : dict
        The file's metadata.

    Raises
    ------
    FileNotFoundError, ValueError
        As `load_checkpoint` does, and for weights that `dtype` cannot hold.
    """
    tensors, meta = load_checkpoint(path)
    params = strip_prefix(tensors, "params/")
    _check_size_of_weights(path, params, np.dtype(dtype))
    try:
        net = UNet(**meta["architecture"], dtype=dtype, device=device)
        net.load(params)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {printable(error)}") from error
    normalisation = meta.get("normalisation")
    if normalisation not in (None, *NORMALISATIONS):
        raise ValueError(f"{path}: its normalisation is {printable(normalisation)}: unknown")
    net.normalisation = normalisation
    return net, meta


def _check_size_of_weights(path: FileName, params: Tensors, dtype: np.dtype) -> None:
    """Raise ValueError for weights that are infinite in `dtype`, warn of absurdly large ones."""
    largest = {name: float(np.abs(value).max()) for name, value in params.items() if value.size}
    name = max(largest, key=largest.__getitem__)
    if largest[name] > float(np.finfo(dtype).max):
        raise ValueError(f"{path}: {name} holds {largest[name]:g}, which is too large for {dtype}")
    if largest[name] > HUGE:
        warnings.warn(f"{path}: {name} holds {largest[name]:g}: predictions may overflow")
