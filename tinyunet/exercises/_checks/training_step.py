"""Check of exercise 11: one step of training.

Lesson: `lessons/11-training.md`.
"""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np

from tinyunet import nn
from tinyunet.arrays import Array
from tinyunet.exercises.learner import Wrong
from tinyunet.exercises.task import Case, Mistake, Output, Task
from tinyunet.nn.sgd import SGD
from tinyunet.nn.unet import UNet

# Seed, classes, learning rate, momentum, height and width of the output: all different.
STARTS = ((11, 2, 0.05, 0.9, (4, 8)), (12, 3, 0.02, 0.8, (6, 10)))


def _run(step: Callable[..., Any], start: tuple, steps: int) -> tuple[Array, Array]:
    """Return (losses, change of all parameters) of some steps from a fixed start."""
    seed, n_classes, lr, momentum, output = start
    net = UNet(
        n_classes=n_classes,
        depth=2,
        base_channels=2,
        dropout=0.5,
        seed=seed,
        dtype="float64",
        device="cpu",
    )
    optimiser = SGD(net.params, lr, momentum)
    before = {name: p.copy() for name, p in net.params.items()}
    rng, losses = np.random.default_rng(seed), []
    for _ in range(steps):
        image = rng.standard_normal((1, 1, output[0] + 16, output[1] + 16))
        labels = rng.integers(0, n_classes, (1, *output))
        losses.append(step(net, optimiser, image, labels, rng.uniform(1, 4, labels.shape)))
    for loss in losses:
        if not isinstance(loss, np.ndarray | np.generic | float | int) or np.ndim(loss) != 0:
            shape = f"an array of shape {loss.shape}" if isinstance(loss, np.ndarray) else ""
            raise Wrong(f"your loss is {shape or type(loss).__name__}: return the loss, one number")
    change = np.concatenate([(net.params[name] - before[name]).ravel() for name in before])
    return np.array(losses, dtype=np.float64), change


def _step(
    net: UNet,
    optimiser: SGD,
    image: Array,
    labels: Array,
    weight_map: Array | None,
    train: bool = True,
    factor: float | Callable[[Array], float] = 1,
    updates: int = 1,
    forgetful: bool = False,
) -> Any:
    """One right step, or with something changed."""
    logits, cache = net.forward(image, train=train)
    loss, loss_cache = nn.softmax_cross_entropy(logits, labels, weight_map)
    grads: Any = net.backward(nn.softmax_cross_entropy_backward(loss_cache), cache)
    if forgetful:
        for velocity in optimiser.velocity.values():
            velocity[...] = 0
    times = factor(labels) if callable(factor) else factor
    for _ in range(updates):
        optimiser.step({name: times * g for name, g in grads.items()})
    return loss


def _loss_afterwards(
    net: UNet, optimiser: SGD, image: Array, labels: Array, weight_map: Array, train: bool
) -> Any:
    """The loss of a second forward pass, after the update."""
    _step(net, optimiser, image, labels, weight_map)
    return nn.softmax_cross_entropy(net.forward(image, train=train)[0], labels, weight_map)[0]


def _loss_without_dropout(
    net: UNet, optimiser: SGD, image: Array, labels: Array, weight_map: Array
) -> Any:
    """The loss of a forward pass without drop-out, the gradient of one with it."""
    logits, _ = net.forward(image)
    _step(net, optimiser, image, labels, weight_map)
    return nn.softmax_cross_entropy(logits, labels, weight_map)[0]


def _half_weighted(
    net: UNet, optimiser: SGD, image: Array, labels: Array, weight_map: Array, loss: bool
) -> Any:
    """The weights in the loss alone, or in the gradient alone."""
    logits, cache = net.forward(image, train=True)
    maps = (weight_map, None) if loss else (None, weight_map)
    losses, caches = zip(*(nn.softmax_cross_entropy(logits, labels, w) for w in maps), strict=True)
    grads: Any = net.backward(nn.softmax_cross_entropy_backward(caches[1]), cache)
    optimiser.step(grads)
    return losses[0]


def _probabilities(
    net: UNet, optimiser: SGD, image: Array, labels: Array, weight_map: Array
) -> Any:
    """The softmax taken twice: by the learner and by the loss."""
    logits, cache = net.forward(image, train=True)
    loss, loss_cache = nn.softmax_cross_entropy(nn.softmax(logits), labels, weight_map)
    grads: Any = net.backward(nn.softmax_cross_entropy_backward(loss_cache), cache)
    optimiser.step(grads)
    return loss


def _scaled(step: Callable[..., Any], factor: Callable[..., float]) -> Callable[..., Any]:
    """The right step, with the loss that it returns multiplied."""
    return lambda net, optimiser, image, labels, w: (
        step(net, optimiser, image, labels, w) * factor(labels, w)
    )


