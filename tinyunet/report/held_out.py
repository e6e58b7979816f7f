"""How good is what a run kept? Its best weights on the held-out slices, slice by slice.

Lesson: lessons/12-scores.md.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from tinyunet._files import open_regular
from tinyunet._progress import Reporter
from tinyunet._text import plural
from tinyunet.arrays import Array
from tinyunet.images import Dataset
from tinyunet.inference.postprocess import probabilities_to_cells
from tinyunet.inference.predict import predict_tiled
from tinyunet.inference.recipe import Recipe
from tinyunet.metrics import seg
from tinyunet.plot import plot_classes, plot_results
from tinyunet.training.checkpoint import load_network
from tinyunet.training.plan import Plan
from tinyunet.training.recipe_file import write_recipe
from tinyunet.training.settings_file import write_json
from tinyunet.training.validation import validation_tile

THRESHOLDS = tuple(i / 10 for i in range(1, 10))
SMALLEST_CELL = 20  # pixels, as `tinyunet predict --cells` takes it


def score_held_out(folder: Path, plan: Plan, bar: bool = False) -> dict[str, Any]:
    """Score a run's best weights on the slices that it held out, and draw the best and the worst.

    Parameters
    ----------
    folder : Path
        The run folder; scores.json, held-out.png, and for two classes postprocessing.json with
        the best threshold are written there.
    plan : Plan
        Of the run.
    bar : bool, optional
        Whether there is a bar on stderr.

    Returns
    -------
    dict
        What scores.json holds.
    """
    net, meta = load_network(Path(folder) / "best.safetensors", plan.device)
    data = plan.validation.subset(plan.validation.labelled())
    answers = []
    with Reporter(bar, len(data), "held-out slice") as report:
        for index, image in enumerate(data.images):
            tile = validation_tile(image.shape[1:], plan.settings)
            answers.append(predict_tiled(net, image, tile, normalise=None, progress=report.within))
            report(index + 1)
    rates = [_pixel_error_rate(data, i, p.argmax(axis=0)) for i, p in enumerate(answers)]
    scores: dict[str, Any] = {
        "weights": "best.safetensors",
        "step": meta.get("step"),
        "slices": [
            {"name": name, "pixel_error_rate": rate}
            for name, rate in zip(data.names, rates, strict=True)
        ],
    }
    if data.n_classes == 2:
        rows = [_at_threshold(data, answers, t, plan) for t in THRESHOLDS]
        scores["thresholds"], scores["threshold"] = rows, best_row(rows)["threshold"]
        _keep_threshold(Path(folder), data, rows, plan)
    else:
        scores["classes"] = [_of_class(data, answers, k) for k in range(data.n_classes)]
    write_json(Path(folder) / "scores.json", scores)
    _draw(Path(folder) / "held-out.png", data, answers, rates)
    return scores


def best_row(rows: list[dict[str, float]]) -> dict[str, float]:
    """Choose among thresholds: by SEG where objects were scored, else by the F-score.

    Parameters
    ----------
    rows : list of dict
        The scores at each threshold, as scores.json holds them.

    Returns
    -------
    dict
        The best row; of equal ones that nearest to 0.5.
    """
    key = "seg" if "seg" in rows[0] else "f_score"  # no objects held out, no SEG
    return max(rows, key=lambda row: (row[key], -abs(row["threshold"] - 0.5)))


def _keep_threshold(folder: Path, data: Dataset, rows: list[dict[str, float]], plan: Plan) -> None:
    """Let `predict` use the best threshold by default."""
    objects = data.kind == "instances"
    settings = {"threshold": best_row(rows)["threshold"], "min_size": SMALLEST_CELL}
    if objects:
        settings["border"] = plan.settings.border
    score = "SEG" if "seg" in rows[0] else "F-score"
    chosen = f"best {score} on {plural(len(data), 'held-out slice')}"
    found = {"settings": settings, "objects": objects, "chosen": chosen}
    write_recipe(folder, Recipe.from_dict(found))


def read_scores(folder: Path) -> dict[str, Any] | None:
    """Read what `score_held_out` found.

    Parameters
    ----------
    folder : Path
        A run folder.

    Returns
    -------
    dict or None
        None where there is no such file, or it is damaged.
    """
    try:
        with open_regular(Path(folder) / "scores.json", "rb") as file:
            content = json.loads(file.read())
    except (OSError, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _known(data: Dataset, index: int) -> Array:
    """Where a slice has ground truth, (H, W) bool."""
    valid, labels = data.valid[index], data.labels[index]
    if valid is None:
        assert labels is not None  # held-out slices are labelled ones
        return np.ones(labels.shape, bool)
    return valid


def _pixel_error_rate(data: Dataset, index: int, answer: Array) -> float:
    known = _known(data, index)
    return float((answer != data.classes(index))[known].mean()) if known.any() else 0.0


def _counts(data: Dataset, answers: list[Array], k: int) -> tuple[int, int, int, int]:
    """(hits, predicted, true, all) pixels of class `k`, where there is ground truth."""
    sums = np.zeros(4, np.int64)
    for index, answer in enumerate(answers):
        known = _known(data, index)
        said, true = (answer == k)[known], (data.classes(index) == k)[known]
        sums += [(said & true).sum(), said.sum(), true.sum(), known.sum()]
    return tuple(int(number) for number in sums)  # type: ignore[return-value]


def _overlaps(hits: int, said: int, true: int) -> dict[str, float]:
    """F-score and IoU of a class, 1 where it is neither there nor predicted."""
    return {
        "f_score": 2 * hits / (said + true) if said + true else 1.0,
        "iou": hits / (said + true - hits) if said + true else 1.0,
    }


def _at_threshold(
    data: Dataset, answers: list[Array], threshold: float, plan: Plan
) -> dict[str, float]:
    """The scores of two classes where a pixel is of class 1 above a probability."""
    masks = [(p[1].astype(np.float64) > threshold).astype(np.int32) for p in answers]
    hits, said, true, pixels = _counts(data, masks, 1)
    row = {"threshold": threshold, "pixel_error_rate": (said + true - 2 * hits) / max(pixels, 1)}
    row |= _overlaps(hits, said, true)
    if data.kind == "instances" and true:  # SEG is a mean over objects
        row["seg"] = _seg_at_threshold(data, answers, threshold, plan)
    return row


def _seg_at_threshold(data: Dataset, answers: list[Array], threshold: float, plan: Plan) -> float:
    """SEG of the cells found above a probability; both sides are 0 where no ground truth is."""
    border, truth, found = plan.settings.border, [], []
    for index, (p, labels) in enumerate(zip(answers, data.labels, strict=True)):
        assert labels is not None  # held-out slices are labelled ones
        cells = probabilities_to_cells(
            p[1].clip(0, 1), threshold=threshold, min_size=SMALLEST_CELL, border=border
        )
        known = _known(data, index)
        truth.append(np.where(known, labels, 0))
        found.append(np.where(known, cells, 0))
    return float(seg(truth, found))


def _of_class(data: Dataset, answers: list[Array], k: int) -> dict[str, float]:
    hits, said, true, _ = _counts(data, [p.argmax(axis=0) for p in answers], k)
    return {"class": k, **_overlaps(hits, said, true)}


def _draw(path: Path, data: Dataset, answers: list[Array], rates: list[float]) -> None:
    """Draw the best and the worst slice, and the one in the middle."""
    order = np.argsort(rates, kind="stable").tolist()
    places = {"median": order[len(order) // 2], "worst": order[-1], "best": order[0]}
    chosen = {index: word for word, index in places.items()}
    chosen = dict(sorted(chosen.items(), key=lambda item: rates[item[0]]))
    names = [f"{word}: slice {data.names[index]}" for index, word in chosen.items()]
    images = [data.images[index].mean(axis=0) for index in chosen]
    truths = [data.classes(index) for index in chosen]
    if data.n_classes == 2:
        plot_results(images, truths, [answers[index][1] for index in chosen], path, names)
    else:
        found = [answers[index].argmax(axis=0) for index in chosen]
        plot_classes(images, truths, found, path, names)
