"""What a run tells while it goes on, and how it ended.

Lesson: lessons/11-training.md.
"""

from dataclasses import dataclass

from tinyunet._text import plural
from tinyunet.arrays import Array
from tinyunet.training.validation import Validation


@dataclass(frozen=True, repr=False)
class TrainingResult:
    """How a run ended.

    Attributes
    ----------
    steps : int
        How many are done, those before a resume included.
    loss : float or None
        Of the last step; None before the first.
    best : Validation or None
        The one of the smallest loss: weighted as in training, it counts the borders between cells
        and needs no threshold. None without validation.
    last : Validation or None
        The newest.
    seconds : float
        Time of this process's part of the run.
    waited : float
        The share of them that the network waited for tiles.
    interrupted : int or None
        The number of the signal that ended the run early.
    """

    steps: int
    loss: float | None
    best: Validation | None
    last: Validation | None
    seconds: float
    waited: float
    interrupted: int | None

    def __repr__(self) -> str:
        parts = [f"{plural(self.steps, 'step')} in {self.seconds:.0f} s"]
        if self.loss is not None:
            parts.append(f"loss {self.loss:.4f}")
        if self.best is not None:
            rate = 100 * self.best.pixel_error_rate
            parts.append(f"best at step {self.best.step}: {rate:.2f} % of the pixels wrong")
        if self.interrupted is not None:
            parts.append(f"interrupted by signal {self.interrupted}")
        return f"<TrainingResult: {', '.join(parts)}>"


class Observer:
    """Is told what a run does. Its methods do nothing: override those that you want."""

    def begin(self, step: int, steps: int) -> None:
        """Called once, before the first step; the run's clock does not tick yet.

        Parameters
        ----------
        step : int
            How many steps were done before.
        steps : int
            How many there will be.
        """

    def step(self, step: int, loss: float) -> None:
        """Called after every step.

        Parameters
        ----------
        step : int
            Its number.
        loss : float
            Its loss.
        """

    def validated(self, validation: Validation, probabilities: Array) -> None:
        """Called after every validation, when it is in the log on the disk.

        Parameters
        ----------
        validation : Validation
            What was found.
        probabilities : array, shape (n_classes, H, W)
            Of the first slice held out.
        """
