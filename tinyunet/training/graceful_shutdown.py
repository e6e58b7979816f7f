"""Ctrl-C and SIGTERM as a wish to stop, not a crash: the run ends its step and saves its state.

Lesson: lessons/11-training.md.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Stop:
    """Remembers the first signal that asked the run to stop, None as long as there was none."""

    signal: int | None = None


@contextmanager
def graceful_shutdown() -> Iterator[Stop]:
    """Turn the first Ctrl-C or SIGTERM into a wish to stop after this step; a second one kills.

    Only the main thread may set signal handlers: in any other nothing changes.

    Yields
    ------
    Stop
        Its `signal` becomes the number of the signal that came.
    """
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def handle(number: int, _frame: FrameType | None) -> None:
        stop.signal = number
        signal.signal(
            number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
        )

    before = {n: signal.signal(n, handle) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
