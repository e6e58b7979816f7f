"""Exercise 11: one step of training.

Lesson: lessons/11-training.md.

Five lines: forward with drop-out, the weighted loss, its gradient, backward, the optimiser's step.
The pieces are the package's own: `net.forward(x, train=…)` → (logits, cache),
`net.backward(dlogits, cache)` → gradients, `optimiser.step(gradients)`, and in `tinyunet.nn`
`softmax_cross_entropy(logits, labels, weight_map)` → (loss, cache) and
`softmax_cross_entropy_backward(cache)` → dlogits.

Check: `tinyunet check 11`.
"""


def training_step(net, optimiser, image, labels, weight_map):
    """Update the network by one tile and return its loss.

    Parameters
    ----------
    net : a `tinyunet.UNet`.
    optimiser : a `tinyunet.SGD` over its parameters, used for every step.
    image : (1, 1, H, W), of the network's dtype.
    labels : (1, H', W'), integers.
    weight_map : (1, H', W'), floats.

    Returns
    -------
    loss : one number, that of the forward pass whose gradient was followed.
    """
