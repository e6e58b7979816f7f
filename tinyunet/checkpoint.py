"""Files that are whole or not there: weights and training state in safetensors, no pickle.

A checkpoint is written to a temporary file in the same folder, flushed to the disk, and only then
renamed over the old one, so that whatever happens (a kill, a full disk) one good file is left. A
SHA-256 over names, shapes and values is stored with it and verified on loading.
Lesson: lessons/11-training.md.
"""

import hashlib
import json
import os
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from tinyunet.geometry import DEEPEST
from tinyunet.init import parameter_shapes

FORMAT = "tinyunet-1"


@contextmanager
def atomic_write(path):
    """Yield a temporary path beside `path`; on success it is flushed and renamed to `path`.

    If the block raises (a full disk, say), the temporary file is removed and `path` is as before.
    """
    path = Path(path)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())  # mkstemp's files are private, ours need not be
        os.replace(temporary, path)
        _sync_folder(path.parent)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _sync_folder(folder):
    """Flush the folder's entry too: a rename is safe only once the folder is on the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def printable(text):
    """Return `text` in one line: names and values out of a file may hold line ends and worse."""
    return "".join(c if c.isprintable() else " " for c in str(text)).strip()


def checksum(tensors, meta):
    """Return the SHA-256 (hex) over the metadata and each tensor's name, dtype, shape, bytes."""
    digest = hashlib.sha256(json.dumps(meta, sort_keys=True).encode())
    for name in sorted(tensors):
        value = np.ascontiguousarray(tensors[name])
        digest.update(f"{name}|{value.dtype.str}|{value.shape}|".encode())
        digest.update(value.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def save_checkpoint(path, tensors, meta):
    """Write `tensors` (a dict of NumPy arrays) and `meta` (what JSON can hold) to `path`, whole.

    Names are "params/…" and "velocity/…"; `meta` must hold the "architecture". Equal contents give
    equal files.
    Raises OSError, with `path` untouched, where the disk is full or the folder read-only.
    """
    from safetensors.numpy import save_file

    tensors = {name: np.ascontiguousarray(value) for name, value in tensors.items()}
    header = {"format": FORMAT, "sha256": checksum(tensors, meta), "meta": meta}
    # One entry: safetensors writes several in any order, and equal runs shall give equal files.
    header = {"tinyunet": json.dumps(header, sort_keys=True)}
    with atomic_write(path) as temporary:
        _save(save_file, tensors, temporary, header, path)


def _save(save_file, tensors, temporary, header, path):
    from safetensors import SafetensorError

    try:
        save_file(tensors, temporary, header)
    except SafetensorError as error:  # its own class for what is an error of the disk
        raise OSError(f"{path}: could not be written: {error}") from error


def load_checkpoint(path):
    """Return (tensors, meta) as `save_checkpoint` wrote them.

    Raises FileNotFoundError for a missing file and ValueError, naming the file, for one that is no
    safetensors file, was truncated, was not written by this package, fails its checksum, or holds
    other tensors than its architecture has, NaN or infinity.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such checkpoint")
    try:
        with safe_open(path, "np") as file:
            header = (file.metadata() or {}).get("tinyunet")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, ValueError, TypeError, KeyError, AttributeError) as error:
        # AttributeError: a dtype that NumPy has no name for
        reason = printable(error) or type(error).__name__
        raise ValueError(f"{path}: not a whole safetensors file ({reason})") from error
    if header is None:
        raise ValueError(f"{path}: a safetensors file, but not one that tinyunet wrote")
    try:
        header = json.loads(header)
        known, digest, meta = header["format"] == FORMAT, header["sha256"], header["meta"]
        built = meta["architecture"]
        right = checksum(tensors, meta) == digest
    except (ValueError, RecursionError, TypeError, KeyError) as error:  # JSON's are ValueErrors
        raise ValueError(f"{path}: its metadata are damaged ({printable(error)})") from error
    if not known:
        raise ValueError(f"{path}: its format is {header['format']!r}: wanted {FORMAT!r}")
    if not right:
        raise ValueError(f"{path}: fails its checksum: the file was damaged after it was written")
    _check_tensors(path, tensors, built)
    return tensors, meta


def _check_tensors(path, tensors, built):
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


def _shapes(path, built):
    """{name: shape} of the parameters of the architecture that a file names."""
    try:
        if built["depth"] > DEEPEST:
            raise ValueError(f"depth {built['depth']} is more than {DEEPEST}")
        return parameter_shapes(
            *(built[name] for name in ("in_channels", "n_classes", "depth", "base"))
        )
    except (TypeError, KeyError, ValueError) as error:
        raise ValueError(f"{path}: its architecture is damaged ({printable(error)})") from error


def architecture(net):
    """Return what it takes to build `net` again, as a dict that JSON can hold."""
    return {
        "in_channels": net.in_channels,
        "n_classes": net.n_classes,
        "depth": net.depth,
        "base": net.base,
        "dropout": net.dropout,
    }


def save_weights(path, net, **meta):
    """Write the weights of `net` with its architecture (and `meta`) to a safetensors file."""
    from tinyunet.arrays import to_numpy

    tensors = {f"params/{name}": to_numpy(value) for name, value in net.params.items()}
    save_checkpoint(path, tensors, {**meta, "architecture": architecture(net)})


def load_network(path, device="auto", dtype="float32"):
    """Return (net, meta): the network whose weights are in the checkpoint or weight file `path`.

    Raises like `load_checkpoint`, and ValueError if the tensors are not those of the architecture
    that the file names.
    """
    from tinyunet.model import UNet

    tensors, meta = load_checkpoint(path)
    try:
        net = UNet(**meta["architecture"], dtype=dtype, device=device)
        net.load(strip_prefix(tensors, "params/"))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {printable(error)}") from error
    return net, meta


def strip_prefix(tensors, prefix):
    """Return the entries of `tensors` whose names begin with `prefix`, without it."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
