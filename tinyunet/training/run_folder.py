"""The folder of a training run: who writes in it, its settings, its log, its checkpoints.

    settings.json       what the run was started with: settings and fingerprint of the data
    history.json        by whom and when: version, date, command, machine of each start
    log.csv             a line a step: step, loss, and the scores where it was validated
    last.safetensors    parameters, momentum, generator, step: all it takes to go on
    best.safetensors    parameters of the best validation so far
    curves.png          the log as a picture
    learning/           what the network made of one held-out slice, early and late
    scores.json         how good the best weights are on the held-out slices; held-out.png
    postprocessing.json the threshold that is best on them, and how cells are made
    report.html         all of it on one page

Lesson: lessons/11-training.md.
"""

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tinyunet._files import check_regular, open_regular, remove_leftovers
from tinyunet.training.log import HEADERS, Log
from tinyunet.training.run_lock import lock_folder
from tinyunet.training.settings import Settings
from tinyunet.training.settings_file import FORMAT, read_settings, write_json

_RUN_FILES = ("settings.json", "last.safetensors", "best.safetensors", "log.csv", "curves.png")
_AT_THE_END = ("scores.json", "held-out.png", "postprocessing.json", "report.html")
_WRITTEN = (*_RUN_FILES, *_AT_THE_END, "history.json", "learning")


def check_folder(path: str | os.PathLike[str], resume: bool = False) -> bool:
    """Look whether a folder can become, or is, the folder of a run.

    Looks only, so that a command can say no before it reads hours of data. With ``resume=True`` and
    an empty folder the answer is no run, so that a job that is always started with --resume starts
    at all.

    Parameters
    ----------
    path : path
        The folder; it need not exist.
    resume : bool
        Whether a run in it is welcome.

    Returns
    -------
    bool
        Whether it holds a run to go on with.

    Raises
    ------
    ValueError
        For an empty name.
    FileExistsError
        For a file, for a folder with a run unless `resume`, and for one whose settings.json or last
        checkpoint somebody took away: nothing is overwritten.
    NotADirectoryError
        Where something above is a file.
    OSError
        For a run whose files are links or no regular files.
    """
    if not os.fspath(path):
        raise ValueError("the name of the run folder is empty")
    path = Path(path)
    if path.exists() and not path.is_dir():
        raise FileExistsError(f"{path}: is a file, but a run needs a folder")
    for above in path.parents:
        if above.exists() and not above.is_dir():
            raise NotADirectoryError(f"{above}: is a file: {path.name} cannot be made in it")
    there = [name for name in _RUN_FILES if os.path.lexists(path / name)]
    if there and not resume:
        raise FileExistsError(
            f"{path}: holds a run already ({there[0]}): give --resume to go on with it, or another "
            "folder"
        )
    for name in there:
        check_regular(path / name)
    if there and "settings.json" not in there:
        raise FileExistsError(f"{path}: holds {there[0]} but no settings.json: cannot be resumed")
    begun = "best.safetensors" in there or _has_lines(path / "log.csv")
    if begun and "last.safetensors" not in there:
        raise FileExistsError(f"{path}: its last.safetensors is gone: cannot be resumed")
    return bool(there)


def _has_lines(log: Path) -> bool:
    """Whether a log holds more than its header."""
    if not check_regular(log):
        return False
    with open_regular(log, "rb") as file:
        file.readline()
        return bool(file.read(1))


