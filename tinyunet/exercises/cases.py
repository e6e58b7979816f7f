"""What a task is made of: inputs to try, results to expect, mistakes that are usual."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from tinyunet.arrays import Array
from tinyunet.exercises.diagnose import TOLERANCE
from tinyunet.exercises.learner import Wrong


class Mistake(NamedTuple):
    """A usual mistake: what to say, and what a function that makes it returns, or raises.

    For a task with several outputs, `made` returns all of them if the mistake belongs to the task,
    and one if it belongs to the output. "{name}" in `says` becomes the output's name.
    """

    says: str
    made: Callable[..., Any]


@dataclass(frozen=True)
class Case:
    """Inputs that the learner's function is tried on.

    Attributes
    ----------
    title : str
        The step that it belongs to; cases of one step follow each other.
    inputs : tuple
        The arguments.
    sizes : mapping
        How many there are of what: {"images": 2, "taps": 9}.
    level : int
        How much must be written for it: 1 for the plain function, 2 for its twist, and so on.
        A wrong answer is named by the general cases up to its own level.
    general : bool
        Whether the inputs are such that no two mistakes look alike: random, all lengths unequal.
    tolerance : float
        Allowed difference, relative to the largest value.
    dtype : dtype, optional
        What the result must have.
    """

    title: str
    inputs: tuple[Any, ...]
    sizes: Mapping[str, int] = field(default_factory=dict)
    level: int = 1
    general: bool = True
    tolerance: float = TOLERANCE
    dtype: DTypeLike | None = None


@dataclass(frozen=True)
class Output:
    """One result of a function.

    Attributes
    ----------
    name : str
        What the learner calls it.
    mistakes : tuple of Mistake
        Mistakes that show in this result alone.
    axes : str
        What its axes are, as in "(N, O, H', W')".
    number : bool
        Whether it is one number instead of an array.
    """

    name: str
    mistakes: tuple[Mistake, ...] = ()
    axes: str = ""
    number: bool = False


class Answer(NamedTuple):
    """What the learner's function made of a case: its outputs, or the error that stopped it."""

    case: Case
    outputs: Sequence[Array] | None
    error: Wrong | None


def as_array(output: Output, part: Any) -> Array:
    """Return one result of the learner's function as an array of numbers.

    Parameters
    ----------
    output : Output
        Which result.
    part : object
        What the function returned for it.

    Returns
    -------
    Array
        The numbers.

    Raises
    ------
    Wrong
        Saying what it is instead.
    """
    if not isinstance(part, np.ndarray | np.generic | float | int):
        raise Wrong(f"your {output.name} is no array of numbers: it is {type(part).__name__}")
    array = np.asarray(part)
    if array.dtype.kind not in "buif":
        raise Wrong(f"your {output.name} is no array of numbers: it is an array of {array.dtype}")
    if output.number and array.ndim != 0:
        raise Wrong(f"your {output.name} must be one number: it has the shape {array.shape}")
    return array
