"""Reference solution of exercise 13, with loops."""

import numpy as np


def seg(truth, prediction):
    scores = []
    for cell in np.unique(truth[truth != 0]):
        inside = truth == cell
        score = 0.0
        for other in np.unique(prediction[inside]):
            theirs = prediction == other
            shared = (inside & theirs).sum()
            if other != 0 and 2 * shared > inside.sum():
                score = shared / (inside | theirs).sum()
        scores.append(score)
    return sum(scores) / len(scores)