class RunFolder:
    """An open run folder, locked against a second run until `close`.

    A folder in which no run began is left as it was found. Use it as a context manager.

    Parameters
    ----------
    path : path
        The folder; made if it is missing.
    resume : bool
        Whether to go on with a run that is there.

    Raises
    ------
    BlockingIOError
        If another process is writing into the folder.
    OSError, ValueError
        What `check_folder` raises, and where the folder cannot be made or written to.

    Notes
    -----
    `resuming` tells whether there is a run to go on with; `log` is its `Log` after `open_log`.
    """

    def __init__(self, path: str | os.PathLike[str], resume: bool = False) -> None:
        check_folder(path, resume)
        self.path = Path(path)
        self._log: Log | None = None
        self._made = _make_folders(self.path)
        self._lock = lock_folder(self.path)
        try:
            self.resuming = check_folder(self.path, resume)  # again: now nobody else changes it
            remove_leftovers(self.path, _WRITTEN)
        except OSError:
            self._lock.release()
            raise

    @property
    def settings_file(self) -> Path:
        """Path of the settings."""
        return self.path / "settings.json"

    @property
    def history_file(self) -> Path:
        """Path of the history."""
        return self.path / "history.json"

    @property
    def last(self) -> Path:
        """Path of the newest checkpoint."""
        return self.path / "last.safetensors"

    @property
    def best(self) -> Path:
        """Path of the best weights."""
        return self.path / "best.safetensors"

    @property
    def log_file(self) -> Path:
        """Path of the log."""
        return self.path / "log.csv"

    def settings(self, said: Mapping[str, Any]) -> Settings:
        """Return the settings of a run that is to be started, or gone on with, here.

        Parameters
        ----------
        said : mapping
            Settings that somebody asked for, by name.

        Returns
        -------
        Settings
            What was asked for; else what the run in the folder has; else the defaults.

        Raises
        ------
        ValueError
            For values that are not accepted, and for a damaged settings.json.
        """
        start = self.read_settings()[0] if self.resuming else Settings()
        return Settings(**{**start.to_dict(), **said})

    def write_settings(self, settings: Settings, data: str) -> None:
        """Note down the settings and the fingerprint of the data.

        Parameters
        ----------
        settings : Settings
            Of the run.
        data : str
            As `images.split.fingerprint` returns it.
        """
        content = {"settings": settings.to_dict(), "data": data, "format": FORMAT}
        write_json(self.settings_file, content)

    def read_settings(self) -> tuple[Settings, str]:
        """Read the settings and the fingerprint of the data, as the function of this name does.

        Returns
        -------
        settings : Settings
            Of the run.
        data : str
            The fingerprint.
        """
        return read_settings(self.path)

    def check_checkpoint(self, meta: Mapping[str, Any]) -> None:
        """Raise ValueError unless the log goes with the last checkpoint.

        The log notes the loss to its last digit, so where it ended when this run's checkpoint was
        written stands the very step and loss that the checkpoint tells. One of another run that
        somebody put here under this name tells others, and nothing may be overwritten with it.

        Parameters
        ----------
        meta : mapping
            The checkpoint's metadata.

        Raises
        ------
        ValueError
            If they do not go together.
        """
        size, step, loss = meta["log_size"], meta["step"], meta["loss"]
        told = HEADERS if step == 0 else (f"{step},{loss!r},",)
        with open_regular(self.log_file, "rb") as log:
            known = type(size) is int and size > 0
            before = log.read(size) if known else b""
            if known and len(before) < size:
                raise ValueError(f"{self.log_file}: shorter than when the checkpoint was written")
        line = (before.splitlines(keepends=True)[-1:] or [b""])[0]
        if not (line.startswith(tuple(text.encode() for text in told)) and line.endswith(b"\n")):
            raise ValueError(
                f"{self.last}: not a checkpoint of this run: at its step, {step!r}, log.csv does "
                f"not tell its loss, {loss!r}"
            )

    def open_log(self, size: int) -> Log:
        """Open the log for adding lines.

        Parameters
        ----------
        size : int
            It is cut back to so many bytes; 0 begins a new one.

        Returns
        -------
        Log
            Also to be had as the property `log`.
        """
        self._log = Log(self.log_file, size)
        return self._log

    @property
    def log(self) -> Log:
        """The log that was opened last."""
        if self._log is None:
            raise ValueError(f"{self.log_file}: is not open")
        return self._log

    def close(self) -> None:
        """Close the log and let another run into the folder."""
        try:
            if self._log is not None:
                self._log.close()
        finally:
            began = self.settings_file.exists()
            if not began:  # leave no trace: the lock's file goes while we still hold it
                (self.path / ".lock").unlink(missing_ok=True)
            self._lock.release()
            for folder in [] if began else self._made:
                with contextlib.suppress(OSError):  # somebody put something into it
                    folder.rmdir()

    def __enter__(self) -> "RunFolder":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _make_folders(path: Path) -> list[Path]:
    """Make `path` and the folders above it; return those made, the deepest first."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(parents=True, exist_ok=True)
    return missing
