"""JSON files of a run folder, and the one that says what the run was started with.

Lesson: lessons/11-training.md.
"""

import json
import os
from pathlib import Path
from typing import Any

from tinyunet._files import atomic_write, open_regular, printable
from tinyunet.training.settings import Settings

# Files without a format have no such setting. The number tells them from one that has lost it.
FORMAT, BEFORE_FORMATS = 2, {"momentum_warmup": 0}


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
        values = content["settings"]
        if "format" not in content:
            values = BEFORE_FORMATS | values
        return Settings.from_dict(values), str(content["data"])
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: damaged ({printable(error)})") from error  # JSON's: ValueErrors
