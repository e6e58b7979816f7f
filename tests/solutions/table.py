"""Print the table of planted mistakes: `python tests/solutions/table.py [NUMBER …]`.

Columns: exercise, form, what was replaced, the diagnosis, and whether it is right. Exits with 1 if
one is not.
"""

import functools
import importlib
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
if not __package__:  # run as a program
    sys.path[:0] = [str(HERE.parent), str(HERE.parents[1])]

from solutions.mistakes import ENDLESS, NUMBERS  # noqa: E402
from tinyunet.exercises import EXERCISES, _checks  # noqa: E402
from tinyunet.exercises.catalogue import find_exercise  # noqa: E402
from tinyunet.exercises.run import check_here  # noqa: E402
from tinyunet.exercises.supervise import check_apart  # noqa: E402

TIME_LIMIT = 1.0  # seconds a step, for the mistakes that never end


class Planted(NamedTuple):
    """A mistake: of which exercise, in which form, what is replaced by what, what must be said."""

    number: str
    form: str
    old: str
    new: str
    expected: str

    @property
    def title(self):
        """What was replaced, on one line."""
        return f"{_short(self.old)} → {_short(self.new) or '(nothing)'}"


def _short(text):
    words = " ".join(text.split())
    return words if len(words) <= 70 else f"{words[:34]} … {words[-34:]}"


def planted(numbers=()):
    """Return all planted mistakes, or those of some exercises."""
    rows = []
    for exercise in EXERCISES:
        if not numbers or exercise.number in numbers:
            module = importlib.import_module(f"solutions.mistakes.m{exercise.number}")
            rows += [Planted(exercise.number, *row) for row in module.ROWS]
    return rows


def solution(number, form):
    """Return the text of a reference solution."""
    folder = HERE / "arrays" if form == "arrays" else HERE
    return (folder / find_exercise(number).file).read_text(encoding="utf-8")


def write(row, folder):
    """Write the file with the mistake, and what exercise 16 needs beside it; return its path."""
    text = solution(row.number, row.form)
    assert row.old in text, f"{row.number} {row.form} has no {row.old!r}"
    if row.number == "16":
        for other in (HERE / "arrays").glob("0[1-6]_*.py"):
            (folder / other.name).write_text(other.read_text(encoding="utf-8"), encoding="utf-8")
    path = folder / find_exercise(row.number).file
    path.write_text(text.replace(row.old, row.new), encoding="utf-8")
    return path


def diagnose(row, folder):
    """Return (the result of the check, whether what it says is right)."""
    exercise, path = find_exercise(row.number), write(row, folder)
    if row.expected == ENDLESS:
        (result,) = check_apart([(exercise, path)], TIME_LIMIT, _ignore, _ignore)
    else:
        result = check_here(exercise, path)
    if row.expected is NUMBERS:
        right = result.status == "wrong" and not names_something(result.diagnosis)
    else:
        right = not result.passed and row.expected in result.diagnosis
    return result, right


def _ignore(message):
    """What a file prints, and the steps on the way, do not matter here."""


def names_something(diagnosis):
    """Whether a diagnosis says more than a shape, two numbers or the error that it stopped with."""
    guesses = ("looks transposed", "is flipped", "`return`", "times too", "factor", "wrong sign")
    return any(text in diagnosis for text in (*guesses, "zero everywhere", *_names()))


@functools.cache
def _names():
    """Every text that a mistake has, without the part that is an output's name."""
    tasks = [task for module in vars(_checks).values() for task in getattr(module, "TASKS", ())]
    outputs = [o for task in tasks if not callable(task.outputs) for o in task.outputs]
    mistakes = [m for owner in (*tasks, *outputs) for m in owner.mistakes]
    return [max(mistake.says.split("{name}"), key=len) for mistake in mistakes]


def main(numbers):
    """Print the table and its totals."""
    counts = dict.fromkeys(("named", "told as a fact", "told by the numbers only", "WRONG"), 0)
    print("| exercise | form | mistake | answer | right |\n| --- | --- | --- | --- | --- |")
    for row in planted(numbers):
        with tempfile.TemporaryDirectory() as folder:
            result, right = diagnose(row, Path(folder))
        if not right:
            kind = "WRONG"
        elif row.expected is NUMBERS:
            kind = "told by the numbers only"
        else:
            kind = "named" if names_something(result.diagnosis) else "told as a fact"
        counts[kind] += 1
        cells = (row.number, row.form, f"`{row.title}`", result.diagnosis or "(accepted)")
        shown = " | ".join(cell.replace("|", "¦") for cell in cells)
        print(f"| {shown} | {'yes' if right else '**NO**'} |")
    listed = ", ".join(f"{count} {kind}" for kind, count in counts.items())
    print(f"\n{sum(counts.values())} mistakes: {listed}")
    return 1 if counts["WRONG"] else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
