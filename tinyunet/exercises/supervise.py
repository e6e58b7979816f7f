"""Run a check in a process of its own, so that an endless loop ends and Ctrl-C works.

`child.py` is the other side. Plain `subprocess` and pipes: the same on every system.
"""

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from tinyunet.exercises.catalogue import Exercise
from tinyunet.exercises.result import Result, Step

BEGINNING = 120.0  # seconds until the process must be ready: it imports the package
GRACE = 2.0  # seconds that a process gets to end itself, beyond a step's limit
POLL = 0.2  # seconds: how soon Ctrl-C is seen where waiting cannot be interrupted (Windows)


def check_apart(
    jobs: Sequence[tuple[Exercise, Path]],
    time_limit: float,
    on_step: Callable[[Step], None],
    on_output: Callable[[str], Any],
) -> Iterator[Result]:
    """Check files in a process of its own; in a new one after it had to be ended.

    Parameters
    ----------
    jobs : sequence of (Exercise, Path)
        Exercises and the files that answer them.
    time_limit : float
        Seconds a step.
    on_step : callable
        Called with each `Step` when it is done.
    on_output : callable
        Called with what the files print.

    Yields
    ------
    Result
        What came of each file, in order.
    """
    left = list(jobs)
    while left:
        with _process(left, time_limit) as process:
            messages = _messages(process, time_limit)
            while left:
                exercise, path = left.pop(0)
                result, alive = _follow(exercise, path, messages, on_step, on_output)
                yield result
                if not alive:
                    break


def _follow(
    exercise: Exercise,
    path: Path,
    messages: Iterator[tuple[str, Any]],
    on_step: Callable[[Step], None],
    on_output: Callable[[str], Any],
) -> tuple[Result, bool]:
    """Take the messages about one file; return its result and whether the process goes on."""
    result = Result(exercise.name, exercise.lesson, path)
    title = "the file can be imported"

    def done(title: str, passed: bool) -> None:
        result.steps.append(Step(title, passed))
        on_step(result.steps[-1])

    for kind, content in messages:
        if kind == "start":
            title = content
        elif kind == "step":
            done(content, True)
        elif kind == "print":
            on_output(content)
        elif kind == "result":
            result.status, result.line = content["status"], content["line"]
            result.diagnosis = content["diagnosis"]
            if content["failed"] is not None:
                done(content["failed"], False)
            return result, not content["ended"]
        elif kind == "end":
            result.status, result.diagnosis = "stopped", content
            done(title, False)
            return result, False
    raise AssertionError("messages end with a result or an end")


@contextmanager
def _process(
    jobs: Sequence[tuple[Exercise, Path]], limit: float
) -> Iterator[subprocess.Popen[str]]:
    """The process that checks the files; it is gone at the end, however that comes."""
    named = [(exercise.name, os.fspath(path)) for exercise, path in jobs]
    # The same sys.path as ours: not the current folder, whose files may be called like modules.
    code = (
        f"import sys; sys.path[:] = {sys.path!r}; from tinyunet.exercises.child import main; "
        f"main({named!r}, {limit!r})"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, encoding="utf-8", errors="replace"
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _messages(process: subprocess.Popen[str], limit: float) -> Iterator[tuple[str, Any]]:
    """What the process sends; last ("end", why) if it ends by itself or does not answer."""
    lines: queue.Queue[str | None] = queue.Queue()
    threading.Thread(target=_read, args=(process.stdout, lines), daemon=True).start()
    deadline = time.monotonic() + BEGINNING
    while True:
        try:
            line = lines.get(timeout=POLL)
        except queue.Empty:
            if time.monotonic() < deadline:
                continue
            yield (
                "end",
                (
                    f"a step did not end within {limit:g} s, nor could it be interrupted: one call "
                    "that computes for ever?"
                ),
            )
            return
        if line is None:
            yield "end", f"its process ended by itself, with exit code {process.wait()}"
            return
        kind, content = _read_message(line)
        if kind != "print":
            deadline = time.monotonic() + limit + GRACE
        yield kind, content


def _read_message(line: str) -> tuple[str, Any]:
    try:
        kind, content = json.loads(line)
    except ValueError:  # cut off by the end of the process
        return "print", ""
    return kind, content


def _read(stream: IO[str], lines: "queue.Queue[str | None]") -> None:
    with stream:
        for line in stream:
            lines.put(line)
    lines.put(None)
