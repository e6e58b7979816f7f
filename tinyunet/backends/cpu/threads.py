"""How many threads work, and how a layer's work is shared out to them.

Lesson: lessons/14-fast-on-a-cpu.md. A layer is cut into blocks; each thread takes its share of the
blocks through numba kernels, which release Python's lock, so plain Python threads do. They are kept
from one layer to the next, and spin for a while before they sleep: spin_wait.py says how and why.

Results do not depend on the number of threads, bit for bit. Most numbers are made by one thread
whichever it is. Where a sum is made of the work of several, the work is cut into `pieces`, as many
with any number of threads, each piece has a sum of its own, and these are added in their order.
"""

import atexit
import os
import threading
from collections.abc import Callable, Sequence
from contextvars import copy_context
from functools import partial
from itertools import pairwise
from queue import SimpleQueue
from typing import Any, TypeAlias, TypeVar

from threadpoolctl import threadpool_limits

from tinyunet._machine import usable_cores
from tinyunet._numba import numba
from tinyunet.backends.cpu import spin_wait

LITTLE = 2**21  # multiplications: fewer are done before another thread has woken up
# A sum is made in so many pieces, which most numbers of threads can share fairly, if each has so
# many items: {pieces: least}. A piece costs a matrix that is written and read, an item a
# multiplication and addition to all of it. With 4 instead of 2 pieces of 145 tiles a layer's
# backward pass takes as long, with 12 a third longer.
PIECES = {1: 0, 2: 32, 4: 64, 12: 384, 24: 384}
UNTIL_LOCK_IS_FREE = 10_000  # ns that a worker leaves Python's lock to its caller
_VARIABLES = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_lock = threading.Lock()
_idle: list["_Worker"] = []
_state: dict[str, Any] = {"threads": None}  # an int, or None as long as nobody has asked

_Block = TypeVar("_Block")
_Errors: TypeAlias = list[BaseException | None]  # one a thread
_Job: TypeAlias = tuple[Callable[[], object], int, _Errors, SimpleQueue[None]]


def default_threads() -> int:
    """The first of NUMBA_NUM_THREADS, OMP_NUM_THREADS … that is set, else the usable cores."""
    for name in _VARIABLES:
        value = os.environ.get(name, "")
        if value.isdecimal() and int(value) > 0:
            return int(value)
    return usable_cores()


def get_threads() -> int:
    """How many threads the kernels use."""
    if _state["threads"] is None:
        _state["threads"] = default_threads()
    return _state["threads"]


def set_threads(n: int) -> None:
    """Let the kernels, numba's own parallel loops and BLAS use `n` threads.

    Not while another thread computes: a layer is cut for the number it began with.
    Raises ValueError unless n is a positive whole number.
    """
    if not isinstance(n, int) or isinstance(n, bool) or n < 1:
        raise ValueError(f"threads must be a positive whole number: got {n!r}")
    with _lock:
        _state["threads"] = n
    _dismiss()
    if numba is not None:
        most = numba.config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]
        numba.set_num_threads(min(n, most))
    # With threadpoolctl 3.8 whoever sets BLAS's threads controls them alone, until a `with` block
    # ends; this one changes nothing and gives the control back.
    threadpool_limits(n, user_api="blas")
    with threadpool_limits(None):
        pass


def run(work: Callable[[int, Sequence[_Block]], object], blocks: Sequence[_Block]) -> None:
    """Call work(thread, share) once a thread; each share is some blocks, one after the other.

    The threads, numbered from 0, see the caller's context variables, so they draw from its
    workspace. Exceptions from any thread reach the caller, after all threads have stopped. No share
    waits for another one to end, also where several threads call `run`, or a share does: then there
    are more workers.
    """
    n = min(get_threads(), len(blocks))
    if n <= 1:
        work(0, blocks)
        return
    edges = [len(blocks) * thread // n for thread in range(n + 1)]
    shares = [blocks[first:last] for first, last in pairwise(edges)]
    errors: _Errors = [None] * n
    over: SimpleQueue[None] = SimpleQueue()
    team: list[tuple[_Worker, int]] = []
    try:
        for thread in range(1, n):
            job = partial(copy_context().run, work, thread, shares[thread])
            team.append(_ask(job, thread, errors, over))
        work(0, shares[0])
    finally:
        for worker, number in team:
            worker.done.wait(number)
        for _ in team:
            over.get()
    for error in errors:
        if error is not None:
            raise error


class _Worker:
    """A thread that does one job after another. In between it waits: it spins, then it sleeps."""

    def __init__(self) -> None:
        self.jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self.asked, self.done = spin_wait.Count(), spin_wait.Count()
        self.n_asked = 0
        self.thread = threading.Thread(target=self._serve, name="tinyunet", daemon=True)
        self.thread.start()

    def ask(self, job: _Job | None) -> int:
        """Have `job` done, (call, thread, errors, over), or end the thread with None.

        Returns the job's number, which `done` will show.
        """
        self.n_asked += 1
        number = self.n_asked
        self.asked.set(number)
        self.jobs.put(job)
        return number

    def _serve(self) -> None:
        n_done = 0
        while True:
            # Whoever asks for Python's lock while another thread holds it is put to sleep. So the
            # caller may take its own share into a kernel first, and learns from within compiled
            # code, which does not hold the lock, that a job is done.
            self.asked.wait(n_done + 1, UNTIL_LOCK_IS_FREE, first=(self.done, n_done))
            job = self.jobs.get()
            if job is None:
                return
            call, thread, errors, over = job
            try:
                call()
            except BaseException as error:  # `run` raises it again, whatever it is
                errors[thread] = error
            del job, call, errors  # before the caller goes on: they hold its arrays
            with _lock:
                _idle.append(self)
            over.put(None)
            n_done += 1


def _ask(*job: Any) -> tuple[_Worker, int]:
    """Have a job done by the worker that was busy last, most likely awake, or by a new one."""
    with _lock:
        worker = _idle.pop() if _idle else _Worker()
    return worker, worker.ask(job)


def _dismiss() -> None:
    """End the threads that have nothing to do."""
    with _lock:
        workers, _idle[:] = _idle[:], []
    for worker in workers:
        worker.ask(None)
    for worker in workers:
        worker.thread.join()


def cut(n_items: int, at_least: int = 1) -> list[tuple[int, int]]:
    """Cut 0 … n_items into equal ranges [(first, last), …], one for each thread.

    There are fewer where the ranges would have less than `at_least` items: to wake a thread takes
    longer than a little work.
    """
    n = max(1, min(get_threads(), n_items // max(1, at_least)))
    edges = [n_items * thread // n for thread in range(n + 1)]
    return [(first, last) for first, last in pairwise(edges) if last > first]


def pieces(n_items: int, most: int) -> int:
    """In how many pieces to sum over `n_items`, with any number of threads: at most `most`."""
    return max([n for n, least in PIECES.items() if n <= most and n * least <= n_items], default=1)


def _forget_workers() -> None:
    """A forked child has none of its parent's threads, and its own copy of the lock."""
    _idle.clear()
    _lock.release()


atexit.register(_dismiss)
if hasattr(os, "register_at_fork"):
    # Nobody else may hold the lock at the moment of the fork: in the child it would never be free.
    os.register_at_fork(
        before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_forget_workers
    )
