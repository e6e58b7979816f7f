"""Compile all that a run needs before anybody's clock starts.

Kernels are compiled at their first call, which takes seconds; later starts load them from the disk.
What is compiled depends on the types of the arrays and not on their sizes, so a tile, a step and a
prediction of the smallest network do. Lesson: lessons/14-fast-on-a-cpu.md.
"""

import dataclasses
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import TypeAlias

import numpy as np

from tinyunet import _numba, geometry
from tinyunet.arrays import Array
from tinyunet.nn.sgd import SGD
from tinyunet.nn.unet import UNet
from tinyunet.training.plan import Plan
from tinyunet.training.settings import Settings
from tinyunet.training.step import DirectStep
from tinyunet.training.tiles import TrainingSlice, draw_tile, prepare_slices
from tinyunet.training.validation import validate

Tasks: TypeAlias = Sequence[tuple[str, Callable[[], object]]]

SIDE = 64  # pixels of a slice that are enough


def warm_up(plan: Plan, progress: Callable[[int, int, str], None] | None = None) -> float:
    """Compile what a run needs and the disk does not hold; nothing that is computed depends on it.

    Parameters
    ----------
    plan : Plan
        Of the run.
    progress : callable, optional
        Called as progress(done, total, name) when something has to be compiled; not at all if
        nothing has to be.

    Returns
    -------
    float
        The seconds that it took.
    """
    return _numba.warm_up(list(tasks(plan)), progress)


def tasks(plan: Plan) -> Tasks:
    """List what has to be done once.

    Parameters
    ----------
    plan : Plan
        Of the run.

    Returns
    -------
    sequence of (name, callable)
        To be called in this order.
    """
    on_cpu = not plan.device.is_gpu
    kernels: Tasks = ()
    if on_cpu and find_spec("tinyunet.backends") is not None:
        from tinyunet.backends.cpu.warm_up import tasks as kernels_of_the_cpu

        kernels = kernels_of_the_cpu()
    return [
        *kernels,
        ("weight map and tiles", lambda: draw_tile(_first_slice(plan), _smallest(plan), 1)),
        *([("a step", lambda: _step(plan)), ("prediction", lambda: _predict(plan))] * on_cpu),
    ]


def _smallest(plan: Plan) -> Settings:
    """The run's settings, but for the size of its network and tile."""
    tile = geometry.smallest_size(2)
    return dataclasses.replace(plan.settings, depth=2, base_channels=1, tile=tile)


def _first_slice(plan: Plan) -> list[TrainingSlice]:
    """A corner of the first slice, with its weight map."""
    first = plan.training.subset(plan.training.labelled()[:1])
    first.images = [_corner(image) for image in first.images]
    first.labels = [None if labels is None else _corner(labels) for labels in first.labels]
    first.valid = [None if valid is None else _corner(valid) for valid in first.valid]
    return prepare_slices(first, plan.settings)


def _corner(array: Array) -> Array:
    """A copy: kernels are compiled for arrays that lie in one piece, as those of a run do."""
    return np.ascontiguousarray(array[..., :SIDE, :SIDE])


def _network(plan: Plan) -> UNet:
    return UNet(plan.in_channels, plan.dataset.n_classes, 2, 1, device=plan.device)


def _step(plan: Plan) -> None:
    net = _network(plan)
    DirectStep(net, SGD(net.params, 1e-3))(draw_tile(_first_slice(plan), _smallest(plan), 1))


def _predict(plan: Plan) -> None:
    whole = geometry.input_size(SIDE, 2)  # one tile; of small ones there would be a thousand
    validate(_network(plan), _first_slice(plan), dataclasses.replace(_smallest(plan), tile=whole))
