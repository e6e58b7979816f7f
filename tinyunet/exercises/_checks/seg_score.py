"""Check of exercise 13: SEG, the Cell Tracking Challenge's score.

Lesson: `lessons/13-touching-cells.md`.
"""

from collections.abc import Callable
from functools import cache, partial

import numpy as np

from tinyunet.arrays import Array
from tinyunet.exercises._checks.maps import NOTHING, PREDICTIONS, TRUTH, random_maps
from tinyunet.exercises.task import Case, Mistake, Output, Task


def _overlap(kind: str, inside: Array, theirs: Array) -> float:
    shared, size, other = (inside & theirs).sum(), inside.sum(), theirs.sum()
    return float(
        {
            "iou": shared / (inside | theirs).sum(),
            "dice": 2 * shared / (size + other),
            "truth": shared / size,
            "prediction": shared / other,
            "sum": shared / (size + other),
            "larger": shared / max(size, other),
            "smaller": shared / min(size, other),
        }[kind]
    )


def seg(
    truth: Array,
    prediction: Array,
    kind: str = "iou",
    match: Callable[..., bool] = lambda shared, size, other: 2 * shared > size,
    background: bool = False,
    missed: bool = True,
    same_number: bool = False,
    truth_background: bool = False,
    by_size: bool = False,
    last: bool = True,
    keep: str = "best",
) -> float:
    """The right answer, or with one of its rules changed."""
    scores, sizes = [], []
    for cell in np.unique(truth)[: None if last else -1]:
        if cell == 0 and not truth_background:
            continue
        inside, best = truth == cell, None
        numbers, counts = np.unique(prediction[inside], return_counts=True)
        for other in numbers[[counts.argmax()]] if keep == "most" else numbers:
            theirs = prediction == other
            shared, size = (inside & theirs).sum(), inside.sum()
            if (other == 0 and not background) or not match(shared, size, theirs.sum()):
                continue
            if same_number and other != cell:
                continue
            score = _overlap(kind, inside, theirs)
            best = score if keep == "last" else max(best or 0.0, score)
        if best is not None or missed:
            scores.append(best or 0.0)
            sizes.append(inside.sum() if by_size else 1)
    return float(np.average(scores, weights=sizes)) if scores else 0.0


def _foreground(truth: Array, prediction: Array) -> float:
    """IoU that knows no cells."""
    both = np.count_nonzero((prediction > 0) & (truth > 0))
    return both / np.count_nonzero((prediction > 0) | (truth > 0))


def _reversed(truth: Array, prediction: Array) -> float:
    return seg(prediction, truth) if prediction.any() else 0.0


def _summed(truth: Array, prediction: Array) -> float:
    return seg(truth, prediction) * np.count_nonzero(np.unique(truth))


def _detected(truth: Array, prediction: Array) -> float:
    """The share of cells that are found."""
    return seg(truth, prediction, "truth", lambda s, size, o: 2 * s > size) and float(
        np.mean([_found(truth == c, prediction) for c in np.unique(truth[truth > 0])])
    )


def _found(inside: Array, prediction: Array) -> bool:
    numbers, counts = np.unique(prediction[inside], return_counts=True)
    return bool(numbers[counts.argmax()] != 0 and 2 * counts.max() > inside.sum())


def _over_predicted(truth: Array, prediction: Array) -> float:
    """The right sum, divided by the number of the prediction's cells."""
    cells = np.count_nonzero(np.unique(prediction))
    return _summed(truth, prediction) / cells if cells else 0.0


def _kept(truth: Array, prediction: Array) -> float:
    """A cell without a match gets the score of the one before it."""
    score, scores = 0.0, []
    for cell in np.unique(truth[truth != 0]):
        inside = truth == cell
        if _found(inside, prediction):
            score = seg(inside.astype(np.int64), prediction)
        scores.append(score)
    return float(np.mean(scores))


def _either_half(shared: int, size: int, other: int) -> bool:
    return 2 * shared > size or 2 * shared > other


