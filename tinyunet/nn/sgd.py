"""Stochastic gradient descent with momentum.

    v ← momentum · v + g
    p ← p − lr · v

With momentum 0.99 a constant gradient is summed a hundred times over: v → g / (1 − 0.99). "A large
number of the previously seen training samples determine the update" (section 3), which is what
lets the paper train on one tile a step, and why the learning rate must be about a hundred times
smaller than without momentum. Lesson: lessons/07-initialisation-and-momentum.md.
"""

from tinyunet.arrays import Array, array_module, on_device_of
from tinyunet.nn.operation import operation

Arrays = dict[str, Array]


@operation()
def momentum_update(
    params: Arrays, velocity: Arrays, grads: Arrays, lr: float, momentum: float
) -> None:
    """Do one step of SGD with momentum, in place.

    Parameters
    ----------
    params, velocity, grads : dict of str to Array
        Of the same names; for each name three arrays of one shape.
    lr : float
        The learning rate.
    momentum : float
        The share of the velocity that is kept, in [0, 1).
    """
    for name, param in params.items():
        v = velocity[name]
        v *= momentum
        v += grads[name]
        param -= lr * v


class SGD:
    """SGD with momentum over a dictionary of parameters, updated in place.

    Parameters
    ----------
    params : dict of str to Array
        The parameters, such as `UNet.params`.
    lr : float
        The learning rate, > 0; may be changed between steps.
    momentum : float, optional
        In [0, 1); the paper's is 0.99.

    Attributes
    ----------
    velocity : dict of str to Array
        In the parameters' names, shapes and dtypes; save it with them and a run can go on as if it
        had never stopped.

    Raises
    ------
    ValueError
        For a learning rate that is not positive, or a momentum outside [0, 1).
    """

    def __init__(self, params: Arrays, lr: float, momentum: float = 0.99) -> None:
        if not (lr > 0 and lr < float("inf")):
            raise ValueError(f"learning rate {lr} is not a positive number")
        if not 0 <= momentum < 1:
            raise ValueError(f"momentum {momentum} is not in [0, 1)")
        self.params = params
        self.lr = lr
        self.momentum = momentum
        with on_device_of(next(iter(params.values()), None)):
            self.velocity = {name: array_module(p).zeros_like(p) for name, p in params.items()}

    def __repr__(self) -> str:
        return f"SGD(lr={self.lr:g}, momentum={self.momentum:g}, {len(self.params)} arrays)"

    def step(self, grads: Arrays) -> None:
        """Update all parameters.

        Parameters
        ----------
        grads : dict of str to Array
            The loss's gradients, of the parameters' names and shapes.

        Raises
        ------
        ValueError
            For a gradient of another shape than its parameter's.
        """
        for name, param in self.params.items():
            if grads[name].shape != param.shape:
                raise ValueError(
                    f"the gradient of {name} has shape {grads[name].shape}, not {param.shape}"
                )
        with on_device_of(next(iter(self.params.values()), None)):
            momentum_update(self.params, self.velocity, grads, self.lr, self.momentum)
