"""Checks of exercises 06, 07 and 11: the loss, the step of the optimiser, the step of training.

Lessons: `lessons/06-cross-entropy.md`, `lessons/07-initialisation-and-momentum.md`,
`lessons/11-training.md`.
"""

import numpy as np

from tinyunet import ops
from tinyunet.exercises.diagnose import TOLERANCE_FLOAT32, compare
from tinyunet.exercises.learner import Wrong, results
from tinyunet.gradcheck import numerical_gradient
from tinyunet.init import incoming_nodes
from tinyunet.model import UNet
from tinyunet.ops import naive
from tinyunet.optim import SGD


def check_cross_entropy(learner):
    """Exercise 06: `softmax_cross_entropy(logits, labels, weights)` and its backward."""
    forward = learner.function("softmax_cross_entropy")
    backward = learner.function("softmax_cross_entropy_backward")
    yield "two pixels, by hand: logits 0 and log 3, labels 0 and 1, weights 2 and 5"
    logits = np.array([[0.0, 0.0], [np.log(3), np.log(3)]]).reshape(1, 2, 1, 2)
    labels, weights = np.array([[[0, 1]]]), np.array([[[2.0, 5.0]]])
    _compare_loss(forward, logits, labels, weights)  # (2 · log 4 + 5 · log 4/3) / 2
    yield "the loss against the loops: three classes, random weights"
    logits, labels, weights = _pixels((2, 3, 4, 5))
    _compare_loss(forward, logits, labels, weights)
    yield "the gradient against the loops"
    _compare_loss_gradient(backward, logits, labels, weights)
    yield "stable: logits of ±10 000"
    huge = logits / np.abs(logits).max() * 1e4
    for name, got in (("loss", forward(huge, labels, weights)),
                      ("dlogits", backward(huge, labels, weights))):  # fmt: skip
        if not np.isfinite(got).all():
            raise Wrong(
                f"your {name} is not finite for logits of ±10 000: exp overflows. Subtract each "
                "pixel's largest logit first, and take log p as a difference, never log(exp(…))"
            )
    expected = np.asarray(ops.softmax_cross_entropy(huge, labels, weights)[0])
    compare("loss", forward(huge, labels, weights), expected)
    yield "awkward sizes: two classes on one row, and a weight of 0"
    logits, labels, weights = _pixels((1, 2, 1, 3))
    weights[0, 0, 1] = 0.0
    _compare_loss(forward, logits, labels, weights)
    _compare_loss_gradient(backward, logits, labels, weights)
    yield "gradient check: central differences of your own loss"
    want = numerical_gradient(lambda z: forward(z, labels, weights), logits, 1e-4)
    compare("dlogits", backward(logits, labels, weights), want, tolerance=1e-6)
    yield "float32 in, float32 out"
    logits, weights = logits.astype(np.float32), weights.astype(np.float32)
    want = naive.softmax_cross_entropy_backward(logits, labels, weights)
    got = backward(logits, labels, weights)
    compare("dlogits", got, want, tolerance=TOLERANCE_FLOAT32, dtype=np.float32)


def _pixels(shape):
    rng = np.random.default_rng(6)
    logits = 2 * rng.standard_normal(shape)
    labels = rng.integers(0, shape[1], (shape[0], *shape[2:]))
    labels.flat[0] = 0
    return logits, labels, rng.uniform(0.5, 3.0, labels.shape)


def _compare_loss(forward, logits, labels, weights):
    want = naive.softmax_cross_entropy(logits, labels, weights)
    unweighted = naive.softmax_cross_entropy(logits, labels, np.ones_like(weights))
    n = labels.size
    got = forward(logits, labels, weights)
    if np.ndim(got) != 0:
        raise Wrong(
            f"your loss has shape {np.shape(got)}: it is one number, the mean over all pixels"
        )
    compare("loss", got, want, (
        (-want, "your loss has the wrong sign: a loss falls as p rises, E = −(1/n) Σ w · log p. "
         "(The paper's equation 1 is printed without the minus sign.)"),
        (unweighted, "your loss leaves the weights out: each pixel's −log p counts w times"),
        (want * n, f"your loss is a sum instead of a mean: divide by the n = {n} pixels"),
        (want * n / weights.sum(), "your loss is divided by the sum of the weights: the lesson "
         f"divides by the number of pixels, n = {n}, so that a weight of 2 means 2"),
        (want * labels.shape[0] ** -1 * n, "your loss is a mean over the batch only: divide by all "
         f"n = {n} pixels"),
        (want / np.log(2), "your loss is in bits: take the natural logarithm"),
        (want / logits.shape[1], "your loss is divided by the number of classes as well: n counts "
         "pixels"),
        (lambda: -_picked(logits, labels, weights) / n,
         "your loss takes the logits themselves for log p: subtract log Σ exp(z) of the pixel"),
        (lambda: -_probability(logits, labels, weights) / n,
         "your loss adds up probabilities: the logarithm is missing"),
    ))  # fmt: skip


