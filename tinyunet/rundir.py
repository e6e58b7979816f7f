"""The folder of a training run: who writes in it, its log, its checkpoints.

    settings.json       what the run was started with
    log.csv             a line a step: step, loss, and val_loss and val_wrong where validated
    last.safetensors    weights, momentum, generator, step: all it takes to go on
    best.safetensors    weights of the best validation so far
    curves.png          the log as a picture

The log holds no times: a run that was killed and resumed ends with the very same log as one that
never was. Lesson: lessons/11-training.md.
"""

import contextlib
import json
import os
from pathlib import Path

from tinyunet.checkpoint import atomic_write, printable
from tinyunet.settings import Settings

HEADER = "step,loss,val_loss,val_wrong\n"
_FILES = ("settings.json", "last.safetensors", "best.safetensors", "log.csv", "curves.png")


def check_folder(path, resume=False):
    """Return whether `path` holds a run to go on with; raise if it cannot become a run's folder.

    Looks only, so that a command can say no before it reads hours of data. With `resume=True` and
    an empty folder the answer is no, so that a job that is always started with --resume starts at
    all. Raises FileExistsError for a file, for a folder with a run unless `resume`, and for one
    whose settings.json or last checkpoint somebody took away: nothing is overwritten.
    """
    path = Path(path)
    if path.exists() and not path.is_dir():
        raise FileExistsError(f"{path}: is a file, but a run needs a folder")
    for above in path.parents:
        if above.exists() and not above.is_dir():
            raise NotADirectoryError(f"{above}: is a file: {path.name} cannot be made in it")
    there = [name for name in _FILES if (path / name).exists()]
    if there and not resume:
        raise FileExistsError(
            f"{path}: holds a run already ({there[0]}): give --resume to go on with it, or another "
            "folder"
        )
    if there and "settings.json" not in there:
        raise FileExistsError(f"{path}: holds {there[0]} but no settings.json: cannot be resumed")
    log = path / "log.csv"
    begun = "best.safetensors" in there or (log.exists() and log.stat().st_size > len(HEADER))
    if begun and "last.safetensors" not in there:
        raise FileExistsError(f"{path}: its last.safetensors is gone: cannot be resumed")
    return bool(there)


