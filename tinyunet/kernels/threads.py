"""How many threads work, and how a layer's work is dealt out to them.

Lesson: lessons/14-fast-on-a-cpu.md. A layer is cut into blocks; each thread takes its share of the
blocks through numba kernels and NumPy's matrix products, both of which release Python's lock, so
plain Python threads do. Inside, BLAS is held to one thread: a product of one block is too small to
share out, and two pools of threads on the same cores only get in each other's way.
"""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from itertools import pairwise

from threadpoolctl import ThreadpoolController

_VARIABLES = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_blas = ThreadpoolController().select(user_api="blas").lib_controllers
_lock = threading.Lock()
_state = {"threads": None, "pool": None, "inside": 0, "blas_threads": []}


def default_threads():
    """The first of NUMBA_NUM_THREADS, OMP_NUM_THREADS … that is set, else the usable cores."""
    for name in _VARIABLES:
        value = os.environ.get(name, "")
        if value.isdecimal() and int(value) > 0:
            return int(value)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def get_threads():
    """How many threads the kernels use."""
    if _state["threads"] is None:
        _state["threads"] = default_threads()
    return _state["threads"]


def set_threads(n):
    """Let the kernels, numba's own parallel loops and BLAS use `n` threads.

    Raises ValueError unless n is a positive whole number.
    """
    import numba

    if not isinstance(n, int) or isinstance(n, bool) or n < 1:
        raise ValueError(f"threads must be a positive whole number: got {n!r}")
    with _lock:
        _state["threads"], pool, _state["pool"] = n, _state["pool"], None
    if pool is not None:
        pool.shutdown()
    numba.set_num_threads(min(n, numba.config.NUMBA_NUM_THREADS))
    for library in _blas:
        library.set_num_threads(n)


@contextmanager
def one_blas_thread():
    """Hold BLAS to one thread; the last to leave gives back what the first one found."""
    with _lock:
        if _state["inside"] == 0:
            _state["blas_threads"] = [library.get_num_threads() for library in _blas]
            for library in _blas:
                library.set_num_threads(1)
        _state["inside"] += 1
    try:
        yield
    finally:
        with _lock:
            _state["inside"] -= 1
            if _state["inside"] == 0:
                for library, n in zip(_blas, _state["blas_threads"], strict=True):
                    library.set_num_threads(n)


def run(work, blocks):
    """Call work(lane, share) once a thread; the shares are blocks[lane::number of threads].

    The threads see the caller's context variables, so they draw from its workspace. Which thread
    gets which block is fixed, so sums come out the same in every run. Exceptions from any thread
    reach the caller, after all threads have stopped.
    """
    lanes = min(get_threads(), len(blocks))
    with one_blas_thread():
        if lanes <= 1:
            work(0, blocks)
            return
        others = [
            _pool().submit(copy_context().run, work, lane, blocks[lane::lanes])
            for lane in range(1, lanes)
        ]
        try:
            work(0, blocks[0::lanes])
        finally:
            errors = [other.exception() for other in others]  # waits for them
    for error in errors:
        if error is not None:
            raise error


def cut(n_items, at_most=None, at_least=1):
    """Cut 0 … n_items into equal ranges [(first, last), …] of at most `at_most` items.

    There are at least as many ranges as threads, as far as the items go, but not more than can
    have `at_least` items each: waking a thread takes as long as some 10,000 multiplications.
    """
    pieces = 1 if at_most is None else -(-n_items // max(1, at_most))
    n = max(min(get_threads(), n_items // max(1, at_least)), pieces, 1)
    edges = [n_items * piece // n for piece in range(n + 1)]
    return [(first, last) for first, last in pairwise(edges) if last > first]


def _pool():
    with _lock:
        if _state["pool"] is None:
            _state["pool"] = ThreadPoolExecutor(get_threads(), thread_name_prefix="tinyunet")
        return _state["pool"]


def _forget_pool():
    """A forked child has none of its parent's threads."""
    _state["pool"], _state["inside"] = None, 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)
