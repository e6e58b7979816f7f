"""Overlap-tile prediction of volumes that fit no memory, in blocks; a cluster gets them from dask.

A block is the output of one tile in one plane: `tiling.plan_axis` plans them as it does for a
single image, so that the blocks together are seamless and equal to `predict_tiled`, bit for bit.
Chunks of the output are as large as a block; only one block ever writes into a chunk. A block that
is written leaves a mark; a run that is started again does those without one. Workers hold one
network and one window at a time. Lesson: lessons/10-overlap-tile.md.
"""

import hashlib
import json
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tinyunet import geometry
from tinyunet._files import atomic_write
from tinyunet.exchange._libraries import needs
from tinyunet.exchange.ome_zarr import Volume, create_volume, open_volume
from tinyunet.images.normalise import AS_THEY_ARE, mean_and_std_of_rows
from tinyunet.inference.normalise import normalise_window
from tinyunet.inference.tiling import plan_axis, read_window
from tinyunet.nn import UNet
from tinyunet.nn.memory import prediction_memory
from tinyunet.training.checkpoint import load_network

MARKS = ".tinyunet"  # folder in the output for the marks and the planes' statistics


class Block(NamedTuple):
    """A block: the plane's place, then (start, count, window) along rows and columns."""

    place: tuple[int, ...]
    rows: tuple[int, int, int]
    columns: tuple[int, int, int]

    @property
    def mark(self) -> str:
        """The name of its mark.

        Returns
        -------
        str
            A file's, made of the block's place.
        """
        return "-".join(map(str, (*self.place, self.rows[0], self.columns[0])))


class Job(NamedTuple):
    """What a worker needs to know beside the block; all of it can travel to another machine."""

    weights: str
    source: str
    target: str
    device: str
    one_thread: bool
    run: str  # of this prediction alone: what a worker keeps of another one may have changed since


def predict_volume(
    weights: str | Path,
    source: str | Path,
    target: str | Path,
    tile: int | None = None,
    scheduler: str | None = None,
    progress: Callable[[int, int], None] | None = None,
    device: str = "auto",
) -> dict[str, int]:
    """Predict every plane of an OME-Zarr volume into another one.

    Planes are normalised to mean 0 and standard deviation 1 if those of the network's training
    were. Two classes give the probability of class 1 in float32, more give class numbers in uint8.

    Parameters
    ----------
    weights : str or Path
        The network's file of weights. Workers on other machines read it under the same path.
    source : str or Path
        The volume; see `ome_zarr.open_volume`.
    target : str or Path
        The folder of the result; one that an earlier run of the same prediction left is continued.
    tile : int, optional
        Input size of the tiles; 572 or the nearest that fits the network if None.
    scheduler : str, optional
        Address of a dask.distributed scheduler; None computes in this process.
    progress : callable, optional
        Called as progress(done, total), in blocks.
    device : str, optional
        Where the network is to live; workers of a cluster take "auto" for the CPU.

    Returns
    -------
    dict
        "blocks": all; "computed": those of this run; "bytes": about what a worker needs.

    Raises
    ------
    ImportError
        If zarr, or for a cluster dask's distributed, is not installed.
    ValueError
        For a volume or a tile that does not fit the network, and a target that holds something
        else, or the prediction of another network, volume or tile.
    OSError
        For a scheduler that does not answer, and files that cannot be read or written.
    """
    if scheduler is not None:
        device = "cpu" if device == "auto" else device
    run_id = uuid.uuid4().hex
    net = _network(str(weights), "cpu" if scheduler is not None else device, False, run_id)
    if net.normalisation == "compressed":
        raise ValueError(
            f"{weights}: its images are compressed by their percentiles, which takes whole planes: "
            "predict them as images, not as a volume"
        )
    volume = open_volume(source)
    if volume.channels != net.in_channels:
        raise ValueError(
            f"{source}: {volume.channels} channels, the network takes {net.in_channels}"
        )
    tile = geometry.nearest_sizes(572, net.depth)[0] if tile is None else tile
    plan = [plan_axis(size, tile, net.depth) for size in volume.size]
    blocks = [Block(place, rows, columns) for place in volume.planes()
              for rows in plan[0] for columns in plan[1]]  # fmt: skip
    places = [str(Path(path).resolve()) for path in (weights, source, target)]
    job = Job(places[0], places[1], places[2], device, scheduler is not None, run_id)
    with _workers(scheduler) as run:  # nothing is written for a cluster that does not answer
        _prepare_target(Path(target), volume, net, plan, _notes(weights, source, tile))
        marks = Path(target) / MARKS
        left = [block for block in blocks if not (marks / block.mark).exists()]
        done = len(blocks) - len(left)
        run(job, left, lambda more: progress and progress(done + more, len(blocks)))
    needed = prediction_memory(net.layers, tile, tile, 4)
    return {"blocks": len(blocks), "computed": len(left), "bytes": needed}


def _notes(weights: str | Path, source: str | Path, tile: int) -> dict[str, Any]:
    digest = hashlib.sha256(Path(weights).read_bytes()).hexdigest()
    return {"weights": digest, "volume": str(Path(source).resolve()), "tile": tile}


