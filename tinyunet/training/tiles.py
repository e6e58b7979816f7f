"""From slices to training tiles: weight maps once, then one random transform a step, drawn ahead.

Shapes: image (C, H, W) float32 normalised, classes (H, W) uint8, weight map (H, W) float32;
a tile is x (1, C, T, T), labels (1, t, t) and weight map (1, t, t), t being the output size of T.

The tile of step s is drawn from the generator seeded with (seed, s), that of another rank r with
(seed, s, r). So neither the threads that draw ahead nor an interruption can change it: step 1000
sees the same tile in every run.
Paper: section 3. Lesson: lessons/11-training.md.
"""

import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from tinyunet import geometry
from tinyunet._machine import usable_cores
from tinyunet.arrays import Array
from tinyunet.augment import random_transform
from tinyunet.images import Dataset
from tinyunet.training.settings import Settings
from tinyunet.weight_map import separate_touching, weight_map


@dataclass(frozen=True)
class TrainingSlice:
    """A slice ready to be cut into tiles.

    Attributes
    ----------
    image : array, shape (C, H, W), float32
        Normalised.
    classes : array, shape (H, W), uint8
        A class number for every pixel.
    weight_map : array, shape (H, W), float32, or None
        What a mistake at a pixel costs, 0 where there is no ground truth; None: 1 everywhere.
    name : str
        Of the slice, for messages.
    """

    image: Array
    classes: Array
    weight_map: Array | None
    name: str


class Tile(NamedTuple):
    """What one training step learns from."""

    x: Array  # (1, C, T, T) float32
    labels: Array  # (1, t, t) uint8
    weight_map: Array | None  # (1, t, t) float32; None: 1 everywhere


def prepare_slices(dataset: Dataset, settings: Settings) -> list[TrainingSlice]:
    """Make the slices that have ground truth ready to be cut into tiles.

    Touching cells are cut apart and the weight map is computed here, once for each ground truth, as
    the paper does. Pixels without ground truth get a weight of 0.

    Parameters
    ----------
    dataset : Dataset
        Images and labels.
    settings : Settings
        Says whether there is a weight map, and of which form.

    Returns
    -------
    list of TrainingSlice
        One for each slice of `dataset` that has labels.

    Raises
    ------
    ValueError
        For labels that are no class numbers of this data set or no object numbers; the message
        names the slice.
    """
    return [_prepare(dataset, index, settings) for index in dataset.labelled()]


def _prepare(dataset: Dataset, index: int, settings: Settings) -> TrainingSlice:
    labels: Any = dataset.labels[index]  # there: only labelled slices come here
    valid = dataset.valid[index]
    instances = dataset.kind == "instances"
    check_labels(labels, None if instances else dataset.n_classes, dataset.names[index])
    if instances:
        labels = separate_touching(labels, settings.border)
    classes = (labels > 0).astype(np.uint8) if instances else labels.astype(np.uint8)
    weights: Array | None
    if settings.weight_map:
        cells = labels if instances else classes > 0
        form = settings.w0, settings.sigma, settings.balance
        weights = weight_map(cells, *form, instances=instances, valid=valid)
    else:
        weights = None if valid is None else valid.astype(np.float32)
    return TrainingSlice(dataset.images[index], classes, weights, dataset.names[index])


def check_labels(labels: Array, n_classes: int | None, name: str) -> None:
    """Refuse labels that would be cut to other numbers on their way to the network.

    Parameters
    ----------
    labels : array, shape (H, W)
        Any dtype.
    n_classes : int or None
        Class numbers are 0 to ``n_classes - 1``; None for object numbers, which are 0 and more.
    name : str
        Of the slice, for the message.

    Raises
    ------
    ValueError
        For labels that are no whole numbers, or not of these.
    """
    labels = np.asarray(labels)
    wanted = "whole numbers of at least 0, one an object"
    if n_classes is not None:
        wanted = f"class numbers 0 to {n_classes - 1}"
    if labels.dtype.kind not in "bui":
        raise ValueError(f"labels of slice {name} are {labels.dtype}: wanted {wanted}")
    low, high = int(labels.min(initial=0)), int(labels.max(initial=0))
    if low < 0 or (n_classes is not None and high >= n_classes):
        raise ValueError(f"labels of slice {name} go from {low} to {high}: wanted {wanted}")