def _twice_weighted(
    net: UNet, optimiser: SGD, image: Array, labels: Array, weight_map: Array
) -> Any:
    """The weights multiplied into the gradient of the weighted loss once more."""
    logits, cache = net.forward(image, train=True)
    loss, loss_cache = nn.softmax_cross_entropy(logits, labels, weight_map)
    dlogits = nn.softmax_cross_entropy_backward(loss_cache) * weight_map[:, None]
    grads: Any = net.backward(dlogits, cache)
    optimiser.step(grads)
    return loss


def _without_biases(
    net: UNet, optimiser: SGD, image: Array, labels: Array, weight_map: Array
) -> Any:
    logits, cache = net.forward(image, train=True)
    loss, loss_cache = nn.softmax_cross_entropy(logits, labels, weight_map)
    grads: Any = net.backward(nn.softmax_cross_entropy_backward(loss_cache), cache)
    optimiser.step({name: g * (not name.endswith("bias")) for name, g in grads.items()})
    return loss


_WRONG_STEPS: tuple[tuple[Callable[..., Any], str], ...] = (
    (partial(_step, train=False),
     "drop-out is switched off in yours: training calls net.forward(image, train=True)"),
    (lambda net, optimiser, image, labels, w: _step(net, optimiser, image, labels, None),
     "you leave the weights out: the weight map goes into softmax_cross_entropy"),
    (partial(_half_weighted, loss=True),
     "your weights are in the loss and not in its gradient: the gradient belongs to the cache of "
     "the weighted loss"),
    (partial(_half_weighted, loss=False),
     "your weights are in the gradient and not in the loss that you return"),
    (_twice_weighted,
     "your weights are in the gradient twice: softmax_cross_entropy_backward has them already"),
    (lambda net, optimiser, image, labels, w: _step(net, optimiser, image, labels, w / w.mean()),
     "you divide the weight map by its mean: hand it in as it is"),
    (_without_biases, "your biases do not move: hand all gradients to the optimiser"),
    (partial(_step, updates=0),
     "your step changes nothing: call optimiser.step with the gradients of net.backward"),
    (partial(_step, updates=2), "your step updates twice: one optimiser.step for one tile"),
    (partial(_step, factor=-1),
     "your step goes uphill: the optimiser subtracts already, give it the gradients as they are"),
    (partial(_step, factor=2), "your gradients are doubled: one backward pass for one tile"),
    (partial(_step, factor=lambda labels: 1 / labels.size),
     "your gradients are divided by the number of pixels once more: they are those of a mean "
     "already"),
    (partial(_step, factor=lambda labels: labels.size),
     "your gradients are multiplied by the number of pixels: hand on what net.backward returns"),
    (partial(_step, forgetful=True),
     "your step forgets the velocity of the one before: let the optimiser that is handed in do "
     "every step"),
    (partial(_loss_afterwards, train=True),
     "your loss is that of a second forward pass, after the update: return the one whose gradient "
     "you followed"),
    (partial(_loss_afterwards, train=False),
     "your loss is that of a second forward pass, after the update: return the one whose gradient "
     "you followed"),
    (_loss_without_dropout,
     "your loss is that of a forward pass without drop-out: return the one whose gradient you "
     "followed"),
    (_probabilities,
     "you take the softmax before softmax_cross_entropy, which takes it again: hand in the logits"),
    (_scaled(_step, lambda labels, w: labels.size),
     "your loss is multiplied by the number of pixels: softmax_cross_entropy is a mean already"),
    (_scaled(_step, lambda labels, w: 1 / labels.size),
     "your loss is divided by the number of pixels once more: it is a mean already"),
    (_scaled(_step, lambda labels, w: 1 / w.mean()),
     "your loss is divided by the mean weight: return it as softmax_cross_entropy does"),
)  # fmt: skip


@cache
def _right(start: tuple, steps: int) -> tuple[Array, Array]:
    return _run(_step, start, steps)


@cache
def _cases() -> list[Case]:
    one = "one step: its loss, and what it does to the parameters"
    three = "three steps on end: momentum, fresh gradients, fresh drop-out"
    return [
        *(Case(one, (start, 1)) for start in STARTS),
        *(Case(three, (start, 3), level=2) for start in STARTS),
    ]


TASKS = (
    Task(
        "training_step",
        _right,
        (Output("loss"), Output("change of the parameters")),
        _cases,
        tuple(Mistake(says, cache(partial(_run, step))) for step, says in _WRONG_STEPS),
        joint=True,
        through=_run,
    ),
)