MISTAKES = (
    Mistake("you return the Dice overlap 2|R∩S| / (|R| + |S|): SEG is |R∩S| / |R∪S|",
            partial(seg, kind="dice")),
    Mistake("you divide by the true cell alone: |R∪S| grows with what the prediction claims too "
            "much", partial(seg, kind="truth")),
    Mistake("you divide by the predicted cell alone: |R∪S| grows with what it lacks",
            partial(seg, kind="prediction")),
    Mistake("you divide by |R| + |S|: the shared pixels count once in |R∪S|",
            partial(seg, kind="sum")),
    Mistake("you divide by the larger of the two cells: SEG divides by |R∪S|",
            partial(seg, kind="larger")),
    Mistake("you divide by the smaller of the two cells: SEG divides by |R∪S|",
            partial(seg, kind="smaller")),
    *(Mistake("exactly half counts as a match in yours: it must be more than half",
              partial(seg, match=lambda shared, size, other: 2 * shared >= size, keep=keep))
      for keep in ("best", "last", "most")),
    Mistake("your half is rounded down, so that less than half may match: 2 · |R∩S| > |R|",
            partial(seg, match=lambda shared, size, other: shared >= size // 2)),
    Mistake("your match is the best overlap, however small: it must hold *more than half* of the "
            "true cell", partial(seg, match=lambda shared, size, other: True)),
    Mistake("your match is the cell that overlaps most, however little: it must hold *more than "
            "half* of the true cell",
            partial(seg, match=lambda shared, size, other: True, keep="most")),
    Mistake("your match is any cell that overlaps, the last one found: it must hold *more than "
            "half* of the true cell",
            partial(seg, match=lambda shared, size, other: True, keep="last")),
    *(Mistake("your match must hold more than half of the predicted cell: it is more than half of "
              "the true one",
              partial(seg, match=lambda shared, size, other: 2 * shared > other, keep=keep))
      for keep in ("best", "last")),
    Mistake("your match needs an IoU above one half: it needs more than half of the true cell",
            partial(seg, match=lambda shared, size, other: 3 * shared > size + other)),
    *(Mistake("your match holds more than half of either cell: it must be the true one",
              partial(seg, match=_either_half, keep=keep)) for keep in ("best", "last")),
    Mistake("you let the background match a cell: 0 is no object", partial(seg, background=True)),
    Mistake("you count the true background as a cell: 0 is no object",
            partial(seg, truth_background=True)),
    Mistake("you count background as a cell, in both maps: 0 is no object",
            partial(seg, truth_background=True, background=True)),
    Mistake("you leave missed cells out of the mean: each counts 0", partial(seg, missed=False)),
    Mistake("a cell without a match gets the score of the cell before it: begin each with 0",
            _kept),
    Mistake("you compare cells of the same number: numbers mean nothing, the overlap decides",
            partial(seg, same_number=True)),
    Mistake("you compare cells of the same number: numbers mean nothing, the overlap decides",
            partial(seg, same_number=True, match=lambda shared, size, other: True)),
    Mistake("your mean weighs cells by their size: each counts the same",
            partial(seg, by_size=True)),
    Mistake("your last cell is left out: range(1, truth.max()) ends before it",
            partial(seg, last=False)),
    Mistake("that is the IoU of the whole foreground: SEG goes cell by cell", _foreground),
    Mistake("you take the mean over the predicted cells: SEG goes through the true ones (are the "
            "arguments exchanged?)", _reversed),
    Mistake("you divide the sum by the number of predicted cells: it is a mean over the true ones",
            _over_predicted),
    Mistake("you return the sum over the cells: SEG is their mean", _summed),
    Mistake("you count the cells that are found: each scores its |R∩S| / |R∪S|", _detected),
)  # fmt: skip


@cache
def _cases() -> list[Case]:
    half = TRUTH.copy()
    half[:, 3] = 0
    halves = np.where(TRUTH == 1, [[3], [3], [3]], TRUTH)
    halves[:, 1] = 8
    truth = np.array([[5, 5, 5, 0, 9], [5, 5, 5, 0, 0], [5, 5, 0, 0, 0]])
    prediction = np.array([[2, 2, 2, 2, 9], [2, 2, 0, 0, 0], [7, 0, 0, 8, 8]])
    odd = np.array([[3, 3, 3, 0, 4, 4], [3, 3, 0, 0, 4, 4], [0, 6, 6, 6, 6, 6]])
    least = np.array([[1, 1, 0, 2, 2, 2], [0, 0, 0, 2, 2, 2], [0, 5, 5, 5, 0, 0]])
    merged = np.array([[1, 1, 1, 1, 1, 1], [1, 1, 0, 0, 1, 1], [0, 3, 3, 0, 3, 3]])
    title = "label maps of several shapes, numbers with gaps"
    return [
        *(Case(title, (TRUTH, p), general=False) for title, p in PREDICTIONS),
        Case("exactly half of a cell is no match", (TRUTH, half)),
        Case("exactly half of a cell is no match", (TRUTH, halves)),
        Case("awkward: nothing was found", (TRUTH, NOTHING), general=False),
        Case("other numbers, cells that are not there, unequal sizes", (truth, prediction)),
        Case("other numbers, cells that are not there, unequal sizes", (odd, least)),
        Case("other numbers, cells that are not there, unequal sizes", (odd, merged)),
        *(Case(title, pair) for pair in random_maps()),
    ]


TASKS = (Task("seg", seg, (Output("seg", MISTAKES, number=True),), _cases),)
