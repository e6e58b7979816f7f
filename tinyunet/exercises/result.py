"""What came of a check."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

_MARKS = {"not yet written": "TO DO", "stopped": "STOPPED"}


class Step(NamedTuple):
    """One step of a check: what was tried, and whether it was right."""

    title: str
    passed: bool


@dataclass
class Result:
    """What came of one check; `print(result)` shows it as `tinyunet check` does.

    Attributes
    ----------
    exercise : str
        The exercise's name: "02_conv2d_backward".
    lesson : str
        Its lesson: "lessons/02-convolution-backward.md".
    path : Path
        The file that was checked.
    status : str
        "passed", "wrong", "not yet written", "stopped" (out of time or memory) or "missing".
    steps : list of Step
        All steps that were tried, in order. Only the last may be one that did not pass.
    diagnosis : str
        What is wrong with that one, in the lesson's terms; empty if the check passed.
    line : int or None
        The line of the file that the diagnosis speaks of: where it stopped, or where the function
        is defined that is not right.
    """

    exercise: str
    lesson: str
    path: Path
    status: str = "passed"
    steps: list[Step] = field(default_factory=list)
    diagnosis: str = ""
    line: int | None = None

    @property
    def passed(self) -> bool:
        """Whether every step was right.

        Returns
        -------
        bool
            True if the status is "passed".
        """
        return self.status == "passed"

    def __str__(self) -> str:
        steps = [self.step_line(step) for step in self.steps]
        return "\n".join([self.heading(), *steps, "", self.ending()])

    def heading(self) -> str:
        """Return the line above the steps.

        Returns
        -------
        str
            The exercise and its file.
        """
        return f"{self.exercise}  ({self.path})\n"

    def ending(self) -> str:
        """Return what stands below the steps.

        Returns
        -------
        str
            The diagnosis and where to read on.
        """
        if self.passed:
            return "All right. The next lesson is waiting."
        at = f"Line {self.line} of {self.path.name}.  " if self.line else ""
        return f"{self.diagnosis}\n\n{at}Read: {self.lesson}"

    def step_line(self, step: Step) -> str:
        """Return a step as one line.

        Parameters
        ----------
        step : Step
            One of the steps.

        Returns
        -------
        str
            "right", or what else the status is, and the title.
        """
        mark = "right" if step.passed else _MARKS.get(self.status, "WRONG")
        return f"  {mark:<7}  {step.title}"
