"""How many threads work, and how a layer's work is dealt out to them.

Lesson: lessons/14-fast-on-a-cpu.md. A layer is cut into blocks; each thread takes its share of the
blocks through numba kernels or NumPy's matrix products, both of which release Python's lock, so
plain Python threads do. Where NumPy multiplies, `one_blas_thread` must hold BLAS to one thread: a
product of one block is too small to share out, and two pools of threads on the same cores only get
in each other's way. Our threads are kept from one layer to the next, and wait awake for the next
one: waiting.py says how and why.
"""

import atexit
import os
import threading
from contextlib import contextmanager
from contextvars import copy_context
from functools import partial
from itertools import pairwise
from queue import SimpleQueue

from threadpoolctl import ThreadpoolController

from tinyunet.kernels import waiting

LITTLE = 2**21  # multiplications: fewer are done before another thread has woken up
UNTIL_LOCK_IS_FREE = 10_000  # ns that a worker leaves Python's lock to its caller
_VARIABLES = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_blas = ThreadpoolController().select(user_api="blas").lib_controllers
_lock = threading.Lock()
_idle = []  # workers
_state = {"threads": None, "inside": 0, "blas_threads": []}


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

    Not while another thread computes: a layer is cut for the number it began with.
    Raises ValueError unless n is a positive whole number.
    """
    import numba

    if not isinstance(n, int) or isinstance(n, bool) or n < 1:
        raise ValueError(f"threads must be a positive whole number: got {n!r}")
    with _lock:
        _state["threads"] = n
    _dismiss()
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
            _state["inside"] = max(0, _state["inside"] - 1)
            if _state["inside"] == 0:
                for library, n in zip(_blas, _state["blas_threads"], strict=True):
                    library.set_num_threads(n)


def run(work, blocks):
    """Call work(lane, share) once a thread; the shares are blocks[lane::number of threads].

    The threads see the caller's context variables, so they draw from its workspace. Which thread
    gets which block is fixed, so sums come out the same in every run. Exceptions from any thread
    reach the caller, after all threads have stopped. No share waits for another one to end, also
    where several threads call `run`, or a share does: then there are more workers.
    """
    lanes = min(get_threads(), len(blocks))
    if lanes <= 1:
        work(0, blocks)
        return
    errors, over, team = [None] * lanes, SimpleQueue(), []
    try:
        for lane in range(1, lanes):
            job = partial(copy_context().run, work, lane, blocks[lane::lanes])
            team.append(_ask(job, lane, errors, over))
        work(0, blocks[0::lanes])
    finally:
        for worker, number in team:
            worker.done.wait(number)
        for _ in team:
            over.get()
    for error in errors:
        if error is not None:
            raise error


class _Worker:
    """A thread that does one job after another. In between it waits, first awake, then asleep."""

    def __init__(self):
        self.jobs, self.asked, self.done = SimpleQueue(), waiting.Count(), waiting.Count()
        self.n_asked = 0
        self.thread = threading.Thread(target=self._serve, name="tinyunet", daemon=True)
        self.thread.start()

    def ask(self, job):
        """Have `job` done, (call, lane, errors, over), or end the thread with None.

        Returns the job's number, which `done` will show.
        """
        self.n_asked += 1
        number = self.n_asked
        self.asked.set(number)
        self.jobs.put(job)
        return number

    def _serve(self):
        n_done = 0
        while True:
            # Whoever asks for Python's lock while another thread holds it is put to sleep. So the
            # caller may take its own share into a kernel first, and learns from within compiled
            # code, which does not hold the lock, that a job is done.
            self.asked.wait(n_done + 1, UNTIL_LOCK_IS_FREE, first=(self.done, n_done))
            job = self.jobs.get()
            if job is None:
                return
            call, lane, errors, over = job
            try:
                call()
            except BaseException as error:  # `run` raises it again, whatever it is
                errors[lane] = error
            del job, call, errors  # before the caller goes on: they hold its arrays
            with _lock:
                _idle.append(self)
            over.put(None)
            n_done += 1


def _ask(*job):
    """Have a job done by the worker that was busy last, most likely awake, or by a new one."""
    with _lock:
        worker = _idle.pop() if _idle else _Worker()
    return worker, worker.ask(job)


def _dismiss():
    """End the threads that have nothing to do."""
    with _lock:
        workers, _idle[:] = _idle[:], []
    for worker in workers:
        worker.ask(None)
    for worker in workers:
        worker.thread.join()


def cut(n_items, at_most=None, at_least=1):
    """Cut 0 … n_items into equal ranges [(first, last), …] of at most `at_most` items.

    There are at least as many ranges as threads, as far as the items go, but not more than can
    have `at_least` items each: to wake a thread takes longer than a little work.
    """
    pieces = 1 if at_most is None else -(-n_items // max(1, at_most))
    n = max(min(get_threads(), n_items // max(1, at_least)), pieces, 1)
    edges = [n_items * piece // n for piece in range(n + 1)]
    return [(first, last) for first, last in pairwise(edges) if last > first]


def _forget_workers():
    """A forked child has none of its parent's threads, and its own copy of the lock."""
    _idle.clear()
    _state["inside"] = 0
    _lock.release()


atexit.register(_dismiss)
if hasattr(os, "register_at_fork"):
    # Nobody else may hold the lock at the moment of the fork: in the child it would never be free.
    os.register_at_fork(
        before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_forget_workers
    )
