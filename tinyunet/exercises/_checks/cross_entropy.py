"""Check of exercise 06: softmax and weighted cross-entropy, with pixels that have no label.

Lesson: `lessons/06-cross-entropy.md`, where every pixel has one; the others are for the learner.
"""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np

from tinyunet.arrays import Array
from tinyunet.exercises.diagnose import same
from tinyunet.exercises.task import Case, Mistake, Output, Task

HUGE = 1e4
EQUAL = "stable: all logits of a pixel are 10 000"
LOW = "stable: a pixel whose logits are 20 000 below the others'"
TRAILING = "stable: a class that trails by 10 000"
NO_LABEL = "awkward: no pixel has a label: E and its gradient are 0"


def log_softmax(logits: Array, axis: int = 1) -> Array:
    """Return log p of logits (N, K, H, W)."""
    shifted = logits - logits.max(axis=axis, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))


def _picked(values: Array, labels: Array) -> Array:
    """The value of each pixel's label, (N, H, W); where there is none, that of class 0."""
    return np.take_along_axis(values, np.maximum(labels, 0)[:, None], axis=1)[:, 0]


def one_hot(logits: Array, labels: Array) -> Array:
    """Return 1 at the label, (N, K, H, W); nothing where there is none."""
    return (np.arange(logits.shape[1])[:, None, None] == labels[:, None]) * 1.0


def loss(logits: Array, labels: Array, weight_map: Array) -> Array:
    """The right answer: one number."""
    return _loss(log_softmax)(logits, labels, weight_map)


def _loss(log_p: Callable[[Array], Array]) -> Callable[..., Array]:
    """The loss with something else in the place of log p."""

    def made(logits: Array, labels: Array, weight_map: Array) -> Array:
        known = labels >= 0
        terms = np.where(known, weight_map * _picked(log_p(logits), labels), 0.0)
        return np.float64(-terms.sum() / known.sum() if known.any() else 0.0)

    return made


# Images, classes, height, width, pixels without a label: all different in a line, n as well.
KNOWN = ((2, 3, 4, 7), (6, 5, 2, 9))
HOLES = ((2, 3, 4, 7, 11), (6, 5, 2, 9, 31))


def pixels(n: int, k: int, height: int, width: int, unknown: int = 0) -> tuple[Array, ...]:
    """Return random logits, labels and weights; `unknown` pixels have the label −1."""
    rng = np.random.default_rng(6)
    logits = 2 * rng.standard_normal((n, k, height, width))
    labels = rng.integers(0, k, (n, height, width))
    labels.flat[: k * 3] = np.arange(k * 3) % k  # every class is there
    labels.flat[rng.permutation(labels.size)[:unknown]] = -1
    return logits, labels, rng.uniform(0.5, 3.0, labels.shape)


def _equal_logits() -> tuple[Array, ...]:
    """All logits of a pixel equal and huge: exp overflows unless the largest is subtracted."""
    _, labels, weights = pixels(*KNOWN[0])
    return np.full((2, 3, 4, 7), HUGE), labels, weights


def _low_pixel() -> tuple[Array, ...]:
    """One pixel far below the others: the largest logit of all is not the pixel's."""
    logits, labels, weights = pixels(*KNOWN[0])
    logits[1, :, 2, 3] -= 2 * HUGE
    return logits, labels, weights


def _trailing() -> tuple[Array, ...]:
    """The label's logit trails by so much that p is 0 in a float."""
    logits, labels, weights = pixels(*KNOWN[0])
    return logits - HUGE * one_hot(logits, labels) * (np.arange(7) % 2), labels, weights


def cases(function: str) -> list[Case]:
    """Return the cases of the forward or the backward pass."""

    def case(title: str, inputs: tuple[Array, ...], level: int, general: bool = False) -> Case:
        logits, labels, _ = inputs
        sizes = {
            "pixels": labels.size,
            "images": len(labels),
            "classes": logits.shape[1],
            "pixels of an image": labels[0].size,
        }
        return Case(f"{function}: {title}", inputs, sizes, level, general)

    by_hand = (
        np.array([[0.0, 0.0], [np.log(3), np.log(3)]]).reshape(1, 2, 1, 2),
        np.array([[[0, 1]]]),
        np.array([[[2.0, 5.0]]]),
    )  # (2 · log 4 + 5 · log 4/3) / 2
    title = "two pixels, by hand: logits 0 and log 3, labels 0 and 1, weights 2 and 5"
    found = [case(title, by_hand, 1)]
    title = "random logits and weights, every pixel with a label"
    found += [case(title, pixels(*shape), 1, True) for shape in KNOWN]
    huge = pixels(*KNOWN[0])
    found += [
        case(EQUAL, _equal_logits(), 1),
        case(LOW, _low_pixel(), 1),
        case(TRAILING, _trailing(), 1),
        case("stable: logits up to ±10 000", (huge[0] / 6 * HUGE, *huge[1:]), 1),
    ]
    title = "pixels without a label (−1) are left out, and n counts the others"
    found += [case(title, pixels(*shape), 2, True) for shape in HOLES]
    some = pixels(1, 2, 1, 3)
    weights = some[2] * [[[1, 0, 2]]]
    found += [
        case("awkward: two classes on one row, and a weight of 0", (*some[:2], weights), 3),
        case(NO_LABEL, (some[0], 0 * some[1] - 1, some[2]), 3),
    ]
    return found


