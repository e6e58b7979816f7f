"""Checks of exercises 12 and 13: V_Rand and SEG of label maps small enough to count by hand.

Lessons: `lessons/12-scores.md`, `lessons/13-touching-cells.md`.
"""

import numpy as np

from tinyunet.exercises.diagnose import compare
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
    inside = truth != 0
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
        "pixels": inside.sum(),
    }


def check_v_rand(learner):
    """Exercise 12: `v_rand(proposal, truth)` of two label maps."""
    v_rand = learner.function("v_rand")
    for title, proposal in PROPOSALS:
        yield title
        _compare_v_rand(v_rand, proposal, TRUTH)
    yield "awkward: all membrane"
    _compare_v_rand(v_rand, NOTHING, TRUTH)
    yield "random label maps"
    for truth, proposal in _random_maps():
        _compare_v_rand(v_rand, proposal, truth)


def _compare_v_rand(v_rand, proposal, truth):
    s = _sums(proposal, truth)
    a, b, ab, lost = s["a"], s["b"], s["ab"], s["lost"]
    want = 2 * (ab + lost) / (a + b + lost)
    compare("V_Rand", _number("v_rand", v_rand(proposal, truth)), want, (
        (1 - want, "you return the Rand *error*: V_Rand is 1 minus it"),
        ((ab + lost) / (b + lost), "you return the precision alone: the F-score is 2ab / (a + b)"),
        ((ab + lost) / a, "you return the recall alone: the F-score is 2ab / (a + b)"),
        ((ab + lost) / (a + b + lost), "a factor 2 is missing: 2ab / (a + b)"),
        (2 * ab / (a + b) if a + b else 0.0, "you leave out cell pixels that the proposal calls "
         "membrane: each counts as a cell of one pixel, in b and in ab"),
        (2 * s["ab with membrane"] / (a + s["b with membrane"]), "you take the proposal's membrane "
         "for a cell: its pixels count one by one, 1² each"),
        (2 * (ab + lost) / (a + s["b everywhere"] + lost), "your b counts pixels where the truth "
         "is membrane: they are left out everywhere"),
        (_rand_index(proposal, truth), "that is the Rand index over all pairs: V_Rand counts "
         "together-pairs only, as an F-score"),
        (_without_squares(s), "your sums are not squared: n² counts the pairs of pixels in a cell"),
    ))  # fmt: skip


def _without_squares(s):
    return 2 * s["pixels"] / (2 * s["pixels"])


def _rand_index(proposal, truth):
    """The share of all pairs of pixels on which both maps agree."""
    ours, theirs = proposal.ravel(), truth.ravel()
    upper = np.triu_indices(len(ours), 1)
    together = [(m[:, None] == m)[upper] for m in (ours, theirs)]
    return (together[0] == together[1]).mean()


def check_seg(learner):
    """Exercise 13: `seg(result, truth)`, the Cell Tracking Challenge's score."""
    function = learner.function("seg")
    for title, result in PROPOSALS:
        yield title
        _compare_seg(function, result, TRUTH)
    yield "exactly half of a cell is no match"
    half = TRUTH.copy()
    half[:, 3] = 0
    _compare_seg(function, half, TRUTH)
    yield "awkward: nothing was found"
    _compare_seg(function, NOTHING, TRUTH)
    yield "other numbers, cells that are not there, unequal sizes"
    truth = np.array([[5, 5, 5, 0, 9], [5, 5, 5, 0, 0], [5, 5, 0, 0, 0]])
    result = np.array([[2, 2, 2, 2, 9], [2, 2, 0, 0, 0], [7, 0, 0, 8, 8]])
    _compare_seg(function, result, truth)
    for truth, result in _random_maps():
        _compare_seg(function, result, np.where(truth > 1, 1, truth))


def _compare_seg(function, result, truth):
    compare("SEG", _number("seg", function(result, truth)), seg(result, truth), (
        (lambda: _seg(result, truth, score="dice"),
         "you return the Dice overlap 2|R∩S| / (|R| + |S|): SEG is |R∩S| / |R∪S|"),
        (lambda: _seg(result, truth, score="share"),
         "you divide by the true cell alone: |R∪S| grows with what the result claims too much"),
        (lambda: _seg(result, truth, match=lambda shared, size: True),
         "your match is the best overlap, however small: it must hold *more than half* of the "
         "true cell"),
        (lambda: _seg(result, truth, match=lambda shared, size: 2 * shared >= size),
         "exactly half counts as a match in yours: it must be more than half"),
        (lambda: _seg(result, truth, background=True),
         "you let the background match a cell: 0 is no object"),
        (lambda: _seg(result, truth, missed=False),
         "you leave missed cells out of the mean: each counts 0"),
        (lambda: _seg(result, truth, same_number=True),
         "you compare cells of the same number: numbers mean nothing, the overlap decides"),
        (lambda: np.count_nonzero((result > 0) & (truth > 0))
         / np.count_nonzero((result > 0) | (truth > 0)),
         "that is the IoU of the whole foreground: SEG goes cell by cell"),
        (lambda: seg(truth, result), "you take the mean over the result's cells: SEG goes through "
         "the true ones (are the arguments swapped?)"),
    ))  # fmt: skip


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


def _number(name, got):
    if np.ndim(got) != 0:
        raise Wrong(f"{name} must return one number, yours has shape {np.shape(got)}")
    return got
