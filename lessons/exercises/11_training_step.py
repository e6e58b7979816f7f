"""Exercise 11: one step of training.

Lesson: lessons/11-training.md.

Five lines: forward with drop-out, the weighted loss, its gradient, backward, the optimiser's step.
The pieces are the package's own: `net.forward(x, train=…)` → (logits, cache),
`net.backward(dlogits, cache)` → gradients, `optimiser.step(gradients)`, and in `tinyunet.ops`
`softmax_cross_entropy(logits, labels, weights)` → (loss, cache) and
`softmax_cross_entropy_backward(cache)` → dlogits.

Check: `tinyunet check 11`.
"""

from tinyunet import ops


def training_step(net, optimiser, image, labels, weights):
    """Update net by one tile and return its loss, one number.

    image (1, 1, H, W); labels (1, H', W') integers; weights (1, H', W'); net a `tinyunet.UNet`,
    optimiser a `tinyunet.SGD` over its parameters.
    """
