"""ReLU: keep what is positive, pass the gradient where it was. Lesson: lessons/03-relu-and-pool.md.

The kink at 0 needs a decision: here ReLU'(0) = 0, as in the paper's framework.
"""

from tinyunet.arrays import Array, array_module
from tinyunet.nn.operation import operation


@operation()
def relu(x: Array) -> tuple[Array, Array]:
    """Return max(x, 0), element by element.

    Parameters
    ----------
    x : Array
        Of any shape.

    Returns
    -------
    y : Array
        Like x.
    cache : Array
        For `relu_backward`: y itself, since it is positive exactly where x was.
    """
    y = array_module(x).maximum(x, 0)
    return y, y


@operation()
def relu_backward(dy: Array, cache: Array) -> Array:
    """Return the gradient of `relu`'s input.

    Parameters
    ----------
    dy : Array
        The loss's gradient for `relu`'s output.
    cache : Array
        What `relu` returned beside it.

    Returns
    -------
    Array
        dy where the input was positive, 0 elsewhere (at exactly 0 too, but not at NaN).
    """
    y = cache
    return array_module(dy).where(y <= 0, 0, dy)