def _prepare_target(
    target: Path, volume: Volume, net: UNet, plan: list, notes: dict[str, Any]
) -> None:
    """Create the output, or find that it is what an earlier run of the same prediction began."""
    if target.exists() and any(target.iterdir()):
        try:
            begun = dict(needs("zarr").open_group(target, mode="r").attrs).get("tinyunet")
        except (FileNotFoundError, ValueError) as error:
            raise ValueError(f"{target}: exists already and is no Zarr: name a new one") from error
        if begun != notes:
            changed = [k for k in notes if (begun or {}).get(k) != notes[k]]
            raise ValueError(
                f"{target}: holds something else (another {', '.join(changed)}): name a new one"
            )
        return
    dtype = "float32" if net.n_classes == 2 else "uint8"
    chunk = tuple(axis[0][1] for axis in plan)
    create_volume(target, volume, dtype, chunk, notes)
    (target / MARKS).mkdir()


@lru_cache(maxsize=1)
def _network(weights: str, device: str, one_thread: bool, run: str) -> UNet:
    """Return the network of a file, loaded once a process and prediction."""
    if one_thread:  # the cluster shares out the cores
        from tinyunet.backends.cpu.threads import set_threads

        set_threads(1)
    return load_network(weights, device)[0]


@lru_cache(maxsize=1)
def _open(source: str, run: str) -> Volume:
    return open_volume(source, warn=False)  # whoever asked for the prediction was told


def predict_block(job: Job, block: Block) -> str:
    """Predict one block and write it; what a worker does.

    Parameters
    ----------
    job : Job
        Where everything lies.
    block : Block
        Which part.

    Returns
    -------
    str
        The block's mark, which exists from now on.
    """
    mark = Path(job.target) / MARKS / block.mark
    if mark.exists():  # dask asks again for all that a worker had answered which died since
        return block.mark
    net = _network(job.weights, job.device, job.one_thread, job.run)
    volume = _open(job.source, job.run)
    plane: Any = volume.plane(block.place)  # slices like an array
    as_it_is = net.normalisation in AS_THEY_ARE
    mean, std = (
        (None, None) if as_it_is else np.array(_statistics(job, plane, block.place))[:, None]
    )
    (top, height, tall), (left, width, wide) = block.rows, block.columns
    border = geometry.margin(net.depth)
    window = read_window(plane, top - border, left - border, tall, wide)
    try:
        window = normalise_window(window, mean, std, np.dtype(np.float32))
    except ValueError as error:
        raise ValueError(f"{job.source}: plane {block.place} holds NaN or infinity") from error
    probabilities = net.predict_proba(window[None])[0, :, :height, :width]
    answer = probabilities[1] if net.n_classes == 2 else probabilities.argmax(axis=0)
    where = (*block.place, slice(top, top + height), slice(left, left + width))
    needs("zarr").open_group(job.target, mode="r+")["0"][where] = answer
    mark.touch()
    return block.mark


def _statistics(job: Job, plane: Any, place: tuple[int, ...]) -> tuple[float, float]:
    """Return mean and standard deviation of a plane, computed once a run and kept."""
    file = Path(job.target) / MARKS / ("plane-" + "-".join(map(str, place)) + ".json")
    if not file.exists():
        with atomic_write(file) as temporary:
            temporary.write_text(json.dumps(mean_and_std_of_rows(plane)), encoding="utf-8")
    mean, std = json.loads(file.read_text(encoding="utf-8"))
    return mean, std


@contextmanager
def _workers(scheduler: str | None) -> Iterator[Callable]:
    """Yield run(job, blocks, done), in this process or on a cluster that has answered."""
    if scheduler is None:
        yield _run_here
        return
    distributed = needs("distributed")
    try:
        client = distributed.Client(scheduler, timeout="10s")
    except (OSError, TimeoutError, ValueError) as error:
        raise OSError(f"{scheduler}: no dask scheduler answers there") from error
    with client:
        yield partial(_run_on, client, scheduler)


def _run_here(job: Job, blocks: list[Block], done: Callable[[int], Any]) -> None:
    """One block after the other: the network itself works in threads."""
    for number, block in enumerate(blocks, 1):
        predict_block(job, block)
        done(number)


def _run_on(
    client: Any, address: str, job: Job, blocks: list[Block], done: Callable[[int], Any]
) -> None:
    """On a cluster: a block whose worker dies is given to another one."""
    distributed = needs("distributed")
    # Distributed tells of lost workers in its own words; whoever reads this wants one line.
    lost = (distributed.KilledWorker, CancelledError, distributed.comm.CommClosedError)
    try:
        futures = client.map(lambda block: predict_block(job, block), blocks, pure=False)
        for number, future in enumerate(distributed.as_completed(futures), 1):
            future.result()
            done(number)
    except lost as error:
        raise OSError(
            f"{address}: its workers died or the scheduler left: start again to go on with "
            "the blocks that are missing"
        ) from error
