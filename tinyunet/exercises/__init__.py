"""Exercises that answer back: the files to fill in, and the checks behind `tinyunet check`.

A check runs the learner's functions on small arrays, in a process of its own, and stops at the
first answer that is not right, with a diagnosis in the lesson's terms:

    >>> from tinyunet.exercises import EXERCISES, check, start, template
    >>> result = check("02")                 # or check("my/02_try.py"), or check("02", text=…)
    >>> result.passed, result.status         # "passed", "wrong", "not yet written", "stopped", …
    >>> [(step.title, step.passed) for step in result.steps]
    >>> result.diagnosis, result.line        # what is wrong, and which line of the file it is about
    >>> print(result)                        # as the command shows it
    >>> template(EXERCISES[1])               # the text of the file that exercise 02 begins with

These names, and the fields of `Result`, stay as they are; the rest is internal.

| file | what it holds |
| --- | --- |
| `templates/` | the files to fill in, one an exercise; `tinyunet check --start` copies them |
| `catalogue.py` | which exercise is which; `start` and `template` |
| `run.py`, `result.py` | `check` and what it returns |
| `supervise.py`, `child.py` | the process that the learner's file runs in, and its time limit |
| `learner.py` | the learner's file: imported by path, called with copies; errors with their line |
| `task.py`, `cases.py` | a function to write: inputs, right results, usual mistakes |
| `naming.py` | which mistake explains the answers |
| `diagnose.py` | facts about a wrong array: axes, shape, factor, the two numbers |
| `_checks/` | the tasks, by exercise |

A wrong diagnosis is worse than none: a mistake is named only if it explains the answers to several
random inputs, no two lengths of which are equal. `tests/solutions/` has the planted mistakes.
"""

from tinyunet.exercises.catalogue import (
    EXERCISES,
    Exercise,
    exercise_of,
    find_exercise,
    start,
    template,
)
from tinyunet.exercises.result import Result, Step
from tinyunet.exercises.run import check

__all__ = [
    "EXERCISES",
    "Exercise",
    "Result",
    "Step",
    "check",
    "exercise_of",
    "find_exercise",
    "start",
    "template",
]
