"""What there is to say of a run folder, read from its files.

Lesson: lessons/11-training.md.
"""

from pathlib import Path
from typing import Any

from tinyunet.report.held_out import read_scores
from tinyunet.training.history import found_data, read_history
from tinyunet.training.log import read_log
from tinyunet.training.settings_file import read_settings


def describe_run(folder: Path) -> dict[str, Any]:
    """Describe a run.

    Parameters
    ----------
    folder : Path
        A run folder.

    Returns
    -------
    dict
        Of a kind that JSON can hold: how many steps are done, the best validation, the settings,
        the data, the starts, the scores on the held-out slices.

    Raises
    ------
    OSError, ValueError
        If the folder holds no run, or a damaged one.
    """
    folder = Path(folder)
    settings, fingerprint = read_settings(folder)
    log_file = folder / "log.csv"
    log = read_log(log_file) if log_file.exists() else {"step": [], "loss": [], "val_loss": []}
    history = read_history(folder / "history.json")
    return {
        "run": str(folder),
        "steps_done": log["step"][-1] if log["step"] else 0,
        "steps": settings.steps,
        "loss": log["loss"][-1] if log["loss"] else None,
        "best": best_validation(log),
        "settings": settings.to_dict(),
        "data": {"sha256": fingerprint, "found": found_data(history)},
        "starts": history,
        "scores": read_scores(folder),
    }


def best_validation(log: dict[str, list[Any]]) -> dict[str, Any] | None:
    """Find the validation of the smallest loss.

    Parameters
    ----------
    log : dict
        As `read_log` returns it.

    Returns
    -------
    dict or None
        Its step, loss and pixel error rate; None where nothing was validated.
    """
    rows = [
        {"loss": loss, "step": step, "pixel_error_rate": rate}
        for step, loss, rate in zip(
            log["step"], log["val_loss"], log.get("val_pixel_error_rate", []), strict=False
        )
        if loss is not None
    ]
    return min(rows, key=lambda row: row["loss"]) if rows else None
