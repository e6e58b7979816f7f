"""The process that runs the learner's file, and ends itself when a step takes too long.

It speaks to `supervise.py` in lines of JSON on what was its standard output: "start" and "step" for
the steps, "print" for what the file prints, "result" at the end. A thread watches the clock and the
memory, also while NumPy computes (which lets other threads run); where a single call of the
interpreter holds everybody up, the parent's clock ends this process.
"""

import io
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

from tinyunet.exercises.catalogue import find_exercise
from tinyunet.exercises.learner import Learner
from tinyunet.exercises.result import Result, Step
from tinyunet.exercises.run import check_here

MEMORY_LIMIT = 1e9  # bytes beyond what the process has when a check begins
TICK = 0.05  # seconds between two looks at the clock


class Channel:
    """Lines of JSON to the parent, from several threads.

    Parameters
    ----------
    stream : file object
        Where to.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._lock = stream, threading.Lock()

    def send(self, kind: str, content: Any) -> None:
        """Send one message.

        Parameters
        ----------
        kind : str
            What it is.
        content : object
            Anything that JSON can say.
        """
        with self._lock:
            self._stream.write(json.dumps([kind, content]) + "\n")
            self._stream.flush()


class _Printed(io.TextIOBase):
    """What stands in for `sys.stdout`: the parent prints it."""

    encoding = "utf-8"

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if text:
            self._channel.send("print", text)
        return len(text)


class Watch:
    """Ends the process if a step takes too long or too much memory.

    Parameters
    ----------
    channel : Channel
        Where the result is sent before.
    limit : float
        Seconds a step.
    """

    def __init__(self, channel: Channel, limit: float) -> None:
        self.channel, self.limit = channel, limit
        self.learner: Learner | None = None
        self.title, self.began = "", time.monotonic()
        self.memory = _memory() + MEMORY_LIMIT
        self._main = threading.main_thread().ident
        threading.Thread(target=self._look, daemon=True).start()

    def start(self, learner: Learner, title: str) -> None:
        """Begin to count for a step.

        Parameters
        ----------
        learner : Learner
            Their file.
        title : str
            The step.
        """
        self.learner, self.title, self.began = learner, title, time.monotonic()
        self.channel.send("start", title)

    def stop(self) -> None:
        """End counting: the file has been checked."""
        self.learner = None

    def _look(self) -> None:
        while True:
            time.sleep(TICK)
            if self.learner is None:
                continue
            if time.monotonic() - self.began > self.limit:
                self._end(f"did not end within {self.limit:g} s", "an endless loop?")
            elif _memory() > self.memory:
                self._end(
                    f"took more than {MEMORY_LIMIT / 1e9:g} GB of memory",
                    "a list that grows in an endless loop?",
                )

    def _end(self, why: str, guess: str) -> None:
        learner = self.learner
        if learner is None:
            return
        line = _line_in(learner.path, sys._current_frames().get(self._main or 0))
        where = f" (it was at line {line} of {learner.path.name})" if line else ""
        message: dict[str, Any] = {
            "status": "stopped",
            "diagnosis": f"{learner.calling} {why}{where}: {guess}",
            "line": line,
            "failed": self.title,
            "ended": True,
        }
        if learner.provisional is not None:  # it hangs where only more was to be found out
            wrong = learner.provisional
            message |= {"status": "wrong", "diagnosis": str(wrong), "line": wrong.line}
        self.channel.send("result", message)
        os._exit(0)  # no `finally` of theirs may hold it up


def _line_in(path: Path, frame: FrameType | None) -> int | None:
    """The line of a file that a thread is at."""
    while frame is not None:
        if Path(frame.f_code.co_filename) == path:
            return frame.f_lineno
        frame = frame.f_back
    return None


def _memory() -> float:
    """Bytes that this process has had at most; 0 where nobody says."""
    try:
        import resource
    except ImportError:  # Windows
        return 0.0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(most if sys.platform == "darwin" else 1024 * most)


def as_message(result: Result) -> dict[str, Any]:
    """Return what JSON can say of a result.

    Parameters
    ----------
    result : Result
        The result.

    Returns
    -------
    dict
        Status, diagnosis, line, the title of the step that failed, whether this process ends.
    """
    last = result.steps[-1] if result.steps else None
    return {
        "status": result.status,
        "diagnosis": result.diagnosis,
        "line": result.line,
        "failed": None if last is None or last.passed else last.title,
        "ended": False,
    }


def main(jobs: list[tuple[str, str]], limit: float) -> None:
    """Check files and send what comes of them.

    Parameters
    ----------
    jobs : list of (name, path)
        Exercises and the files that answer them.
    limit : float
        Seconds a step.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C is the parent's to tell of
    channel = Channel(os.fdopen(os.dup(1), "w", encoding="utf-8"))
    os.dup2(2, 1)  # what is written past Python must not get between the lines of JSON
    sys.stdout = _Printed(channel)
    watch = Watch(channel, limit)

    def done(step: Step) -> None:
        if step.passed:
            channel.send("step", step.title)

    for name, path in jobs:
        folder = str(Path(path).absolute().parent)
        if folder not in sys.path:
            sys.path.append(folder)  # their own modules beside the file
        result = check_here(find_exercise(name), Path(path), done, watch.start)
        watch.stop()
        channel.send("result", as_message(result))
