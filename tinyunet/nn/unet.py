"""The U of figure 1. Forward reads down the page; backward is forward read upwards.

Shapes: x (N, in_channels, H, W) → logits (N, n_classes, H − 2·margin, W − 2·margin).
Contracting path: two 3×3 convolutions a level, then a 2×2 max-pool; expanding path: a 2×2
up-convolution, the centre-cropped skip in front of it, two 3×3 convolutions; last a 1×1
convolution. No padding anywhere. Two arrows of the figure that follow each other are one call where
fused.py has a name for the pair. Paper: section 2.
Lesson: lessons/05a-forward-and-backward.md.
"""

from typing import Any

import numpy as np

from tinyunet import geometry
from tinyunet._workspace import Workspace
from tinyunet.arrays import Array, Device, as_real, select_device, to_numpy
from tinyunet.nn.architecture import check_architecture, unet_layers
from tinyunet.nn.conv2d import conv2d, conv2d_backward
from tinyunet.nn.cross_entropy import softmax
from tinyunet.nn.dropout import dropout, dropout_backward
from tinyunet.nn.fused import (
    conv2d_relu,
    conv2d_relu_backward,
    conv2d_relu_max_pool,
    max_pool2d_skip_backward,
    split_concat_gradient,
    up_conv2d_concat,
)
from tinyunet.nn.init import he_parameters
from tinyunet.nn.null_cache import NullCache
from tinyunet.nn.up_conv2d import up_conv2d_backward

Arrays = dict[str, Array]


