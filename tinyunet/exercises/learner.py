"""The learner's file: found, imported by its path, and called with care.

Whatever goes wrong in it becomes a `Wrong`, whose text is for the learner: the last line of the
error with the line of *their* file, not a page of ours. Exercises: `lessons/exercises/`.
"""

import traceback
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

import numpy as np


class Wrong(Exception):
    """An answer that is not right yet; the message says why, in the lesson's terms."""


class NotYet(Wrong):
    """An answer that is not there yet: the function returns nothing."""


class _FreshLoader(SourceFileLoader):
    """Reads the source itself, never a cached compilation of what it was a moment ago."""

    def path_stats(self, path):
        raise OSError("no cache")  # importlib then neither reads nor writes one


class _TheirCode:
    """`with _TheirCode(path, what):` turns an error raised inside into `Wrong`."""

    def __init__(self, path, what):
        self.path, self.what = Path(path), what

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if error is None or not isinstance(error, Exception) or isinstance(error, Wrong):
            return False  # nothing happened, or Ctrl-C: not ours to explain
        last = " ".join(traceback.format_exception_only(kind, error)[-1].split())
        lines = [f.lineno for f in traceback.extract_tb(trace) if Path(f.filename) == self.path]
        if isinstance(error, SyntaxError) and error.lineno:
            lines = [error.lineno]
        where = f" at line {lines[-1]} of {self.path.name}" if lines else ""
        raise Wrong(f"{self.what} stopped{where}: {last}") from error


class Learner:
    """One file of the learner, imported from `path` without a place in `sys.modules`.

    Raises `Wrong` if importing it fails, OSError if there is no such file.
    """

    def __init__(self, path):
        self.path = Path(path)
        if not self.path.is_file():
            raise FileNotFoundError(2, "no such file", str(self.path))
        loader = _FreshLoader(f"learner_{self.path.stem}", str(self.path))
        self.module = module_from_spec(spec_from_loader(loader.name, loader))
        with _TheirCode(self.path, "the file"):
            loader.exec_module(self.module)

    def function(self, name):
        """Return their function `name`, to be called with copies that must stay as they are."""
        function = getattr(self.module, name, None)
        if not callable(function):
            raise Wrong(f"{self.path.name} has no function {name}: its name must stay as it was")

        def careful(*arguments):
            given = [_copy(argument) for argument in arguments]
            # Overflow is not an error of its own: the NaN that it makes is found and explained.
            with _TheirCode(self.path, name), np.errstate(all="ignore"):
                result = function(*given)
            for position, (before, after) in enumerate(zip(arguments, given, strict=True)):
                if isinstance(before, np.ndarray) and not _identical(before, after):
                    raise Wrong(
                        f"{name} changed its argument {_argument_name(function, position)} in "
                        "place: the caller still needs it, so work on a copy"
                    )
            if result is None:
                raise NotYet(f"{name} returns None: it is not written yet, or has no `return`")
            return result

        return careful


def results(function_name, result, names):
    """Return the learner's tuple of results, or say that it does not have the `names` parts."""
    if not isinstance(result, tuple | list) or len(result) != len(names):
        got = f"{len(result)} things" if isinstance(result, tuple | list) else type(result).__name__
        raise Wrong(f"{function_name} must return ({', '.join(names)}): yours returns {got}")
    for name, part in zip(names, result, strict=True):
        if part is None:
            raise NotYet(f"{function_name} returns None for {name}: it is not written yet")
    return result


def _copy(argument):
    return argument.copy() if isinstance(argument, np.ndarray) else argument


def _identical(before, after):
    return np.array_equal(before, after, equal_nan=before.dtype.kind == "f")


def _argument_name(function, position):
    return function.__code__.co_varnames[position] if hasattr(function, "__code__") else position
