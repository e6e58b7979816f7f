"""Exercise 06: softmax and weighted cross-entropy, where some pixels have no label.

Lesson: lessons/06-cross-entropy.md.

In a sparsely annotated image only some pixels have a label; the others are marked −1. They say
nothing, so they are not in the loss, and their weight means nothing either:

    p_k = exp(z_k) / Σ_m exp(z_m)        E = −(1/n) Σ_x w(x) · log p_label(x)

x runs over the n pixels that have a label. Work out what that does to the gradient. If no pixel
has one, E and its gradient are 0. Both must be finite for logits of ±10 000, also where a pixel's
logits are all far from those of its neighbours.

Check: `tinyunet check 06`.
"""


def softmax_cross_entropy(logits, labels, weight_map):
    """Return E.

    Parameters
    ----------
    logits : (N, K, H, W), float64 or float32.
    labels : (N, H, W), integers in 0 … K − 1, or −1 for a pixel without a label.
    weight_map : (N, H, W), at least 0.

    Returns
    -------
    E : one number.
    """


def softmax_cross_entropy_backward(logits, labels, weight_map):
    """Return the gradient of E.

    Parameters
    ----------
    logits, labels, weight_map : as above.

    Returns
    -------
    dlogits : (N, K, H, W), in the dtype of logits.
    """
