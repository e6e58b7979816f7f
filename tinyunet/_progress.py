"""The one progress bar: a bar on a terminal, a line a minute in a log file.

Lesson: lessons/11-training.md.
"""

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TypeAlias

from tinyunet._text import duration

Report: TypeAlias = Callable[[int, int | None], None] | bool | None

LINE_EVERY = 60.0  # seconds between two lines in a log file


class Progress:
    """Shows how far something is, on stderr; use it as a context manager.

    `total` is what `update` counts up to, in any unit; None where nobody knows. `done` is where it
    begins. What takes less than a minute writes nothing into a log file.
    """

    def __init__(self, total: float | None, done: float = 0) -> None:
        self.total, self.done, self._start = total, done, done
        self._begun = self._said = time.monotonic()
        self._bar = None
        if sys.stderr.isatty():
            from tqdm import tqdm

            form = "{desc} [{elapsed}]"
            if total is not None:
                form = "{percentage:3.0f}%|{bar}| {desc} [{elapsed}<{remaining}]"
            self._bar = tqdm(
                total=total, initial=done, bar_format=form, dynamic_ncols=True, mininterval=0.3
            )

    def update(self, done: float, text: str = "") -> None:
        """Show that `done` of the total are done; `text` says the rest in words."""
        self.done = done
        if self._bar is not None:
            self._bar.set_description_str(text, refresh=False)
            self._bar.update(done - self._bar.n)
        elif time.monotonic() - self._said >= LINE_EVERY:
            self._said = time.monotonic()
            print(self._line(text), file=sys.stderr, flush=True)

    def _line(self, text: str) -> str:
        """The line for a log file: the words, the share done, and the time left at this speed."""
        if self.total is None:
            return text
        line = f"{text}, {100 * self.done / max(self.total, 1e-9):.0f} %"
        if self.done > self._start:
            pace = (self._said - self._begun) / (self.done - self._start)
            line += f", {duration(pace * (self.total - self.done))} left"
        return line

    def close(self) -> None:
        """Take the bar off the screen's last line."""
        if self._bar is not None:
            self._bar.close()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Reporter:
    """Calls progress(done, total), or moves a bar where `progress` is True.

    `within` is to be called with the parts of the item in work: it moves the bar inside that item.
    """

    def __init__(self, progress: Report, total: int | None, unit: str) -> None:
        self.progress, self.total, self.unit = progress, total, unit
        self.bar = Progress(total) if progress is True else None
        self.done = 0
        self.within = self._within if progress is True else None

    def __call__(self, done: int) -> None:
        if self.bar is not None:
            of = "" if self.total is None else f" of {self.total}"
            self.bar.update(done, f"{self.unit} {done}{of}")
        elif callable(self.progress):
            self.progress(done, self.total)
        self.done = done

    def _within(self, part: int, parts: int | None) -> None:
        """Move the bar inside the item that is being worked on."""
        if self.bar is not None and parts:
            of = "" if self.total is None else f" of {self.total}"
            words = f"{self.unit} {self.done + 1}{of}, tile {part} of {parts}"
            self.bar.update(self.done + part / parts, words)

    def __enter__(self) -> "Reporter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.bar is not None:
            self.bar.close()
