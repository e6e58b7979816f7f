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

from tinyunet.checkpoint import atomic_write

HEADER = "step,loss,val_loss,val_wrong\n"


class RunFolder:
    """An open run folder, locked against a second run until `close`.

    `resuming` tells whether there is a run to go on with; with `resume=True` and an empty folder
    there is not, so that a job that is always started with --resume starts at all. Raises
    FileExistsError if the folder holds a run and `resume` is False, BlockingIOError if another
    process is writing into it, and other OSErrors where it cannot be made or written to.
    """

    def __init__(self, path, resume=False):
        self.path = Path(path)
        if self.path.exists() and not self.path.is_dir():
            raise FileExistsError(f"{self.path}: is a file, but a run needs a folder")
        self.resuming = resume and self.settings_file.exists()
        if self.settings_file.exists() and not resume:
            raise FileExistsError(
                f"{self.path}: holds a run already: give --resume to go on with it, "
                "or another folder"
            )
        self.path.mkdir(parents=True, exist_ok=True)
        self._lock = _lock(self.path / ".lock")
        self._log = None

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
        """Return (settings, data fingerprint) of the run; ValueError if the file is damaged."""
        try:
            content = json.loads(self.settings_file.read_text(encoding="utf-8"))
            return content["settings"], content["data"]
        except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
            raise ValueError(f"{self.settings_file}: damaged ({error})") from error

    def open_log(self, size):
        """Open the log for adding lines, cut back to its first `size` bytes (0: a new log).

        Lines behind `size` were written after the checkpoint that the run goes on from; the same
        steps will write the same lines again.
        """
        mode = "r+b" if self.log_file.exists() else "w+b"
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
        self._log.write((",".join([str(step), *shown]) + "\n").encode())

    def flush_log(self):
        """Bring the log to the disk and return its size in bytes."""
        self._log.flush()
        os.fsync(self._log.fileno())
        return self._log.tell()

    def close(self):
        """Close the log and let another run into the folder."""
        if self._log is not None:
            self._log.close()
        os.close(self._lock)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def _lock(path):
    """Return a handle that holds the lock; the system drops it when the process dies, however."""
    import fcntl

    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
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


def read_log(path):
    """Return the columns of a log.csv as a dict of lists; None where a step was not validated."""
    path = Path(path)
    lines = path.read_text(encoding="utf-8").splitlines()
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
