"""Checks of exercises 12 and 13: V_Rand and SEG of label maps small enough to count by hand.

Lessons: `lessons/12-scores.md`, `lessons/13-touching-cells.md`.
"""

from contextlib import suppress
from functools import partial

import numpy as np

from tinyunet.exercises.diagnose import compare, same
from tinyunet.exercises.learner import Wrong
from tinyunet.metrics.regions import seg

# Two cells of truth, 0 is membrane; and what a method may make of them.
TRUTH = np.array([[1, 1, 0, 2, 2], [1, 1, 0, 2, 2], [1, 1, 0, 2, 2]])
MERGED = np.full((3, 5), 3)
SPLIT = np.array([[1, 1, 0, 2, 2], [0, 0, 0, 2, 2], [4, 4, 0, 2, 2]])
SHIFTED = np.array([[0, 1, 1, 0, 2], [0, 1, 1, 0, 2], [0, 1, 1, 0, 2]])
NOTHING = np.zeros((3, 5), np.int64)
PROPOSALS = (
    ("the truth itself scores 1", TRUTH),
    ("two cells merged", MERGED),
    ("one cell split by a membrane", SPLIT),
    ("everything a pixel too far to the right", SHIFTED),
)


def _random_maps():
    rng = np.random.default_rng(12)
    return [(rng.integers(0, 4, (7, 6)), rng.integers(0, 5, (7, 6))) for _ in range(3)]


def _sums(proposal, truth):
    """The sums of squares that V_Rand is made of, by name."""
    table = np.zeros((truth.max() + 1, proposal.max() + 1))
    np.add.at(table, (truth.ravel(), proposal.ravel()), 1)
    cells = table[1:]
    lost = cells[:, 0].sum()
    return {
        "a": (cells.sum(axis=1) ** 2).sum(),
        "b": (cells[:, 1:].sum(axis=0) ** 2).sum(),
        "ab": (cells[:, 1:] ** 2).sum(),
        "lost": lost,
        "b with membrane": (cells.sum(axis=0) ** 2).sum(),
        "ab with membrane": (cells**2).sum(),
        "b everywhere": (table[:, 1:].sum(axis=0) ** 2).sum(),
    }


def _check_cases(name, learner, cases, variants):
    """Run a score over titled cases; `variants` are (function, explanation), the right one first.

    One small example cannot tell one mistake from another: many give the same number. So the first
    that is wrong is explained by all cases together, by the variant that fits every one.
    """
    function, right = learner.function(name), variants[0][0]

    def call(proposal, truth):
        got = function(proposal, truth)
        if np.ndim(got) != 0:
            raise Wrong(f"{name} must return one number, yours has shape {np.shape(got)}")
        return got

    for title, proposal, truth in cases:
        yield title
        got, want = call(proposal, truth), right(proposal, truth)
        if not same(got, want):
            answers = list(_answers(call, cases))
            for variant, explanation in variants[1:]:
                if all(same(answer, variant(*maps)) for answer, maps in answers):
                    raise Wrong(explanation)
            compare(name, got, want)


def _answers(call, cases):
    """Yield (answer, (proposal, truth)) of all cases that their function survives."""
    for _, proposal, truth in cases:
        with suppress(Wrong):
            yield call(proposal, truth), (proposal, truth)


def check_v_rand(learner):
    """Exercise 12: `v_rand(proposal, truth)` of two label maps."""
    cases = [(title, proposal, TRUTH) for title, proposal in PROPOSALS]
    cases.append(("awkward: all membrane", NOTHING, TRUTH))
    cases += [("random label maps", proposal, truth) for truth, proposal in _random_maps()]
    yield from _check_cases("v_rand", learner, cases, _V_RAND_VARIANTS)


def _from_sums(formula):
    """A score from the sums of squares a, b, ab, with the n_0 lost pixels counted in, and all s."""

    def score(proposal, truth):
        s = _sums(proposal, truth)
        return formula(s["a"], s["b"] + s["lost"], s["ab"] + s["lost"], s)

    return score


def _f(ab, a_plus_b):
    return 2 * ab / a_plus_b if a_plus_b else 0.0


