"""What ranks 1, 2, … do: the steps of rank 0's loop, each with a tile of its own.

They have no folder, log, validation or checkpoint. What rank 0 knows they get at the start;
afterwards all ranks have the same parameters, for they add the same means. In the order of the
exchanges, this is `loop.run_plan`. Lesson: lessons/17-several-devices.md.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tinyunet.arrays import Device
from tinyunet.images import Dataset
from tinyunet.nn.sgd import SGD
from tinyunet.nn.unet import UNet
from tinyunet.training.failures import DivergedError
from tinyunet.training.graceful_shutdown import graceful_shutdown
from tinyunet.training.plan import Plan, make_plan
from tinyunet.training.ranks import Ranks
from tinyunet.training.settings import Settings
from tinyunet.training.step import make_step, prepared_device
from tinyunet.training.tiles import TileFeed, prepare_slices, workers_beside_a_gpu


def follow(
    dataset: Dataset, said: Mapping[str, Any], device: str | Device, ranks: Ranks
) -> int | None:
    """Train beside rank 0 until it ends.

    Parameters
    ----------
    dataset : Dataset
        As rank 0 has it.
    said : mapping
        Settings that this process was given; they must be rank 0's. The others come from there.
    device : str or Device
        Of this rank.
    ranks : Ranks
        This one is not 0.

    Returns
    -------
    int or None
        The number of the signal that ended the run early.

    Raises
    ------
    ValueError
        If settings or data are not those of rank 0.
    DivergedError
        When the mean of the losses is no number any more.
    """
    settings = Settings.from_dict(ranks.tell())
    mine = Settings(**{**settings.to_dict(), **said})
    plan = make_plan(dataset, mine, device)
    compare(plan, ranks)
    with (
        graceful_shutdown() as stop,
        prepared_device(plan.device, mine, plan.in_channels, plan.dataset.n_classes),
    ):
        net = UNet(*plan.shape, mine.dropout, mine.seed, device=plan.device)
        optimiser = SGD(net.params, mine.lr, mine.momentum)
        take_step = make_step(net, optimiser, mine.tile, ranks)
        step = begin(net, optimiser, 0, ranks)
        workers = workers_beside_a_gpu() if net.device.is_gpu else 1
        slices = prepare_slices(plan.training, mine)
        with TileFeed(slices, mine, step + 1, workers, 2 * workers, ranks.rank) as feed:
            ending = step >= mine.steps
            while not ending:
                step += 1
                tile = feed.next_tile()
                optimiser.lr, optimiser.momentum = mine.lr_at(step), mine.momentum_at(step)
                net.rng = np.random.default_rng((mine.seed, step, ranks.rank, 1))  # drop-out
                loss = float(take_step(tile))
                done, stop.signal = decide(False, stop.signal, ranks)
                if not np.isfinite(loss):
                    raise DivergedError(f"the loss became {loss} at step {step}")
                ending = done or stop.signal is not None
    return stop.signal


def compare(plan: Plan, ranks: Ranks) -> None:
    """Make sure that all ranks do the same.

    Parameters
    ----------
    plan : Plan
        Of this rank.
    ranks : Ranks
        All.

    Raises
    ------
    ValueError
        If there are more or fewer than the settings say, or some have other settings or data.
    """
    if plan.settings.ranks != ranks.size:
        raise ValueError(
            f"ranks {plan.settings.ranks} is not the number of processes, {ranks.size}"
        )
    ranks.agree("settings", str(plan.settings.to_dict()))
    ranks.agree("images or labels", f"{plan.fingerprint} {plan.shape}")


def begin(net: UNet, optimiser: SGD, step: int, ranks: Ranks) -> int:
    """Start all ranks from rank 0's state.

    Parameters
    ----------
    net : UNet
        Gets rank 0's parameters.
    optimiser : SGD
        Gets rank 0's velocities.
    step : int
        The last step that was done, on rank 0.
    ranks : Ranks
        All.

    Returns
    -------
    int
        Rank 0's step.
    """
    ranks.copy([*net.params.values(), *optimiser.velocity.values()])
    return int(ranks.share(step)[0])


def decide(done: bool, signal: int | None, ranks: Ranks) -> tuple[bool, int | None]:
    """Let all ranks end with the same step, whoever was asked to.

    Parameters
    ----------
    done : bool
        Whether this rank has done what it was to do.
    signal : int or None
        What asked this rank to stop.
    ranks : Ranks
        All.

    Returns
    -------
    done : bool
        Whether one of the ranks has.
    signal : int or None
        What asked one of them.
    """
    told = ranks.share(float(signal or 0) + 0.5 * done)
    signals = [int(value) for value in told if int(value)]
    return any(value % 1 for value in told), signals[0] if signals else None
