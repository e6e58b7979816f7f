"""A network made smooth for a gradient check: ReLUs and poolings repeat what they once decided.

Lesson: lessons/02-convolution-backward.md.
"""

from tinyunet import nn
from tinyunet.arrays import Array, array_module
from tinyunet.nn.unet import UNet


class FixedDecisions(UNet):
    """A network whose ReLUs and poolings repeat what they decided in the first forward.

    A U-Net makes millions of yes-or-no decisions: which value passes a ReLU, which of four wins a
    pooling. A step of 1e-5 flips a few of them, and a difference taken across such a kink says
    nothing about the gradient on one side of it. With the decisions fixed the network is a smooth
    function that agrees with `net` at the point of the check, in value and in gradient. (The kinks
    themselves are checked operation by operation, where inputs can be kept away from them.)
    Shares its parameters with `net`; only forward makes sense here.

    Parameters
    ----------
    net : UNet
        The network to follow.
    """

    def __init__(self, net: UNet) -> None:
        self.__dict__.update(net.__dict__)
        self.decisions: dict[str, Array] = {}

    def _conv_relu(self, name: str, x: Array, cache: dict) -> Array:
        y, _ = nn.conv2d(x, *self._params_of(name))
        passes = self.decisions.setdefault(name, y > 0)
        return y * passes

    def _conv_relu_pool(
        self, name: str, pool_name: str, x: Array, cache: dict
    ) -> tuple[Array, Array]:
        x, name = self._conv_relu(name, x, cache), pool_name
        if name not in self.decisions:
            y, pool_cache = nn.max_pool2d(x)
            # The gradient of ones is a map with a single 1 in every window: the winner.
            self.decisions[name] = nn.max_pool2d_backward(array_module(y).ones_like(y), pool_cache)
        n, c, h, w = x.shape
        winners = x * self.decisions[name]
        return x, winners.reshape(n, c, h // 2, 2, w // 2, 2).sum(axis=(3, 5))
