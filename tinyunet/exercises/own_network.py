"""Check of exercise 16: the learner's U, made of the learner's operations, learns.

Lessons: `lessons/05-the-u.md` for the U, `lessons/11-training.md` for its training. The network is
handed its operations as an argument (`ops.conv2d`, …), so they can be swapped without touching the
package: first the package's own stand in, to find mistakes of the U, then the learner's.
"""

from types import SimpleNamespace

import numpy as np

from tinyunet import ops as package
from tinyunet.exercises.diagnose import compare
from tinyunet.exercises.learner import Learner, Wrong, results
from tinyunet.geometry import input_size
from tinyunet.model import UNet

NAMES = {
    "01_conv2d_loops": ("conv2d",),
    "02_conv2d_backward": ("conv2d_backward",),
    "03_max_pool_backward": ("relu", "relu_backward", "max_pool2d", "max_pool2d_backward"),
    "04_up_conv2d": ("up_conv2d", "up_conv2d_backward"),
    "05_crop_concat": ("center_crop_concat", "center_crop_concat_backward"),
    "06_cross_entropy": ("softmax_cross_entropy", "softmax_cross_entropy_backward"),
}
STEPS, RATE, MOMENTUM = 10, 0.1, 0.9


def package_operations():
    """The package's operations with the exercises' signatures: no caches, inputs again."""

    def plain(name):
        return lambda *inputs: getattr(package, name)(*inputs)[0]

    def backward(name):
        forward, back = getattr(package, name), getattr(package, f"{name}_backward")
        return lambda dy, *inputs: back(dy, forward(*inputs)[1])

    def with_bias(name):  # the convolutions' backward is given no bias: it does not depend on it
        forward, back = getattr(package, name), getattr(package, f"{name}_backward")
        outputs = {"conv2d": 0, "up_conv2d": 1}[name]
        return lambda dy, x, w: back(dy, forward(x, w, np.zeros(w.shape[outputs], w.dtype))[1])

    operations = SimpleNamespace()
    for name in ("conv2d", "up_conv2d"):
        setattr(operations, name, plain(name))
        setattr(operations, f"{name}_backward", with_bias(name))
    for name in ("relu", "max_pool2d", "center_crop_concat"):
        setattr(operations, name, plain(name))
        setattr(operations, f"{name}_backward", backward(name))
    return operations


def learners_operations(folder):
    """The functions of exercises 01 to 06 in `folder`; raises `Wrong` where a file is missing."""
    operations = SimpleNamespace()
    for stem, names in NAMES.items():
        path = folder / f"{stem}.py"
        if not path.is_file():
            raise Wrong(f"{path.name} is not beside this file: the network is made of 01 to 06")
        learner = Learner(path)
        for name in names:
            setattr(operations, name, learner.function(name))
    return operations


def check_own_network(learner):
    """Exercise 16: `forward` and `backward` of the U, and a short training with them."""
    forward, backward = learner.function("forward"), learner.function("backward")
    for depth, output in ((1, 3), (2, 4), (3, 4)):
        yield f"forward and backward at depth {depth} against the package's network"
        _compare_network(forward, backward, depth, output, package_operations())
    yield "your operations of exercises 01 to 06 in your network"
    own = learners_operations(learner.path.parent)
    _compare_network(forward, backward, 2, 4, own)
    yield f"training: {STEPS} steps on a small picture, momentum {MOMENTUM}"
    losses = list(_train(forward, backward, own))
    yield "loss " + " ".join(f"{loss:.3f}" for loss in losses)
    if not losses[-1] < losses[0]:
        raise Wrong(
            f"your network does not learn: the loss goes from {losses[0]:.4f} to {losses[-1]:.4f} "
            f"in {STEPS} steps on one picture. Do exercises 01 to 06 all pass?"
        )


def _network(depth):
    return UNet(depth=depth, base=2, n_classes=3, dropout=0, seed=16, dtype="float64", device="cpu")