class RunFolder:
    """An open run folder, locked against a second run until `close`.

    `resuming` tells whether there is a run to go on with. Raises what `check_folder` raises,
    BlockingIOError if another process is writing into the folder, and other OSErrors where it
    cannot be made or written to. A folder in which no run began is left as it was found.
    """

    def __init__(self, path, resume=False):
        self.path = Path(path)
        self._log = None
        check_folder(self.path, resume)
        self._made = _make_folders(self.path)
        self._lock = _lock(self.path / ".lock")
        try:
            self.resuming = check_folder(self.path, resume)  # again: now nobody else changes it
            self._remove_leftovers()
        except OSError:
            os.close(self._lock)
            raise

    @property
    def settings_file(self):
        return self.path / "settings.json"

    @property
    def last(self):
        """Path of the newest checkpoint."""
        return self.path / "last.safetensors"

    @property
    def best(self):
        """Path of the best weights."""
        return self.path / "best.safetensors"

    @property
    def log_file(self):
        return self.path / "log.csv"

    def write_settings(self, settings, data):
        """Note down the settings and the fingerprint of the data, once, at the start."""
        text = json.dumps({"settings": settings.to_dict(), "data": data}, indent=2)
        with atomic_write(self.settings_file) as temporary:
            temporary.write_text(text + "\n", encoding="utf-8")

    def read_settings(self):
        """Return (`Settings`, data fingerprint) of the run, as `read_settings` does."""
        return read_settings(self.path)

    def check_checkpoint(self, meta):
        """Raise ValueError unless the log goes with the last checkpoint, whose metadata is `meta`.

        The log notes the loss to its last digit, so where it ended when this run's checkpoint was
        written stands the very step and loss that the checkpoint tells. One of another run that
        somebody put here under this name tells others, and nothing may be overwritten with it.
        """
        size, step, loss = meta["log_size"], meta["step"], meta["loss"]
        told = HEADER if step == 0 else f"{step},{loss!r},"
        with open(self.log_file, "rb") as log:
            known = type(size) is int and size > 0
            before = log.read(size) if known else b""
            if known and len(before) < size:
                raise ValueError(f"{self.log_file}: shorter than when the checkpoint was written")
        line = before.splitlines(keepends=True)[-1:] or [b""]
        if not (line[0].startswith(told.encode()) and line[0].endswith(b"\n")):
            raise ValueError(
                f"{self.last}: not a checkpoint of this run: at its step, {step!r}, log.csv does "
                f"not tell its loss, {loss!r}"
            )

    def open_log(self, size):
        """Open the log for adding lines, cut back to its first `size` bytes (0: a new log).

        Lines behind `size` were written after the checkpoint that the run goes on from; the same
        steps will write the same lines again.
        """
        mode = "r+b" if self.log_file.exists() or size else "w+b"  # never make a lost log anew
        self._log = open(self.log_file, mode)  # noqa: SIM115 (closed in `close`)
        if self._log.seek(0, os.SEEK_END) < size:
            self._log.close()
            raise ValueError(f"{self.log_file}: shorter than when the checkpoint was written")
        self._log.truncate(size)
        self._log.seek(size)
        if size == 0:
            self._log.write(HEADER.encode())

    def log(self, step, loss, val_loss=None, val_wrong=None):
        """Add one line. Numbers are written so that reading them gives the same float again."""
        shown = [
            "" if value is None else repr(float(value)) for value in (loss, val_loss, val_wrong)
        ]
        with self._naming_the_log():
            self._log.write((",".join([str(step), *shown]) + "\n").encode())

    def flush_log(self):
        """Bring the log to the disk and return its size in bytes."""
        with self._naming_the_log():
            self._log.flush()
            os.fsync(self._log.fileno())
            return self._log.tell()

    @contextlib.contextmanager
    def _naming_the_log(self):
        """An error while writing knows no file name; whoever reads it wants one."""
        try:
            yield
        except OSError as error:
            raise OSError(f"{self.log_file}: could not be written: {error}") from error

    def close(self):
        """Close the log and let another run into the folder."""
        try:
            if self._log is not None:
                with self._naming_the_log():
                    self._log.close()
        finally:
            if not self.settings_file.exists():  # nothing began: leave no trace
                self._remove_traces()
            os.close(self._lock)

    def _remove_leftovers(self):
        """Remove the half-written files of a process that was killed."""
        for file in self.path.glob(".*.tmp"):
            if file.name.startswith(tuple(f".{name}." for name in _FILES)):
                file.unlink()

    def _remove_traces(self):
        (self.path / ".lock").unlink(missing_ok=True)
        for folder in self._made:
            with contextlib.suppress(OSError):  # somebody put something into it
                folder.rmdir()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def _make_folders(path):
    """Make `path` and the folders above it; return those made, the deepest first."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(parents=True, exist_ok=True)
    return missing


def _lock(path):
    """Return a handle that holds the lock; the system drops it when the process dies, however."""
    import fcntl

    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not path.exists() or os.stat(path).st_ino != os.fstat(handle).st_ino:
            raise BlockingIOError  # its last owner took the file away: this lock locks nothing
    except BlockingIOError:
        owner = os.pread(handle, 20, 0).decode(errors="replace").strip() or "unknown"
        os.close(handle)
        raise BlockingIOError(
            f"{path.parent}: another run (process {owner}) is writing into this folder"
        ) from None
    with contextlib.suppress(OSError):  # the number is only for the message above
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
    return handle


def read_settings(folder):
    """Return (`Settings`, data fingerprint) of a run folder; ValueError if the file is damaged."""
    file = Path(folder) / "settings.json"
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        return Settings(**content["settings"]), str(content["data"])
    except (ValueError, RecursionError, KeyError, TypeError) as error:  # JSON's are ValueErrors
        raise ValueError(f"{file}: damaged ({printable(error)})") from error


def read_log(path):
    """Return the columns of a log.csv as a dict of lists; None where a step was not validated."""
    path = Path(path)
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    names = HEADER.strip().split(",")
    if not lines or lines[0] + "\n" != HEADER:
        raise ValueError(f"{path}: not a log of a run: its first line is not {HEADER.strip()!r}")
    columns = {name: [] for name in names}
    for number, line in enumerate(lines[1:], start=2):
        values = line.split(",")
        try:
            if len(values) != len(names):
                raise ValueError("wrong number of columns")
            row = [int(values[0]), *(float(v) if v else None for v in values[1:])]
        except ValueError as error:
            raise ValueError(f"{path}: line {number} is damaged ({error})") from error
        for name, value in zip(names, row, strict=True):
            columns[name].append(value)
    return columns
