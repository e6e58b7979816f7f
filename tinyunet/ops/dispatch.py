"""The one door from the mathematics to the kernels: which fast version, if any, takes these arrays?

The operations in this folder are one text for NumPy and CuPy, float32 and float64. Where a kernel
made for one processor exists (`tinyunet/kernels/`), an operation hands over in its first lines:

    if kernels := faster("conv2d_relu", x, weight):
        return kernels.conv2d_relu(x, weight, bias)

and its backward does the same if the cache is one that a kernel made. Inside `with plain():`
nothing is handed over, which is how each kernel is tested against the text it stands beside.
Lesson: lessons/14-fast-on-a-cpu.md.
"""

from contextlib import contextmanager
from contextvars import ContextVar

from tinyunet.kernels import cpu, gpu

_plain = ContextVar("tinyunet_plain", default=False)


@contextmanager
def plain():
    """Compute with the plain operations only, in this block and this thread."""
    token = _plain.set(True)
    try:
        yield
    finally:
        _plain.reset(token)


def faster(operation, *arrays):
    """Return the module that has a fast version of `operation` for `arrays`, or None.

    Each says by itself what it takes: `takes_conv2d` and the like where shapes matter, `takes` for
    its other functions.
    """
    for kernels in () if _plain.get() else (gpu, cpu):
        general = kernels.takes if hasattr(kernels, operation) else _nothing
        if getattr(kernels, f"takes_{operation}", general)(*arrays):
            return kernels
    return None


def _nothing(*arrays):
    return False


def maker(cache):
    """Return the kernel module that made `cache`, or None if a plain operation did."""
    for kernels in (gpu, cpu):
        if isinstance(cache, kernels.Saved):
            return kernels
    return None
