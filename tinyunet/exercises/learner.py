"""The learner's file: found, imported by its path, and called with care.

Whatever goes wrong in it becomes a `Wrong`, whose text is for the learner: the last line of the
error with the line of *their* file, not a page of ours.
"""

import traceback
from collections.abc import Callable, Sequence
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np


class Wrong(Exception):
    """An answer that is not right; the message says why, in the lesson's terms.

    Parameters
    ----------
    message : str
        The diagnosis.
    line : int, optional
        The line of the learner's file that it speaks of.
    crashed : bool
        Whether their function raised an error instead of returning.
    """

    def __init__(self, message: str, line: int | None = None, crashed: bool = False) -> None:
        super().__init__(message)
        self.line, self.crashed = line, crashed


class NotYet(Wrong):
    """An answer that is not there yet: the function returns nothing."""


class _FreshLoader(SourceFileLoader):
    """Reads the source itself, never a cached compilation of what it was a moment ago."""

    def path_stats(self, path: Any) -> Any:
        raise OSError("no cache")  # importlib then neither reads nor writes one


class _TheirCode:
    """`with _TheirCode(path, what):` turns an error raised inside into `Wrong`."""

    def __init__(self, path: Path, what: str) -> None:
        self.path, self.what = path, what

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None or isinstance(error, Wrong):
            return  # nothing happened
        if not isinstance(error, Exception | SystemExit):
            return  # Ctrl-C: not ours to explain
        last = " ".join(traceback.format_exception_only(kind, error)[-1].split())
        lines = [f.lineno for f in traceback.extract_tb(trace) if Path(f.filename) == self.path]
        if isinstance(error, SyntaxError) and error.lineno and error.filename == str(self.path):
            lines = [error.lineno]
        line = lines[-1] if lines else None
        where = f" at line {line} of {self.path.name}" if line else ""
        raise Wrong(f"{self.what} stopped{where}: {last}", line, crashed=True) from error


class Learner:
    """One file of the learner, imported from its path without a place in `sys.modules`.

    Parameters
    ----------
    path : str or Path
        The file.

    Attributes
    ----------
    calling : str
        Which of their functions is running, or ran last; "the file" before any has.
    line : int or None
        The line at which that function is defined.
    provisional : Wrong or None
        What is known so far of an answer that is being diagnosed.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).absolute()
        self.calling, self.line = "the file", None
        self.provisional: Wrong | None = None
        self._module: Any = None
        if not self.path.is_file():
            raise FileNotFoundError(2, "No such file or directory", str(path))

    @property
    def module(self) -> Any:
        """Their module, imported when it is first asked for.

        Returns
        -------
        module
            What their file defines.

        Raises
        ------
        Wrong
            If importing it fails.
        """
        if self._module is None:
            loader = _FreshLoader(f"learner_{self.path.stem}", str(self.path))
            spec = spec_from_loader(loader.name, loader)
            assert spec is not None
            module = module_from_spec(spec)
            with _TheirCode(self.path, "the file"):
                loader.exec_module(module)
            self._module = module
        return self._module

    def function(self, name: str) -> Callable[..., Any]:
        """Return one of their functions, which is called with copies of its arguments.

        Parameters
        ----------
        name : str
            The function's name.

        Returns
        -------
        callable
            Raises `Wrong` where theirs raises an error or changes an argument, and `NotYet` where
            it returns None.

        Raises
        ------
        Wrong
            If there is no such function.
        """
        function = getattr(self.module, name, None)
        if not callable(function):
            raise Wrong(f"{self.path.name} has no function {name}: its name must stay as it was")
        code = getattr(function, "__code__", None)

        def _careful(*arguments: Any) -> Any:
            self.calling, self.line = name, code.co_firstlineno if code else None
            given = [a.copy() if isinstance(a, np.ndarray) else a for a in arguments]
            # Overflow is not an error of its own: the NaN that it makes is found and explained.
            with _TheirCode(self.path, name), np.errstate(all="ignore"):
                result = function(*given)
            for position, (before, after) in enumerate(zip(arguments, given, strict=True)):
                if isinstance(before, np.ndarray) and not _identical(before, after):
                    raise Wrong(
                        f"{name} changed its argument {_argument_name(code, position)} in "
                        "place: the caller still needs it, so work on a copy"
                    )
            if result is None:
                raise NotYet(f"{name} returns None: it is not written yet, or has no `return`")
            return result

        return _careful


def results(function_name: str, result: Any, names: Sequence[str]) -> Sequence[Any]:
    """Return the learner's several results, or say that they are not as many.

    Parameters
    ----------
    function_name : str
        The function that returned them.
    result : object
        What it returned.
    names : sequence of str
        What the results are called.

    Returns
    -------
    sequence
        The results.

    Raises
    ------
    Wrong
        If it is no tuple or list of that length.
    NotYet
        If a part is None.
    """
    if not isinstance(result, tuple | list) or len(result) != len(names):
        listed = ", ".join(names) + ("," if len(names) == 1 else "")
        got = f"{len(result)} things" if isinstance(result, tuple | list) else type(result).__name__
        raise Wrong(f"{function_name} must return ({listed}): yours returns {got}")
    for name, part in zip(names, result, strict=True):
        if part is None:
            raise NotYet(f"{function_name} returns None for {name}: it is not written yet")
    return result


def _identical(before: np.ndarray, after: np.ndarray) -> bool:
    return np.array_equal(before, after, equal_nan=before.dtype.kind == "f")


def _argument_name(code: Any, position: int) -> str:
    if code is None:
        return f"number {position + 1}"
    if position < code.co_argcount:
        return code.co_varnames[position]
    return f"number {position + 1} (of *{code.co_varnames[code.co_argcount]})"