def _picked(values, labels, weights):
    return (weights * np.take_along_axis(values, labels[:, None], axis=1)[:, 0]).sum()


def _probability(logits, labels, weights):
    return _picked(ops.softmax(logits), labels, weights)


def _compare_loss_gradient(backward, logits, labels, weights):
    want = naive.softmax_cross_entropy_backward(logits, labels, weights)
    n = labels.size
    p = ops.softmax(logits)
    share = weights[:, None] / n
    one_hot = np.arange(logits.shape[1])[:, None, None] == labels[:, None]
    compare("dlogits", backward(logits, labels, weights), want, (
        (p * share, "your dlogits never takes the label into account: subtract 1 from p there"),
        ((0.0 - one_hot) * share, "your dlogits is only −1 at the label: the softmax's p is "
         "missing"),
        ((p - one_hot) / n, "your dlogits leaves the weights out"),
        (want * n, f"your dlogits is of a sum instead of a mean: divide by n = {n} pixels"),
        (want * n / weights.sum(), "your dlogits is divided by the sum of the weights: divide by "
         f"the number of pixels, n = {n}"),
        (-want, "your dlogits has the wrong sign: p − 1 at the label, not 1 − p"),
        ((p - one_hot) * p * (1 - p) * share, "your dlogits carries the softmax's slope p(1 − p) "
         "once more: it has cancelled already, that is the one-line gradient"),
    ))  # fmt: skip


def check_momentum(learner):
    """Exercise 07: `he_deviation(shape, kind)` and `sgd_momentum(…)`."""
    deviation, step = learner.function("he_deviation"), learner.function("sgd_momentum")
    yield "he_deviation of a 3×3, a 1×1 and an up-convolution"
    for shape, kind in (((16, 3, 3, 3), "convolution"), ((2, 64, 1, 1), "convolution"),
                        ((10, 3, 2, 2), "up-convolution")):  # fmt: skip
        _compare_deviation(deviation(shape, kind), shape, kind)
    yield "the first step, from velocity 0"
    rng = np.random.default_rng(7)
    param, grad = rng.standard_normal((2, 3, 4))
    _compare_step(step, param, grad, np.zeros_like(param), 0.04, 0.9)
    yield "a later step, from a random velocity"
    _compare_step(step, param, grad, rng.standard_normal(param.shape), 0.04, 0.9)
    _compare_step(step, param, grad, rng.standard_normal(param.shape), 0.003, 0.99)
    yield "no momentum is plain gradient descent"
    _compare_step(step, param, grad, rng.standard_normal(param.shape), 0.1, 0.0)


def _compare_deviation(got, shape, kind):
    name = "upconv.weight" if kind == "up-convolution" else "conv.weight"
    n = incoming_nodes(name, shape)
    fan_out = shape[1] if kind == "up-convolution" else shape[0] * shape[2] * shape[3]
    what = f"your deviation for {kind} {shape}"
    compare(f"deviation of {shape}", got, np.sqrt(2 / n), (
        (2 / n, f"{what} is the variance 2/N: take its square root"),
        (np.sqrt(1 / n), f"{what} is √(1/N): a ReLU throws half away, so √(2/N)"),
        (np.sqrt(2 / fan_out), f"{what} counts what goes out of a pixel: N is what comes in"),
        (np.sqrt(2 / shape[1]), f"{what} forgets the taps of the kernel: N = k · k · channels"
         if kind == "convolution"
         else f"{what} takes axis 1: an up-convolution's weight is (in, out, 2, 2)"),
        (np.sqrt(2 / (shape[0] * 4)), f"{what} counts four taps: the patches of an up-convolution "
         "do not overlap, so only one tap a channel arrives at a pixel"),
        (np.sqrt(2 / (shape[1] * 4)), f"{what} treats it as a convolution (out, in, 2, 2): it is "
         "(in, out, 2, 2), and one tap a channel arrives at a pixel"),
        (np.sqrt(2 / np.prod(shape)), f"{what} counts the output channels too: N belongs to one "
         "neuron"),
    ))  # fmt: skip