def _compare_network(forward, backward, depth, output, operations):
    net = _network(depth)
    rng = np.random.default_rng(16)
    for name, param in net.params.items():
        if name.endswith("bias"):
            param[...] = rng.standard_normal(param.shape)  # zeros would hide a forgotten bias
    x = rng.standard_normal((1, 1, input_size(output, depth), input_size(output, depth)))
    want, want_cache = net.forward(x)
    logits, cache = results("forward", forward(x, net.params, depth, operations),
                            ("logits", "cache"))  # fmt: skip
    compare("logits", logits, want, (
        (np.maximum(want, 0), "your logits went through a ReLU: the last convolution has none"),
    ))  # fmt: skip
    dlogits = rng.standard_normal(want.shape)
    wants = net.backward(dlogits, want_cache)
    grads = backward(dlogits, cache, net.params, depth, operations)
    _compare_gradients(grads, wants, net, dlogits, want_cache)


def _compare_gradients(grads, wants, net, dlogits, cache):
    if not isinstance(grads, dict):
        raise Wrong(f"backward must return a dict of gradients, yours is {type(grads).__name__}")
    for name in wants:
        if name not in grads:
            raise Wrong(f"your gradients have no {name}: each parameter needs one")
    extra = [name for name in grads if name not in wants]
    if extra:
        raise Wrong(f"your gradients have {extra[0]}, which is no parameter")
    # The skip's gradient and the pooling's: a map that went two ways gets both.
    without_skip = _gradients_without_skips(net, dlogits, cache)
    for name in reversed(wants):  # in the order in which backward makes them
        typical = []
        if name in without_skip:
            typical.append((
                without_skip[name],
                f"your gradient of {name} misses what came through the skip: a map that was used "
                "twice gets both gradients, added",
            ))  # fmt: skip
        compare(f"gradient of {name}", grads[name], wants[name], typical)


def _gradients_without_skips(net, dlogits, cache):
    """Gradients of the contracting path if the skips carried none back."""
    if net.depth == 1:
        return {}
    cut = _WithoutSkips()
    cut.__dict__.update(net.__dict__)
    grads = cut.backward(dlogits, cache)
    # The lowest level is not reached by a skip: its gradients are the same either way.
    return {n: g for n, g in grads.items() if n.startswith("down") and f"down{net.depth}" not in n}


class _WithoutSkips(UNet):
    """A network that forgets the skips on its way back; made from another one's attributes."""

    def __init__(self):
        pass

    def _backward(self, dlogits, cache, input_gradient):
        grads = {}
        dx = self._store("out", package.conv2d_backward(dlogits, cache["out"]), grads)
        for level in range(1, self.depth):
            dx = self._conv_relu_backward(f"up{level}.conv2", dx, cache, grads)
            dx = self._conv_relu_backward(f"up{level}.conv1", dx, cache, grads)
            _, dx = package.center_crop_concat_backward(dx, cache[f"up{level}.concat"])
            name = f"up{level}.upconv"
            dx = self._store(name, package.up_conv2d_backward(dx, cache[name]), grads)
        for level in range(self.depth, 0, -1):
            dx = self._conv_relu_backward(f"down{level}.conv2", dx, cache, grads)
            dx = self._conv_relu_backward(f"down{level}.conv1", dx, cache, grads)
            if level > 1:
                dx = package.max_pool2d_backward(dx, cache[f"down{level}.pool"])
        return grads


def _train(forward, backward, own, depth=2):
    """Train the learner's network on one picture of two bright squares; yield the losses."""
    params = _network(depth).params
    velocity = {name: np.zeros_like(p) for name, p in params.items()}
    size = input_size(4, depth)
    rng = np.random.default_rng(17)
    labels = np.zeros((1, size, size), np.int64)
    labels[0, 8:12, 6:10] = 1
    x = (labels + 0.3 * rng.standard_normal(labels.shape))[:, None]
    labels = labels[:, 8:-8, 8:-8]
    weights = np.ones(labels.shape)
    for _ in range(STEPS):
        logits, cache = forward(x, params, depth, own)
        yield float(own.softmax_cross_entropy(logits, labels, weights))
        dlogits = own.softmax_cross_entropy_backward(logits, labels, weights)
        grads = backward(dlogits, cache, params, depth, own)
        for name in params:
            velocity[name] = MOMENTUM * velocity[name] + grads[name]
            params[name] = params[name] - RATE * velocity[name]
