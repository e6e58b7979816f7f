"""A run on one page: report.html, readable without a network and without anything beside it.

Lesson: lessons/11-training.md.
"""

import base64
import shlex
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Any

from tinyunet._files import atomic_write
from tinyunet._text import plural, size_text
from tinyunet.report.commands import evaluate_command, predict_command
from tinyunet.report.held_out import best_row, read_scores, score_held_out
from tinyunet.report.state import best_validation
from tinyunet.training.history import found_data, part_of, read_history
from tinyunet.training.log import read_log
from tinyunet.training.observer import TrainingResult
from tinyunet.training.plan import Plan
from tinyunet.training.settings import Settings
from tinyunet.training.settings_file import read_settings

_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: 0; } h2 { font-size: 1.2rem; margin-top: 2.2rem; }
img { max-width: 100%; background: white; border-radius: 4px; }
table { border-collapse: collapse; display: block; overflow-x: auto; }
th, td { padding: .15rem .8rem .15rem 0; text-align: right; font-variant-numeric: tabular-nums; }
th:first-child, td:first-child { text-align: left; } th { font-weight: 600; }
tr.best td { font-weight: 700; }
pre { background: #8882; padding: .6rem .8rem; border-radius: 4px; white-space: pre-wrap;
  overflow-wrap: anywhere; }