@cache
def _cases() -> list[Case]:
    return cases("softmax_cross_entropy")


def _scaled(factor: Callable[..., float]) -> Callable[..., Array]:
    """The right loss times a factor of (logits, labels, weight_map)."""
    return lambda z, labels, w: loss(z, labels, w) * factor(z, labels, w)


def count(labels: Array) -> int:
    """Return how many pixels have a label, 1 if none has."""
    return max(int((labels >= 0).sum()), 1)


def _binary(p_of: Callable[[Array], Array]) -> Callable[..., Array]:
    """Binary cross-entropy of every class, added up."""

    def made(logits: Array, labels: Array, weight_map: Array) -> Array:
        p, y = p_of(logits), one_hot(logits, labels)
        terms = -(y * np.log(p) + (1 - y) * np.log(1 - p)).sum(axis=1)
        return np.float64((weight_map * terms * (labels >= 0)).sum() / count(labels))

    return made


def softmax(logits: Array, axis: int = 1) -> Array:
    """Return p, or what a softmax along another axis makes."""
    return np.exp(log_softmax(logits, axis))


def sigmoid(logits: Array) -> Array:
    """Return 1 / (1 + exp(−z))."""
    return 1 / (1 + np.exp(-logits))


def _last_class(logits: Array, labels: Array, weight_map: Array) -> Array:
    """Index −1 reads the last class."""
    return loss(logits, np.where(labels < 0, logits.shape[1] - 1, labels), weight_map)


def _all_counted(logits: Array, labels: Array, weight_map: Array) -> Array:
    return loss(logits, labels, weight_map) * count(labels) / labels.size


