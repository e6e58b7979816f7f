"""`tinyunet check`: are the learner's answers to the exercises right?"""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tinyunet.cli import common
from tinyunet.cli.parser import Parser, add_command

if TYPE_CHECKING:
    from tinyunet.exercises.result import Result

START_FOLDER = "exercises"
TEXT = """
With EXERCISE: one exercise step by step, and what is probably wrong at the first step that fails.
Without: a table of all. Your file runs in a process of its own with a time limit. Exit code 1 if
anything is not right yet.
"""
EXAMPLES = (
    ("tinyunet check --start", "writes the files to fill in into exercises/"),
    ("tinyunet check 02", "after writing the function of exercise 2"),
)


def add_to(commands: "argparse._SubParsersAction[Parser]") -> None:
    """Add the command to the parser.

    Parameters
    ----------
    commands : subparsers action
        Where to.
    """
    purpose = "check your answers to the lessons' exercises"
    parser = add_command(commands, "check", "[EXERCISE] [options]", purpose, TEXT, EXAMPLES)
    parser.add_argument(
        "exercise", nargs="?", metavar="EXERCISE", help="02, or your own .py file (default: all)"
    )
    parser.add_argument(
        "--exercises",
        metavar="DIR",
        type=Path,
        help="folder of your exercises (exercises, lessons/exercises or here)",
    )
    parser.add_argument(
        "--start",
        metavar="DIR",
        nargs="?",
        const=Path(START_FOLDER),
        type=Path,
        help=f"write the files to fill in into DIR ({START_FOLDER}); what is there stays",
    )
    parser.add_argument(
        "--time-limit",
        metavar="SECONDS",
        type=float,
        default=10.0,
        help="seconds that a step may take (10); 0: none, and debuggers work",
    )
    common.add_json(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Check one exercise in full, or list them all, or write the files to begin with.

    Parameters
    ----------
    arguments : Namespace
        The parsed command line.

    Returns
    -------
    int
        0 if all that was checked is right, else 1.
    """
    from tinyunet.exercises.run import check_files, locate

    if arguments.start is not None:
        return _start(arguments)
    limit = _limit(arguments.time_limit)
    if arguments.exercise is None:
        return _check_all(arguments, limit)
    exercise, path = locate(arguments.exercise, _folder(arguments.exercises))
    if arguments.json:
        printed = _Printed()
        (result,) = check_files([(exercise, path)], limit, on_output=printed.take)
        common.as_json([_as_dict(result, printed.text)])
    else:
        from tinyunet.exercises.result import Result, Step

        shown = Result(exercise.name, exercise.lesson, path)

        def show(step: Step) -> None:
            if step.passed:
                print(shown.step_line(step), flush=True)

        print(shown.heading(), flush=True)
        (result,) = check_files([(exercise, path)], limit, show)
        if not result.passed:
            print(result.step_line(result.steps[-1]))
        print(f"\n{result.ending()}")
    return 0 if result.passed else 1


def _start(arguments: argparse.Namespace) -> int:
    """Write the files to fill in; never over one that is there."""
    from tinyunet.exercises.catalogue import EXERCISES, Exercise, find_exercise, start

    wanted: tuple[Exercise, ...] = EXERCISES
    if arguments.exercise is not None:
        wanted = (find_exercise(arguments.exercise),)
    rows = list(start(arguments.start, wanted))
    if arguments.json:
        common.as_json([{"file": str(path), "written": written} for path, written in rows])
        return 0
    for path, written in rows:
        print(f"{'written' if written else 'kept as it is':<15}{path}")
    print(f"\nOpen {rows[0][0]}, write the function, then `tinyunet check {wanted[0].number}`")
    return 0


def _check_all(arguments: argparse.Namespace, limit: float | None) -> int:
    from tinyunet.exercises.catalogue import EXERCISES
    from tinyunet.exercises.run import FOLDERS, check_files

    folder = _folder(arguments.exercises)
    places = FOLDERS if folder is None else (folder,)
    found = {
        exercise: next(
            (path for place in places if (path := Path(place) / exercise.file).is_file()), None
        )
        for exercise in EXERCISES
    }
    if not any(found.values()):
        raise ValueError(
            f"no exercises {'here' if folder is None else f'in {folder}'}: `tinyunet check --start"
            f"{'' if folder is None else f' {folder}'}` writes the files to fill in"
        )
    jobs = [(e, path or Path(places[0]) / e.file) for e, path in found.items()]
    results = check_files(jobs, limit, on_output=lambda text: None)
    if arguments.json:
        checked = list(results)
        common.as_json([_as_dict(result) for result in checked])
    else:
        checked = []
        for (exercise, _), result in zip(jobs, results, strict=True):
            print(f"{exercise.name:<24}{result.status:<18}{exercise.lesson}", flush=True)
            checked.append(result)
        good = sum(result.passed for result in checked)
        print(
            f"\n{good} of {len(checked)} exercises pass; `tinyunet check 01` tells more about one"
        )
    return 0 if all(result.passed for result in checked) else 1


def _folder(given: Path | None) -> Path | None:
    if given is not None and not given.is_dir():
        raise ValueError(
            f"--exercises {given}: no such folder; `tinyunet check --start {given}` makes it and "
            "writes the files to fill in"
        )
    return given


def _limit(seconds: float) -> float | None:
    if not 0 <= seconds < 1e6:
        raise ValueError(f"--time-limit {seconds:g} is not a number of seconds, or 0 for none")
    return seconds or None


class _Printed:
    """What a file prints, for JSON and on stderr; of very much the end."""

    most = 100_000  # characters

    def __init__(self) -> None:
        self.text = ""

    def take(self, text: str) -> None:
        sys.stderr.write(text)
        self.text = (self.text + text)[-self.most :]


def _as_dict(result: "Result", printed: str = "") -> dict[str, object]:
    failed = [step.title for step in result.steps if not step.passed]
    return {
        "exercise": result.exercise,
        "file": str(result.path),
        "status": result.status,
        "passed": [step.title for step in result.steps if step.passed],
        "failed": failed[0] if failed else "",
        "explanation": result.diagnosis,
        "line": result.line,
        "printed": printed,
    }
