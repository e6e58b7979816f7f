"""One decorator through which every numba kernel of the package is compiled.

`@jit` compiles on first call, releases the GIL (so that data threads run beside the network) and
keeps the machine code on disk (so that a second start does not compile).
"""

import numba


def jit(function=None, *, parallel=False, fastmath=False):
    """Compile `function` with numba: `@jit` or `@jit(parallel=True)`."""

    def wrap(plain):
        return numba.njit(cache=True, nogil=True, parallel=parallel, fastmath=fastmath)(plain)

    return wrap if function is None else wrap(function)


def available():
    """Whether numba can compile here."""
    return True