_V_RAND_VARIANTS = (
    (_from_sums(lambda a, b, ab, s: _f(ab, a + b)), ""),
    (_from_sums(lambda a, b, ab, s: 1 - _f(ab, a + b)),
     "you return the Rand *error*: V_Rand is 1 minus it"),
    (_from_sums(lambda a, b, ab, s: ab / b),
     "you return the precision alone: the F-score is 2ab / (a + b)"),
    (_from_sums(lambda a, b, ab, s: ab / a),
     "you return the recall alone: the F-score is 2ab / (a + b)"),
    (_from_sums(lambda a, b, ab, s: ab / (a + b)), "a factor 2 is missing: 2ab / (a + b)"),
    (_from_sums(lambda a, b, ab, s: _f(s["ab"], a + s["b"])),
     "you leave out cell pixels that the proposal calls membrane: each counts as a cell of one "
     "pixel, in b and in ab"),
    (_from_sums(lambda a, b, ab, s: _f(s["ab with membrane"], a + s["b with membrane"])),
     "you take the proposal's membrane for a cell: its pixels count one by one, 1² each"),
    (_from_sums(lambda a, b, ab, s: _f(ab, a + s["b everywhere"] + s["lost"])),
     "your b counts pixels where the truth is membrane: they are left out everywhere"),
    (lambda proposal, truth: _rand_index(proposal, truth),
     "that is the Rand index over all pairs: V_Rand counts together-pairs only, as an F-score"),
    (_from_sums(lambda a, b, ab, s: 1.0),
     "your sums are not squared: n² counts the pairs of pixels in a cell"),
)  # fmt: skip


def _rand_index(proposal, truth):
    """The share of all pairs of pixels on which both maps agree."""
    ours, theirs = proposal.ravel(), truth.ravel()
    upper = np.triu_indices(len(ours), 1)
    together = [(m[:, None] == m)[upper] for m in (ours, theirs)]
    return (together[0] == together[1]).mean()


def check_seg(learner):
    """Exercise 13: `seg(result, truth)`, the Cell Tracking Challenge's score."""
    half = TRUTH.copy()
    half[:, 3] = 0
    truth = np.array([[5, 5, 5, 0, 9], [5, 5, 5, 0, 0], [5, 5, 0, 0, 0]])
    result = np.array([[2, 2, 2, 2, 9], [2, 2, 0, 0, 0], [7, 0, 0, 8, 8]])
    cases = [(title, result, TRUTH) for title, result in PROPOSALS]
    cases += [
        ("exactly half of a cell is no match", half, TRUTH),
        ("awkward: nothing was found", NOTHING, TRUTH),
        ("other numbers, cells that are not there, unequal sizes", result, truth),
        *(("random label maps", r, np.where(t > 1, 1, t)) for t, r in _random_maps()),
    ]
    yield from _check_cases("seg", learner, cases, _SEG_VARIANTS)


def _seg(result, truth, score="iou", match=lambda shared, size: 2 * shared > size,
         background=False, missed=True, same_number=False):  # fmt: skip
    """SEG with one of its rules changed."""
    scores = []
    for cell in np.unique(truth[truth != 0]):
        inside, best = truth == cell, None
        for other in np.unique(result[inside]):
            theirs = result == other
            shared, size = (inside & theirs).sum(), inside.sum()
            if (other == 0 and not background) or not match(shared, size):
                continue
            if same_number and other != cell:
                continue
            bottom = {
                "iou": (inside | theirs).sum(),
                "dice": (size + theirs.sum()) / 2,
                "share": size,
            }[score]
            best = max(best or 0.0, shared / bottom)
        if best is not None or missed:
            scores.append(best or 0.0)
    return sum(scores) / len(scores) if scores else 0.0


def _foreground_iou(result, truth):
    both = np.count_nonzero((result > 0) & (truth > 0))
    return both / np.count_nonzero((result > 0) | (truth > 0))


def _reversed_seg(result, truth):
    return seg(truth, result) if result.any() else 0.0


_SEG_VARIANTS = (
    (seg, ""),
    (partial(_seg, score="dice"),
     "you return the Dice overlap 2|R∩S| / (|R| + |S|): SEG is |R∩S| / |R∪S|"),
    (partial(_seg, score="share"),
     "you divide by the true cell alone: |R∪S| grows with what the result claims too much"),
    (partial(_seg, match=lambda shared, size: 2 * shared >= size),
     "exactly half counts as a match in yours: it must be more than half"),
    (partial(_seg, match=lambda shared, size: True),
     "your match is the best overlap, however small: it must hold *more than half* of the true "
     "cell"),
    (partial(_seg, background=True), "you let the background match a cell: 0 is no object"),
    (partial(_seg, missed=False), "you leave missed cells out of the mean: each counts 0"),
    (partial(_seg, same_number=True),
     "you compare cells of the same number: numbers mean nothing, the overlap decides"),
    (_foreground_iou, "that is the IoU of the whole foreground: SEG goes cell by cell"),
    (_reversed_seg,
     "you take the mean over the result's cells: SEG goes through the true ones (are the "
     "arguments swapped?)"),
)  # fmt: skip
