"""Everything that decides what a training run computes, in one place, checked before it starts.

Lesson: lessons/11-training.md.
"""

import dataclasses
import numbers
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinyunet import geometry
from tinyunet.nn.precision import PRECISIONS

_KINDS: dict[type, tuple[Any, str]] = {  # True is no number here, though Python takes it for one
    bool: (bool, "True or False"),
    int: (numbers.Integral, "a whole number"),
    float: (numbers.Real, "a number"),
    str: (str, "a word"),
}
# What settings were called in files that version 1.0 wrote.
_FORMER_NAMES = {"base": "base_channels", "rate": "lr", "grey": "intensity"}
# Settings that came later, and what runs before them did.
_CAME_LATER = {"balance": True, "max_zoom": 1.0, "ranks": 1}


@dataclass(frozen=True, repr=False)
class Settings:
    """The settings of a training run; two runs with equal settings and data are equal bit by bit.

    Attributes
    ----------
    depth : int
        Levels of the U; the image is halved ``depth - 1`` times.
    base_channels : int
        Channels of the first level, doubled at every level below.
    dropout : float
        Share of the activations at the bottom of the U that a step drops, in [0, 1).
    tile : int
        Pixels along a side of the training tile; must fit `depth` (see `geometry.legal_sizes`).
    steps : int
        How many tiles to learn from, one a step.
    lr, momentum : float
        Learning rate and momentum of SGD. With momentum 0.9 a learning rate moves the parameters
        as ten times that rate does without, with the paper's 0.99 as a hundred times: for 0.99
        divide the rate by ten.
    momentum_warmup : int
        Steps over which the momentum grows to `momentum`; 0: it is whole from the first step on.
    decay : float
        Share of the steps, at the end, over which the learning rate falls in a straight line to 0.
    seed : int
        Of the initialisation, the drop-out and the tiles.
    val : tuple of int, optional
        (first, behind the last) slice held out for validation; None holds out nothing.
    val_every, checkpoint_every : int
        Steps between two validations, and between two checkpoints.
    elastic, rotation, intensity, weight_map : bool
        The parts of the paper's recipe. Without rotation by any angle, quarter turns remain; flips
        and shifts always are.
    max_zoom : float
        Tiles show things larger or smaller by a factor of up to this; 1, as in the paper, never.
    balance : bool
        Whether the weight map balances the classes; False leaves only its borders.
    w0, sigma : float
        Height and width in pixels of the weight map's borders (equation 2).
    border : int
        Pixels of background that are cut between touching cells.
    precision : {"float32", "tf32", "bf16"}
        Of the products on a GPU: "float32" is strict; the others round the factors to fewer bits,
        for tensor cores (no GPU has timed them yet).
    ranks : int
        Processes that learn together, a tile each a step.

    Raises
    ------
    ValueError
        For a value outside these meanings; the message names the setting.
    """

    depth: int = 5
    base_channels: int = 64
    dropout: float = 0.5
    tile: int = 572
    steps: int = 2000
    lr: float = 0.02
    momentum: float = 0.9
    momentum_warmup: int = 300
    decay: float = 0.0
    seed: int = 0
    val: tuple[int, int] | None = None
    val_every: int = 100
    checkpoint_every: int = 100
    elastic: bool = True
    rotation: bool = True
    intensity: bool = True
    weight_map: bool = True
    max_zoom: float = 1.0
    balance: bool = True
    w0: float = 10.0
    sigma: float = 5.0
    border: int = 2
    precision: str = "float32"
    ranks: int = 1

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            if field.default is not None:
                _check_kind(field.name, getattr(self, field.name), type(field.default))
        geometry.check_size(self.tile, self.depth, "tile")
        for name in ("base_channels", "steps", "val_every", "checkpoint_every", "ranks"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} {getattr(self, name)} is not at least 1")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout {self.dropout} is not in [0, 1)")
        if not 0 <= self.w0 < float("inf"):
            raise ValueError(f"w0 {self.w0} is not a number of at least 0")
        if not 0 < self.sigma < float("inf"):
            raise ValueError(f"sigma {self.sigma} is not a positive number")
        if not 1 <= self.max_zoom < float("inf"):
            raise ValueError(f"max_zoom {self.max_zoom} is not a number of at least 1")
        if self.border < 0:
            raise ValueError(f"border {self.border} is not at least 0")
        if not 0 < self.lr < float("inf"):
            raise ValueError(f"learning rate {self.lr} is not a positive number")
        if not 0 <= self.momentum < 1:
            raise ValueError(f"momentum {self.momentum} is not in [0, 1)")
        if self.momentum_warmup < 0:
            raise ValueError(f"momentum_warmup {self.momentum_warmup} is not at least 0 steps")
        if not 0 <= self.decay <= 1:
            raise ValueError(f"decay {self.decay} is not in [0, 1]")
        if self.seed < 0:
            raise ValueError(
                f"seed {self.seed} is negative: it must be a whole number of at least 0"
            )
        if self.precision not in PRECISIONS:
            raise ValueError(f"precision {self.precision!r} is not one of {', '.join(PRECISIONS)}")
        if self.val is not None:
            object.__setattr__(self, "val", _range_of_slices(self.val))
        for field in dataclasses.fields(self):  # JSON cannot hold NumPy's numbers
            value = getattr(self, field.name)
            if isinstance(value, np.generic):
                object.__setattr__(self, field.name, value.item())

    def __repr__(self) -> str:
        changed = [
            f"{field.name}={getattr(self, field.name)!r}"
            for field in dataclasses.fields(self)
            if getattr(self, field.name) != field.default
        ]
        return f"Settings({', '.join(changed)})"

    def lr_at(self, step: int) -> float:
        """Return the learning rate of a step.

        Parameters
        ----------
        step : int
            1 to `steps`.

        Returns
        -------
        float
            `lr`, or less of it in the last ``decay * steps`` steps.
        """
        falling = self.decay * self.steps  # so many of the last steps
        left = self.steps - step + 1  # this one included: the last rate is small, not 0
        return self.lr * min(1.0, left / falling) if falling else self.lr

    def momentum_at(self, step: int) -> float:
        """Return the momentum of a step.

        The first gradients of a new network are many times larger than those that follow. With
        momentum 0.99 they would be carried on for a hundred steps, and ReLUs die of it (lesson:
        lessons/11b-comparing-runs.md). So the memory, ``1 / (1 - momentum)`` steps, grows in a
        straight line from 1 step, which is no momentum, to its whole length.

        Parameters
        ----------
        step : int
            1 to `steps`.

        Returns
        -------
        float
            `momentum`, or less of it in the first `momentum_warmup` steps.
        """
        if step > self.momentum_warmup:
            return self.momentum
        longest = 1 / (1 - self.momentum)
        memory = 1 + (longest - 1) * step / self.momentum_warmup
        return 1 - 1 / memory

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as a dict that JSON can hold.

        Returns
        -------
        dict
            A value for every setting.
        """
        values = dataclasses.asdict(self)
        values["val"] = None if self.val is None else list(self.val)
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Settings":
        """Return the settings that `to_dict` wrote, in this version or in version 1.0.

        Parameters
        ----------
        values : mapping
            A value for every setting: no default is filled in, for it may have been another when
            the run was started. Settings that version 1.0 did not have get what it did.

        Returns
        -------
        Settings
            Checked like all others.

        Raises
        ------
        ValueError
            For a setting that is missing or unknown, and for a value that is not accepted.
        """
        values = {_FORMER_NAMES.get(name, name): value for name, value in values.items()}
        if not _CAME_LATER.keys() & values.keys():  # one alone was lost, it does not come later
            values |= _CAME_LATER
        names = [field.name for field in dataclasses.fields(cls)]
        missing = [name for name in names if name not in values]
        unknown = [str(name) for name in values if name not in names]
        if missing:
            raise ValueError(f"holds no value of {', '.join(missing)}")
        if unknown:
            raise ValueError(f"holds a setting that there is not: {', '.join(unknown)}")
        return cls(**values)

    def differences(self, other: "Settings") -> list[str]:
        """Compare with the settings that a run was started with.

        `steps` is left out: going on for longer is what a resumed run may do, unless the learning
        rate decays, for then every rate of its end depends on them.

        Parameters
        ----------
        other : Settings
            The other settings.

        Returns
        -------
        list of str
            "name: mine, not theirs" for every setting that `other` has otherwise.
        """
        mine, theirs = self.to_dict(), other.to_dict()
        found = [
            f"{name}: {mine[name]}, not {theirs[name]}"
            for name in mine
            if mine[name] != theirs[name] and name != "steps"
        ]
        if self.steps != other.steps and self.decay:
            found.append(
                f"steps: {self.steps}, not {other.steps} (the learning rate falls at the end of a "
                "run, so its length belongs to it; only a run with decay 0 may become longer)"
            )
        return found


def _check_kind(name: str, value: object, kind: type) -> None:
    """Raise ValueError unless `value` is of the kind of the setting `name`'s default."""
    accepted, words = _KINDS[kind]
    fits = isinstance(value, accepted) and isinstance(value, bool) == (kind is bool)
    too_long = kind is float and isinstance(value, int) and abs(value) > 2**1023  # for a float
    if not fits or too_long:
        raise ValueError(f"{name} {value!r} is not {words}")


def _range_of_slices(val: Any) -> tuple[int, int]:
    """Return `val` as a pair of whole numbers, or raise ValueError."""
    try:
        first, end = val
    except (TypeError, ValueError):  # not two of anything
        first = end = None
    whole = isinstance(first, numbers.Integral) and isinstance(end, numbers.Integral)
    if not whole or not 0 <= first < end:
        raise ValueError(f"validation range {val} is not FIRST:BEHIND_LAST, as in 20:24")
    return int(first), int(end)
