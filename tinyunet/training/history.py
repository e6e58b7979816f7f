"""Who ran this, when, with what: noted in the run folder at every start, for people.

Nothing that is computed depends on it. Lesson: lessons/11-training.md.
"""

import json
import platform
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from tinyunet._files import open_regular
from tinyunet._machine import total_memory, usable_cores
from tinyunet.arrays import Device, select_device
from tinyunet.images import Dataset
from tinyunet.training.settings_file import write_json


def describe_start(
    dataset: Dataset, fingerprint: str, device: Device, command: str | None, step: int
) -> dict[str, Any]:
    """Describe the start of a run, or of its going on.

    Parameters
    ----------
    dataset : Dataset
        All of the data.
    fingerprint : str
        As `images.split.fingerprint` returns it.
    device : Device
        Where the network lives.
    command : str or None
        What was typed, if it was.
    step : int
        The last step that was done before.

    Returns
    -------
    dict
        Of a kind that JSON can hold.
    """
    from tinyunet import __version__

    return {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "tinyunet": __version__,
        "command": command,
        "after_step": step,
        "data": {
            "found": dataset.describe().splitlines(),
            "kind": dataset.kind,
            "classes": dataset.n_classes,
            "sha256": fingerprint,
        },
        "device": device.name,
        "machine": machine(),
    }


def machine() -> dict[str, Any]:
    """Describe this machine and the libraries that compute on it.

    Returns
    -------
    dict
        Of a kind that JSON can hold.
    """
    import scipy

    from tinyunet._numba import numba

    return {
        "system": platform.platform(),
        "processor": _processor(),
        "cores": usable_cores(),
        "memory": total_memory(select_device("cpu")),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "numba": None if numba is None else numba.__version__,
        "scipy": scipy.__version__,
    }


def _processor() -> str:
    """The processor's name, as far as the system tells it."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def read_history(path: Path) -> list[dict[str, Any]]:
    """Read a history.

    Parameters
    ----------
    path : Path
        A history.json.

    Returns
    -------
    list of dict
        One for each start, the first one first; empty where the file is missing or damaged, for
        nothing depends on it.
    """
    try:
        with open_regular(path, "rb") as file:
            content = json.loads(file.read())
    except (OSError, ValueError, RecursionError):
        return []
    good = isinstance(content, list) and all(isinstance(item, dict) for item in content)
    return content if good else []


def part_of(history: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """Return a part of the newest start, such as "data" or "machine".

    Parameters
    ----------
    history : list of dict
        As `read_history` returns it.
    name : str
        Of the part.

    Returns
    -------
    dict
        Empty where there was no start, or where the part is missing or damaged.
    """
    part = history[-1].get(name) if history else None
    return part if isinstance(part, dict) else {}


def found_data(history: list[dict[str, Any]]) -> list[str]:
    """Return what the newest start found in the images and labels.

    Parameters
    ----------
    history : list of dict
        As `read_history` returns it.

    Returns
    -------
    list of str
        Lines for people; empty where that is missing or damaged.
    """
    found = part_of(history, "data").get("found")
    return [str(line) for line in found] if isinstance(found, list) else []


def add_to_history(path: Path, start: dict[str, Any]) -> None:
    """Add a start to a history.

    Parameters
    ----------
    path : Path
        The history.json; it need not exist.
    start : dict
        As `describe_start` returns it.
    """
    write_json(path, [*read_history(path), start])
