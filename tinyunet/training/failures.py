"""What goes wrong in training, and the words for it: a loss that is no number, a collapse.

Lesson: lessons/11-training.md.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tinyunet.arrays import Array, to_numpy
from tinyunet.nn.sgd import SGD
from tinyunet.training.tiles import TrainingSlice
from tinyunet.training.validation import Validation

PATIENCE = 3  # validations in a row; every training passes the point where one class wins


class DivergedError(RuntimeError):
    """The loss became NaN or infinite; the message names the step, the rate and the norms."""


def gradient_norms(gradients: Mapping[str, Array]) -> str:
    """List the norms of the weights' gradients.

    Parameters
    ----------
    gradients : mapping
        By the parameters' names.

    Returns
    -------
    str
        "down1.conv1.weight 0.0123, …".
    """
    norms = {name: float(np.linalg.norm(to_numpy(g))) for name, g in gradients.items()}
    return ", ".join(f"{name} {norm:.3g}" for name, norm in norms.items() if "weight" in name)


def rate_and_last(optimiser: SGD, last: Any) -> str:
    """Say what to change and where to go on from.

    Parameters
    ----------
    optimiser : SGD
        Has the rate.
    last : path
        The last good checkpoint.

    Returns
    -------
    str
        The middle of a message; it closes a parenthesis.
    """
    return (
        f"learning rate {optimiser.lr:g}, momentum {optimiser.momentum:g}); a smaller rate may "
        f"hold; the last good checkpoint is {last}"
    )


class CollapseWatch:
    """Says when a network seems to have collapsed: to take every pixel for the same class.

    Every training passes this point first, for the last layer's bias learns the share of the
    classes before any filter has learned a thing. So it is told only after some validations in a
    row, or at the end, and once.

    Parameters
    ----------
    slices : sequence of TrainingSlice
        What the network learns from.
    lr : float
        The learning rate.
    """

    def __init__(self, slices: list[TrainingSlice], lr: float) -> None:
        self._slices, self._lr = slices, lr
        self._in_a_row, self._told = 0, False

    def look(self, validation: Validation, last: bool = False) -> str | None:
        """Look at a validation.

        Parameters
        ----------
        validation : Validation
            The newest.
        last : bool
            Whether the run ends here.

        Returns
        -------
        str or None
            The warning, if one is due.
        """
        self._in_a_row = self._in_a_row + 1 if validation.collapsed else 0
        if self._told or not (self._in_a_row >= PATIENCE or (last and validation.collapsed)):
            return None
        self._told = True
        only = max(range(len(validation.predicted)), key=validation.predicted.__getitem__)
        maps = [item.weight_map for item in self._slices]
        mean = float(np.mean([1.0 if m is None else m.mean() for m in maps]))
        advice = f"a smaller learning rate, such as {self._lr / max(5.0, 2 * mean):.1g}"
        if any(m is not None for m in maps):
            advice += f", or no weight map (its mean is {mean:.1f}: it multiplies the rate)"
        return (
            f"at step {validation.step} every pixel is taken for class {only}, as by a network "
            "that does not see the image: it has not begun to learn, or never will; try more "
            f"steps, {advice}"
        )
