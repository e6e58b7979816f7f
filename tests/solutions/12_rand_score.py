"""Reference solution of exercise 12, with loops."""

from collections import Counter


def v_rand(truth, prediction):
    pairs, rows, columns, lost = Counter(), Counter(), Counter(), 0
    for i, j in zip(truth.ravel().tolist(), prediction.ravel().tolist(), strict=True):
        if i == 0:
            continue
        rows[i] += 1
        if j == 0:
            lost += 1
        else:
            pairs[i, j] += 1
            columns[j] += 1
    a = sum(count**2 for count in rows.values())
    b = sum(count**2 for count in columns.values()) + lost
    ab = sum(count**2 for count in pairs.values()) + lost
    return 2 * ab / (a + b)
