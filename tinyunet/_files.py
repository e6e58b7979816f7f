"""Files that are whole or not there: what everyone who writes a file writes it with.

A result grows in a hidden folder beside its final name, is flushed to the disk, and only then takes
that name, so that whatever happens (a kill, a full disk) one good file is left. Whatever else a
library leaves beside its file goes with the hidden folder.
Lesson: lessons/11-training.md.
"""

import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

# Of an old run: what safetensors 0.8 wrote beside its file before it renamed it.
_SAFETENSORS_LEFTOVER = re.compile(r"\.tmp[A-Za-z0-9]{6}")


@contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it is flushed and renamed to `path`.

    If the block raises (a full disk, say), the temporary file is removed and `path` is as before.
    """
    path = Path(path)
    with _hidden_folder(path) as folder:
        temporary = folder / path.name
        temporary.touch()
        mode = stat.S_IMODE(temporary.stat().st_mode)  # of any new file here
        yield temporary
        os.chmod(temporary, mode)  # some libraries make private files
        _flush(temporary)
        os.replace(temporary, path)
        _flush_folder(path.parent)


@contextmanager
def atomic_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a new folder beside `path`; on success its files are flushed and it gets that name.

    A folder that is there stays, since somebody may be in it, and is filled: its files of the same
    names are replaced. If the block raises, nothing is left of the new ones.
    """
    path = Path(os.path.abspath(path))
    with _hidden_folder(path) as folder:
        temporary = folder / path.name
        temporary.mkdir()
        yield temporary
        for file in temporary.rglob("*"):
            if file.is_file():
                _flush(file)
        if path.is_dir():
            for file in temporary.iterdir():
                os.replace(file, path / file.name)
            _flush_folder(path)
        else:
            os.replace(temporary, path)
        _flush_folder(path.parent)


@contextmanager
def _hidden_folder(path: Path) -> Iterator[Path]:
    """A private folder beside `path`, removed at the end with all that is in it."""
    folder = Path(tempfile.mkdtemp(prefix=f".{path.name[:100]}.", suffix=".tmp", dir=path.parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_leftovers(folder: Path, names: Iterable[str]) -> None:
    """Remove what a killed process left in `folder` of its writes of the files `names`.

    Of other people's files none: what is removed is named after one of `names`, or a temporary file
    of the safetensors library.
    """
    ours = tuple(f".{name}." for name in names)
    for path in folder.glob(".*"):
        regular = stat.S_ISREG(path.lstat().st_mode)
        if path.name.startswith(ours) and path.name.endswith(".tmp"):
            path.unlink() if regular else shutil.rmtree(path, ignore_errors=True)
        elif regular and _SAFETENSORS_LEFTOVER.fullmatch(path.name):
            path.unlink()


def open_regular(path: str | os.PathLike[str], mode: str = "r", **options: Any) -> IO[Any]:
    """Open a file as `open` does, but no symbolic link, FIFO, folder or device: OSError for these.

    A link could lead a write into somebody's file, and a FIFO makes its reader wait for ever.
    """

    def opener(name: str, flags: int) -> int:
        # Windows has neither flag; there, the two checks around the opening must do.
        extra = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        handle = os.open(name, flags | extra, 0o666)
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            os.close(handle)
            raise OSError(f"{name}: is not a regular file")
        return handle

    check_regular(path)
    return open(path, mode, opener=opener, **options)


def check_regular(path: str | os.PathLike[str]) -> bool:
    """Return whether `path` is a regular file, False if there is nothing; OSError for all else."""
    try:
        kind = os.lstat(path).st_mode
    except FileNotFoundError:
        return False
    if stat.S_ISLNK(kind):
        raise OSError(f"{path}: is a symbolic link: wanted a file of its own")
    if not stat.S_ISREG(kind):
        raise OSError(f"{path}: is not a regular file")
    return True


def _flush(path: Path) -> None:
    """Bring the file to the disk."""
    with open(path, "rb+") as file:
        os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    """Flush the folder's entry too: a rename is safe only once the folder is on the disk."""
    if os.name == "nt":
        return  # Windows opens no folders, and flushes their entries itself
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def printable(text: object) -> str:
    """Return `text` in one line: names and values out of a file may hold line ends and worse."""
    return "".join(c if c.isprintable() else " " for c in str(text)).strip()
