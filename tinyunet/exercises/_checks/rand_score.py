"""Check of exercise 12: V_Rand of two label maps.

Lesson: `lessons/12-scores.md`.
"""

from collections.abc import Callable
from functools import cache

import numpy as np

from tinyunet.arrays import Array
from tinyunet.exercises._checks.maps import NOTHING, PREDICTIONS, TRUTH, random_maps
from tinyunet.exercises.task import Case, Mistake, Output, Task

Sums = dict[str, float]


def _table(truth: Array, prediction: Array) -> Array:
    """Return n_ij: how many pixels cell i of the truth shares with cell j of the prediction."""
    table = np.zeros((truth.max() + 1, prediction.max() + 1))
    np.add.at(table, (truth.ravel(), prediction.ravel()), 1)
    return table


def _sums(truth: Array, prediction: Array, power: float = 2) -> Sums:
    """The sums that V_Rand is made of, by name."""
    table = _table(truth, prediction)
    cells = table[1:]
    return {
        "a": (cells.sum(axis=1) ** power).sum(),
        "a inside": (cells[:, 1:].sum(axis=1) ** power).sum(),
        "a everywhere": (table.sum(axis=1) ** power).sum(),
        "b": (cells[:, 1:].sum(axis=0) ** power).sum(),
        "ab": (cells[:, 1:] ** power).sum(),
        "lost": cells[:, 0].sum(),
        "black": table[:, 0].sum(),
        "outside": table[0].sum(),
        "lost cells": (cells[:, 0] ** power).sum(),
        "lost as one": cells[:, 0].sum() ** power,
        "b everywhere": (table[:, 1:].sum(axis=0) ** power).sum(),
        "ab everywhere": (table[:, 1:] ** power).sum(),
    }


def _f(ab: float, a_plus_b: float) -> float:
    return 2 * ab / a_plus_b if a_plus_b else 0.0


def _score(formula: Callable[..., float], power: float = 2) -> Callable[..., float]:
    """A score from a, b, ab (with the lost pixels counted in), and all sums by name."""

    def score(truth: Array, prediction: Array) -> float:
        s = _sums(truth, prediction, power)
        return float(formula(s["a"], s["b"] + s["lost"], s["ab"] + s["lost"], s))

    return score


v_rand = _score(lambda a, b, ab, s: _f(ab, a + b))


def _swapped(truth: Array, prediction: Array) -> float:
    return v_rand(prediction, truth)


def _rand_index(truth: Array, prediction: Array, cells_only: bool) -> float:
    """The share of all pairs of pixels on which both maps agree."""
    keep = truth.ravel() > 0 if cells_only else np.ones(truth.size, bool)
    upper = np.triu_indices(int(np.count_nonzero(keep)), 1)
    maps = (prediction.ravel()[keep], truth.ravel()[keep])
    together = [(m[:, None] == m)[upper] for m in maps]
    return float((together[0] == together[1]).mean())


def _pairs(truth: Array, prediction: Array) -> float:
    """Pairs of different pixels, n (n − 1) / 2; a lost pixel has none."""

    def pairs(counts: Array) -> float:
        return float((counts * (counts - 1) / 2).sum())

    cells = _table(truth, prediction)[1:]
    a, b = pairs(cells.sum(axis=1)), pairs(cells[:, 1:].sum(axis=0))
    return _f(pairs(cells[:, 1:]), a + b)


def _without_last_cell(truth: Array, prediction: Array) -> float:
    """range(1, truth.max()) ends before the last cell."""
    return v_rand(np.where(truth == truth.max(), 0, truth), prediction)


def _without_last_predicted(truth: Array, prediction: Array) -> float:
    """range(1, prediction.max()) ends before the last cell: b and ab lack it."""
    cells = _table(truth, prediction)[1:]
    lost, kept = cells[:, 0].sum(), cells[:, 1:-1]
    ab, b = (kept**2).sum() + lost, (kept.sum(axis=0) ** 2).sum() + lost
    return float(_f(ab, (cells.sum(axis=1) ** 2).sum() + b))