AXES = ("over the images (axis 0)", "", "down the columns (axis 2)", "along the rows (axis 3)")
_OVERFLOW = "exp overflows: subtract each pixel's largest logit first, which changes no p"
_LOG_ZERO = (
    "log p of a p that is 0 in a float is −∞: take log p as a difference, z − log Σ exp(z), and "
    "never as the logarithm of a probability"
)
_GLOBAL = (
    "you subtract the largest logit of all pixels: where a pixel lies far below, all its powers "
    "become 0. Take each pixel's own largest (over axis 1)"
)
FORWARD = (
    Mistake("your loss has the wrong sign: a loss falls as p rises, E = −(1/n) Σ w · log p. "
            "(The paper's equation 1 is printed without the minus sign.)",
            _scaled(lambda z, labels, w: -1)),
    Mistake("your loss leaves the weights out: each pixel's −log p counts w times",
            lambda z, labels, w: loss(z, labels, np.ones_like(w))),
    Mistake("your loss is a sum instead of a mean: divide by the number of pixels n",
            _scaled(lambda z, labels, w: count(labels))),
    Mistake("your loss is divided by the sum of the weights: divide by the number of pixels n, so "
            "that a weight of 2 means 2",
            _scaled(lambda z, labels, w: count(labels) / w[labels >= 0].sum())),
    Mistake("your loss is a mean over images of a sum over pixels: divide by all n pixels",
            _scaled(lambda z, labels, w: count(labels) / len(labels))),
    Mistake("your loss is divided by the pixels of one image: n counts those of all images",
            _scaled(lambda z, labels, w: count(labels) / labels[0].size)),
    Mistake("your loss is in bits: take the natural logarithm",
            _scaled(lambda z, labels, w: 1 / np.log(2))),
    Mistake("your loss has a logarithm to base 10: take the natural one",
            _scaled(lambda z, labels, w: 1 / np.log(10))),
    Mistake("your loss is divided by the number of classes as well: n counts pixels",
            _scaled(lambda z, labels, w: 1 / z.shape[1])),
    Mistake("your loss has the weights squared: multiply by w once",
            lambda z, labels, w: loss(z, labels, w * w)),
    Mistake("your loss takes the logits themselves for log p: subtract log Σ exp(z) of the pixel",
            _loss(lambda z: z)),
    Mistake("your loss takes the logits minus their largest for log p: that keeps exp in range, "
            "but log Σ exp of the same differences must still be subtracted",
            _loss(lambda z: z - z.max(axis=1, keepdims=True))),
    Mistake("your loss takes p for log p: the logarithm is missing", _loss(softmax)),
    Mistake("your loss adds up 1 − p: the surprise is −log p", _loss(lambda z: softmax(z) - 1)),
    Mistake("your loss is the squared distance (1 − p)²: the surprise is −log p",
            _loss(lambda z: -((1 - softmax(z)) ** 2))),
    *(Mistake(f"your softmax runs {where}: the classes of a pixel lie along axis 1",
              _loss(partial(log_softmax, axis=axis)))
      for axis, where in enumerate(AXES) if where),
    Mistake("that is the binary cross-entropy of every class, added up: with a softmax only the "
            "label's −log p counts", _binary(softmax)),
    Mistake("that is the binary cross-entropy of sigmoids: the classes exclude each other, so p is "
            "a softmax over them", _binary(sigmoid)),
    Mistake("your p is the sigmoid of the label's logit: with a softmax, p depends on the logits "
            "of all classes", _loss(lambda z: np.log(sigmoid(z)))),
    Mistake("your logits go through a ReLU first: the last convolution has none (lesson 06, \"The "
            "trap\")", _loss(lambda z: log_softmax(np.maximum(z, 0)))),
    Mistake("your softmax divides by the sum over all pixels: each pixel's classes add up to 1",
            _loss(lambda z: z - np.log(np.exp(z).sum()))),
    Mistake("your loss takes the most probable class for the label",
            lambda z, labels, w: loss(z, np.where(labels < 0, -1, z.argmax(axis=1)), w)),
    Mistake("a label of −1 reads the last class, as a negative index does: leave these pixels out",
            _last_class),
    Mistake("your loss reads the class before the label: labels count from 0",
            lambda z, labels, w: loss(z, np.where(labels < 0, -1, (labels - 1) % z.shape[1]), w)),
    Mistake("your n counts all pixels: divide by the number of those that have a label",
            _all_counted),
    Mistake("you leave out the pixels of class 0 as well: only −1 means that there is no label",
            lambda z, labels, w: _without(labels <= 0, z, labels, w)),
)  # fmt: skip


def _without(left_out: Array, logits: Array, labels: Array, weight_map: Array) -> Array:
    return loss(logits, np.where(left_out, -1, labels), weight_map)


def why_not_finite(function: Callable[..., Any], case: Case) -> str | None:
    """What made a NaN or an infinity, by the step that it first appears in."""
    if np.isfinite(function(*case.inputs)).all():
        return None
    for title, says in (
        (EQUAL, _OVERFLOW),
        (LOW, _GLOBAL),
        (TRAILING, _LOG_ZERO),
        (NO_LABEL, "if no pixel has a label, n is 0, and 0/0 is no number: return 0 then"),
    ):
        if title in case.title:
            return says
    return None


def _epsilon(function: Callable[..., Any], case: Case) -> str | None:
    """Is something added to p, or p cut off below? Measured where p is 0, with two weight maps."""
    logits, labels, weights = _trailing()
    zero = _picked(log_softmax(logits), labels) < -HUGE / 2
    surprises = []
    for w in (weights, weights[:, ::-1]):
        rest = loss(logits, np.where(zero, -1, labels), w) * (~zero).sum()
        surprises.append((function(logits, labels, w) * zero.size - rest) / w[zero].sum())
    if not 5 < surprises[0] < 750:
        return None
    epsilon = float(np.exp(-surprises[0]))
    if abs(surprises[1] / surprises[0] - 1) > 1e-9 + 10 * epsilon:
        return None  # not the same for every pixel
    for log_p in (
        lambda z: np.log(softmax(z) + epsilon),
        lambda z: np.log(np.maximum(softmax(z), epsilon)),
    ):
        imitated = _loss(log_p)
        if all(same(function(*c.inputs), imitated(*c.inputs)) for c in _cases()[1:3]):
            return (
                f"a small number, about {epsilon:.0e}, is added to your p, or p is cut off there: "
                f"−log p never exceeds {surprises[0]:.3g}, and the most wrong pixels lose their "
                "gradient. Take log p as a difference, z − log Σ exp(z), and nothing is needed"
            )
    return None


TASKS = (
    Task(
        "softmax_cross_entropy",
        loss,
        (Output("loss", FORWARD, number=True),),
        _cases,
        probes=(why_not_finite, _epsilon),
    ),
)