def draw_tile(
    slices: Sequence[TrainingSlice], settings: Settings, step: int, rank: int = 0
) -> Tile:
    """Draw the tile of a training step: a random transform of a random slice.

    Parameters
    ----------
    slices : sequence of TrainingSlice
        What to draw from.
    settings : Settings
        Seed, size, and which transforms.
    step : int
        1 to `settings.steps`; with the seed it decides the tile.
    rank : int, optional
        Of the process, where several learn together: each gets another tile.

    Returns
    -------
    Tile
        x (1, C, T, T) float32, labels (1, t, t) uint8, weight map (1, t, t) float32 or None.
    """
    others = [rank] if rank else []
    rng = np.random.default_rng((settings.seed, step, *others))
    chosen = slices[int(rng.integers(len(slices)))]
    output = geometry.output_size(settings.tile, settings.depth)
    sample = random_transform(
        chosen.image,
        chosen.classes,
        chosen.weight_map,
        rng=rng,
        size=(settings.tile, settings.tile),
        label_size=(output, output),
        elastic=settings.elastic,
        rotation=settings.rotation,
        quarter_turns=not settings.rotation,
        intensity=settings.intensity,
        max_zoom=settings.max_zoom,
        intensity_range=(-1.0, 1.0),  # images have mean 0 and standard deviation 1
    )
    assert sample.image is not None
    assert sample.labels is not None
    weights = None if sample.weight_map is None else sample.weight_map[None]
    return Tile(sample.image[None], sample.labels[None], weights)


def workers_beside_a_gpu() -> int:
    """Choose how many threads draw tiles for a GPU.

    A tile takes longer to draw than a GPU may need to learn from it. (Beside a network that itself
    computes on the processors, one thread is enough.)

    Returns
    -------
    int
        All processors that this process may use but one, 1 at least and 8 at most.
    """
    return min(8, max(1, usable_cores() - 1))


class TileFeed:
    """Draws the tiles of steps `start`, `start` + 1, … in background threads.

    The transform's kernel releases the GIL, so the network computes meanwhile. `waited` adds up the
    seconds for which `next_tile` had to wait. Use it as a context manager, or call `close`.

    Parameters
    ----------
    slices : sequence of TrainingSlice
        What to draw from.
    settings : Settings
        As for `draw_tile`; no tile beyond `settings.steps` is drawn.
    start : int
        The first step.
    workers : int
        Threads.
    ahead : int
        Tiles that are drawn before they are asked for.
    rank : int
        Of the process, as for `draw_tile`.
    """

    def __init__(
        self,
        slices: Sequence[TrainingSlice],
        settings: Settings,
        start: int = 1,
        workers: int = 1,
        ahead: int = 2,
        rank: int = 0,
    ) -> None:
        self.slices, self.settings = slices, settings
        self._draw = partial(draw_tile, rank=rank) if rank else draw_tile
        self.waited = 0.0
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="tile")
        self._next = start
        self._ready: deque[Future[Tile]] = deque()
        for _ in range(ahead):
            self._submit()

    def next_tile(self) -> Tile:
        """Wait for the tile of the next step.

        Returns
        -------
        Tile
            As `draw_tile` returns it.
        """
        begun = time.perf_counter()
        tile = self._ready.popleft().result()
        self.waited += time.perf_counter() - begun
        self._submit()
        return tile

    def _submit(self) -> None:
        if self._next <= self.settings.steps:
            self._ready.append(
                self._pool.submit(self._draw, self.slices, self.settings, self._next)
            )
            self._next += 1

    def close(self) -> None:
        """Stop the threads; tiles drawn ahead are dropped."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def __enter__(self) -> "TileFeed":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
