"""`tinyunet check`: are the learner's answers to the exercises right?"""

from pathlib import Path

from tinyunet.cli import common

DEFAULT_FOLDER = Path("lessons") / "exercises"


def add_to(commands):
    """Add the command to the parser."""
    parser = commands.add_parser("check", help="check your answers to the lessons' exercises")
    parser.add_argument(
        "exercise", nargs="?", metavar="EXERCISE", help="02, or your own .py file (default: all)"
    )
    parser.add_argument(
        "--exercises",
        metavar="DIR",
        type=Path,
        help=f"folder of the exercises ({DEFAULT_FOLDER.as_posix()})",
    )
    common.add_json(parser)
    parser.set_defaults(run=run)


def run(arguments):
    """Check one exercise in full, or list them all; 0 if all that was checked is right, else 1."""
    from tinyunet.exercises import EXERCISES
    from tinyunet.exercises.run import exercise_of, find_exercise
    from tinyunet.exercises.run import run as run_check

    wanted = arguments.exercise
    if wanted is None:
        folder = _folder(arguments.exercises)
        verdicts = [run_check(e, folder / f"{e.name}.py") for e in EXERCISES]
    elif _is_file(wanted):
        if not Path(wanted).is_file():
            raise FileNotFoundError(2, "No such file or directory", wanted)
        verdicts = [run_check(exercise_of(wanted), wanted)]
    else:
        exercise = find_exercise(wanted)
        folder = _folder(arguments.exercises)
        verdicts = [run_check(exercise, folder / f"{exercise.name}.py")]
    if arguments.json:
        common.as_json([_as_dict(verdict) for verdict in verdicts])
    elif wanted is None:
        _print_list(verdicts)
    else:
        _print_one(verdicts[0])
    return 0 if all(verdict.status == "passed" for verdict in verdicts) else 1


def _is_file(wanted):
    """A path rather than an exercise's name: it has a folder, or names a .py file that is here."""
    path = Path(wanted)
    return len(path.parts) > 1 or (path.suffix == ".py" and path.is_file())


def _folder(given):
    folder = DEFAULT_FOLDER if given is None else given
    if not folder.is_dir():
        raise ValueError(
            f"no folder {folder.as_posix()} here: go to the folder that holds lessons/, "
            "or name the folder of your exercises with --exercises DIR"
        )
    return folder


def _as_dict(verdict):
    return {
        "exercise": verdict.exercise.name,
        "file": str(verdict.path),
        "status": verdict.status,
        "passed": verdict.passed,
        "failed": verdict.failed,
        "explanation": verdict.explanation,
    }


def _print_list(verdicts):
    for verdict in verdicts:
        print(f"{verdict.exercise.name:<24}{verdict.status:<18}{verdict.exercise.lesson}")
    good = sum(verdict.status == "passed" for verdict in verdicts)
    print(f"\n{good} of {len(verdicts)} exercises pass; `tinyunet check 01` tells more about one")


def _print_one(verdict):
    exercise = verdict.exercise
    print(f"{exercise.name}  ({verdict.path})\n")
    for title in verdict.passed:
        print(f"  right  {title}")
    if verdict.status == "passed":
        print("\nAll right. The next lesson is waiting.")
        return
    if verdict.status == "wrong":
        print(f"  WRONG  {verdict.failed}")
    print(f"\n{verdict.explanation}\n\nRead: {exercise.lesson}")
