"""Mistakes of exercise 13, SEG."""

from solutions.mistakes import ARRAYS, LOOPS, NUMBERS

_IF = "if other != 0 and 2 * shared > inside.sum():"
_IOU = "shared / (inside | theirs).sum()"
_MEAN = "return sum(scores) / len(scores)"
_APPEND = "        scores.append(score)"
_NONE = "if numbers[best] == 0 or 2 * counts[best] <= inside.sum():"


def _overlap(new, expected):
    return (LOOPS, _IOU, new, expected)


def _match(new, expected):
    return (LOOPS, _IF, f"if {new}:", expected)


ROWS = [
    _overlap("2 * shared / (inside.sum() + theirs.sum())", "the Dice overlap"),
    _overlap("shared / inside.sum()", "you divide by the true cell alone"),
    _overlap("shared / theirs.sum()", "you divide by the predicted cell alone"),
    _overlap("shared / (inside.sum() + theirs.sum())", "you divide by |R| + |S|"),
    _overlap("shared / max(inside.sum(), theirs.sum())", "the larger of the two cells"),
    _overlap("shared / min(inside.sum(), theirs.sum())", "the smaller of the two cells"),
    _overlap("1", "you count the cells that are found"),
    _overlap("shared / (inside ^ theirs).sum()", NUMBERS),
    _overlap("shared", NUMBERS),
    _match("other != 0 and 2 * shared >= inside.sum()", "exactly half counts as a match"),
    _match("other != 0 and shared >= inside.sum() // 2", "your half is rounded down"),
    _match("other != 0 and 2 * shared > theirs.sum()", "more than half of the predicted cell"),
    _match("other != 0 and shared / (inside | theirs).sum() > 0.5", "an IoU above one half"),
    _match("other != 0 and 2 * shared > min(inside.sum(), theirs.sum())", "of either cell"),
    _match("2 * shared > inside.sum()", "you let the background match a cell"),
    _match("other == cell and 2 * shared > inside.sum()", "cells of the same number"),
    _match("other == cell", "cells of the same number"),
    _match("other != 0", "any cell that overlaps, the last one found"),
    _match("other != 0 and shared > 3", NUMBERS),
    _match("other == 0 and 2 * shared > inside.sum()", NUMBERS),
    (LOOPS, f"            {_IF}\n                score = {_IOU}",
     f"            if other != 0:\n                score = max(score, {_IOU})",
     "your match is the best overlap, however small"),
    (LOOPS, _APPEND, "        if score:\n            scores.append(score)",
     "you leave missed cells out of the mean"),
    (LOOPS, _APPEND, "        scores += [score] * inside.sum()", "weighs cells by their size"),
    (LOOPS, _MEAN, "return sum(scores)", "you return the sum over the cells"),
    (LOOPS, _MEAN, "return sum(scores) / max(1, len(np.unique(prediction[prediction > 0])))",
     "by the number of predicted cells"),
    (LOOPS, _MEAN, "return max(scores)", NUMBERS),
    (LOOPS, _MEAN, "return sorted(scores)[len(scores) // 2]", NUMBERS),
    (LOOPS, "np.unique(truth[truth != 0])", "np.unique(truth)", "you count the true background"),
    (LOOPS, "np.unique(truth[truth != 0])", "np.unique(truth[truth != 0])[:-1]",
     "your last cell is left out"),
    (LOOPS, "np.unique(truth[truth != 0])", "range(1, truth.max())", NUMBERS),
    (LOOPS, "    scores = []", "    return ((prediction > 0) & (truth > 0)).sum() / "
     "((prediction > 0) | (truth > 0)).sum()\n    scores = []", "IoU of the whole foreground"),
    (LOOPS, "    scores = []", "    prediction, truth = truth, prediction\n"
     "    if not truth.any():\n        return 0.0\n    scores = []", "over the predicted cells"),
    (LOOPS, "def seg(truth, prediction):", "def seg(prediction, truth):",
     "over the predicted cells"),
    (LOOPS, f"{_APPEND}\n    {_MEAN}", f"{_APPEND}\n        {_MEAN}", NUMBERS),
    (ARRAYS, _NONE, "if numbers[best] == 0:", "the cell that overlaps most, however little"),
    (ARRAYS, _NONE, "if 2 * counts[best] <= inside.sum():", "you let the background match a cell"),
    (ARRAYS, _NONE, _NONE.replace("<=", "<"), "exactly half counts as a match"),
    (ARRAYS, "            scores.append(0.0)\n            continue\n", "            continue\n",
     "you leave missed cells out of the mean"),
    (ARRAYS, "[np.unique(truth) > 0]", "", "you count the true background as a cell"),
    (ARRAYS, "np.count_nonzero(inside | theirs)", "np.count_nonzero(inside & theirs)",
     "you count the cells that are found"),
    (ARRAYS, "best = counts.argmax()", "best = numbers.argmax()", NUMBERS),
    # More of the kinds that a student makes.
    (LOOPS, "    scores = []\n    for cell in np.unique(truth[truth != 0]):\n"
     "        inside = truth == cell\n        score = 0.0\n",
     "    scores = []\n    score = 0.0\n    for cell in np.unique(truth[truth != 0]):\n"
     "        inside = truth == cell\n",
     "a cell without a match gets the score of the cell before it"),
    (LOOPS, "    score = shared / (inside | theirs).sum()\n        scores.append(score)",
     "    score = shared / (inside | theirs).sum()\n            scores.append(score)",
     NUMBERS),
    (LOOPS, "theirs = prediction == other",
     "theirs = (prediction == other) & inside",
     "you divide by the true cell alone"),
    (LOOPS, "score = shared / (inside | theirs).sum()",
     "score = shared // (inside | theirs).sum()",
     NUMBERS),
    (ARRAYS, "scores.append(0.0)", "scores.append(1.0)", NUMBERS),
    (ARRAYS, "return np.mean(scores)", "return np.median(scores)", NUMBERS),
    (ARRAYS, "return np.mean(scores)",
     "return np.mean([s for s in scores if s > 0.5] or 0)",
     NUMBERS),
]  # fmt: skip
