"""Reference solution of exercise 13, with arrays."""

import numpy as np


def seg(truth, prediction):
    scores = []
    for cell in np.unique(truth)[np.unique(truth) > 0]:
        inside = truth == cell
        numbers, counts = np.unique(prediction[inside], return_counts=True)
        best = counts.argmax()
        if numbers[best] == 0 or 2 * counts[best] <= inside.sum():
            scores.append(0.0)
            continue
        theirs = prediction == numbers[best]
        scores.append(counts[best] / np.count_nonzero(inside | theirs))
    return np.mean(scores)