_LOST = "each pixel of a cell that the prediction calls membrane counts as a cell of one pixel, "
MISTAKES = (
    Mistake("your arguments are exchanged: the ground truth comes first, and it is its membrane "
            "that is left out", _swapped),
    Mistake("you return the Rand *error*: V_Rand is 1 minus it",
            _score(lambda a, b, ab, s: 1 - _f(ab, a + b))),
    Mistake("you return the precision ab / b alone: the F-score is 2ab / (a + b)",
            _score(lambda a, b, ab, s: ab / b)),
    Mistake("you return the recall ab / a alone: the F-score is 2ab / (a + b)",
            _score(lambda a, b, ab, s: ab / a)),
    Mistake("you return the mean of precision and recall: the F-score is their harmonic mean, "
            "2ab / (a + b)", _score(lambda a, b, ab, s: (ab / a + ab / b) / 2)),
    Mistake("you return the geometric mean of precision and recall: the F-score is their harmonic "
            "mean, 2ab / (a + b)", _score(lambda a, b, ab, s: ab / np.sqrt(a * b))),
    Mistake("you return ab / (a + b − ab), Jaccard's index: V_Rand is 2ab / (a + b)",
            _score(lambda a, b, ab, s: ab / (a + b - ab))),
    Mistake("a factor 2 is missing: 2ab / (a + b)", _score(lambda a, b, ab, s: ab / (a + b))),
    Mistake("your lost pixels are left out: " + _LOST + "in b and in ab",
            _score(lambda a, b, ab, s: _f(s["ab"], a + s["b"]))),
    Mistake("your lost pixels are in b but not in ab: " + _LOST + "in both",
            _score(lambda a, b, ab, s: _f(s["ab"], a + b))),
    Mistake("your lost pixels are in ab but not in b: " + _LOST + "in both",
            _score(lambda a, b, ab, s: _f(ab, a + s["b"]))),
    Mistake("your a leaves out the lost pixels: its sum over j begins with j = 0",
            _score(lambda a, b, ab, s: _f(ab, s["a inside"] + b))),
    Mistake("your a counts lost pixels one by one: in a they belong to their cell of the ground "
            "truth", _score(lambda a, b, ab, s: _f(ab, s["a inside"] + s["lost"] + b))),
    Mistake("you leave out the pixels that the prediction calls membrane: only the ground truth's "
            "membrane is left out, the others count one by one, n_0",
            _score(lambda a, b, ab, s: _f(s["ab"], s["a inside"] + s["b"]))),
    Mistake("your lost pixels are squared, all together: they count one by one, n_0 and not n_0²",
            _score(lambda a, b, ab, s: _f(s["ab"] + s["lost as one"],
                                          a + s["b"] + s["lost as one"]))),
    Mistake("you take the prediction's membrane for a cell: its pixels count one by one, n_0",
            _score(lambda a, b, ab, s: _f(s["ab"] + s["lost cells"],
                                          a + s["b"] + s["lost as one"]))),
    Mistake("your lost pixels are squared cell by cell: they count one by one, n_0",
            _score(lambda a, b, ab, s: _f(s["ab"] + s["lost cells"],
                                          a + s["b"] + s["lost cells"]))),
    Mistake("your n_0 counts pixels where the ground truth is membrane: they are left out "
            "everywhere", _score(lambda a, b, ab, s: _f(s["ab"] + s["black"], a + s["b"]
                                                        + s["black"]))),
    Mistake("your n_0 counts the ground truth's membrane: it is the pixels of cells that the "
            "prediction calls membrane",
            _score(lambda a, b, ab, s: _f(s["ab"] + s["outside"], a + s["b"] + s["outside"]))),
    Mistake("your n_0 counts the ground truth's membrane as well: it is left out everywhere",
            _score(lambda a, b, ab, s: _f(ab + s["outside"], a + b + s["outside"]))),
    Mistake("your b counts pixels where the ground truth is membrane: they are left out everywhere",
            _score(lambda a, b, ab, s: _f(ab, a + s["b everywhere"] + s["lost"]))),
    Mistake("your sums count pixels where the ground truth is membrane: they are left out "
            "everywhere, in a, b and ab",
            _score(lambda a, b, ab, s: _f(s["ab everywhere"] + s["lost"],
                                          s["a everywhere"] + s["b everywhere"] + s["lost"]))),
    Mistake("your b and ab count pixels where the ground truth is membrane: they are left out "
            "everywhere",
            _score(lambda a, b, ab, s: _f(s["ab everywhere"] + s["lost"],
                                          a + s["b everywhere"] + s["lost"]))),
    Mistake("your sums are not squared: n² counts the pairs of pixels in a cell",
            _score(lambda a, b, ab, s: _f(ab, a + b), power=1)),
    Mistake("you count pairs of different pixels, n (n − 1) / 2: here each pixel is a pair with "
            "itself, so n²", _pairs),
    Mistake("that is the Rand index over all pairs: V_Rand counts together-pairs only, as an "
            "F-score", lambda truth, prediction: _rand_index(truth, prediction, False)),
    Mistake("that is the Rand index over all pairs: V_Rand counts together-pairs only, as an "
            "F-score", lambda truth, prediction: _rand_index(truth, prediction, True)),
    Mistake("the last cell of the ground truth is left out: range(1, truth.max()) ends before it",
            _without_last_cell),
    Mistake("the last cell of the prediction is left out: range(1, prediction.max()) ends before "
            "it", _without_last_predicted),
)  # fmt: skip


@cache
def _cases() -> list[Case]:
    cases = [Case(title, (TRUTH, p), general=False) for title, p in PREDICTIONS]
    cases.append(Case("awkward: all membrane", (TRUTH, NOTHING), general=False))
    title = "label maps of several shapes, numbers with gaps"
    return cases + [Case(title, pair) for pair in random_maps()]


TASKS = (Task("v_rand", v_rand, (Output("v_rand", MISTAKES, number=True),), _cases),)
