"""What makes a function an operation: one text to read, and faster ones that may stand in for it.

The functions of this folder compute on NumPy and CuPy arrays, in float32 and float64. A kernel that
was written for one processor computes the same faster, for some arguments only. `@operation` puts
the two together: it asks the implementations registered for the function, in order, whether they
support these arguments. The first that does is called; if none does, the text below the decorator
runs. The text never names an implementation: all of them stand in one table,
tinyunet/backends/dispatch.py, and without that folder every operation is its text. Arguments that
are annotated as arrays are taken for arrays before that, and refused unless they hold real numbers.

Inside `with plain():` nothing stands in, which is how each kernel is tested against the text.
Lesson: lessons/14-fast-on-a-cpu.md.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from inspect import Parameter, signature
from typing import Any, NamedTuple, ParamSpec, TypeVar

import numpy as np

from tinyunet.arrays import Array, as_real

_ARRAYS = (Array, Array | None)
P = ParamSpec("P")
R = TypeVar("R")

_plain = ContextVar("tinyunet_plain", default=os.environ.get("TINYUNET_BACKEND") == "plain")


class Implementation(NamedTuple):
    """A row of the table: what may stand in for which operation, and for which arguments."""

    operation: Callable[..., Any]
    function: Callable[..., Any]
    supports: Callable[..., bool]


_implementations: dict[Callable[..., Any], list[Implementation]] = {}


def operation(
    check: Callable[..., None] | None = None,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate the text of an operation, so that faster implementations may stand in for it.

    Parameters
    ----------
    check : callable, optional
        Called with the operation's arguments before anything is computed; raises ValueError for
        those that do not go together. A kernel validates nothing by itself.

    Returns
    -------
    callable
        The decorator. The function that it returns has the text as its `__wrapped__`.
    """

    def decorate(text: Callable[P, R]) -> Callable[P, R]:
        parameters = signature(text).parameters

        @wraps(text)
        def run(*args: P.args, **kwargs: P.kwargs) -> R:
            given: list = [*map(_as_argument, parameters.values(), args), *args[len(parameters) :]]
            named: dict = {k: _as_argument(parameters.get(k), v) for k, v in kwargs.items()}
            if check is not None:
                check(*given, **named)
            faster = find_implementation(run, *given, **named)
            return text(*given, **named) if faster is None else faster(*given, **named)

        _implementations[run] = []
        return run

    return decorate


def _as_argument(parameter: Parameter | None, value: Any) -> Any:
    """The value; where the parameter is an array, as one of real numbers."""
    if type(value) is np.ndarray and value.dtype.kind in "fiub":
        return value  # nearly always
    if parameter is None or parameter.name == "cache" or parameter.annotation not in _ARRAYS:
        return value
    if value is None and parameter.annotation is not Array:
        return None
    return as_real(value, parameter.name)


def register(implementation: Implementation) -> None:
    """Let `implementation` be asked, after those registered before it.

    Parameters
    ----------
    implementation : Implementation
        A row for a function that `@operation` decorates.

    Raises
    ------
    ValueError
        If the row's function to stand in for is no operation.
    """
    if implementation.operation not in _implementations:
        raise ValueError(f"{implementation.operation.__name__} is not decorated by @operation")
    _implementations[implementation.operation].append(implementation)


def find_implementation(
    operation: Callable[..., Any], *args: Any, **kwargs: Any
) -> Callable[..., Any] | None:
    """Find the implementation that stands in for an operation when it is called so.

    Parameters
    ----------
    operation : callable
        A function that `@operation` decorates.
    *args, **kwargs
        The arguments that it is called with.

    Returns
    -------
    callable or None
        The first registered function whose condition holds; None where the text is to run.
    """
    if not _plain.get():
        for _, function, supports in _implementations[operation]:
            if supports(*args, **kwargs):
                return function
    return None


def is_plain() -> bool:
    """Return whether the texts compute, whatever implementations there are.

    Returns
    -------
    bool
        True within `plain()`, and where the environment asks for it.
    """
    return _plain.get()


@contextmanager
def plain() -> Iterator[None]:
    """Compute with the texts only, in this block and this thread.

    The environment variable TINYUNET_BACKEND=plain asks for the same in the whole process.

    Yields
    ------
    None
        Nothing: use it as `with plain():`.
    """
    with _computing_plainly(True):
        yield


@contextmanager
def with_kernels() -> Iterator[None]:
    """Undo `plain()`, and the environment's wish, in this block and this thread.

    Yields
    ------
    None
        Nothing: use it as `with with_kernels():`.
    """
    with _computing_plainly(False):
        yield


@contextmanager
def _computing_plainly(is_so: bool) -> Iterator[None]:
    token = _plain.set(is_so)
    try:
        yield
    finally:
        _plain.reset(token)
