"""One decorator through which every numba kernel of the package is compiled.

Lesson: lessons/14-fast-on-a-cpu.md. `@jit` compiles on first call, releases the GIL (so that
threads run beside one another) and keeps the machine code on disk (so that a second start does not
compile): beside the source where that can be written, else where NUMBA_CACHE_DIR or the user's
cache folder says, else nowhere. The first time something has to be compiled, one line on stderr
says so.
"""

import sys
import warnings
from functools import cache

import numpy as np

try:
    import numba
    from numba.core import event
except ImportError as error:  # not installed, or not made for this Python or NumPy
    numba, _WHY_NO_NUMBA = None, str(error).strip().splitlines()[0]

prange = range if numba is None else numba.prange


def jit(function=None, *, parallel=False, fastmath=False):
    """Compile `function` with numba: `@jit` or `@jit(parallel=True)`; plain Python without it."""

    def wrap(plain):
        if numba is None:
            return plain
        options = {"nogil": True, "parallel": parallel, "fastmath": fastmath}
        try:
            kernel = numba.njit(cache=True, **options)(plain)
        except RuntimeError:  # numba found no folder that it may write to
            return numba.njit(cache=False, **options)(plain)
        if not numba.config.DISABLE_JIT:  # else numba hands the plain function back
            _forgive_a_full_disk(kernel._cache)
        return kernel

    return wrap if function is None else wrap(function)


def _forgive_a_full_disk(store):
    """Let a kernel that cannot be saved run all the same: it will be compiled at the next start."""
    save = store.save_overload

    def save_if_possible(signature, compiled):
        try:
            save(signature, compiled)
        except OSError as error:
            _warn_once(f"a compiled kernel cannot be kept for the next start: {error}")

    store.save_overload = save_if_possible


@cache
def _warn_once(text):
    warnings.warn(text)


@cache
def available():
    """Whether kernels can be compiled here; the first call warns if not, with the reason."""
    problem = _problem()
    if problem:
        warnings.warn(f"numba cannot compile here ({problem}): the slow plain operations are used")
    return not problem


def _problem():
    """What keeps numba from compiling, or an empty string."""
    if numba is None:
        return _WHY_NO_NUMBA
    if numba.config.DISABLE_JIT:
        return "NUMBA_DISABLE_JIT is set"
    try:
        works = _probe(np.ones(3, np.float32)) == 3
    except (numba.core.errors.NumbaError, OSError, RuntimeError) as error:
        return str(error).strip().splitlines()[0]
    return "" if works else "a compiled test function returned a wrong result"


@jit
def _probe(x):
    total = 0.0
    for e in range(x.shape[0]):
        total += x[e]
    return total


def _announce_compilation():
    """Print one line when the first of the package's kernels is really compiled, not loaded."""

    class Announcer(event.Listener):
        def on_start(self, happening):
            module = happening.data["dispatcher"].py_func.__module__
            if module.startswith("tinyunet.") and not said:
                said.append(True)
                print(
                    "tinyunet: compiling its kernels for this processor, some seconds; "
                    "later starts load them",
                    file=sys.stderr,
                )

        def on_end(self, happening):
            pass

    said = []
    event.register("numba:compile", Announcer())


if numba is not None:
    _announce_compilation()
