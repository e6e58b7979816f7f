"""Reference solution of exercise 12, with arrays."""

import numpy as np


def v_rand(truth, prediction):
    table = np.zeros((truth.max() + 1, prediction.max() + 1))
    np.add.at(table, (truth.ravel(), prediction.ravel()), 1)
    table = table[1:]
    lost = table[:, 0].sum()
    a = (table.sum(axis=1) ** 2).sum()
    b = (table[:, 1:].sum(axis=0) ** 2).sum() + lost
    ab = (table[:, 1:] ** 2).sum() + lost
    return 2 * ab / (a + b)
