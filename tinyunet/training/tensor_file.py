"""Arrays and metadata in safetensors files: whole or not there, no pickle.

A SHA-256 over names, shapes and values is stored with them and verified on loading. Weights that
another program wrote under this package's names are taken, too: their shapes tell the architecture.
Lesson: lessons/11-training.md.
"""

import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from tinyunet._files import atomic_write, printable
from tinyunet.geometry import DEEPEST
from tinyunet.nn.architecture import SHAPE, parameter_shapes

FORMAT = "tinyunet-1"
FileName: TypeAlias = str | os.PathLike[str]
Tensors: TypeAlias = dict[str, np.ndarray]


def checksum(tensors: Mapping[str, np.ndarray], meta: Mapping[str, Any]) -> str:
    """Compute the checksum of a checkpoint.

    Parameters
    ----------
    tensors : mapping
        Arrays by name, in any order.
    meta : mapping
        What JSON can hold.

    Returns
    -------
    str
        The SHA-256 (hex) over the metadata and each tensor's name, dtype, shape and bytes.
    """
    digest = hashlib.sha256(json.dumps(meta, sort_keys=True).encode())
    for name in sorted(tensors):
        value = np.ascontiguousarray(tensors[name])
        digest.update(f"{name}|{value.dtype.str}|{value.shape}|".encode())
        digest.update(value.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def save_checkpoint(
    path: FileName, tensors: Mapping[str, np.ndarray], meta: Mapping[str, Any]
) -> None:
    """Write arrays and metadata to a file, whole or not at all; equal contents give equal files.

    Parameters
    ----------
    path : path
        The file; an earlier one is replaced.
    tensors : mapping
        Arrays of any byte order, called "params/…" and "velocity/…".
    meta : mapping
        What JSON can hold; with the "architecture".

    Raises
    ------
    OSError
        Where the disk is full or the folder read-only; `path` is then as before.
    """
    from safetensors.numpy import save_file

    tensors = {name: _little_endian(value) for name, value in tensors.items()}
    header = {"format": FORMAT, "sha256": checksum(tensors, meta), "meta": meta}
    # One entry: safetensors writes several in any order, and equal runs shall give equal files.
    text = json.dumps(header, sort_keys=True)
    with atomic_write(path) as temporary:
        _save(save_file, tensors, temporary, {"tinyunet": text}, path)


def _little_endian(value: np.ndarray) -> np.ndarray:
    """`value` as safetensors stores it: C order, the lowest byte of a number first."""
    value = np.ascontiguousarray(value)
    return value.astype(value.dtype.newbyteorder("<"), copy=False)


def _save(
    save_file: Callable[..., None], tensors: Tensors, temporary: Path, header: Any, path: FileName
) -> None:
    from safetensors import SafetensorError

    try:
        save_file(tensors, temporary, header)
    except SafetensorError as error:  # its own class for what is an error of the disk
        raise OSError(f"{path}: could not be written: {error}") from error


def load_checkpoint(path: FileName) -> tuple[Tensors, dict[str, Any]]:
    """Read what `save_checkpoint` wrote, or weights under this package's names.

    Parameters
    ----------
    path : path
        A safetensors file.

    Returns
    -------
    tensors : dict
        "params/…" and, of a training, "velocity/…" to arrays of floats.
    meta : dict
        The metadata; of another program's file, the architecture that its shapes tell.

    Raises
    ------
    FileNotFoundError
        For a missing file.
    ValueError
        For one that is no safetensors file, is truncated, fails its checksum, or holds NaN,
        infinity or other tensors than its architecture has. The message names the file.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such checkpoint")
    tensors, header = _read(path)
    if header is None:
        tensors, meta = _of_another_program(path, tensors)
    else:
        meta = _verified(path, tensors, header)
    _check_tensors(path, tensors, meta["architecture"])
    return tensors, meta


def _read(path: Path) -> tuple[Tensors, str | None]:
    """(tensors, this package's header or None) of a safetensors file."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "np") as file:
            header = (file.metadata() or {}).get("tinyunet")
            return {name: file.get_tensor(name) for name in file.keys()}, header  # noqa: SIM118
    except (SafetensorError, ValueError, TypeError, KeyError, AttributeError) as error:
        # AttributeError: a dtype that NumPy has no name for
        reason = printable(error) or type(error).__name__
        raise ValueError(f"{path}: not a whole safetensors file ({reason})") from error


def _verified(path: Path, tensors: Tensors, text: str) -> dict[str, Any]:
    """The metadata in the header `text`, if the checksum there is that of `tensors`."""
    try:
        header = json.loads(text)
        known, digest, meta = header["format"] == FORMAT, header["sha256"], header["meta"]
        built = meta["architecture"]
        right = checksum(tensors, meta) == digest
    except (ValueError, RecursionError, TypeError, KeyError) as error:  # JSON's are ValueErrors
        raise ValueError(f"{path}: its metadata are damaged ({printable(error)})") from error
    if not known:
        raise ValueError(f"{path}: its format is {header['format']!r}: wanted {FORMAT!r}")
    if not right:
        raise ValueError(f"{path}: fails its checksum: the file was damaged after it was written")
    if isinstance(built, dict) and "base" in built:  # its name in version 1.0
        built["base_channels"] = built.pop("base")
    if "normalisation" not in meta and "tile" in meta:  # version 1.0 did not say what it did
        meta["normalisation"] = "image"
    return meta


def _of_another_program(path: Path, tensors: Tensors) -> tuple[Tensors, dict[str, Any]]:
    """(tensors, metadata) where another program wrote weights under this package's names.

    The names may come with "params/" in front of them or without; how deep the network is, only
    they say. What the shapes tell is checked with all the rest by the caller.
    """
    params = {name.removeprefix("params/"): value for name, value in tensors.items()}
    levels = [int(m[1]) for m in map(re.compile(r"down(\d+)\.").match, params) if m]
    first, last = params.get("down1.conv1.weight"), params.get("out.weight")
    if first is None or last is None or first.ndim != 4 or last.ndim != 4:
        raise ValueError(
            f"{path}: a safetensors file, but not one that tinyunet wrote, and not of its names: "
            "down1.conv1.weight … out.weight"
        )
    built = {
        "in_channels": first.shape[1],
        "n_classes": last.shape[0],
        "depth": max(levels),
        "base_channels": first.shape[0],
        "dropout": 0.0,
    }
    return {f"params/{name}": value for name, value in params.items()}, {"architecture": built}


def _check_tensors(path: Path, tensors: Tensors, built: Any) -> None:
    """Refuse tensors that are not those of a network so `built`, before any memory goes into one.

    `built` is the file's own word for its architecture: a small file may claim a large network.
    """
    kinds = {name.partition("/")[0] for name in tensors} - {"params", "velocity"}
    if kinds:
        raise ValueError(
            f"{path}: holds tensors that no checkpoint has: {printable(', '.join(sorted(kinds)))}"
        )
    wanted = _shapes(path, built)
    for kind in ("params", "velocity"):
        part = strip_prefix(tensors, f"{kind}/")
        if kind == "velocity" and not part:
            continue  # a file of weights only
        for name in sorted({*wanted, *part}):
            has = part[name].shape if name in part else "missing"
            needs = wanted.get(name, "no such tensor")
            which = f"{path}: {kind}/{printable(name)}"
            if has != needs:
                raise ValueError(f"{which} is {has}, its architecture has {needs}")
            if part[name].dtype.kind != "f" or not np.isfinite(part[name]).all():
                raise ValueError(f"{which} holds NaN, infinity or no floats")


def _shapes(path: Path, built: Any) -> dict[str, tuple[int, ...]]:
    """{name: shape} of the parameters of the architecture that a file names."""
    try:
        if built["depth"] > DEEPEST:
            raise ValueError(f"depth {built['depth']} is more than {DEEPEST}")
        return parameter_shapes(*(built[name] for name in SHAPE))
    except (TypeError, KeyError, ValueError) as error:
        raise ValueError(f"{path}: its architecture is damaged ({printable(error)})") from error


def strip_prefix(tensors: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """Select the entries of one kind.

    Parameters
    ----------
    tensors : mapping
        Arrays by name.
    prefix : str
        What the names of that kind begin with.

    Returns
    -------
    dict
        The entries whose names begin so, under their names without it.
    """
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
