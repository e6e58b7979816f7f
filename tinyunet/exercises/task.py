"""A task: a function to write, the inputs it is tried on, and the mistakes that are usual.

A mistake is written down as what a function that makes it would return. An answer that is wrong is
named only if one mistake explains it on *every* general input that the learner has come to so far:
inputs of random numbers in which no two lengths are equal, so that nothing fits by chance.
"""

import contextlib
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from tinyunet.arrays import Array
from tinyunet.exercises import naming
from tinyunet.exercises.cases import Answer, Case, Mistake, Output, as_array
from tinyunet.exercises.diagnose import Pair, same
from tinyunet.exercises.learner import Learner, Wrong, results

__all__ = ["Case", "Mistake", "Output", "Task"]


def _directly(function: Callable[..., Any], *inputs: Any) -> Any:
    return function(*inputs)


@dataclass(frozen=True)
class Task:
    """One function to write.

    Attributes
    ----------
    function : str
        Its name.
    right : callable
        The right function; returns a tuple if there are several outputs.
    outputs : tuple of Output, or callable
        Its results; a function of the inputs that returns them where their number depends on those.
    cases : callable
        Returns the list of `Case` to try it on, in order.
    mistakes : tuple of Mistake
        Mistakes that show in all outputs.
    joint : bool
        Whether a mistake must explain all outputs at once: where one follows from the other.
    through : callable
        How the learner's function is called: (it, *inputs) → result.
    probes : tuple of callable
        Functions of (the learner's function, called in this way, and the case) that return a
        diagnosis, or None: for mistakes that have a number of their own, such as an epsilon.
    """

    function: str
    right: Callable[..., Any]
    outputs: tuple[Output, ...] | Callable[..., tuple[Output, ...]]
    cases: Callable[[], list[Case]]
    mistakes: tuple[Mistake, ...] = ()
    joint: bool = False
    through: Callable[..., Any] = _directly
    probes: tuple[Callable[[Callable[..., Any], Case], str | None], ...] = ()

    def check(self, learner: Learner) -> Iterator[str]:
        """Try the learner's function: yield the title of each step, then do it.

        Parameters
        ----------
        learner : Learner
            Their file.

        Yields
        ------
        str
            Titles of steps.

        Raises
        ------
        Wrong
            At the first case that is not right, with the best diagnosis that there is.
        """
        function = partial(self.through, learner.function(self.function))
        title, cases = None, self.cases()
        for case in cases:
            if case.title != title:
                yield case.title
                title = case.title
            self._try(learner, function, case, cases)

    def _try(
        self, learner: Learner, function: Callable[..., Any], case: Case, cases: list[Case]
    ) -> None:
        answer = self._answer(function, case)
        if answer.error is not None and not answer.error.crashed:
            raise answer.error
        position = self._first_wrong(answer)
        if position is None:
            return
        output = self.outputs_of(case)[position]
        plain = naming.state(output, answer, position, self.wanted(case)[position])
        learner.provisional = plain  # told if their function hangs in another case
        with contextlib.redirect_stdout(io.StringIO()):  # what they print, they have seen
            answers = self._answers(function, answer, cases)
            said = self._name(function, answers, position)
        learner.provisional = None
        if said is None:
            raise plain
        text = f"{plain}: {said}" if answer.error is not None else said
        raise Wrong(text, plain.line)

    def _answer(self, function: Callable[..., Any], case: Case) -> Answer:
        try:
            return Answer(case, self._split(case, function(*case.inputs)), None)
        except Wrong as wrong:
            return Answer(case, None, wrong)

    def outputs_of(self, case: Case) -> tuple[Output, ...]:
        """Return the results that a case has.

        Parameters
        ----------
        case : Case
            The inputs.

        Returns
        -------
        tuple of Output
            What they are called, and so on.
        """
        return self.outputs(*case.inputs) if callable(self.outputs) else self.outputs

    @property
    def _single(self) -> bool:
        """Whether the function returns one result, and no tuple."""
        return not callable(self.outputs) and len(self.outputs) == 1

    def _split(self, case: Case, result: Any) -> Sequence[Array]:
        outputs = self.outputs_of(case)
        names = [output.name for output in outputs]
        parts = [result] if self._single else results(self.function, result, names)
        return [as_array(output, part) for output, part in zip(outputs, parts, strict=True)]

    def wanted(self, case: Case) -> list[Array]:
        """Return the right outputs of a case.

        Parameters
        ----------
        case : Case
            The inputs.

        Returns
        -------
        list of Array
            One for each output.
        """
        result = self.right(*case.inputs)
        return [np.asarray(part) for part in ([result] if self._single else result)]

    def _first_wrong(self, answer: Answer) -> int | None:
        """Which output is not right; 0 if the function stopped, None if all are right."""
        if answer.outputs is None:
            return 0
        case = answer.case
        for position, want in enumerate(self.wanted(case)):
            got = answer.outputs[position]
            if not same(got, want, case.tolerance):
                return position
            if case.dtype is not None and got.dtype != case.dtype:
                name = self.outputs_of(case)[position].name
                raise Wrong(
                    f"your {name} is {got.dtype} for {np.dtype(case.dtype)} "
                    "input: make it in the input's dtype, as in np.zeros(shape, x.dtype)"
                )
        return None

    def _answers(
        self, function: Callable[..., Any], failing: Answer, cases: list[Case]
    ) -> list[Answer]:
        """The failing answer last, after those of all general cases up to its level."""
        others = [c for c in cases if c.general and c.level <= failing.case.level]
        return [*(self._answer(function, c) for c in others if c is not failing.case), failing]

    def _name(
        self, function: Callable[..., Any], answers: list[Answer], position: int
    ) -> str | None:
        """The mistake that explains all answers, or a fact that holds for all of them."""
        failing = answers[-1]
        output = self.outputs_of(failing.case)[position]
        where = None if self.joint else position
        mistake = naming.find_mistake(
            output.mistakes, answers, position, False
        ) or naming.find_mistake(self.mistakes, answers, where, not self._single)
        if mistake is not None:
            return mistake.says.replace("{name}", output.name)
        if failing.error is not None:
            return None
        if said := naming.probe(self.probes, function, failing.case):
            return said
        pairs = [
            Pair(a.outputs[position], self.wanted(a.case)[position], a.case.sizes, a.case.tolerance)
            for a in (answers[-1:] if self.joint else answers)
            if a.outputs is not None
        ]
        return naming.find_fact(output, pairs)