class UNet:
    """The paper's network, with its backward pass written by hand.

    Parameters
    ----------
    in_channels, n_classes : int, optional
        Channels of the image; classes of the segmentation.
    depth : int, optional
        Levels of the U (the paper's is 5); the image is halved depth − 1 times.
    base_channels : int, optional
        Channels of the first level (the paper's is 64), doubled at every level.
    dropout : float, optional
        Share of the bottom's activations dropped in training; 0 switches it off.
    seed : int, optional
        Seeds the He initialisation and the drop-out (`net.rng`).
    dtype : {"float32", "float64"}, optional
        "float32" for training, "float64" for gradient checks.
    device : str or Device, optional
        "auto", "cpu", "gpu" or "gpu:1".

    Attributes
    ----------
    params : dict of str to Array
        "down1.conv1.weight", …, "out.bias", in PyTorch's layouts.
    """

    def __init__(
        self,
        in_channels: int = 1,
        n_classes: int = 2,
        depth: int = 5,
        base_channels: int = 64,
        dropout: float = 0.5,
        seed: int = 0,
        dtype: str = "float32",
        device: str | Device = "auto",
    ) -> None:
        check_architecture(in_channels, n_classes, depth, base_channels, dropout)
        if np.dtype(dtype) not in (np.float32, np.float64):
            raise ValueError(f"dtype {dtype} is not 'float32' or 'float64'")
        self.in_channels, self.n_classes = in_channels, n_classes
        self.depth, self.base_channels, self.dropout = depth, base_channels, dropout
        self.dtype = np.dtype(dtype)
        self.device = select_device(device)
        self.rng = np.random.default_rng(seed)
        self.normalisation: str | None = None  # of its training's images; see predict_tiled
        self.workspace = Workspace()  # memory that the layers of a step take turns with
        self.layers = unet_layers(in_channels, n_classes, depth, base_channels)
        params = he_parameters(self.layers, self.rng, self.dtype)
        self.params: Arrays = {name: self.device.asarray(p) for name, p in params.items()}

    def __repr__(self) -> str:
        n_params = sum(layer.n_params for layer in self.layers)
        return (
            f"UNet(in_channels={self.in_channels}, n_classes={self.n_classes}, "
            f"depth={self.depth}, base_channels={self.base_channels}, dropout={self.dropout}): "
            f"{n_params:,} parameters, {self.dtype} on {self.device.name}"
        )

    def __call__(self, x: Array) -> Array:
        """Return the logits (N, n_classes, H', W') of x; keeps nothing for a backward pass."""
        x = self._validate_input(x)
        with self.workspace.used(), self.device.current():
            return self._forward(x, False, NullCache())

    def forward(self, x: Array, train: bool = False) -> tuple[Array, dict]:
        """Return the logits for images, and what the backward pass needs.

        Parameters
        ----------
        x : Array, shape (N, in_channels, H, W)
            Images of a size that fits the depth.
        train : bool, optional
            Whether drop-out is on.

        Returns
        -------
        logits : Array, shape (N, n_classes, H', W')
            On the network's device.
        cache : dict
            For `backward`.

        Raises
        ------
        ValueError
            For a shape that does not fit, with the nearest sizes that do.
        """
        x = self._validate_input(x)
        cache: dict = {}
        with self.workspace.used(), self.device.current():
            logits = self._forward(x, train, cache)
        cache["logits"] = logits.shape
        return logits, cache

    def _forward(self, x: Array, train: bool, cache: dict) -> Array:
        skips = {}
        # The contracting path: two convolutions a level, then half the size.
        for level in range(1, self.depth):
            down, pool = f"down{level}", f"down{level + 1}.pool"
            x = self._conv_relu(f"{down}.conv1", x, cache)
            skips[level], x = self._conv_relu_pool(f"{down}.conv2", pool, x, cache)
        # The bottom of the U: two convolutions and drop-out.
        x = self._conv_relu(f"down{self.depth}.conv1", x, cache)
        x = self._conv_relu(f"down{self.depth}.conv2", x, cache)
        x, cache["dropout"] = dropout(x, self.dropout if train else 0, self.rng)
        # The expanding path: double the size, the skip in front, two convolutions a level.
        for level in range(self.depth - 1, 0, -1):
            up = f"up{level}"
            x = self._up_conv_concat(f"{up}.upconv", f"{up}.concat", x, skips.pop(level), cache)
            x = self._conv_relu(f"{up}.conv1", x, cache)
            x = self._conv_relu(f"{up}.conv2", x, cache)
        # A 1×1 convolution to the classes, without ReLU: these are logits.
        logits, cache["out"] = conv2d(x, *self._params_of("out"))
        return logits

    def backward(
        self, dlogits: Array, cache: dict, input_gradient: bool = False, consume: bool = False
    ) -> Any:
        """Return the gradients of all parameters.

        Parameters
        ----------
        dlogits : Array, shape (N, n_classes, H', W')
            The loss's gradient for the logits of the same forward pass.
        cache : dict
            What `forward` returned beside them.
        input_gradient : bool, optional
            Whether the gradient of the image is wanted too.
        consume : bool, optional
            Whether to empty the cache on the way, so that a map's memory is free as soon as its
            gradient is known; the cache is of no use afterwards.

        Returns
        -------
        grads : dict of str to Array
            Of the names and shapes of `params`.
        dx : Array, shape (N, in_channels, H, W)
            The gradient of the image; only with `input_gradient=True`.

        Raises
        ------
        ValueError
            If `dlogits` has not the shape of the logits that belong to the cache, or the cache
            was consumed before.
        """
        if "logits" not in cache:
            raise ValueError("cache is empty: an earlier backward pass consumed it")
        if tuple(dlogits.shape) != (shape := tuple(cache["logits"])):
            raise ValueError(
                f"dlogits has shape {tuple(dlogits.shape)}, but the forward pass of this cache "
                f"made logits of shape {shape}"
            )
        cache = cache if consume else dict(cache)
        del cache["logits"]
        with self.workspace.used(), self.device.current():
            grads, dx = self._backward(dlogits, cache, input_gradient)
        return (grads, dx) if input_gradient else grads

    def _backward(self, dlogits: Array, cache: dict, input_gradient: bool) -> tuple[Arrays, Array]:
        grads: Arrays = {}
        dskips = {}
        dx = self._store("out", conv2d_backward(dlogits, cache.pop("out")), grads)
        # The expanding path, upwards in the page's sense: from level 1 to the bottom.
        for level in range(1, self.depth):
            up = f"up{level}"
            dx = self._conv_relu_backward(f"{up}.conv2", dx, cache, grads)
            dx = self._conv_relu_backward(f"{up}.conv1", dx, cache, grads)
            dskips[level], dx = split_concat_gradient(dx, cache.pop(f"{up}.concat"))
            name = f"{up}.upconv"
            dx = self._store(name, up_conv2d_backward(dx, cache.pop(name)), grads)
        dx = dropout_backward(dx, cache.pop("dropout"))
        # The contracting path, from the bottom to level 1.
        for level in range(self.depth, 0, -1):
            down = f"down{level}"
            dx = self._conv_relu_backward(f"{down}.conv2", dx, cache, grads)
            need_dx = level > 1 or input_gradient
            dx = self._conv_relu_backward(f"{down}.conv1", dx, cache, grads, need_dx)
            if level > 1:
                # The map above was used twice, by the pooling and as a skip: both gradients add up.
                pool_cache, dskip = cache.pop(f"{down}.pool"), dskips.pop(level - 1)
                dx = max_pool2d_skip_backward(dx, pool_cache, dskip)
        return {name: grads[name] for name in self.params}, dx  # in the parameters' order

    def predict_proba(self, x: Array) -> np.ndarray:
        """Return the class probabilities of images.

        Parameters
        ----------
        x : Array, shape (N, in_channels, H, W)
            Images of a size that fits; `predict_tiled` takes any size.

        Returns
        -------
        numpy.ndarray, shape (N, n_classes, H', W')
            The softmax of the logits, on the CPU.
        """
        with self.workspace.used(), self.device.current():
            return to_numpy(softmax(self(x)))

    def load(self, params: Arrays) -> None:
        """Copy parameters into the network.

        Parameters
        ----------
        params : dict of str to Array
            Of this network's names and shapes.

        Raises
        ------
        ValueError
            Naming the first difference, if names or shapes are not this network's.
        """
        for name in [*self.params, *params]:
            mine = self.params[name].shape if name in self.params else "no such parameter"
            theirs = params[name].shape if name in params else "no such parameter"
            if mine != theirs:
                what = f"{name} is {theirs}, this network has {mine}"
                raise ValueError(f"weights of another architecture: {what}")
        with self.device.current():
            for name, value in params.items():
                self.params[name][...] = self.device.asarray(value, dtype=self.dtype)

    def _params_of(self, name: str) -> tuple[Array, Array]:
        """Return weight and bias of a layer."""
        return self.params[f"{name}.weight"], self.params[f"{name}.bias"]

    def _conv_relu(self, name: str, x: Array, cache: dict) -> Array:
        """Convolve 3×3 and clip at zero."""
        y, cache[name] = conv2d_relu(x, *self._params_of(name))
        return y

    def _conv_relu_pool(
        self, name: str, pool_name: str, x: Array, cache: dict
    ) -> tuple[Array, Array]:
        """Convolve 3×3 and clip at zero; return that map, which becomes a skip, and it halved."""
        (y, cache[name]), pool = conv2d_relu_max_pool(x, *self._params_of(name))
        halved, cache[pool_name] = pool
        return y, halved

    def _up_conv_concat(
        self, name: str, concat_name: str, x: Array, skip: Array, cache: dict
    ) -> Array:
        """Up-convolve 2×2 and put the skip, cropped, in front."""
        y, cache[name], cache[concat_name] = up_conv2d_concat(x, *self._params_of(name), skip)
        return y

    def _conv_relu_backward(
        self, name: str, dy: Array, cache: dict, grads: Arrays, need_dx: bool = True
    ) -> Array:
        return self._store(name, conv2d_relu_backward(dy, cache.pop(name), need_dx), grads)

    def _store(self, name: str, gradients: tuple, grads: Arrays) -> Array:
        """Put a layer's weight and bias gradient into `grads`, return the gradient of its input."""
        dx, grads[f"{name}.weight"], grads[f"{name}.bias"] = gradients
        return dx

    def _validate_input(self, x: Array) -> Array:
        """Return x on this network's device and in its dtype, or say what does not fit."""
        x = as_real(x, "x")
        if x.ndim != 4 or x.shape[1] != self.in_channels:
            raise ValueError(f"x must be (N, {self.in_channels}, H, W) here: got {x.shape}")
        geometry.check_size(x.shape[2], self.depth, "height")
        geometry.check_size(x.shape[3], self.depth, "width")
        return self.device.asarray(x, dtype=self.dtype)
