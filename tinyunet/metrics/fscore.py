"""The F-score, and which threshold of a sweep wins.

Lesson: `lessons/12-scores.md`. Every ISBI 2012 score but the warping error is an F-score:
the harmonic mean of precision ("is what I say true?") and recall ("do I say all that is true?").
"""


def f_score(hits, said, true):
    """Harmonic mean of hits / said and hits / true.

    hits: what is both said and true (TP); said: TP + FP; true: TP + FN; all plain numbers.
    With no false positive the precision is 1 even if nothing was said, likewise the recall, and
    the score is 0 if both are 0: these are the challenge's conventions.
    """
    precision = 1.0 if said == hits else hits / said
    recall = 1.0 if true == hits else hits / true
    if precision + recall == 0:
        return 0.0
    return 2.0 * precision * recall / (precision + recall)


def best_of(scores):
    """Return (score, index) of the largest score, the first of equals; NaN never wins.

    The search starts from 0 at index 0, as the challenge's does: if no score is above 0, that is
    the answer.
    """
    best, index = 0.0, 0
    for k, score in enumerate(scores):
        if score > best:
            best, index = float(score), k
    return best, index


def least_of(errors):
    """Return (error, index) of the smallest error, the first of equals."""
    index = min(range(len(errors)), key=lambda k: errors[k])
    return errors[index], index
