"""What several commands share: options, output files, JSON."""

import argparse
import json
import os
import sys
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tinyunet._machine import usable_cores


def add_device(parser: Any) -> None:
    """Add --device and --threads."""
    parser.add_argument(
        "--device", default="auto", help="auto, cpu, gpu or gpu:N (auto takes a GPU if it can)"
    )
    parser.add_argument(
        "--backend",
        choices=("fast", "plain"),
        default="fast",
        help="plain: no kernels, on CPU and GPU alike (as TINYUNET_BACKEND=plain)",
    )
    parser.add_argument("--threads", type=int, metavar="N", help="CPU threads (all cores)")


def use_threads(arguments: argparse.Namespace) -> None:
    """Let numba and BLAS use --threads; without it their own environment variables decide."""
    if arguments.threads is None:
        return
    cores = usable_cores()
    if not 1 <= arguments.threads <= cores:
        raise ValueError(
            f"--threads {arguments.threads}: wanted 1 to {cores}, the cores that this process may "
            "use"
        )
    if find_spec("tinyunet.backends") is None:
        raise ValueError(
            f"--threads {arguments.threads}: is about the kernels, and there are none here "
            "(tinyunet/backends is missing)"
        )
    from tinyunet.backends.cpu.threads import set_threads

    set_threads(arguments.threads)


def add_labels(parser: Any, channels: bool = True) -> None:
    """Add --classes, --instances and --ignore, and --channels: what the numbers in files mean."""
    parser.add_argument("--classes", type=int, metavar="K", help="classes of the labels (2)")
    parser.add_argument(
        "--instances", action="store_true", help="each number of the labels is one object"
    )
    parser.add_argument("--ignore", type=int, metavar="VALUE", help="label value without truth")
    if channels:
        parser.add_argument(
            "--channels", type=int, default=1, metavar="C", help="of the images; 3 is colour (1)"
        )


def label_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return --classes, --instances and --ignore as arguments of `read_labels`."""
    if arguments.instances and arguments.classes is not None:
        raise ValueError("--classes and --instances: the labels are one or the other")
    n_classes = 2 if arguments.classes is None else arguments.classes
    kind = "instances" if arguments.instances else "auto"
    return {"n_classes": n_classes, "kind": kind, "ignore": arguments.ignore}


def tell_if_unprepared(net: Any, path: Any) -> None:
    """Warn where a file of weights does not say how its training's images were normalised."""
    if net.normalisation is None:
        warnings.warn(
            f"{path} does not say how its images were normalised: pixels go to the network as they "
            "are (`tinyunet import --normalise image` notes it down)",
            stacklevel=2,
        )


def add_json(parser: Any) -> None:
    """Add --json."""
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def slice_range(text: str) -> tuple[int, int]:
    """Parse "20:24" into (20, 24): the first slice and the one behind the last."""
    parts = text.split(":")
    if len(parts) != 2 or not all(part.isascii() and part.isdigit() for part in parts):
        raise argparse.ArgumentTypeError(f"{text!r} is not a range of slices like 20:24")
    first, end = int(parts[0]), int(parts[1])
    if first >= end:
        raise argparse.ArgumentTypeError(
            f"the range {text} is empty: slices {first} up to, not including, {end}"
        )
    return first, end


def note(text: str) -> None:
    """Tell the user something that is not the result."""
    print(text, file=sys.stderr, flush=True)


def as_json(result: object) -> None:
    """Print a dict as JSON on stdout; NaN becomes null, which JSON can say.

    Numbers keep all their digits, but a sum of tenths is told as what it stands for: 0.3, not
    0.30000000000000004. What has at most four digits among its first fifteen is such a number.
    """

    def clean(value: object) -> object:
        if isinstance(value, dict):
            return {key: clean(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [clean(item) for item in value]
        if isinstance(value, float):
            short = f"{value:.15g}"
            return None if value != value else float(short) if len(short) <= 6 else value
        return value

    print(json.dumps(clean(result), indent=2, allow_nan=False))


def add_overwrite(parser: Any) -> None:
    """Add --overwrite."""
    parser.add_argument("--overwrite", action="store_true", help="replace FILE if it is there")


def check_folder(
    path: str | Path, inputs: Sequence[str | Path] = (), overwrite: bool = False
) -> Path:
    """Return `path` as a Path if it is a folder to be made, or an empty one.

    `inputs`: paths that the result must not touch. `overwrite`: files may be replaced in it.
    """
    if not str(path):
        raise ValueError("the name of the folder is empty")
    path = Path(path)
    if any(path.exists() and Path(i).exists() and path.samefile(i) for i in inputs):
        raise FileExistsError(f"{path}: is an input of this command: name another folder")
    if path.exists() and not path.is_dir():
        raise FileExistsError(f"{path}: is a file: name a new folder")
    if path.exists() and any(path.iterdir()) and not overwrite:
        raise FileExistsError(f"{path}: is not empty: name a new folder, or give --overwrite")
    if not path.resolve().parent.is_dir():
        raise FileNotFoundError(f"{path.parent}: no such folder to make {path.name} in")
    return path


def check_output(
    path: str | Path,
    suffixes: Sequence[str] = (),
    inputs: Sequence[str | Path] = (),
    overwrite: bool = False,
) -> Path:
    """Return `path` as a Path if a file can be made there, or say now, not hours later, why not.

    `inputs`: files that the result must never overwrite; any other file only with `overwrite`.
    """
    path = Path(path)
    if any(path.exists() and Path(i).exists() and path.samefile(i) for i in inputs):
        raise FileExistsError(f"{path}: is an input of this command: name another file")
    if path.is_dir():
        raise IsADirectoryError(f"{path}: is a folder, but the result is a file")
    if suffixes and path.suffix.lower() not in suffixes:
        raise ValueError(f"{path}: must end in {' or '.join(suffixes)}")
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path}: exists already: name a new file, or give --overwrite")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path.parent}: no such folder to write {path.name} into")
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(f"{path.parent}: no permission to write {path.name} into it")
    return path
