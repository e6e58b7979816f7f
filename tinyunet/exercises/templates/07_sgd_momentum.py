"""Exercise 07: how to start and how to step.

Lesson: lessons/07-initialisation-and-momentum.md.

First the standard deviation √(2/N) of a layer's first weights, N being the number of input values
that one output pixel adds up. Then one step of gradient descent with momentum, with the learning
rate lr:

    v ← momentum · v + g        p ← p − lr · v

Check: `tinyunet check 07`.
"""


def he_deviation(shape, kind):
    """Return the standard deviation for the first weights of a layer.

    Parameters
    ----------
    shape : tuple of four integers.
        (out, in, k, k) for a convolution, (in, out, 2, 2) for an up-convolution.
    kind : "convolution" or "up-convolution".

    Returns
    -------
    deviation : one number.
    """


def sgd_momentum(param, grad, velocity, lr, momentum):
    """Return the new parameter and the new velocity.

    Parameters
    ----------
    param, grad, velocity : arrays of one shape. They stay as they are.
    lr, momentum : numbers.

    Returns
    -------
    param, velocity : new arrays of that shape.
    """
