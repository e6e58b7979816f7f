"""Which mistake is it? Found by what it would return, never by a single example.

A mistake has a name only if it explains the answers to *all* general cases up to the failing one's
level. Whatever fits none is told with facts (`diagnose.py`).
"""

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinyunet.arrays import Array
from tinyunet.exercises import diagnose
from tinyunet.exercises.cases import Answer, Case, Mistake, Output
from tinyunet.exercises.diagnose import Pair, alike
from tinyunet.exercises.learner import Wrong

Probe = Callable[[Callable[..., Any], Case], str | None]


def state(output: Output, answer: Answer, position: int, want: Array) -> Wrong:
    """Return what can be said of a wrong answer without knowing the mistake.

    Parameters
    ----------
    output : Output
        The result that is wrong.
    answer : Answer
        The answer.
    position : int
        Which of its outputs that is.
    want : Array
        The right result.

    Returns
    -------
    Wrong
        The error that it stopped with, or its shape, or the two numbers.
    """
    if answer.error is not None:
        return answer.error
    assert answer.outputs is not None
    got = answer.outputs[position]
    pair = Pair(got, want, {}, answer.case.tolerance)
    return Wrong(
        diagnose.find_shape(output.name, got, want, output.axes)
        or diagnose.find_not_finite(output.name, got)
        or diagnose.describe_numbers(output.name, pair) + _no_fractions(got, want)
    )


def _no_fractions(got: Array, want: Array) -> str:
    """What to add where fractions are stored in an array of whole numbers; "" elsewhere."""
    if got.ndim == 0 or got.dtype.kind not in "biu" or want.dtype.kind != "f":
        return ""
    return f" (yours is an array of {got.dtype}, which keeps no fractions)"


def find_mistake(
    mistakes: Sequence[Mistake], answers: Sequence[Answer], position: int | None, whole: bool
) -> Mistake | None:
    """Return the mistake that explains all answers.

    Parameters
    ----------
    mistakes : sequence of Mistake
        In the order in which they are tried.
    answers : sequence of Answer
        The failing one last.
    position : int or None
        Which output is looked at; None for all of them.
    whole : bool
        Whether a mistake's `made` returns all outputs.

    Returns
    -------
    Mistake or None
        The first that does.
    """
    failing = answers[-1]
    if failing.error is not None and not any(a.outputs is not None for a in answers):
        return None  # it always stops: that says nothing
    for mistake in mistakes:
        if all(_explains(mistake.made, a, position, whole, a is failing) for a in answers):
            return mistake
    return None


def probe(probes: Sequence[Probe], function: Callable[..., Any], case: Case) -> str | None:
    """Return what measuring the learner's function shows.

    Parameters
    ----------
    probes : sequence of callable
        Functions of (the learner's function, the case) that return a diagnosis, or None.
    function : callable
        The learner's function.
    case : Case
        The failing case.

    Returns
    -------
    str or None
        The first diagnosis.
    """
    for measure in probes:
        with contextlib.suppress(Wrong):  # it stopped while it was measured
            if said := measure(function, case):
                return said
    return None


def find_fact(output: Output, pairs: Sequence[Pair]) -> str | None:
    """Return a fact that holds for all answers.

    Parameters
    ----------
    output : Output
        The result that is wrong.
    pairs : sequence of Pair
        Answers and right results, the failing one last.

    Returns
    -------
    str or None
        The sentence.
    """
    got, want = pairs[-1].got, pairs[-1].want
    said = diagnose.find_axes(output.name, pairs) or diagnose.find_shape(
        output.name, got, want, output.axes
    )
    if said or _no_fractions(got, want):  # zeros there are fractions cut off, and not a lost sum
        return said
    return (
        diagnose.find_not_finite(output.name, got)
        or diagnose.find_early_return(output.name, pairs)
        or diagnose.find_factor(output.name, pairs)
    )


def _explains(
    made: Callable[..., Any], answer: Answer, position: int | None, whole: bool, failing: bool
) -> bool:
    """Whether a function with this mistake gives this answer.

    `position`: which output is looked at, None for all; `whole`: whether `made` returns all.
    An error that the learner's function stopped with says nothing, except in the failing case:
    there a mistake explains it only by a ValueError of the same text, which names the shapes; an
    index that is out of bounds may have any reason.
    """
    case = answer.case
    try:
        with np.errstate(all="ignore"):
            result = made(*case.inputs)
    except Exception as error:  # of our own imitation of a mistake: whatever it runs into
        if answer.error is None:
            return False
        theirs = answer.error.__cause__
        same_error = isinstance(theirs, ValueError) and str(theirs) == str(error)
        return not failing or (same_error and isinstance(error, ValueError))
    if answer.outputs is None:
        return not failing
    if position is None:
        return all(
            alike(got, part, case.tolerance)
            for got, part in zip(answer.outputs, result, strict=True)
        )
    return alike(answer.outputs[position], result[position] if whole else result, case.tolerance)
