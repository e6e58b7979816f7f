"""Spin-wait: a thread looks at a number over and over, for a short while, before it sleeps.

Lesson: lessons/14-fast-on-a-cpu.md. To wake a sleeping thread takes 50 µs and more, as long as many
a share of a layer takes to compute. Most waits inside a training step are shorter than that, so
whoever waits spins for PATIENCE, in a compiled loop that does not hold Python's lock. That is no
more than a hint: what was waited for comes through a queue, in which the waiting thread sleeps if
it comes later. On a busy machine spinning is worse than sleeping, since it takes the core from the
thread that one waits for; so waits in vain are followed by more and more waits without a look.
"""

import time

import numpy as np

from tinyunet._numba import available, jit, numba

PATIENCE = 300_000  # ns to spin before sleeping; most pauses between two layers are shorter
MOST_SKIPPED = 64  # waits without a look after the last one in vain
_APART = 16  # numbers, 128 bytes: two counts never share a line of a cache
_CLOCK = np.int32(getattr(time, "CLOCK_MONOTONIC", 0))

if numba is not None:
    from numba import types

    # As the compiler does not know what it does, it reads a watched number again after each call.
    _clock_gettime = types.ExternalFunction("clock_gettime", types.int32(types.int32, types.intp))


class Count:
    """A number from 0 upwards that one thread sets and others, most often one, wait for."""

    def __init__(self) -> None:
        self._number = np.zeros(_APART, np.int64)
        self._in_vain = self._to_skip = 0

    def set(self, number: int) -> None:
        """Show `number` to the thread that waits."""
        self._number[0] = number

    def wait(self, number: int, delay: int = 0, first: "tuple[Count, int] | None" = None) -> None:
        """Spin until this count has reached `number`, and `delay` ns longer, or give up.

        `first` is (count, its number), set as soon as Python's lock is free for the thread that
        waits for that other count. Whether the number was reached nobody learns: see above.
        """
        other, value = first or (_NOBODYS, 0)
        if not (available() and hasattr(time, "clock_gettime")):
            other.set(value)
            return
        spin = self._to_skip <= 0
        clock = np.empty(2, np.int64)
        address = clock.__array_interface__["data"][0]
        patience = PATIENCE if spin else 0
        reached = _wait(other._number, value, self._number, number, patience, delay, clock, address)
        if spin:
            # After 1, 2, 3, 4 … waits in vain: skip none, 1, 2, 4 … up to MOST_SKIPPED.
            self._in_vain = 0 if reached else self._in_vain + 1
            self._to_skip = min(2 ** min(self._in_vain, 60) // 4, MOST_SKIPPED)
        else:
            self._to_skip = max(0, self._to_skip - 1)  # two may wait, and both count down


_NOBODYS = Count()


@jit
def _wait(other, value, watched, number, patience, delay, clock, address):  # type: ignore[no-untyped-def]
    other[0] = value
    start, limit, reached = 0, patience, False
    while True:
        _clock_gettime(_CLOCK, address)
        now = clock[0] * 1_000_000_000 + clock[1]
        if start == 0:
            start = now
        if not reached and watched[0] >= number:
            reached = True
            start, limit = now, (delay if patience > 0 else 0)
        if now - start >= limit:
            return reached
