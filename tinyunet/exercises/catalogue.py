"""Which exercises there are, which file answers which, and the files to begin with."""

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple


class Exercise(NamedTuple):
    """One exercise: its file's name, its lesson and the functions to write."""

    name: str  # "02_conv2d_backward"
    lesson: str  # "lessons/02-convolution-backward.md"
    functions: tuple[str, ...]

    @property
    def number(self) -> str:
        """The two digits that it begins with.

        Returns
        -------
        str
            "02".
        """
        return self.name[:2]

    @property
    def file(self) -> str:
        """The name of its file.

        Returns
        -------
        str
            "02_conv2d_backward.py".
        """
        return f"{self.name}.py"


def _exercise(name: str, lesson: str, functions: str) -> Exercise:
    return Exercise(name, f"lessons/{lesson}.md", tuple(functions.split()))


EXERCISES = (
    _exercise("01_conv2d_loops", "01-valid-convolution", "conv2d"),
    _exercise("02_conv2d_backward", "02-convolution-backward", "conv2d_backward"),
    _exercise(
        "03_max_pool_backward",
        "03-relu-and-pool",
        "relu relu_backward max_pool2d max_pool2d_backward",
    ),
    _exercise("04_up_conv2d", "04-up-convolution", "up_conv2d up_conv2d_backward"),
    _exercise("05_crop_concat", "05-the-u", "center_crop_concat center_crop_concat_backward"),
    _exercise(
        "06_cross_entropy",
        "06-cross-entropy",
        "softmax_cross_entropy softmax_cross_entropy_backward",
    ),
    _exercise("07_sgd_momentum", "07-initialisation-and-momentum", "he_deviation sgd_momentum"),
    _exercise("08_weight_map", "08-weight-map", "weight_map"),
    _exercise("09_displacement_field", "09-elastic-deformation", "displaced"),
    _exercise("10_overlap_tile", "10-overlap-tile", "mirror tiles"),
    _exercise("11_training_step", "11-training", "training_step"),
    _exercise("12_rand_score", "12-scores", "v_rand"),
    _exercise("13_seg_score", "13-touching-cells", "seg"),
    _exercise("14_winograd_forward", "14-fast-on-a-cpu", "f23_filter f23 winograd_tile"),
    _exercise("15_winograd_backward", "14-fast-on-a-cpu", "winograd_tile_backward"),
    _exercise("16_your_own_unet", "05a-forward-and-backward", "forward backward"),
)


def find_exercise(wanted: str | int) -> Exercise:
    """Return an exercise by its number or name.

    Parameters
    ----------
    wanted : str or int
        2, "2", "02", or its whole name, with or without ".py".

    Returns
    -------
    Exercise
        The exercise.

    Raises
    ------
    ValueError
        If there is none, with what there is.
    """
    text = str(wanted).removesuffix(".py")
    for exercise in EXERCISES:
        if text == exercise.name or (text.isdecimal() and int(text) == int(exercise.number)):
            return exercise
    raise ValueError(
        f"there is no exercise {str(wanted)!r}: give 01 to {EXERCISES[-1].number}, a name such as "
        f"{EXERCISES[0].name}, or a Python file"
    )


def exercise_of(path: str | Path) -> Exercise:
    """Return the exercise that a file answers: by its number, else by the functions it defines.

    Parameters
    ----------
    path : str or Path
        A Python file.

    Returns
    -------
    Exercise
        The exercise.

    Raises
    ------
    ValueError
        If neither tells.
    OSError
        If there is no such file.
    """
    path = Path(path)
    for exercise in EXERCISES:
        if path.name.startswith(f"{exercise.number}_"):
            return exercise
    text = path.read_text(encoding="utf-8", errors="replace")
    for exercise in EXERCISES:
        if all(f"def {function}(" in text for function in exercise.functions):
            return exercise
    raise ValueError(
        f"{path}: which exercise is this? Begin the file's name with its number, as in 02_mine.py"
    )


def template(exercise: Exercise) -> str:
    """Return the text of the file that an exercise begins with.

    Parameters
    ----------
    exercise : Exercise
        The exercise.

    Returns
    -------
    str
        Functions with their docstrings and without their bodies.
    """
    folder = files("tinyunet.exercises") / "templates"
    return (folder / exercise.file).read_text(encoding="utf-8")


def start(
    folder: str | Path, exercises: tuple[Exercise, ...] = EXERCISES
) -> Iterator[tuple[Path, bool]]:
    """Write the files to begin with into a folder; what is there already stays as it is.

    Parameters
    ----------
    folder : str or Path
        Where to; made if it is not there.
    exercises : tuple of Exercise
        Which; all of them by default.

    Yields
    ------
    tuple of (Path, bool)
        Each file, and whether it was written (False: it was there already).

    Raises
    ------
    OSError
        If the folder or a file cannot be written.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for exercise in exercises:
        path = folder / exercise.file
        try:
            with open(path, "x", encoding="utf-8") as file:
                file.write(template(exercise))
        except FileExistsError:
            yield path, False
        else:
            yield path, True
