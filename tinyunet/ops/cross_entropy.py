"""Softmax over the classes of every pixel, and the cross-entropy that each pixel weighs in.

    p_k = exp(z_k) / Σ_m exp(z_m)        E = −(1/n) Σ_x w(x) · log p_{label(x)}(x)

Shapes: logits z (N, K, H, W), labels (N, H, W) whole numbers in 0 … K − 1, weights w (N, H, W).
n = N·H·W counts all pixels, so E does not depend on the tile size and a weight of 2 means 2.
Paper: equation 1 (printed without the minus sign). Lesson: lessons/06-cross-entropy.md.
"""

import numpy as np

from tinyunet.arrays import array_module
from tinyunet.ops.dispatch import faster, maker


def _log_softmax(logits):
    """Return log p. Subtracting the largest logit first changes nothing but keeps exp in range."""
    xp = array_module(logits)
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - xp.log(xp.exp(shifted).sum(axis=1, keepdims=True))


def softmax(logits):
    """Return the probabilities (N, K, H, W) of the classes at every pixel."""
    return array_module(logits).exp(_log_softmax(logits))


def softmax_cross_entropy(logits, labels, weights=None):
    """Return the mean weighted cross-entropy (a 0-d float64) and the cache.

    logits: (N, K, H, W); labels: (N, H, W) integers in 0 … K − 1; weights: (N, H, W) ≥ 0, or None
    for all ones (a weight of 0 leaves a pixel out). Finite for logits of ±1e4. Raises ValueError
    where the shapes do not go together or a label (on the CPU, where looking is cheap) is none of
    the K classes.
    """
    _check(logits, labels, weights)
    if kernels := faster("softmax_cross_entropy", logits):
        return kernels.softmax_cross_entropy(logits, labels, weights)
    xp = array_module(logits)
    log_p = _log_softmax(logits)
    one_hot = xp.arange(logits.shape[1])[:, None, None] == labels[:, None]  # (N, K, H, W)
    if weights is None:
        weights = xp.ones(labels.shape, dtype=logits.dtype)
    weights = weights.astype(logits.dtype, copy=False)
    log_p_label = xp.where(one_hot, log_p, 0).sum(axis=1)  # (N, H, W)
    loss = -(weights * log_p_label).sum(dtype=np.float64) / labels.size
    return loss, (xp.exp(log_p), one_hot, weights)


def softmax_cross_entropy_backward(cache):
    """Return dlogits (N, K, H, W), the gradient of the loss: (p − 1 at the label) · w / n."""
    if kernels := maker(cache):
        return kernels.softmax_cross_entropy_backward(cache)
    p, one_hot, weights = cache
    return (p - one_hot) * (weights[:, None] / p.dtype.type(weights.size))


def _check(logits, labels, weights):
    if logits.ndim != 4 or labels.shape != (logits.shape[0], *logits.shape[2:]):
        raise ValueError(
            f"labels {labels.shape} do not go with logits {logits.shape}: "
            f"they must be (N, H, W) and (N, K, H, W)"
        )
    if labels.dtype.kind not in "biu":
        raise ValueError(f"labels must be whole numbers: got dtype {labels.dtype}")
    if weights is not None and weights.shape != labels.shape:
        raise ValueError(f"weights {weights.shape} and labels {labels.shape} must be of one shape")
    if array_module(labels) is np and labels.size:
        low, high = labels.min(), labels.max()
        if low < 0 or high >= logits.shape[1]:
            raise ValueError(
                f"labels run from {low} to {high}, but {logits.shape[1]} classes are "
                f"0 to {logits.shape[1] - 1}"
            )
