"""From slices to training tiles: weights once, then one random transform a step, drawn ahead.

Shapes: image (C, H, W) float32 normalised, classes (H, W) uint8, weights (H, W) float32;
a tile is x (1, C, T, T), labels (1, t, t) and weights (1, t, t) with t = the output size of T.

The tile of step s is drawn from the generator seeded with (seed, s). So neither the threads that
draw ahead nor an interruption can change it: step 1000 sees the same tile in every run.
Paper: section 3. Lesson: lessons/11-training.md.
"""

import os
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from tinyunet import geometry
from tinyunet.augment import random_transform
from tinyunet.weights import separate_touching, weight_map


@dataclass(frozen=True)
class TrainingSlice:
    """A slice ready to be cut into tiles; `weights` is None where every pixel weighs 1."""

    image: np.ndarray
    classes: np.ndarray
    weights: np.ndarray | None
    name: str


def prepare_slices(dataset, settings):
    """Return a `TrainingSlice` for every slice of `dataset` that has truth.

    Touching cells are cut apart and the weight map is computed here, once for each ground truth, as
    the paper does. Pixels without truth get a weight of 0.
    """
    return [_prepare(dataset, index, settings) for index in dataset.labelled()]


def _prepare(dataset, index, settings):
    labels, valid = dataset.labels[index], dataset.valid[index]
    instances = dataset.kind == "instances"
    if instances:
        labels = separate_touching(labels, settings.border)
    classes = (labels > 0).astype(np.uint8) if instances else labels.astype(np.uint8)
    if settings.weight_map:
        cells = labels if instances else classes > 0
        weights = weight_map(cells, settings.w0, settings.sigma, instances=instances, valid=valid)
    else:
        weights = None if valid is None else valid.astype(np.float32)
    return TrainingSlice(dataset.images[index], classes, weights, dataset.names[index])


def draw_tile(slices, settings, step):
    """Return (x, labels, weights) of training step `step`: a transform of a random slice.

    x: (1, C, T, T) float32; labels: (1, t, t) uint8; weights: (1, t, t) float32 or None.
    """
    rng = np.random.default_rng((settings.seed, step))
    chosen = slices[rng.integers(len(slices))]
    output = geometry.output_size(settings.tile, settings.depth)
    sample = random_transform(
        chosen.image,
        chosen.classes,
        chosen.weights,
        rng=rng,
        size=(settings.tile, settings.tile),
        label_size=(output, output),
        elastic=settings.elastic,
        rotation=settings.rotation,
        quarter_turns=not settings.rotation,
        grey=settings.grey,
        grey_range=(-1.0, 1.0),  # images have mean 0 and standard deviation 1
    )
    weights = None if sample.weights is None else sample.weights[None]
    return sample.image[None], sample.labels[None], weights


def workers_beside_a_gpu():
    """Return how many threads should draw tiles for a GPU: all processors but one, 8 at most.

    A tile takes longer to draw than a GPU may need to learn from it. (Beside a network that itself
    computes on the processors, one thread is enough.)
    """
    there = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count())
    return min(8, max(1, len(there) - 1))


class TileFeed:
    """Draws the tiles of steps `start`, `start` + 1, … in background threads, `ahead` at a time.

    The transform's kernel releases the GIL, so the network computes meanwhile. `waited` adds up the
    seconds for which `next_tile` had to wait. Use as a context manager, or call `close`.
    """

    def __init__(self, slices, settings, start=1, workers=1, ahead=2):
        self.slices, self.settings = slices, settings
        self.waited = 0.0
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="tile")
        self._next = start
        self._ready = deque()
        for _ in range(ahead):
            self._submit()

    def next_tile(self):
        """Return the tile of the next step, as `draw_tile` does."""
        begun = time.perf_counter()
        tile = self._ready.popleft().result()
        self.waited += time.perf_counter() - begun
        self._submit()
        return tile

    def _submit(self):
        if self._next <= self.settings.steps:
            self._ready.append(self._pool.submit(draw_tile, self.slices, self.settings, self._next))
            self._next += 1

    def close(self):
        """Stop the threads; tiles drawn ahead are dropped."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
