"""`tinyunet predict RUN VOLUME.zarr --out OUT.zarr`: volumes that fit no memory, block by block.

Lesson: lessons/10-overlap-tile.md.
"""

import argparse
import time
from pathlib import Path
from typing import Any

from tinyunet._progress import Progress
from tinyunet._text import duration, plural, size_text
from tinyunet.cli import common
from tinyunet.cli.predict_results import KINDS
from tinyunet.networks import Model

# Options that mean nothing for a volume: its values are probabilities, its planes are all.
_OTHERS = ("slices", "overwrite", "classes_file", "threshold", "min_size", "border", "grow")


def is_volume(path: str | Path) -> bool:
    """Whether IMAGES is an OME-Zarr volume."""
    path = Path(path)
    if path.suffix.lower() == ".zarr":
        return True
    return any((path / name).is_file() for name in ("zarr.json", ".zgroup", ".zarray"))


def add_options(parser: Any) -> None:
    """Add what only volumes have."""
    parser.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="of a dask.distributed cluster, for a volume: tcp://HOST:8786 (this process)",
    )


def check_no_scheduler(arguments: argparse.Namespace) -> None:
    """Raise ValueError for --scheduler with images that are no volume."""
    if arguments.scheduler is not None:
        raise ValueError(f"--scheduler is for OME-Zarr volumes: {arguments.images} is none")


def run(arguments: argparse.Namespace, model: Model) -> int:
    """Predict a volume, or what an earlier run of the same prediction left of it."""
    from tinyunet.exchange.volume import predict_volume

    _check(arguments)
    begun = time.monotonic()
    with Progress(1.0) as bar:

        def show(done: int, total: int) -> None:
            bar.update(done / total, f"{done:,} of {plural(total, 'block')}")

        told = predict_volume(
            model.weights,
            arguments.images,
            arguments.out,
            arguments.tile,
            arguments.scheduler,
            show,
            arguments.device,
        )
    taken = duration(time.monotonic() - begun)
    if arguments.json:
        common.as_json({**told, "volume": str(arguments.images), "out": str(arguments.out)})
        return 0
    before = told["blocks"] - told["computed"]
    print(
        f"{arguments.out}: {plural(told['blocks'], 'block')} in {taken}"
        + f", {before:,} of them were there already" * (before > 0)
        + f"; about {size_text(told['bytes'])} of memory a worker"
    )
    return 0


def _check(arguments: argparse.Namespace) -> None:
    """Raise ValueError for what does not go with a volume."""
    for name in (*_OTHERS, "average", *(kind for kind in KINDS if kind != "out")):
        if getattr(arguments, name) != arguments.default(name):
            flag = "--" + name.replace("_", "-")
            raise ValueError(f"{flag} does not go with a volume: {arguments.images}")
    if not arguments.out:
        raise ValueError("--out OUT.zarr is missing: where the volume's prediction is to go")
    out, volume = Path(arguments.out), Path(arguments.images)
    if out.suffix.lower() != ".zarr":
        raise ValueError(f"{out}: must end in .zarr: the prediction of a volume is a volume")
    if out.resolve() == volume.resolve():
        raise FileExistsError(f"{out}: is an input of this command: name another folder")
    if not out.resolve().parent.is_dir():
        raise FileNotFoundError(f"{out.parent}: no such folder to make {out.name} in")
