"""Know which kernel runs: one that never ends, or writes beyond an array, can be named.

Used by gpu_kernels.py.
"""

import os
import threading
import weakref

import numpy as np

from tinyunet.arrays import cupy
from tinyunet.backends.cuda.errors import KernelError

GUARD = 512  # bytes before and behind each array; keeps CUDA's alignment
FILL = 0xFF  # of each byte of new memory: as a float32, NaN


class Watch:
    """Within the block, note what starts on `gpu`; if it does not end in time, end the process.

    The launches must be waited for (`gpu.blocking()`). `launched` holds the names of kernels;
    `doing` is what is said beside a name. A compiler may take its time.
    """

    def __init__(self, gpu, seconds, guards):
        self.gpu, self.seconds, self.guards = gpu, seconds, guards
        self.launched, self.doing = [], ""

    def __enter__(self):
        start, multiply = self.gpu._start, self.gpu._multiply

        def watched_start(source, kernel, *arguments):
            name = f"kernel {kernel} ({source})"
            with self.gpu._named(name):
                self.gpu.compile(source)
            self._run(name, start, source, kernel, *arguments)
            self.launched.append(kernel)

        def watched_multiply(*arguments):
            self._run("a product of cuBLAS", multiply, *arguments)

        self.gpu._start, self.gpu._multiply = watched_start, watched_multiply
        return self

    def __exit__(self, *_):
        del self.gpu._start, self.gpu._multiply  # the class's own again

    def _run(self, name, work, *arguments):
        timer = threading.Timer(self.seconds, self._give_up, [name])
        timer.daemon = True
        timer.start()
        try:
            work(*arguments)
        finally:
            timer.cancel()
        if self.guards is not None:
            self.guards.check(name)

    def _give_up(self, name):
        """Say what hangs, and leave without waiting for it, as the interpreter would."""
        print(f"{name} failed: no end within {self.seconds:.0f} s, {self.doing}", flush=True)
        os._exit(3)


class Guards:
    """An allocator for CuPy whose arrays lie between bytes that nobody may write.

    What a kernel leaves out is NaN, and what it writes just beyond an array is noticed, which
    CUDA does not do as long as the address is one of this process.
    """

    def __init__(self):
        self.arrays = weakref.WeakSet()

    def allocate(self, size):
        """Return a pointer to `size` bytes of memory of their own."""
        memory = _Memory(size + 2 * GUARD)
        cupy.cuda.runtime.memset(memory.ptr, FILL, memory.size)
        self.arrays.add(memory)
        return cupy.cuda.MemoryPointer(memory, GUARD)

    def check(self, name):
        """Raise KernelError, which says that `name` did it, if bytes around an array changed."""
        for memory in list(self.arrays):
            for where, offset in (("before", 0), ("behind", memory.size - GUARD)):
                pointer = cupy.cuda.MemoryPointer(memory, offset)
                changed = np.flatnonzero(cupy.ndarray(GUARD, np.uint8, pointer).get() != FILL)
                if not changed.size:
                    continue
                cupy.cuda.runtime.memset(pointer.ptr, FILL, GUARD)  # for those that come after
                away = GUARD - changed[0] if where == "before" else changed[-1] + 1
                said = f"up to {away} bytes {where} an array of {memory.size - 2 * GUARD}"
                raise KernelError(f"{name} failed: it wrote {said}")


class _Memory(cupy.cuda.Memory if cupy is not None else object):
    """CuPy's own, to which references can be weak."""
