"""Find an exercise's file and run its check to a verdict. Nothing is printed here."""

from dataclasses import dataclass, field
from pathlib import Path

from tinyunet.exercises import EXERCISES
from tinyunet.exercises.learner import Learner, NotYet, Wrong


@dataclass
class Verdict:
    """What came of one check."""

    exercise: object  # the `Exercise`
    path: Path
    status: str = "passed"  # "passed", "wrong", "not yet written" or "missing"
    passed: list = field(default_factory=list)  # titles of the steps that are right
    failed: str = ""  # the title of the step that is not
    explanation: str = ""


def find_exercise(wanted):
    """Return the exercise called `wanted`: "2", "02", or its whole name, with or without .py.

    Raises ValueError, with what there is, for any other.
    """
    text = wanted.removesuffix(".py")
    for exercise in EXERCISES:
        if text == exercise.name or (text.isdecimal() and int(text) == int(exercise.number)):
            return exercise
    raise ValueError(
        f"there is no exercise {wanted!r}: give 01 to {EXERCISES[-1].number}, a name such as "
        f"{EXERCISES[0].name}, or a Python file"
    )


def exercise_of(path):
    """Return the exercise that a file answers: by its number, else by the functions it defines.

    Raises ValueError if neither tells, OSError if there is no such file.
    """
    path = Path(path)
    for exercise in EXERCISES:
        if path.name.startswith(f"{exercise.number}_"):
            return exercise
    text = path.read_text(encoding="utf-8")
    for exercise in EXERCISES:
        if all(f"def {function}(" in text for function in exercise.functions):
            return exercise
    raise ValueError(
        f"{path}: which exercise is this? Begin the file's name with its number, as in 02_mine.py"
    )


def run(exercise, path):
    """Check the file at `path` and return a `Verdict`; stops at the first step that is wrong."""
    verdict = Verdict(exercise, Path(path))
    if not verdict.path.is_file():
        verdict.status = "missing"
        verdict.explanation = "there is no such file"
        return verdict
    title = "the file can be imported"
    try:
        learner = Learner(path)
        for following in exercise.check(learner):
            verdict.passed.append(title)
            title = following
        verdict.passed.append(title)
    except Wrong as wrong:
        verdict.status = "not yet written" if isinstance(wrong, NotYet) else "wrong"
        verdict.failed, verdict.explanation = title, str(wrong)
    return verdict
