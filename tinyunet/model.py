"""The U of figure 1. Forward reads down the page; backward is forward read upwards.

Shapes: x (N, in_channels, H, W) → logits (N, n_classes, H − 2·margin, W − 2·margin).
Contracting path: two 3×3 convolutions a level, then a 2×2 max-pool; expanding path: a 2×2
up-convolution, the centre-cropped skip in front of it, two 3×3 convolutions; last a 1×1
convolution. No padding anywhere. Paper: section 2. Lesson: lessons/05-the-u.md.
"""

import numpy as np

from tinyunet import geometry, ops
from tinyunet.arrays import select_device, to_numpy
from tinyunet.init import he_parameters, parameter_shapes
from tinyunet.kernels.workspace import Workspace


class UNet:
    """The paper's network with hand-written forward and backward.

    Parameters
    ----------
    in_channels, n_classes : channels of the image; classes of the segmentation.
    depth : levels of the U (the paper's is 5); the image is halved depth − 1 times.
    base : channels of the first level (the paper's is 64), doubled at every level.
    dropout : share of the bottom's activations dropped in training; 0 switches it off.
    seed : seeds the He initialisation and the drop-out (`net.rng`).
    dtype : "float32" for training, "float64" for gradient checks.
    device : "auto", "cpu", "gpu" or "gpu:1".

    `net.params` is a dict of name → array ("down1.conv1.weight", …, "out.bias") in PyTorch's
    layouts. Raises ValueError for values outside these meanings.
    """

    def __init__(
        self,
        in_channels=1,
        n_classes=2,
        depth=5,
        base=64,
        dropout=0.5,
        seed=0,
        dtype="float32",
        device="auto",
    ):
        _check_architecture(in_channels, n_classes, depth, base, dropout, dtype)
        self.in_channels, self.n_classes = in_channels, n_classes
        self.depth, self.base, self.dropout = depth, base, dropout
        self.dtype = np.dtype(dtype)
        self.device = select_device(device)
        self.rng = np.random.default_rng(seed)
        self.workspace = Workspace()  # memory that the layers of a step take turns with
        shapes = parameter_shapes(in_channels, n_classes, depth, base)
        params = he_parameters(shapes, self.rng, self.dtype)
        self.params = {name: self.device.asarray(p) for name, p in params.items()}

    def forward(self, x, train=False):
        """Return logits (N, n_classes, H', W') for images x (N, in_channels, H, W), and the cache.

        `train=True` switches drop-out on. Raises ValueError for a shape that does not fit, with
        the nearest sizes that do.
        """
        x = self._admit(x)
        with self.workspace.used():
            cache = {}
            return self._forward(x, train, cache), cache

    def _forward(self, x, train, cache):
        skips = {}
        for level in range(1, self.depth):
            x = self._conv_relu(f"down{level}.conv1", x, cache)
            skips[level], x = self._conv_relu_pool(level, x, cache)
        x = self._conv_relu(f"down{self.depth}.conv1", x, cache)
        x = self._conv_relu(f"down{self.depth}.conv2", x, cache)
        x, cache["dropout"] = ops.dropout(x, self.dropout if train else 0, self.rng)
        for level in range(self.depth - 1, 0, -1):
            x = self._up_conv_concat(level, x, skips[level], cache)
            x = self._conv_relu(f"up{level}.conv1", x, cache)
            x = self._conv_relu(f"up{level}.conv2", x, cache)
        logits, cache["out"] = ops.conv2d(x, *self._weights("out"))  # no ReLU: these are logits
        return logits

    def backward(self, dlogits, cache, input_gradient=False, consume=False):
        """Return {name: gradient} for the loss's gradient dlogits (N, n_classes, H', W').

        The keys and shapes are those of `net.params`. With `input_gradient=True` returns
        (gradients, dx), dx (N, in_channels, H, W) being the gradient of the image.
        `consume=True` empties the cache on the way, so that a map's memory is free as soon as its
        gradient is known; the cache is of no use afterwards.
        """
        cache = cache if consume else dict(cache)
        with self.workspace.used():
            return self._backward(dlogits, cache, input_gradient)

    def _backward(self, dlogits, cache, input_gradient):
        grads, dskips = {}, {}
        dx = self._store("out", ops.conv2d_backward(dlogits, cache.pop("out")), grads)
        for level in range(1, self.depth):
            dx = self._conv_relu_backward(f"up{level}.conv2", dx, cache, grads)
            dx = self._conv_relu_backward(f"up{level}.conv1", dx, cache, grads)
            dskips[level], dx = ops.concat_backward(dx, cache.pop(f"up{level}.concat"))
            name = f"up{level}.upconv"
            dx = self._store(name, ops.up_conv2d_backward(dx, cache.pop(name)), grads)
        dx = ops.dropout_backward(dx, cache.pop("dropout"))
        for level in range(self.depth, 0, -1):
            dx = self._conv_relu_backward(f"down{level}.conv2", dx, cache, grads)
            need_dx = level > 1 or input_gradient
            dx = self._conv_relu_backward(f"down{level}.conv1", dx, cache, grads, need_dx)
            if level > 1:
                # A map that was used twice, by the pooling and by the skip, gets both gradients.
                pool, dskip = cache.pop(f"down{level}.pool"), dskips.pop(level - 1)
                dx = ops.max_pool2d_skip_backward(dx, pool, dskip)
        grads = {name: grads[name] for name in self.params}  # in the parameters' order
        return (grads, dx) if input_gradient else grads

    def predict_proba(self, x):
        """Return the class probabilities (N, n_classes, H', W') as a NumPy array.

        x: (N, in_channels, H, W) of a size that fits; `predict_tiled` takes any size.
        """
        with self.workspace.used():
            logits = self._forward(self._admit(x), False, _Forgetful())
            return to_numpy(ops.softmax(logits))

    def load(self, params):
        """Copy `params` (a dict of this network's names and shapes) into the network.

        Raises ValueError, naming the first difference, if names or shapes are not this network's.
        """
        for name in [*self.params, *params]:
            mine = self.params[name].shape if name in self.params else "no such parameter"
            theirs = params[name].shape if name in params else "no such parameter"
            if mine != theirs:
                raise ValueError(
                    f"weights of another architecture: {name} is {theirs}, this network has {mine}"
                )
        for name, value in params.items():
            self.params[name][...] = self.device.asarray(value, dtype=self.dtype)

    @property
    def n_params(self):
        """How many numbers the network learns: 31,030,658 by default."""
        return sum(p.size for p in self.params.values())

    def _weights(self, name):
        return self.params[f"{name}.weight"], self.params[f"{name}.bias"]

    def _conv_relu(self, name, x, cache):
        y, cache[name] = ops.conv2d_relu(x, *self._weights(name))
        return y

    def _conv_relu_pool(self, level, x, cache):
        """Return a contracting level's last map, which becomes a skip, and the same halved."""
        name, pool = f"down{level}.conv2", f"down{level + 1}.pool"
        (y, cache[name]), (halved, cache[pool]) = ops.conv2d_relu_max_pool(x, *self._weights(name))
        return y, halved

    def _up_conv_concat(self, level, x, skip, cache):
        """Return the map of an expanding level: the skip, cropped, in front of x up-convolved."""
        name, concat = f"up{level}.upconv", f"up{level}.concat"
        weights = self._weights(name)
        y, cache[name], cache[concat] = ops.up_conv2d_concat(x, *weights, skip)
        return y

    def _conv_relu_backward(self, name, dy, cache, grads, need_dx=True):
        return self._store(name, ops.conv2d_relu_backward(dy, cache.pop(name), need_dx), grads)

    def _store(self, name, gradients, grads):
        """Put a layer's weight and bias gradient into `grads`, return the gradient of its input."""
        dx, grads[f"{name}.weight"], grads[f"{name}.bias"] = gradients
        return dx

    def _admit(self, x):
        """Return x on this network's device and in its dtype, or say what does not fit."""
        if x.ndim != 4 or x.shape[1] != self.in_channels:
            raise ValueError(
                f"x must be (N, {self.in_channels}, H, W) for this network: got {x.shape}"
            )
        geometry.check_size(x.shape[2], self.depth, "height")
        geometry.check_size(x.shape[3], self.depth, "width")
        return self.device.asarray(x, dtype=self.dtype)


class _Forgetful(dict):
    """A cache that keeps nothing: without a backward, each map may go once the next is made."""

    def __setitem__(self, name, value):
        pass


def _check_architecture(in_channels, n_classes, depth, base, dropout, dtype):
    for name, value, least in (
        ("in_channels", in_channels, 1),
        ("n_classes", n_classes, 2),
        ("depth", depth, 1),
        ("base", base, 1),
    ):
        if value != int(value) or value < least:
            raise ValueError(f"{name} {value} is not a whole number of at least {least}")
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout {dropout} is not in [0, 1)")
    if np.dtype(dtype) not in (np.float32, np.float64):
        raise ValueError(f"dtype {dtype} is not 'float32' or 'float64'")
