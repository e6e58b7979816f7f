"""The numbers of drop-out for a recorded step: drawn on the CPU, beside the GPU's work.

A seed means the same on every device, so the network's own generator draws them. Done when the step
is asked for, that would be milliseconds in which nothing is asked of the GPU: so a thread draws the
next step's numbers while this step runs. Lesson: lessons/15-fast-on-a-gpu.md.
"""

import copy
import threading
from contextlib import contextmanager


class DrawnAhead:
    """What `net.rng.random(shape, dtype="float32")` returns, call after call, mostly in advance.

    `net.rng` moves on when numbers are taken, not when they are drawn: it may be saved, or used
    for something else, between two steps.
    """

    def __init__(self, net, shape):
        self._net, self._shape = net, shape
        self._thread = None

    def take(self):
        """Return the next numbers, and start to draw those after them."""
        rng = self._net.rng
        if self._thread is not None:
            self._thread.join()
        if self._thread is None or self._before != rng.bit_generator.state:
            self._draw(copy.deepcopy(rng))
        numbers, rng.bit_generator.state = self._numbers, self._after
        self._thread = threading.Thread(target=self._draw, args=[copy.deepcopy(rng)], daemon=True)
        self._thread.start()
        return numbers

    def _draw(self, rng):
        """Draw from `rng`, which is a copy, and note where it stood before and stands after."""
        self._before = rng.bit_generator.state
        self._numbers = rng.random(self._shape, dtype="float32")
        self._after = rng.bit_generator.state


class _Drawn:
    """Stands in for a generator: "draws" the numbers that were copied to the GPU beforehand."""

    def __init__(self, numbers):
        self._numbers = numbers

    def random(self, shape, dtype):
        """Return the numbers; `shape` and `dtype` are theirs."""
        if self._numbers.shape != tuple(shape) or self._numbers.dtype != dtype:
            raise ValueError(f"{self._numbers.shape} numbers were sent, not {shape} of {dtype}")
        return self._numbers


@contextmanager
def drawing_from(net, numbers):
    """Within the block, the network's drop-out takes `numbers`, if they are not None."""
    rng = net.rng
    if numbers is not None:
        net.rng = _Drawn(numbers)
    try:
        yield
    finally:
        net.rng = rng
