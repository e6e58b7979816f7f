"""Ctrl-C and SIGTERM as a wish to stop, not a crash: the run ends its step and saves its state.

Lesson: lessons/11-training.md.
"""

import signal
import threading
from contextlib import contextmanager


class Stop:
    """Remembers the first signal that asked the run to stop."""

    signal = None


@contextmanager
def stopping_gently():
    """Turn the first Ctrl-C or SIGTERM into a wish to stop after this step; a second one kills."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop  # only the main thread may set handlers
        return

    def handle(number, _frame):
        stop.signal = number
        signal.signal(
            number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
        )

    kept = {n: signal.signal(n, handle) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