.summary { color: #777; margin-top: .2rem; }
""".strip()


def score_and_report(folder: Path, plan: Plan, result: TrainingResult, bar: bool = False) -> None:
    """Score a run that came to its end on what it held out, and write its report.

    Parameters
    ----------
    folder : Path
        The run folder.
    plan : Plan
        Of the run.
    result : TrainingResult
        How it ended.
    bar : bool, optional
        Whether there is a bar on stderr.

    Raises
    ------
    OSError, ValueError
        Where scoring or the report fails; if scoring does, the report is written all the same.
    """
    try:
        if result.interrupted is None and result.best is not None:
            score_held_out(folder, plan, bar)
    finally:
        write_report(folder)


def write_report(folder: Path) -> Path:
    """Write a run's report from what lies in its folder.

    Parameters
    ----------
    folder : Path
        A run folder.

    Returns
    -------
    Path
        Of the report.html in it.

    Raises
    ------
    OSError, ValueError
        If the folder holds no run, or a damaged one.
    """
    folder = Path(folder)
    settings, fingerprint = read_settings(folder)
    log, history, scores = (
        read_log(folder / "log.csv"),
        read_history(folder / "history.json"),
        read_scores(folder),
    )
    parts = [
        f"<h1>{escape(folder.resolve().name)}</h1>",
        f'<p class="summary">{escape(summary(settings, log))}</p>',
        _section("How it learned", _image(folder / "curves.png", "curves of the run")),
        _section("How good it is", _scores_or_why_not(folder, scores)),
        _section("What it learned from", _data(settings, history, fingerprint)),
        _section("What to do with it", _commands(folder, settings, history, scores)),
        _section("How it was made", _settings(settings) + _starts(history)),
    ]
    text = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(folder.resolve().name)}: a tinyunet run</title>\n"
        f"<style>\n{_STYLE}\n</style>\n</head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body>\n</html>\n"
    )
    with atomic_write(folder / "report.html") as temporary:
        temporary.write_text(text, encoding="utf-8")
    return folder / "report.html"


def summary(settings: Settings, log: dict[str, list[Any]]) -> str:
    """Say in a line how far a run is and how good.

    Parameters
    ----------
    settings : Settings
        Of the run.
    log : dict
        As `read_log` returns it.

    Returns
    -------
    str
        "600 of 600 steps; best validation at step 500: 4.2 % of the pixels wrong".
    """
    done = log["step"][-1] if log["step"] else 0
    text = f"{done:,} of {plural(settings.steps, 'step')}"
    best = best_validation(log)
    if best is None:
        return f"{text}; nothing was validated"
    rate = f"{100 * best['pixel_error_rate']:.2f} % of the pixels wrong"
    return f"{text}; best validation at step {best['step']:,}: {rate}"


def _section(title: str, content: str) -> str:
    return f"<h2>{escape(title)}</h2>\n{content}" if content else ""


def _image(path: Path, words: str) -> str:
    """The picture, within the page."""
    if not path.is_file():
        return ""
    data = base64.b64encode(path.read_bytes()).decode()
    return f'<img alt="{escape(words)}" src="data:image/png;base64,{data}">'


def _table(header: Sequence[str], rows: Iterable[Sequence[str]], best: int | None = None) -> str:
    lines = ["<table>", "<tr>" + "".join(f"<th>{escape(cell)}</th>" for cell in header) + "</tr>"]
    for number, row in enumerate(rows):
        mark = ' class="best"' if number == best else ""
        lines.append(f"<tr{mark}>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>")
    return "\n".join([*lines, "</table>"])


def _scores_or_why_not(folder: Path, scores: dict[str, Any] | None) -> str:
    if scores is None:
        return (
            "<p>No slice was held out, the run did not come to its end, or scoring failed, so "
            "nobody can say. <code>tinyunet train … --val 20%</code> holds out a fifth of the "
            "slices.</p>"
        )
    try:
        return _scores(folder, scores)
    except (KeyError, TypeError, ValueError, AttributeError):
        return "<p>scores.json is damaged.</p>"


def _scores(folder: Path, scores: dict[str, Any]) -> str:
    parts = [
        f"<p>The weights of step {escape(str(scores.get('step')))} on the held-out slices:</p>"
    ]
    rows: list[dict[str, float]] = scores.get("thresholds") or []
    if rows:
        names = ["threshold", *(name for name in rows[0] if name != "threshold")]
        key = "seg" if "seg" in names else "f_score"
        best = rows.index(best_row(rows))
        shown = [[f"{row['threshold']:.1f}", *(f"{row[n]:.4f}" for n in names[1:])] for row in rows]
        parts.append(_table([_WORDS.get(name, name) for name in names], shown, best))
        parts.append(
            "<p>A pixel is of class 1 where its probability is above the threshold. Bold: the best "
            f"{_WORDS[key]}; chosen on these slices, it flatters a little. <code>tinyunet "
            "predict</code> makes masks and cells with this threshold (postprocessing.json).</p>"
        )
    if classes := scores.get("classes"):
        shown = [
            [str(row["class"]), f"{row['f_score']:.4f}", f"{row['iou']:.4f}"] for row in classes
        ]
        parts.append(_table(["class", "F-score", "IoU"], shown))
    slices = sorted(scores.get("slices", []), key=lambda row: row["pixel_error_rate"])
    parts.append(_image(folder / "held-out.png", "best, median and worst held-out slice"))
    shown = [[str(row["name"]), f"{100 * row['pixel_error_rate']:.2f} %"] for row in slices]
    parts.append("<details><summary>Every held-out slice, the best one first</summary>")
    parts.append(_table(["slice", "pixels wrong"], shown) + "</details>")
    return "\n".join(parts)


_WORDS = {
    "threshold": "threshold",
    "pixel_error_rate": "pixel error rate",
    "f_score": "F-score",
    "iou": "IoU",
    "seg": "SEG",
}


def _data(settings: Settings, history: list[dict[str, Any]], fingerprint: str) -> str:
    lines = found_data(history)
    held = "nothing was held out for validation"
    if settings.val is not None:
        first, last = settings.val[0], settings.val[1] - 1
        which = f"slices {first} to {last} were" if last > first else f"slice {first} was"
        held = f"{which} held out for validation"
    lines += [held, f"SHA-256 of images and labels: {fingerprint}"]
    return "<pre>" + "\n".join(escape(line) for line in lines) + "</pre>"


def _commands(
    folder: Path,
    settings: Settings,
    history: list[dict[str, Any]],
    scores: dict[str, Any] | None,
) -> str:
    """What to type next."""
    lines = [predict_command(folder, history) + " --overlays overlays"]
    lines.append(evaluate_command(folder, history, scores))
    if not settings.decay:  # a rate that has fallen to nothing has no further steps
        run = shlex.quote(str(folder))
        lines.append(f"tinyunet train IMAGES LABELS --out {run} --resume --steps MORE")
    return "<pre>" + escape("\n".join(lines)) + "</pre>"


def _settings(settings: Settings) -> str:
    default = Settings().to_dict()
    rows = [
        [name, "none" if value is None else str(value), "" if value == default[name] else "changed"]
        for name, value in settings.to_dict().items()
    ]
    return (
        "<details><summary>Settings</summary>\n"
        + _table(["setting", "value", ""], rows)
        + "</details>"
    )


def _starts(history: list[dict[str, Any]]) -> str:
    """Each start of the run: when, after which step, on which machine, by which command."""
    parts = []
    for start in history:
        machine = part_of([start], "machine")
        where = ", ".join(
            str(machine[name]) for name in ("processor", "system") if machine.get(name)
        )
        if isinstance(machine.get("memory"), int):
            where += f", {machine.get('cores')} cores, {size_text(machine['memory'])}"
        libraries = [f"tinyunet {start.get('tinyunet')}"]
        names = ("python", "numpy", "numba", "scipy")
        libraries += [f"{name} {machine[name]}" for name in names if machine.get(name)]
        lines = [
            f"{start.get('date')}, after step {start.get('after_step')}, on {start.get('device')}",
            where,
            ", ".join(libraries),
        ]
        if start.get("command"):
            lines.append(f"$ {start['command']}")
        parts.append("<pre>" + escape("\n".join(lines)) + "</pre>")
    return "\n".join(parts)
