"""While a run learns: a bar, curves.png, and what the network makes of one held-out slice.

Lesson: lessons/11-training.md.
"""

import re
import time
import warnings
from functools import cache
from pathlib import Path

import numpy as np

from tinyunet._files import atomic_write
from tinyunet._progress import Progress
from tinyunet._text import first_line
from tinyunet.arrays import Array
from tinyunet.images._damage import refusing
from tinyunet.plot import plot_curves
from tinyunet.training.log import read_log
from tinyunet.training.observer import Observer
from tinyunet.training.plan import Plan
from tinyunet.training.validation import Validation

SHOWN = 5  # pictures of the slice beside its image and its ground truth
SHARE = 0.02  # of the time may go into drawing the curves while the run goes on


class Display(Observer):
    """Shows a run as it learns; use it as a context manager around the run.

    The curves are drawn again after each validation, unless drawing would take more than a fiftieth
    of the time; at the end they always are.

    Parameters
    ----------
    plan : Plan
        Of the run.
    folder : path
        The run folder.
    bar : bool, optional
        Whether there is a bar on stderr, or a line a minute in a log file.
    seconds : float, optional
        The time after which the clock ends the run, if it does.
    """

    def __init__(
        self, plan: Plan, folder: Path, bar: bool = True, seconds: float | None = None
    ) -> None:
        self.plan, self.folder, self.bar, self.seconds = plan, Path(folder), bar, seconds
        self._progress: Progress | None = None
        self._steps = plan.settings.steps
        self._begun = time.perf_counter()
        self._drawing = 0.0  # seconds spent so far
        self._loss: float | None = None
        self._scores = ""

    def begin(self, step: int, steps: int) -> None:
        """Start the bar where the run starts.

        Parameters
        ----------
        step : int
            How many steps were done before.
        steps : int
            How many there will be.
        """
        self._begun = time.perf_counter()
        self._steps = steps
        if self.bar:
            self._progress = Progress(1.0, step / steps)

    def step(self, step: int, loss: float) -> None:
        """Move the bar.

        Parameters
        ----------
        step : int
            The last step.
        loss : float
            Its loss; a running mean is shown.
        """
        self._loss = loss if self._loss is None else 0.95 * self._loss + 0.05 * loss
        if self._progress is not None:
            taken = time.perf_counter() - self._begun
            done = max(step / self._steps, taken / (self.seconds or float("inf")))
            words = f"step {step:,} of {self._steps:,}, loss {self._loss:.4f}{self._scores}"
            self._progress.update(min(done, 1.0), words)

    def validated(self, validation: Validation, probabilities: Array) -> None:
        """Keep a picture of the first held-out slice, early and late, and draw the curves.

        Parameters
        ----------
        validation : Validation
            The newest.
        probabilities : array, shape (n_classes, H, W)
            Of that slice.
        """
        self._scores = f", {100 * validation.pixel_error_rate:.2f} % of the pixels wrong"
        begun = time.perf_counter()
        count = validation.step / self.plan.settings.val_every
        if count in _MILESTONES:
            _write_picture(self.folder / "learning", validation.step, probabilities)
        if self._drawing < SHARE * (begun - self._begun):
            self.draw()
            self._drawing += time.perf_counter() - begun

    def draw(self) -> None:
        """Draw curves.png from the log and the pictures in the run folder."""
        log_file = self.folder / "log.csv"
        if log_file.exists():
            pictures = learning_pictures(self.folder, *_first_held_out(self.plan))
            plot_curves(read_log(log_file), self.folder / "curves.png", pictures)

    def __enter__(self) -> "Display":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._progress is not None:
            self._progress.close()
        if kind is None:
            self.draw()


# 1, 2, 3, 4, 6, 8, 12, 16, … validations: a picture of each, for most is learned early
_MILESTONES = {1, *(2**k for k in range(1, 40)), *(3 * 2**k for k in range(40))}


def _first_held_out(plan: Plan) -> tuple[Array | None, Array | None]:
    """(image (H, W), classes (H, W) as shades) of the first held-out slice, or (None, None)."""
    labelled = plan.validation.labelled()
    if not labelled:
        return None, None
    image = plan.validation.images[labelled[0]].mean(axis=0)
    return image, _shades(plan.validation.classes(labelled[0]), plan.dataset.n_classes)


def _write_picture(folder: Path, step: int, probabilities: Array) -> None:
    """Write the probability of class 1, or the classes where there are more, as a PNG."""
    from PIL import Image

    if len(probabilities) == 2:
        shown = np.rint(255 * probabilities[1]).astype(np.uint8)
    else:
        shown = _shades(probabilities.argmax(axis=0), len(probabilities))
    folder.mkdir(exist_ok=True)
    with atomic_write(folder / f"step-{step:07d}.png") as temporary:
        Image.fromarray(shown).save(temporary, format="PNG")


def _shades(classes: Array, n_classes: int) -> Array:
    """Classes as intensities in 8 bits, class 0 black; the same in every picture."""
    return (classes * (255 // (n_classes - 1))).astype(np.uint8)


def learning_pictures(
    folder: Path, image: Array | None, classes: Array | None
) -> list[tuple[str, Array]]:
    """Collect what shows how a run learned to see one slice.

    Parameters
    ----------
    folder : Path
        The run folder.
    image, classes : array, shape (H, W), or None
        The slice and its ground truth as it is to be shown, if they are at hand.

    Returns
    -------
    list of (title, picture)
        The image, its ground truth, and what was predicted at some steps, first and last among
        them; empty where no step has a picture. Other files are left out, and those that hold no
        picture, with a warning.
    """
    names = (
        (_NAME.fullmatch(file.name), file)
        for file in (Path(folder) / "learning").glob("step-*.png")
    )
    files = sorted((int(match[1]), file) for match, file in names if match)
    chosen = {round(i) for i in np.linspace(0, len(files) - 1, min(SHOWN, len(files)))}
    shown = [(step, _read_picture(file)) for step, file in (files[i] for i in sorted(chosen))]
    pictures = [(f"step {step:,}", picture) for step, picture in shown if picture is not None]
    if pictures and image is not None and classes is not None:
        pictures = [("held-out slice", image), ("ground truth", classes), *pictures]
    return pictures


_NAME = re.compile(r"step-(\d+)\.png", re.ASCII)


def _read_picture(file: Path) -> Array | None:
    """The picture in grey; None for a file that holds none: no run is to end for a decoration."""
    from PIL import Image

    try:
        bomb = Image.DecompressionBombError
        with refusing(str(file), "PNG", bomb), Image.open(file) as opened:
            return np.asarray(opened.convert("L"))
    except (OSError, ValueError) as error:
        _warn_once(f"left out of curves.png: {first_line(error)}")
        return None


@cache
def _warn_once(text: str) -> None:
    """Warn; the curves are drawn many times."""
    warnings.warn(text, stacklevel=2)
