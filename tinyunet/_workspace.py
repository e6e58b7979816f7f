"""Memory for a step's arrays, kept from step to step instead of handed back to the system.

Lesson: lessons/14-fast-on-a-cpu.md. A fresh array costs more than its arithmetic: the system maps
and zeroes each of its pages at the first touch, and a step of the paper's network asks for
hundreds of megabytes. A `Workspace` keeps a few large segments and cuts pieces from them. A piece
returns by itself when the last array that looks at it dies, so operations stay pure: nobody has
to hand anything back, and an array that somebody keeps is never overwritten.
"""

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from math import prod
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

ALIGNMENT = 4096  # one page: pieces never share one
SEGMENT = 256 * 2**20  # bytes; untouched pages of a segment cost nothing
SMALL = 2**16  # bytes; smaller arrays are the allocator's everyday business
LINE = 64  # bytes that a processor's cache fetches at once; a vector across two lines costs both

_Block: TypeAlias = tuple[int, int, int]  # (segment, start, stop)

_current: ContextVar["Workspace | None"] = ContextVar("tinyunet_workspace", default=None)


def empty(shape: int | Sequence[int], dtype: npt.DTypeLike = np.float32) -> np.ndarray:
    """An uninitialised array like `numpy.empty`, from the workspace in use if there is one."""
    workspace = _current.get()
    return _empty(shape, dtype) if workspace is None else workspace.empty(shape, dtype)


class Workspace:
    """A pool of memory for arrays; `with workspace.used():` makes `empty` above draw from it."""

    def __init__(self) -> None:
        self._segments: list[np.ndarray] = []  # uint8 arrays
        self._free: list[_Block] = []  # sorted, never adjacent
        self._returned: deque[_Block] = deque()  # pieces given back, possibly by another thread
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[type["Workspace"], tuple[()]]:
        """Copied or pickled it is a new one: what holds it keeps nothing in it between steps."""
        return Workspace, ()

    @contextmanager
    def used(self) -> Iterator["Workspace"]:
        """Arrays that the kernels make in this block, in this thread, come from here."""
        token = _current.set(self)
        try:
            yield self
        finally:
            _current.reset(token)

    @property
    def size(self) -> int:
        """Bytes of all segments."""
        return sum(len(segment) for segment in self._segments)

    def empty(self, shape: int | Sequence[int], dtype: npt.DTypeLike = np.float32) -> np.ndarray:
        """An uninitialised C-ordered array; its memory returns here when its last view dies."""
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        dtype = np.dtype(dtype)
        n_bytes = prod(shape) * dtype.itemsize
        if n_bytes < SMALL:
            return _empty(shape, dtype)
        lease = _Lease(self, *self._take(-(-n_bytes // ALIGNMENT) * ALIGNMENT))
        return np.asarray(lease)[:n_bytes].view(dtype).reshape(shape)

    def _take(self, n_bytes: int) -> tuple[np.ndarray, tuple[int, int]]:
        """Cut a piece from the first free block that is large enough, or from a new segment.

        First fit, not best fit: the smallest block that is large enough would leave many small
        ones, and pages once touched in large ones stay with the process. The first one that fits
        fills the low places again and again.
        """
        with self._lock:
            self._collect()
            fitting = (k for k, (_, a, b) in enumerate(self._free) if b - a >= n_bytes)
            place = next(fitting, len(self._free))
            if place == len(self._free):
                self._segments.append(_aligned(max(n_bytes, SEGMENT), ALIGNMENT))
                self._free.append((len(self._segments) - 1, 0, len(self._segments[-1])))
            segment, start, stop = self._free.pop(place)
            if stop - start > n_bytes:
                self._free.insert(place, (segment, start + n_bytes, stop))
            return self._segments[segment][start : start + n_bytes], (segment, start)

    def _collect(self) -> None:
        """Free the returned pieces and coalesce neighbouring free blocks."""
        if not self._returned:
            return
        while self._returned:
            self._free.append(self._returned.popleft())
        self._free.sort()
        coalesced = [self._free[0]]
        for segment, start, stop in self._free[1:]:
            if coalesced[-1][0] == segment and coalesced[-1][2] == start:
                coalesced[-1] = (segment, coalesced[-1][1], stop)
            else:
                coalesced.append((segment, start, stop))
        self._free = coalesced


class _Lease:
    """Owns a piece of a segment; arrays hold on to it as their base."""

    def __init__(self, workspace: Workspace, memory: np.ndarray, place: tuple[int, int]) -> None:
        self._workspace, self._memory, self._place = workspace, memory, place
        self.__array_interface__ = memory.__array_interface__

    def __del__(self) -> None:
        # May run in any thread and in the middle of `_take`: a deque's append needs no lock.
        segment, start = self._place
        self._workspace._returned.append((segment, start, start + len(self._memory)))


def _empty(shape: int | Sequence[int], dtype: npt.DTypeLike) -> np.ndarray:
    """An uninitialised array of the allocator's, but one that begins at a cache line's edge."""
    shape, dtype = (shape,) if isinstance(shape, int) else shape, np.dtype(dtype)
    return _aligned(prod(shape) * dtype.itemsize, LINE).view(dtype).reshape(shape)


def _aligned(n_bytes: int, edge: int) -> np.ndarray:
    """`n_bytes` uninitialised bytes that begin at a multiple of `edge`."""
    raw = np.empty(n_bytes + edge, np.uint8)
    start = -raw.__array_interface__["data"][0] % edge
    return raw[start : start + n_bytes]
