"""Check of exercise 16: the learner's U, made of the learner's operations, learns.

Lessons: `lessons/05a-forward-and-backward.md` for the U, `lessons/11-training.md` for its training.
The network is handed its operations as an argument, so they can be exchanged: first right ones
stand in, to find mistakes of the U, then the learner's.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from tinyunet.arrays import Array
from tinyunet.exercises._checks.own_rules import OPERATIONS, Rules, backward, forward
from tinyunet.exercises.learner import Learner, Wrong, results
from tinyunet.exercises.task import Case, Mistake, Output, Task
from tinyunet.geometry import input_size
from tinyunet.nn.unet import UNet

NAMES = {
    "01_conv2d_loops": ("conv2d",),
    "02_conv2d_backward": ("conv2d_backward",),
    "03_max_pool_backward": ("relu", "relu_backward", "max_pool2d", "max_pool2d_backward"),
    "04_up_conv2d": ("up_conv2d", "up_conv2d_backward"),
    "05_crop_concat": ("center_crop_concat", "center_crop_concat_backward"),
    "06_cross_entropy": ("softmax_cross_entropy", "softmax_cross_entropy_backward"),
}
STEPS, RATE, MOMENTUM = 10, 0.1, 0.9


def parameters(depth: int, n_classes: int = 3) -> dict[str, Array]:
    """Return random parameters, the biases too: zeros would hide a forgotten one."""
    net = UNet(
        n_classes=n_classes, depth=depth, base_channels=2, seed=16, dtype="float64", device="cpu"
    )
    rng = np.random.default_rng(16)
    for name, param in net.params.items():
        if name.endswith("bias"):
            param[...] = rng.standard_normal(param.shape)
    return dict(net.params)


# Depth, classes, images, height and width of the output: two of each depth.
SHAPES = (
    (1, 3, 2, (4, 6)),
    (1, 5, 4, (7, 3)),
    (2, 3, 2, (4, 6)),
    (2, 5, 4, (6, 2)),
    (3, 3, 2, (4, 8)),
)


@cache
def _inputs() -> list[tuple[Any, ...]]:
    """Return (x, params, depth, dlogits) of each depth."""
    inputs = []
    for depth, n_classes, n, output in SHAPES:
        rng = np.random.default_rng(depth)
        x = rng.standard_normal((n, 1, *(input_size(side, depth) for side in output)))
        dlogits = rng.standard_normal((n, n_classes, *output))
        inputs.append((x, parameters(depth, n_classes), depth, dlogits))
    return inputs


@cache
def _forward_cases() -> list[Case]:
    return [
        Case(f"forward: depth {depth} against the package's network", (x, params, depth),
             {"images": len(x)}, level=depth)
        for x, params, depth, _ in _inputs()
    ]  # fmt: skip


@cache
def _backward_cases() -> list[Case]:
    return [
        Case(f"backward: depth {inputs[2]} against the package's network", inputs, level=inputs[2])
        for inputs in _inputs()
    ]


def _logits(function: Callable[..., Any], x: Array, params: dict, depth: int) -> Any:
    """Call the learner's forward pass with right operations."""
    return results("forward", function(x, params, depth, OPERATIONS), ("logits", "cache"))[0]


def _gradients(
    learners_forward: Callable[..., Any],
    learners_backward: Callable[..., Any],
    x: Array,
    params: dict,
    depth: int,
    dlogits: Array,
) -> tuple[Array, ...]:
    """Call both passes of the learner with right operations."""
    _, kept = results(
        "forward", learners_forward(x, params, depth, OPERATIONS), ("logits", "cache")
    )
    grads = learners_backward(dlogits, kept, params, depth, OPERATIONS)
    if not isinstance(grads, dict):
        raise Wrong(f"backward must return a dict of gradients, yours is {type(grads).__name__}")
    for name in params:
        if name not in grads:
            raise Wrong(f"your gradients have no {name}: each parameter needs one")
    extra = [name for name in grads if name not in params]
    if extra:
        raise Wrong(f"your gradients have {extra[0]}, which is no parameter")
    return tuple(grads[name] for name in _order(params))


def _order(params: dict) -> list[str]:
    """The parameters in the order in which the backward pass comes to them."""
    ups = [name for name in params if name.startswith("up")]
    downs = [name for name in params if name.startswith("down")]
    outs = [name for name in params if name.startswith("out")]
    return [*outs, *reversed(ups), *reversed(downs)]


