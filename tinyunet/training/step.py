"""One training step, `step(tile) -> loss`: the same call on a CPU and on a GPU.

    logits = forward(x) → loss = weighted cross-entropy → gradients = backward pass → SGD

On the CPU the lines of `training_gradients` and the optimiser run one after the other. On a GPU
the same step, written down again for fixed places in memory (backends/cuda/graph_step.py, tested
equal to this one), was recorded once and is replayed. Lesson: lessons/11-training.md.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Protocol, SupportsFloat

import numpy as np

from tinyunet import nn
from tinyunet._machine import free_memory
from tinyunet.arrays import Array, Device
from tinyunet.nn.precision import precision
from tinyunet.nn.sgd import SGD
from tinyunet.nn.unet import UNet
from tinyunet.training.ranks import SINGLE, Ranks
from tinyunet.training.settings import Settings
from tinyunet.training.tiles import Tile


class Step(Protocol):
    """Learns from one tile. `in_flight` steps may still be running when a call returns."""

    in_flight: int

    def __call__(self, tile: Tile) -> SupportsFloat:
        """Update the parameters by one tile; ``float`` of what comes back waits for the loss."""
        ...


def training_gradients(
    net: UNet, x: Array, labels: Array, weight_map: Array | None
) -> tuple[SupportsFloat, dict[str, Array]]:
    """Compute the loss of one tile and its gradients: forward, loss, backward pass.

    Parameters
    ----------
    net : UNet
        The network; drop-out is on.
    x : array, shape (N, C, H, W)
        Images.
    labels : array, shape (N, H', W'), integers
        Class numbers.
    weight_map : array, shape (N, H', W'), or None
        What a mistake at a pixel costs; None: 1 everywhere.

    Returns
    -------
    loss : number
        The weighted cross-entropy, mean over the pixels.
    gradients : dict
        The gradient of every parameter, under the parameters' names.
    """
    to = net.device.asarray
    logits, cache = net.forward(x, train=True)
    weights = None if weight_map is None else to(weight_map)
    with net.device.current():
        loss, loss_cache = nn.softmax_cross_entropy(logits, to(labels), weights)
        dlogits = nn.softmax_cross_entropy_backward(loss_cache)
    gradients = net.backward(dlogits, cache, consume=True)
    return loss, gradients


class DirectStep:
    """The step as it is written: done when the call returns.

    Parameters
    ----------
    net : UNet
        The network.
    optimiser : SGD
        Of its parameters.
    ranks : Ranks, optional
        Processes that learn together; this one alone if it is left out.
    """

    in_flight = 0

    def __init__(self, net: UNet, optimiser: SGD, ranks: Ranks = SINGLE) -> None:
        self.net, self.optimiser, self.ranks = net, optimiser, ranks

    def __call__(self, tile: Tile) -> float:
        """Learn from `tile`, unless the loss is not finite: then the parameters stay as they are.

        Parameters
        ----------
        tile : Tile
            What to learn from.

        Returns
        -------
        float
            The loss.
        """
        loss, gradients = self.ranks.mean(*training_gradients(self.net, *tile))
        if np.isfinite(float(loss)):
            self.optimiser.step(gradients)
        return float(loss)


class RecordedStep:
    """The step as a CUDA graph: started when the call returns, so that the next can be prepared.

    Parameters
    ----------
    net : UNet
        A float32 network on a GPU.
    optimiser : SGD
        Of its parameters.
    tile : int
        Pixels along a side of the tiles.
    """

    in_flight = 1

    def __init__(self, net: UNet, optimiser: SGD, tile: int) -> None:
        from tinyunet.backends.cuda.graph_step import GraphStep

        self._graph = GraphStep(net, optimiser, (1, net.in_channels, tile, tile))

    def __call__(self, tile: Tile) -> SupportsFloat:
        """Start to learn from `tile`.

        Parameters
        ----------
        tile : Tile
            What to learn from.

        Returns
        -------
        number
            ``float`` of it waits for the loss.
        """
        return self._graph.step(*tile)


def make_step(net: UNet, optimiser: SGD, tile: int, ranks: Ranks = SINGLE) -> Step:
    """Choose the step for the network's device.

    A recorded step does not wait for other processes, so several ranks take the plain one.

    Parameters
    ----------
    net : UNet
        The network.
    optimiser : SGD
        Of its parameters.
    tile : int
        Pixels along a side of the tiles.
    ranks : Ranks, optional
        Processes that learn together.

    Returns
    -------
    callable
        Takes a `Tile`, returns its loss.
    """
    if net.device.is_gpu and _has_kernels() and ranks.size == 1:
        return RecordedStep(net, optimiser, tile)
    return DirectStep(net, optimiser, ranks)


def _has_kernels() -> bool:
    """Whether the folder with the kernels is there: training needs it for nothing but speed."""
    return find_spec("tinyunet.backends") is not None


@contextmanager
def prepared_device(
    device: Device, settings: Settings, in_channels: int, n_classes: int
) -> Iterator[None]:
    """Let a GPU multiply in the run's precision, and its "out of memory" say what would fit.

    On a CPU nothing changes.

    Parameters
    ----------
    device : Device
        Where the network is to live.
    settings : Settings
        Of the run.
    in_channels, n_classes : int
        Of the network.

    Yields
    ------
    None
        Build and train the network in this block.
    """
    if not (device.is_gpu and _has_kernels()):
        yield
        return
    from tinyunet.backends.cuda import memory

    size = settings.tile, settings.depth, settings.base_channels, in_channels, n_classes
    explained = memory.explained(free_memory(device), *size)
    with precision(settings.precision), explained, device.current():
        yield
