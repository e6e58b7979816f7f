"""Reference solution of exercise 06, with loops."""

import math

import numpy as np


def softmax_cross_entropy(logits, labels, weight_map):
    total, count = 0.0, 0
    for n, i, j in np.ndindex(labels.shape):
        label = labels[n, i, j]
        if label == -1:
            continue
        z = logits[n, :, i, j]
        shifted = z - z.max()
        log_p = shifted - math.log(np.exp(shifted).sum())
        total -= weight_map[n, i, j] * log_p[label]
        count += 1
    return total / count if count else 0.0


def softmax_cross_entropy_backward(logits, labels, weight_map):
    count = (labels != -1).sum()
    dlogits = np.zeros_like(logits)
    for n, i, j in np.ndindex(labels.shape):
        label = labels[n, i, j]
        if label == -1:
            continue
        z = logits[n, :, i, j]
        powers = np.exp(z - z.max())
        p = powers / powers.sum()
        for k in range(len(p)):
            target = 1.0 if k == label else 0.0
            dlogits[n, k, i, j] = weight_map[n, i, j] * (p[k] - target) / count
    return dlogits
