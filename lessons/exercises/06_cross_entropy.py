"""Exercise 06: softmax and weighted cross-entropy, and its one-line gradient.

Lesson: lessons/06-cross-entropy.md.

    p_k = exp(z_k) / Σ_m exp(z_m)        E = −(1/n) Σ_x w(x) · log p_label(x)

over the n = N·H·W pixels. The loss and its gradient must be finite for logits of ±10 000.

Check: `tinyunet check 06`.
"""

import numpy as np


def softmax_cross_entropy(logits, labels, weights):
    """Return E, one number, for logits (N, K, H, W), labels (N, H, W) in 0 … K − 1 and weights.

    labels are integers; weights (N, H, W) are at least 0.
    """


def softmax_cross_entropy_backward(logits, labels, weights):
    """Return dlogits (N, K, H, W), the gradient of E, in the dtype of logits."""
