"""The F-score, and which threshold of a sweep wins.

Lesson: `lessons/12-scores.md`. Every ISBI 2012 score but the warping error is an F-score:
the harmonic mean of precision ("is what I say true?") and recall ("do I say all that is true?").
"""

from collections.abc import Sequence


def f_score(hits: int, said: int, true: int) -> float:
    """Return the harmonic mean of the precision hits / said and the recall hits / true.

    Parameters
    ----------
    hits : int
        What is both predicted and true (TP).
    said : int
        What is predicted, TP + FP.
    true : int
        What is true, TP + FN.

    Returns
    -------
    float
        In 0..1.

    Notes
    -----
    With no false positive the precision is 1 even if nothing was predicted, likewise the recall,
    and the score is 0 if both are 0: these are the challenge's conventions.
    """
    precision = 1.0 if said == hits else hits / said
    recall = 1.0 if true == hits else hits / true
    if precision + recall == 0:
        return 0.0
    return 2.0 * precision * recall / (precision + recall)


def best_of(scores: Sequence[float]) -> tuple[float, int]:
    """Return the largest score, the first of equals; NaN never wins.

    Parameters
    ----------
    scores : sequence of float
        One a threshold.

    Returns
    -------
    score : float
        The largest.
    index : int
        Its place. The search starts from 0 at index 0, as the challenge's does: if no score is
        above 0, that is the answer.
    """
    best, index = 0.0, 0
    for k, score in enumerate(scores):
        if score > best:
            best, index = float(score), k
    return best, index


def least_of(errors: Sequence[int]) -> tuple[int, int]:
    """Return the smallest error, the first of equals.

    Parameters
    ----------
    errors : sequence of int
        One a threshold, at least one.

    Returns
    -------
    error : int
        The smallest.
    index : int
        Its place.
    """
    index = min(range(len(errors)), key=lambda k: errors[k])
    return errors[index], index
