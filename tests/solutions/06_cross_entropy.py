"""Reference solution."""

import numpy as np


def softmax_cross_entropy(logits, labels, weights):
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    log_p_label = np.take_along_axis(log_p, labels[:, None], axis=1)[:, 0]
    return -(weights * log_p_label).sum() / labels.size


def softmax_cross_entropy_backward(logits, labels, weights):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    p = powers / powers.sum(axis=1, keepdims=True)
    one_hot = np.arange(logits.shape[1])[:, None, None] == labels[:, None]
    return (p - one_hot) * weights[:, None] / labels.size
