"""JSON files of a run folder, and the one that says what the run was started with.

Lesson: lessons/11-training.md.
"""

import json
import os
from pathlib import Path
from typing import Any

from tinyunet._files import atomic_write, open_regular, printable
from tinyunet.training.settings import Settings


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file that people can read, whole or not at all.

    Parameters
    ----------
    path : Path
        The file; an earlier one is replaced.
    content
        What JSON can hold.

    Raises
    ------
    OSError
        Naming the file, which is as before.
    """
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    try:
        with atomic_write(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OSError(f"{path}: could not be written: {error}") from error


def read_settings(folder: str | os.PathLike[str]) -> tuple[Settings, str]:
    """Read what a run was started with.

    Parameters
    ----------
    folder : path
        A run folder.

    Returns
    -------
    settings : Settings
        Of the run.
    data : str
        The fingerprint of its data.

    Raises
    ------
    ValueError
        If settings.json is damaged, or lacks a setting.
    OSError
        If it is missing, a link or no regular file.
    """
    path = Path(folder) / "settings.json"
    with open_regular(path, "rb") as file:
        text = file.read()
    try:
        content = json.loads(text.decode())
        return Settings.from_dict(content["settings"]), str(content["data"])
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: damaged ({printable(error)})") from error  # JSON's: ValueErrors
