"""Everything that decides what a training run computes, in one place, checked before it starts."""

import dataclasses
import numbers
from dataclasses import dataclass

from tinyunet import geometry

PRECISIONS = ("float32", "tf32", "bf16")
KINDS = {  # what stands for the type of a default; True is no number here, though Python takes it
    bool: (bool, "True or False"),
    int: (numbers.Integral, "a whole number"),
    float: (numbers.Real, "a number"),
    str: (str, "a word"),
}


@dataclass(frozen=True)
class Settings:
    """The settings of a training run; two runs with equal settings and data are equal bit by bit.

    depth, base, dropout : the network (see `UNet`).
    tile : input size of the training tile in pixels; must fit `depth`.
    steps : how many tiles to learn from, one a step.
    rate, momentum : of SGD. With momentum 0.99 a rate r moves the weights like 100·r without.
    decay : share of the steps, at the end, over which the rate falls in a straight line to nothing.
    seed : of the initialisation, the drop-out and the tiles.
    val : (first, behind the last) slice set aside for validation, or None.
    val_every, checkpoint_every : steps between validations, between checkpoints.
    elastic, rotation, grey, weight_map : the parts of the paper's recipe; without rotation by any
        angle, quarter turns remain; flips and shifts always are.
    w0, sigma : of the weight map (equation 2). border : pixels of background cut between touching
        cells.
    precision : of the products on a GPU: "float32" is strict, "tf32" and "bf16" are faster there.
    """

    depth: int = 5
    base: int = 64
    dropout: float = 0.5
    tile: int = 572
    steps: int = 2000
    rate: float = 0.002
    momentum: float = 0.99
    decay: float = 0.0
    seed: int = 0
    val: tuple | None = None
    val_every: int = 100
    checkpoint_every: int = 100
    elastic: bool = True
    rotation: bool = True
    grey: bool = True
    weight_map: bool = True
    w0: float = 10.0
    sigma: float = 5.0
    border: int = 2
    precision: str = "float32"

    def __post_init__(self):
        for field in dataclasses.fields(self):
            if field.default is not None:
                _check_kind(field.name, getattr(self, field.name), type(field.default))
        geometry.check_size(self.tile, self.depth, "tile")
        for name in ("base", "steps", "val_every", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} {getattr(self, name)} is not at least 1")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout {self.dropout} is not in [0, 1)")
        if not 0 <= self.w0 < float("inf"):
            raise ValueError(f"w0 {self.w0} is not a number of at least 0")
        if not 0 < self.sigma < float("inf"):
            raise ValueError(f"sigma {self.sigma} is not a positive number")
        if self.border < 0:
            raise ValueError(f"border {self.border} is not at least 0")
        if not 0 < self.rate < float("inf"):
            raise ValueError(f"learning rate {self.rate} is not a positive number")
        if not 0 <= self.momentum < 1:
            raise ValueError(f"momentum {self.momentum} is not in [0, 1)")
        if not 0 <= self.decay <= 1:
            raise ValueError(f"decay {self.decay} is not in [0, 1]")
        if self.seed < 0:
            raise ValueError(
                f"seed {self.seed} is negative: it must be a whole number of at least 0"
            )
        if self.precision not in PRECISIONS:
            raise ValueError(f"precision {self.precision!r} is not one of {', '.join(PRECISIONS)}")
        if self.val is not None:
            object.__setattr__(self, "val", tuple(self.val))
            whole = all(isinstance(number, numbers.Integral) for number in self.val)
            if not whole or len(self.val) != 2 or not 0 <= self.val[0] < self.val[1]:
                raise ValueError(
                    f"validation range {self.val} is not FIRST:BEHIND_LAST, as in 20:24"
                )

    def rate_at(self, step):
        """Return the learning rate of step 1 … steps."""
        falling = self.decay * self.steps  # so many of the last steps
        left = self.steps - step + 1  # this one included: the last rate is small, not 0
        return self.rate * min(1.0, left / falling) if falling else self.rate

    def to_dict(self):
        """Return the settings as a dict that JSON can hold."""
        values = dataclasses.asdict(self)
        values["val"] = None if self.val is None else list(self.val)
        return values

    def differences(self, other):
        """Return one "name: mine, not theirs" for every setting that `other` has otherwise.

        `steps` is left out: going on for longer is what a resumed run may do, unless the rate
        decays, for then every rate of its end depends on them.
        """
        mine, theirs = self.to_dict(), other.to_dict()
        return [
            f"{name}: {mine[name]}, not {theirs[name]}"
            for name in mine
            if mine[name] != theirs[name] and (name != "steps" or self.decay)
        ]


def _check_kind(name, value, kind):
    """Raise ValueError unless `value` is of the kind of the setting `name`'s default."""
    accepted, words = KINDS[kind]
    fits = isinstance(value, accepted) and isinstance(value, bool) == (kind is bool)
    too_long = kind is float and isinstance(value, int) and abs(value) > 2**1023  # for a float
    if not fits or too_long:
        raise ValueError(f"{name} {value!r} is not {words}")
