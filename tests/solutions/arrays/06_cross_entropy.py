"""Reference solution of exercise 06, with arrays."""

import numpy as np


def softmax_cross_entropy(logits, labels, weight_map):
    known = labels != -1
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    picked = np.take_along_axis(log_p, np.where(known, labels, 0)[:, None], axis=1)[:, 0]
    return -(weight_map * picked)[known].sum() / max(known.sum(), 1)


def softmax_cross_entropy_backward(logits, labels, weight_map):
    known = labels != -1
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    p = powers / powers.sum(axis=1, keepdims=True)
    one_hot = np.arange(logits.shape[1])[:, None, None] == labels[:, None]
    share = weight_map * known / max(known.sum(), 1)
    return ((p - one_hot) * share[:, None]).astype(logits.dtype)
