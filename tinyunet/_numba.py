"""One decorator through which every numba kernel of the package is compiled.

Lesson: lessons/14-fast-on-a-cpu.md. `@jit` compiles on first call, releases the GIL (so that
threads run beside one another) and keeps the machine code on disk (so that a second start does not
compile). `warm_up` has everything compiled before a clock starts; where nobody called it, one line
on stderr says so when the first kernel is compiled.
"""

import hashlib
import sys
import threading
import time
import warnings
from contextlib import contextmanager
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tinyunet._text import first_line

try:
    import numba
    from numba.core import caching, event
    from numba.misc.appdirs import AppDirs
except ImportError as error:  # not installed, or not made for this Python or NumPy
    numba, _WHY_NO_NUMBA = None, first_line(error)

prange = range if numba is None else numba.prange


def jit(function=None, *, parallel=False, fastmath=False, error_model="python"):
    """Compile `function` with numba: `@jit` or `@jit(parallel=True)`; plain Python without it.

    With the error model "numpy" a division by zero is no error, and compiles faster.
    """

    def wrap(plain):
        if numba is None:
            return plain
        # Nobody calls the kernels from C, and the entry for that would be compiled for each.
        options = {"nogil": True, "no_cfunc_wrapper": True, "error_model": error_model}
        kernel = numba.njit(parallel=parallel, fastmath=fastmath, **options)(plain)
        if not numba.config.DISABLE_JIT:  # else numba hands the plain function back
            _keep_on_disk(kernel, plain)
        return kernel

    return wrap if function is None else wrap(function)


# The cache ----------------------------------------------------------------------------------------
if numba is not None:

    class _Folder(caching._CacheLocator):
        """Where machine code is kept: one folder for all installations of one version.

        That is, of the package and of numba; the code of different processors lies side by side in
        it. It is valid as long as the sources do not change: those beside the kernel's, for the
        kernels of a folder use each other, and those of the CPU's kernels, which all may use.
        """

        def __init__(self, function, root):
            self._line, self._module = function.__code__.co_firstlineno, function.__module__
            self._folder = Path(root) / f"kernels-{_version()}-numba-{numba.__version__}"
            self._sources = Path(function.__code__.co_filename).parent

        @classmethod
        def from_function(cls, function, _):
            """The first of the possible folders that can be written to, or None."""
            for root in _cache_roots(function):
                folder = cls(function, root)
                try:
                    folder.ensure_cache_path()
                except OSError:
                    continue
                return folder
            return None

        def get_cache_path(self):
            """The folder, one for each module."""
            return str(self._folder / self._module)

        def get_source_stamp(self):
            """What changes with the sources."""
            return _digest(self._sources)

        def get_disambiguator(self):
            """What tells functions of one name apart."""
            return str(self._line)

    class _Storage(caching.CompileResultCacheImpl):
        _locator_classes = (_Folder,)

    class _Cache(caching.FunctionCache):
        """numba's cache, but a kernel that cannot be saved runs all the same."""

        _impl_class = _Storage

        def save_overload(self, signature, compiled):
            try:
                super().save_overload(signature, compiled)
            except OSError as error:
                _warn_once(f"a compiled kernel cannot be kept for the next start: {error}")


def _keep_on_disk(kernel, plain):
    """Give the kernel a cache; where no folder can be written to it stays without."""
    try:
        kernel._cache = _Cache(plain)
    except RuntimeError:
        return


def _cache_roots(function):
    """Where to keep machine code, the best place first: NUMBA_CACHE_DIR, if it is set, alone."""
    if numba.config.CACHE_DIR:
        return [numba.config.CACHE_DIR]
    beside = Path(function.__code__.co_filename).parent / "__pycache__"
    return [AppDirs("tinyunet", appauthor=False).user_cache_dir, beside]


@cache
def _version():
    try:
        return version("tinyunet")
    except PackageNotFoundError:
        return "source"


@cache
def _digest(folder):
    """A number that changes with the source files of a folder."""
    here = Path(__file__)
    folders = [folder, here.parent / "backends" / "cpu"]
    files = [here, *sorted({path for f in folders for path in f.glob("*.py")})]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).digest()


@cache
def _warn_once(text):
    warnings.warn(text)


# Whether it works ---------------------------------------------------------------------------------
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
        with _telling(lambda plain: None):  # this is not worth a line
            works = _probe(3) == 6
    except (numba.core.errors.NumbaError, OSError, RuntimeError) as error:
        return first_line(error)
    return "" if works else "a compiled test function returned a wrong result"


@jit
def _probe(n):
    return n + n


# What is compiled, and when -----------------------------------------------------------------------
def warm_up(tasks, progress=None):
    """Do `tasks`, [(name, function)], so that all kernels that they call are compiled afterwards.

    progress(done, total, name) is called when in a task something has to be compiled that is not
    on disk, and at the end if it was called at all. Returns the seconds that went by.
    """
    start, told = time.monotonic(), []
    for done, (name, task) in enumerate(tasks):

        def tell(_, done=done, name=name):
            if told[-1:] != [done]:
                told.append(done)
                if progress:
                    progress(done, len(tasks), name)

        with _telling(tell):
            task()
    if told and progress:
        progress(len(tasks), len(tasks), "")
    return time.monotonic() - start


@contextmanager
def _telling(function):
    """Have function(kernel) called for whatever is compiled, in this thread, instead of a line."""
    before = getattr(_told, "function", None)
    _told.function = function
    try:
        yield
    finally:
        _told.function = before


_told = threading.local()


@cache
def _say_once():
    print(
        "tinyunet: compiling its kernels for this processor, some seconds; later starts load them",
        file=sys.stderr,
    )


if numba is not None:

    class _Listener(event.Listener):
        """Hears of all that numba really compiles, not of what it loads."""

        def on_start(self, happening):
            plain = happening.data["dispatcher"].py_func
            if plain.__module__.startswith("tinyunet."):
                tell = getattr(_told, "function", None)
                if tell:
                    tell(plain)
                else:
                    _say_once()

        def on_end(self, happening):
            pass

    event.register("numba:compile", _Listener())