def _outputs(x: Array, params: dict, depth: int, dlogits: Array) -> tuple[Output, ...]:
    return tuple(Output(f"gradient of {name}") for name in _order(params))


def _imitated_logits(rules: Rules, x: Array, params: dict, depth: int) -> Array:
    return forward(x, params, depth, rules)[0]


def _imitated_gradients(
    rules: Rules, x: Array, params: dict, depth: int, dlogits: Array
) -> tuple[Array, ...]:
    _, kept = forward(x, params, depth, Rules())
    grads = backward(dlogits, kept, params, depth, rules)
    return tuple(grads[name] for name in _order(params))


def _forward_mistakes(*rows: tuple[Rules, str]) -> tuple[Mistake, ...]:
    return tuple(Mistake(says, partial(_imitated_logits, rules)) for rules, says in rows)


def _backward_mistakes(*rows: tuple[Rules, str]) -> tuple[Mistake, ...]:
    return tuple(Mistake(says, partial(_imitated_gradients, rules)) for rules, says in rows)


FORWARD = _forward_mistakes(
    (Rules(last_relu=True), "your logits went through a ReLU: the last convolution has none"),
    (Rules(last_softmax=True), "your logits went through a softmax: it belongs to the loss"),
    (Rules(relu=""), "your network has no ReLU: one behind every 3×3 convolution"),
    (Rules(relu="12", up_relu=False), "your expanding path has no ReLU: one behind every 3×3 "
     "convolution"),
    (Rules(relu="1"), "your second convolutions have no ReLU: one behind every 3×3 convolution"),
    (Rules(relu="2"), "your first convolutions have no ReLU: one behind every 3×3 convolution"),
    (Rules(relu_after_up=True), "there is a ReLU behind your up-convolutions: figure 1 has none"),
    (Rules(skip="z"), "your skips are taken before the ReLU: they are the maps that also go to "
     "the pooling"),
    (Rules(skip="conv1"), "your skips are the maps of conv1: they are those of conv2, which also "
     "go to the pooling"),
    (Rules(x_first=True), "your up-convolved map stands in front of the skip: the skip comes "
     "first"),
    (Rules(skip="zero"), "your skips are zeros: the maps of the contracting path go there"),
    (Rules(biases=""), "your biases are left out: conv2d(x, weight, bias)"),
    (Rules(biases="o"), "your 3×3 convolutions have no bias"),
    (Rules(biases="uo"), "your 3×3 convolutions have no bias"),
    (Rules(biases="co"), "your up-convolutions have no bias"),
    (Rules(biases="cu"), "your last convolution has no bias"),
)  # fmt: skip
BACKWARD = _backward_mistakes(
    (Rules(add="pool"), "your {name} misses what came through the skip: a map that was used twice "
     "gets both gradients, added"),
    (Rules(add="skip"), "your {name} holds what came through the skip alone: a map that was used "
     "twice gets both gradients, added"),
    (Rules(add="twice"), "your {name} counts the skip's gradient twice: both gradients, added"),
    (Rules(add="mean"), "your {name} takes the mean of the skip's and the pooling's gradient: they "
     "are added"),
    (Rules(add="minus"), "your {name} subtracts the skip's gradient: both are added"),
    (Rules(relu=""), "your backward pass goes through no ReLU: relu_backward(dy, z) before each "
     "conv2d_backward"),
    (Rules(relu="1"), "your backward pass leaves out the ReLU behind conv2"),
    (Rules(relu="2"), "your backward pass leaves out the ReLU behind conv1"),
    (Rules(up_relu=False), "your backward pass has no ReLU in the expanding path"),
    (Rules(down_relu=False), "your backward pass has no ReLU in the contracting path"),
    (Rules(relu_order=True), "the arguments of relu_backward are exchanged: (dy, z)"),
    (Rules(relu_after_up=True), "your backward pass has a ReLU at the up-convolutions: there is "
     "none"),
    (Rules(last_relu=True), "your backward pass has a ReLU at the last convolution: there is none"),
    (Rules(pool_ones=True), "your pooling hands the gradient to all four pixels of a window"),
    (Rules(zero_skip=True), "your up-convolutions get the skip's channels of the gradient: the "
     "skip's come first, then x's"),
)  # fmt: skip

