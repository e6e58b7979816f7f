"""One run a folder: the file .lock, held by the process that writes there.

Lesson: lessons/11-training.md.
"""

import contextlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from tinyunet._files import check_regular, open_regular

if TYPE_CHECKING:
    import filelock  # loaded where it is needed: it costs start-up time

PATIENCE = 1.0  # seconds in which the number of a process that died is found to be just that


def lock_folder(folder: Path) -> "filelock.BaseFileLock":
    """Take the lock of a run folder; the system drops it when the process dies, however.

    Where a file system knows no such locks (some of clusters, and what is mounted over a network),
    a second file is the lock while it exists, and the process number in it tells whether its owner
    still lives.

    Parameters
    ----------
    folder : Path
        The run folder.

    Returns
    -------
    filelock.BaseFileLock
        Taken; let go of it by ``release()``.

    Raises
    ------
    BlockingIOError
        If another process has it.
    OSError
        If the file cannot be made, or is a link or no regular file.
    """
    import filelock

    path = folder / ".lock"
    check_regular(path)  # never follow a link into somebody's file
    try:
        lock = filelock.FileLock(path, timeout=0, fallback_to_soft=False)
        lock.acquire()
    except filelock.Timeout:
        raise _taken(folder) from None
    except (FileNotFoundError, PermissionError):
        raise
    except (NotImplementedError, OSError) as error:
        return _lock_by_existence(folder, error)
    if not isinstance(lock, filelock.SoftFileLock):  # those note their owner themselves
        with contextlib.suppress(OSError), open_regular(path, "r+b") as file:
            file.truncate()
            file.write(str(os.getpid()).encode())  # for the message of the next who wants it
    return lock


def _lock_by_existence(folder: Path, reason: BaseException) -> "filelock.BaseFileLock":
    import filelock

    lock = filelock.SoftFileLock(folder / ".lock.owner", timeout=PATIENCE)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise _taken(folder) from None
    except OSError as error:
        raise OSError(f"{folder / '.lock'}: cannot be locked ({reason}; {error})") from error
    return lock


def _taken(folder: Path) -> BlockingIOError:
    """The error for a folder that has an owner, with its process number as far as a file says."""
    owner = "unknown"
    for name in (".lock.owner", ".lock"):
        with contextlib.suppress(OSError), open_regular(folder / name, "rb") as file:
            if match := re.match(rb"\d+", file.read(20)):
                owner = match[0].decode()
                break
    return BlockingIOError(f"{folder}: another run (process {owner}) is writing into this folder")
