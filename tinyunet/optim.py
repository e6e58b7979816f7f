"""Stochastic gradient descent with momentum.

    v ← momentum · v + g
    p ← p − rate · v

With momentum 0.99 a constant gradient is summed a hundred times over: v → g / (1 − 0.99). "A large
number of the previously seen training samples determine the update" (section 3), which is what
lets the paper train on one tile a step, and why the rate must be about a hundred times smaller
than without momentum. Lesson: lessons/07-initialisation-and-momentum.md.
"""

from tinyunet.arrays import array_module
from tinyunet.kernels import gpu
from tinyunet.ops.dispatch import faster


class SGD:
    """SGD with momentum over a dictionary of parameters, updated in place.

    `velocity` has the parameters' names, shapes and dtypes; save it with them and a run can go on
    as if it had never stopped. Raises ValueError for a rate ≤ 0 or a momentum outside [0, 1).
    """

    def __init__(self, params, rate, momentum=0.99):
        if not (rate > 0 and rate < float("inf")):
            raise ValueError(f"learning rate {rate} is not a positive number")
        if not 0 <= momentum < 1:
            raise ValueError(f"momentum {momentum} is not in [0, 1)")
        self.params = params
        self.rate = rate
        self.momentum = momentum
        self.velocity = {name: array_module(p).zeros_like(p) for name, p in params.items()}

    def step(self, grads):
        """Update all parameters with `grads`, a dictionary of their names and shapes.

        Raises ValueError for a gradient of another shape than its parameter's.
        """
        for name, param in self.params.items():
            if grads[name].shape != param.shape:
                raise ValueError(
                    f"the gradient of {name} has shape {grads[name].shape}, not {param.shape}"
                )
        if gpu.takes(*self.params.values(), *grads.values()):  # all of them in one launch
            gpu.momentum_update(self.params, self.velocity, grads, self.rate, self.momentum)
            return
        together = {}  # {kernels: parameters that they take}
        for name, param in self.params.items():
            velocity = self.velocity[name]
            if kernels := faster("sgd", param, grads[name], velocity):
                together.setdefault(kernels, {})[name] = param
                continue
            velocity *= self.momentum
            velocity += grads[name]
            param -= self.rate * velocity
        for kernels, params in together.items():  # the same, all of them in one pass
            kernels.momentum_update(params, self.velocity, grads, self.rate, self.momentum)
