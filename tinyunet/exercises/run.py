"""Check a file: `check` for everyone, `check_here` for the process that does it."""

import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tinyunet.exercises.catalogue import Exercise, exercise_of, find_exercise
from tinyunet.exercises.learner import Learner, NotYet, Wrong
from tinyunet.exercises.result import Result, Step

TIME_LIMIT = 10.0  # seconds a step; the slowest one of our solutions takes less than one
FOLDERS = ("exercises", "lessons/exercises", ".")  # where an exercise's file is looked for


def check(
    exercise: str | int | Path,
    folder: str | Path | None = None,
    *,
    text: str | None = None,
    time_limit: float | None = TIME_LIMIT,
    on_step: Callable[[Step], None] = lambda step: None,
    on_output: Callable[[str], Any] | None = None,
) -> Result:
    """Check an answer to an exercise; stops at the first step that is not right.

    Parameters
    ----------
    exercise : str, int or Path
        Its number or name (2, "02", "02_conv2d_backward"), or a Python file that answers it.
    folder : str or Path, optional
        Where its file lies; by default the first of `exercises`, `lessons/exercises` and the
        current folder that holds it.
    text : str, optional
        The answer itself, in place of a file.
    time_limit : float or None
        Seconds that a step may take; the file is then run in a process of its own, which is ended
        when they are over. None runs it in this process, without a limit, as a debugger needs it
        (and as it is done where processes cannot be started, as in a browser).
    on_step : callable, optional
        Called with each `Step` as soon as it is done.
    on_output : callable, optional
        Called with what the file prints, piece by piece; by default it goes to standard output.

    Returns
    -------
    Result
        The steps, whether all passed, the diagnosis, and the line that it speaks of.

    Raises
    ------
    ValueError
        If there is no such exercise, or the file answers none.
    FileNotFoundError
        If the file is not there.
    """
    if text is not None:
        wanted = find_exercise(str(exercise))
        with tempfile.TemporaryDirectory(prefix="tinyunet-check-") as made:
            path = Path(made) / wanted.file
            path.write_text(text, encoding="utf-8")
            return check(path, time_limit=time_limit, on_step=on_step, on_output=on_output)
    (result,) = check_files([locate(exercise, folder)], time_limit, on_step, on_output)
    return result


def locate(exercise: str | int | Path, folder: str | Path | None) -> tuple[Exercise, Path]:
    """Return an exercise and the file that answers it.

    Parameters
    ----------
    exercise : str, int or Path
        A number, a name or a file, as for `check`.
    folder : str, Path or None
        Where to look; None for the usual places.

    Returns
    -------
    tuple of (Exercise, Path)
        The file is there.

    Raises
    ------
    ValueError
        If there is no such exercise, or the file answers none.
    FileNotFoundError
        If the file is not there, with how to begin one.
    """
    named = Path(str(exercise))
    if len(named.parts) > 1 or (named.suffix == ".py" and named.is_file()):
        if not named.is_file():
            raise FileNotFoundError(2, "No such file or directory", str(exercise))
        return exercise_of(named), named
    wanted = find_exercise(str(exercise))
    for place in FOLDERS if folder is None else (folder,):
        path = Path(place) / wanted.file
        if path.is_file():
            return wanted, path
    where = "here" if folder is None else f"in {folder}"
    to = "" if folder is None else f" {folder}"
    raise FileNotFoundError(
        f"no {wanted.file} {where}: `tinyunet check --start{to}` writes the files to fill in"
        + (", `--exercises DIR` says where yours are" if folder is None else "")
    )


def check_files(
    jobs: Sequence[tuple[Exercise, Path]],
    time_limit: float | None = TIME_LIMIT,
    on_step: Callable[[Step], None] = lambda step: None,
    on_output: Callable[[str], Any] | None = None,
) -> Iterator[Result]:
    """Check files as the answers to exercises.

    Parameters
    ----------
    jobs : sequence of (Exercise, Path)
        Exercises and files; the result's status is "missing" for a file that is not there.
    time_limit, on_step, on_output
        As for `check`.

    Yields
    ------
    Result
        What came of each.
    """
    if time_limit is None or sys.platform in ("emscripten", "wasi"):
        for exercise, path in jobs:
            yield check_here(exercise, path, on_step)
        return
    from tinyunet.exercises.supervise import check_apart

    yield from check_apart(jobs, time_limit, on_step, on_output or sys.stdout.write)


def check_here(
    exercise: Exercise,
    path: Path,
    on_step: Callable[[Step], None] = lambda step: None,
    on_start: Callable[[Learner, str], None] = lambda learner, title: None,
) -> Result:
    """Check a file in this process, without a limit of time.

    Parameters
    ----------
    exercise : Exercise
        The exercise.
    path : Path
        The file.
    on_step : callable
        Called with each `Step` when it is done.
    on_start : callable
        Called with the `Learner` and the title of each step before it is tried.

    Returns
    -------
    Result
        What came of it.
    """
    from tinyunet.exercises._checks import CHECKS

    result = Result(exercise.name, exercise.lesson, Path(path))
    try:
        learner = Learner(path)
    except FileNotFoundError:
        result.status, result.diagnosis = "missing", "there is no such file"
        return result

    def done(title: str, passed: bool) -> None:
        result.steps.append(Step(title, passed))
        on_step(result.steps[-1])

    title = "the file can be imported"
    try:
        on_start(learner, title)
        assert learner.module is not None
        for following in CHECKS[exercise.number](learner):
            done(title, True)
            title = following
            on_start(learner, title)
        done(title, True)
    except Wrong as wrong:
        result.status = "not yet written" if isinstance(wrong, NotYet) else "wrong"
        result.diagnosis, result.line = str(wrong), wrong.line or learner.line
        done(title, False)
    return result