FORWARD_TASK = Task(
    "forward",
    lambda x, params, depth: forward(x, params, depth, Rules())[0],
    (Output("logits", FORWARD, "(N, n_classes, H', W')"),),
    _forward_cases,
    through=_logits,
)
BACKWARD_TASK = Task(
    "backward",
    lambda *inputs: _imitated_gradients(Rules(), *inputs),
    _outputs,
    _backward_cases,
    BACKWARD,
    joint=True,
)
TASKS = (FORWARD_TASK, BACKWARD_TASK)


def check(learner: Learner) -> Iterator[str]:
    """Check `forward` and `backward` of the U, and train for a few steps with them."""
    passes = learner.function("forward"), learner.function("backward")
    yield from FORWARD_TASK.check(learner)
    yield from replace(BACKWARD_TASK, through=partial(_gradients, passes[0])).check(learner)
    yield "your operations of exercises 01 to 06 in your network"
    own = learners_operations(learner.path.parent)
    _compare_own(passes, own)
    yield f"training: {STEPS} steps on a small picture, momentum {MOMENTUM}"
    losses = list(_train(passes, own))
    yield "loss " + " ".join(f"{loss:.3f}" for loss in losses)
    if not losses[-1] < losses[0]:
        raise Wrong(
            f"your network does not learn: the loss goes from {losses[0]:.4f} to {losses[-1]:.4f} "
            f"in {STEPS} steps on one picture. Do exercises 01 to 06 all pass?"
        )


def learners_operations(folder: Path) -> SimpleNamespace:
    """Return the functions of exercises 01 to 06 that lie in a folder."""
    operations = SimpleNamespace()
    for stem, names in NAMES.items():
        path = folder / f"{stem}.py"
        if not path.is_file():
            raise Wrong(f"{path.name} is not beside this file: the network is made of 01 to 06")
        learner = Learner(path)
        for name in names:
            setattr(operations, name, learner.function(name))
    return operations


def _compare_own(passes: tuple[Callable[..., Any], ...], own: SimpleNamespace) -> None:
    """The same at depth 2, of the learner's operations."""
    x, params, depth, dlogits = _inputs()[2]
    x, dlogits = x[:1], dlogits[:1]
    logits, kept = results("forward", passes[0](x, params, depth, own), ("logits", "cache"))
    want, want_kept = forward(x, params, depth, Rules())
    grads = passes[1](dlogits, kept, params, depth, own)
    wants = backward(dlogits, want_kept, params, depth, Rules())
    pairs = [("logits", logits, want)]
    pairs += [(f"gradient of {name}", grads[name], wants[name]) for name in _order(params)]
    for name, got, right in pairs:
        if got.shape != right.shape or not np.allclose(got, right, rtol=1e-9, atol=1e-9):
            raise Wrong(
                f"with your operations the {name} is not right, with right ones it was: one of "
                "exercises 01 to 06 does not pass yet"
            )


def _train(passes: tuple[Callable[..., Any], ...], own: SimpleNamespace) -> Iterator[float]:
    """Train the learner's network on one picture with a bright rectangle; yield the losses."""
    depth = 2
    params = dict(UNet(n_classes=3, depth=depth, base_channels=2, seed=16, dtype="float64",
                       device="cpu").params)  # fmt: skip
    velocity = {name: np.zeros_like(p) for name, p in params.items()}
    size = input_size(4, depth)
    labels = np.zeros((1, size, size), np.int64)
    labels[0, 8:12, 6:10] = 1
    x = (labels + 0.3 * np.random.default_rng(17).standard_normal(labels.shape))[:, None]
    labels = labels[:, 8:-8, 8:-8]
    weight_map = np.ones(labels.shape)
    for _ in range(STEPS):
        logits, kept = passes[0](x, params, depth, own)
        yield float(own.softmax_cross_entropy(logits, labels, weight_map))
        dlogits = own.softmax_cross_entropy_backward(logits, labels, weight_map)
        grads = passes[1](dlogits, kept, params, depth, own)
        for name in params:
            velocity[name] = MOMENTUM * velocity[name] + grads[name]
            params[name] = params[name] - RATE * velocity[name]