def _compare_step(step, param, grad, velocity, rate, momentum):
    got = results("sgd_momentum", step(param, grad, velocity, rate, momentum),
                  ("param", "velocity"))  # fmt: skip
    new = momentum * velocity + grad
    want = param - rate * new
    compare("velocity", got[1], new, (
        (want, "you return (velocity, param): the parameter comes first"),
        (momentum * velocity + (1 - momentum) * grad, "your velocity damps the gradient by "
         "1 − momentum: the lesson adds it whole, v ← m · v + g"),
        (momentum * velocity + rate * grad, "the rate is in your velocity: it comes in when "
         "the parameter moves, p ← p − rate · v, so that changing it acts at once"),
        (momentum * velocity - grad, "your velocity subtracts the gradient: v ← m · v + g, the "
         "minus stands in p ← p − rate · v"),
        (momentum * velocity - rate * grad, "your velocity holds −rate · g: v ← m · v + g"),
        (velocity + grad, "your velocity never fades: multiply the old one by the momentum"),
        (momentum * (velocity + grad), "your momentum multiplies the new gradient too"),
        (velocity, "your velocity did not change: return the new one"),
        (grad, "your velocity forgets its past: v ← m · v + g"),
    ))  # fmt: skip
    compare("param", got[0], want, (
        (param + rate * new, "your step goes uphill: p ← p − rate · v"),
        (param - rate * velocity, "your step takes the old velocity: update v first, then p"),
        (param - rate * grad, "your step takes the gradient: it is the velocity that moves p"),
        (param - new, "your step leaves the rate out: p ← p − rate · v"),
        (param - rate * (grad + momentum * new), "that is Nesterov's momentum: the lesson's is "
         "the plain one, p ← p − rate · v"),
        (param, "your param did not change: return the new one"),
        (-rate * new, "you return the step itself: add the parameter"),
    ))  # fmt: skip


def check_training_step(learner):
    """Exercise 11: `training_step(net, optimiser, image, labels, weights)` → loss."""
    step = learner.function("training_step")
    yield "the loss of one step"
    _compare_training(step, 1)
    yield "what the step has done to the parameters"
    _compare_training(step, 1, parameters=True)
    yield "three steps on end: momentum, fresh gradients, fresh drop-out"
    _compare_training(step, 3, parameters=True)


def _compare_training(step, steps, parameters=False):
    """Run the learner's steps beside the right ones and beside the usual wrong ones."""
    got = _run(step, steps)
    want = _run(_right_step, steps)
    variants = [(_run(variant, steps), text) for variant, text in _WRONG_STEPS]
    column = 1 if parameters else 0
    name = "change of the parameters" if parameters else "loss"
    compare(name, got[column], want[column], [(v[column], text) for v, text in variants])


def _run(step, steps):
    """Return (losses, change of all parameters) of `steps` steps from one fixed start."""
    net = UNet(depth=2, base=2, dropout=0.5, seed=11, dtype="float64", device="cpu")
    optimiser = SGD(net.params, rate=0.05, momentum=0.9)
    before = {name: p.copy() for name, p in net.params.items()}
    rng = np.random.default_rng(11)
    losses = []
    for _ in range(steps):
        image = rng.standard_normal((1, 1, 20, 20))
        labels = rng.integers(0, 2, (1, 4, 4))
        losses.append(step(net, optimiser, image, labels, rng.uniform(1, 4, labels.shape)))
    for loss in losses:
        if np.ndim(loss) != 0:
            raise Wrong(f"your loss has shape {np.shape(loss)}: return the loss, one number")
    change = np.concatenate([(net.params[name] - before[name]).ravel() for name in before])
    return np.array(losses, dtype=np.float64), change


def _right_step(net, optimiser, image, labels, weights, train=True, sign=1, updates=1):
    logits, cache = net.forward(image, train=train)
    loss, loss_cache = ops.softmax_cross_entropy(logits, labels, weights)
    grads = net.backward(ops.softmax_cross_entropy_backward(loss_cache), cache)
    for _ in range(updates):
        optimiser.step({name: sign * g for name, g in grads.items()})
    return loss


def _loss_afterwards(net, optimiser, image, labels, weights):
    _right_step(net, optimiser, image, labels, weights)
    logits, _ = net.forward(image, train=True)
    return ops.softmax_cross_entropy(logits, labels, weights)[0]


_WRONG_STEPS = (
    (lambda *a: _right_step(*a, train=False),
     "you leave drop-out switched off: training calls net.forward(image, train=True)"),
    (lambda *a: _right_step(*a[:4], None),
     "you leave the weights out: the weight map goes into softmax_cross_entropy"),
    (lambda *a: _right_step(*a, updates=0),
     "your step changes nothing: call optimiser.step with the gradients of net.backward"),
    (lambda *a: _right_step(*a, updates=2),
     "your step updates twice: one optimiser.step for one tile"),
    (lambda *a: _right_step(*a, sign=-1),
     "your step goes uphill: the optimiser subtracts already, give it the gradients as they are"),
    (_loss_afterwards,
     "your loss is that of a second forward, after the update: return the one whose gradient "
     "you followed"),
)  # fmt: skip
