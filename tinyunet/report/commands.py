"""What to type after a run, by what its labels hold: objects, several classes, or one.

Lesson: lessons/11-training.md.
"""

import shlex
from pathlib import Path
from typing import Any

from tinyunet.training.history import part_of


def predict_command(folder: Path, history: list[dict[str, Any]]) -> str:
    """Return how a run's network is used on other images.

    Parameters
    ----------
    folder : Path
        The run folder.
    history : list of dict
        As `read_history` returns it; what it lacks is taken for a run on two classes.

    Returns
    -------
    str
        The command, with IMAGES for what to predict.
    """
    out = "--cells cells" if _kind(history) == "instances" else "--out probabilities.tif"
    return f"tinyunet predict {shlex.quote(str(folder))} IMAGES {out}"


def evaluate_command(
    folder: Path, history: list[dict[str, Any]], scores: dict[str, Any] | None
) -> str:
    """Return how that prediction is scored.

    Parameters
    ----------
    folder : Path
        The run folder.
    history : list of dict
        As `read_history` returns it.
    scores : dict or None
        As `read_scores` returns it: a threshold is there if slices were held out.

    Returns
    -------
    str
        The command, with LABELS for the ground truth.
    """
    if _kind(history) == "instances":
        return "tinyunet evaluate cells LABELS --instances"
    classes = part_of(history, "data").get("classes", 2)
    if classes != 2:
        return f"tinyunet evaluate probabilities.tif LABELS --classes {classes}"
    chosen = isinstance((scores or {}).get("thresholds"), list)
    run = f" --run {shlex.quote(str(folder))}" if chosen else ""
    return f"tinyunet evaluate probabilities.tif LABELS{run}"


def _kind(history: list[dict[str, Any]]) -> str:
    """Whether the labels were "instances" or "classes"."""
    return str(part_of(history, "data").get("kind", "classes"))
