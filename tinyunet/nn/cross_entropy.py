"""Softmax over the classes of every pixel, and the cross-entropy that each pixel weighs in.

    p_k = exp(z_k) / Σ_m exp(z_m)        E = −(1/n) Σ_x w(x) · log p_{label(x)}(x)

Shapes: logits z (N, K, H, W), labels (N, H, W) whole numbers in 0 … K − 1, weight map w (N, H, W).
n = N·H·W counts all pixels, so E does not depend on the tile size and a weight of 2 means 2.
Paper: equation 1 (printed without the minus sign). Lesson: lessons/06-cross-entropy.md. Faster
implementations: tinyunet/backends/dispatch.py.
"""

from typing import Any

import numpy as np

from tinyunet.arrays import Array, array_module
from tinyunet.nn.operation import operation


def _check(logits: Array, labels: Array, weight_map: Array | None = None) -> None:
    if logits.ndim != 4 or labels.shape != (logits.shape[0], *logits.shape[2:]):
        raise ValueError(
            f"labels {labels.shape} do not go with logits {logits.shape}: "
            f"they must be (N, H, W) and (N, K, H, W)"
        )
    if labels.dtype.kind not in "biu":
        raise ValueError(f"labels must be whole numbers: got dtype {labels.dtype}")
    if weight_map is not None and weight_map.shape != labels.shape:
        raise ValueError(
            f"weight_map {weight_map.shape} and labels {labels.shape} must be of one shape"
        )
    if array_module(labels) is np and labels.size:
        low, high = labels.min(), labels.max()
        if low < 0 or high >= logits.shape[1]:
            raise ValueError(
                f"labels run from {low} to {high}, but {logits.shape[1]} classes are "
                f"0 to {logits.shape[1] - 1}"
            )


def _log_softmax(logits: Array) -> Array:
    """Return log p. Subtracting the largest logit first changes nothing but keeps exp in range."""
    xp = array_module(logits)
    if logits.dtype.kind != "f":  # differences of unsigned numbers would wrap
        logits = logits.astype(np.float64)
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - xp.log(xp.exp(shifted).sum(axis=1, keepdims=True))


@operation()
def softmax(logits: Array) -> Array:
    """Return the probabilities of the classes at every pixel.

    Parameters
    ----------
    logits : Array, shape (N, K, H, W)
        The network's last map.

    Returns
    -------
    Array, shape (N, K, H, W)
        Positive, with a sum of 1 over the classes.
    """
    return array_module(logits).exp(_log_softmax(logits))


@operation(check=_check)
def softmax_cross_entropy(
    logits: Array, labels: Array, weight_map: Array | None = None
) -> tuple[Any, Any]:
    """Return the mean weighted cross-entropy.

    Parameters
    ----------
    logits : Array, shape (N, K, H, W)
        The network's last map; the loss is finite for logits of ±1e4.
    labels : Array of int, shape (N, H, W)
        The class of each pixel, 0 … K − 1.
    weight_map : Array, shape (N, H, W), optional
        What each pixel weighs, ≥ 0; a pixel of weight 0 is left out. None stands for ones.

    Returns
    -------
    loss : Array
        A 0-d float64 on the device of the logits.
    cache : Any
        For `softmax_cross_entropy_backward`.

    Raises
    ------
    ValueError
        Where the shapes do not go together or a label (on the CPU, where looking is cheap) is none
        of the K classes.
    """
    xp = array_module(logits)
    log_p = _log_softmax(logits)
    one_hot = xp.arange(logits.shape[1])[:, None, None] == labels[:, None]  # (N, K, H, W)
    if weight_map is None:
        weight_map = xp.ones(labels.shape, dtype=logits.dtype)
    weight_map = weight_map.astype(logits.dtype, copy=False)
    log_p_label = xp.where(one_hot, log_p, 0).sum(axis=1)  # (N, H, W)
    loss = -(weight_map * log_p_label).sum(dtype=np.float64) / labels.size
    return loss, (xp.exp(log_p), one_hot, weight_map)


@operation()
def softmax_cross_entropy_backward(cache: Any) -> Array:
    """Return the gradient of the loss for the logits.

    Parameters
    ----------
    cache : Any
        What `softmax_cross_entropy` returned beside the loss.

    Returns
    -------
    Array, shape (N, K, H, W)
        (p − 1 at the label, p elsewhere) · w / n.
    """
    p, one_hot, weight_map = cache
    return (p - one_hot) * (weight_map[:, None] / p.dtype.type(weight_map.size))
