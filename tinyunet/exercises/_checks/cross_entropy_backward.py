"""Check of exercise 06: the gradient of the cross-entropy, with pixels that have no label.

Lesson: `lessons/06-cross-entropy.md`, where every pixel has one; the others are for the learner.
"""

from collections.abc import Callable
from functools import cache, partial

import numpy as np

from tinyunet.arrays import Array
from tinyunet.exercises._checks.cross_entropy import (
    AXES,
    HOLES,
    cases,
    count,
    log_softmax,
    one_hot,
    pixels,
    sigmoid,
    softmax,
    why_not_finite,
)
from tinyunet.exercises.diagnose import TOLERANCE_FLOAT32
from tinyunet.exercises.task import Case, Mistake, Output, Task


def _share(labels: Array, weight_map: Array) -> Array:
    """What each pixel's gradient is multiplied by, (N, 1, H, W)."""
    known = labels >= 0
    return (np.where(known, weight_map, 0) / max(known.sum(), 1))[:, None]


def gradient(logits: Array, labels: Array, weight_map: Array) -> Array:
    """The right answer: dlogits."""
    p = np.exp(log_softmax(logits))
    return ((p - one_hot(logits, labels)) * _share(labels, weight_map)).astype(logits.dtype)


@cache
def _cases() -> list[Case]:
    function = "softmax_cross_entropy_backward"
    logits, labels, weights = pixels(*HOLES[0])
    arrays = logits.astype(np.float32), labels, weights.astype(np.float32)
    title = f"{function}: float32 in, float32 out"
    return [
        *cases(function),
        Case(title, arrays, {}, 3, False, TOLERANCE_FLOAT32, np.float32),
    ]


def _p_changed(p_of: Callable[[Array], Array]) -> Callable[..., Array]:
    """The gradient with something else in the place of p."""
    return lambda z, labels, w: (p_of(z) - one_hot(z, labels)) * _share(labels, w)


def _gradient_scaled(factor: Callable[..., float]) -> Callable[..., Array]:
    return lambda z, labels, w: gradient(z, labels, w) * factor(labels, w)


def _first_pixel(logits: Array, labels: Array, weight_map: Array) -> Array:
    kept = np.zeros_like(logits)
    kept[0, :, 0, 0] = gradient(logits, labels, weight_map)[0, :, 0, 0]
    return kept


BACKWARD = (
    Mistake("your dlogits never takes the label into account: subtract 1 from p there",
            lambda z, labels, w: softmax(z) * _share(labels, w)),
    Mistake("your dlogits is only −1 at the label: the softmax's p is missing",
            lambda z, labels, w: -one_hot(z, labels) * _share(labels, w)),
    Mistake("your dlogits has p − 1 at the label and 0 elsewhere: the other classes get p",
            lambda z, labels, w: gradient(z, labels, w) * one_hot(z, labels)),
    Mistake("your dlogits leaves the weights out: w stands in front of each pixel's term",
            lambda z, labels, w: gradient(z, labels, np.ones_like(w))),
    Mistake("your dlogits has the weights squared: multiply by w once",
            lambda z, labels, w: gradient(z, labels, w * w)),
    Mistake("your dlogits is of a sum instead of a mean: divide by the number of pixels n",
            _gradient_scaled(lambda labels, w: count(labels))),
    Mistake("your dlogits is divided by the sum of the weights: divide by the number of pixels n",
            _gradient_scaled(lambda labels, w: count(labels) / w[labels >= 0].sum())),
    Mistake("your dlogits is divided by the number of images only: divide by all n pixels",
            _gradient_scaled(lambda labels, w: count(labels) / len(labels))),
    Mistake("your dlogits has the wrong sign: p − 1 at the label, not 1 − p",
            _gradient_scaled(lambda labels, w: -1)),
    Mistake("your dlogits carries the softmax's slope p(1 − p) once more: it has cancelled "
            "already, that is the one-line gradient",
            lambda z, labels, w: gradient(z, labels, w) * softmax(z) * (1 - softmax(z))),
    Mistake("that is the gradient with respect to p, −w / (n p) at the label: go on through the "
            "softmax to the logits",
            lambda z, labels, w: -one_hot(z, labels) * _share(labels, w) / softmax(z)),
    *(Mistake(f"your softmax runs {where}: the classes of a pixel lie along axis 1",
              _p_changed(partial(softmax, axis=axis)))
      for axis, where in enumerate(AXES) if where),
    Mistake("your p is a sigmoid of each logit: with a softmax, p depends on all classes",
            _p_changed(sigmoid)),
    *(Mistake("your logits go through a ReLU first: the last convolution has none (lesson 06, "
              "\"The trap\")",
              lambda z, labels, w, masked=masked: gradient(np.maximum(z, 0), labels, w)
              * (z > 0 if masked else 1)) for masked in (True, False)),
    Mistake("your dlogits takes the logits for p: the softmax is missing", _p_changed(lambda z: z)),
    Mistake("your softmax divides by the sum over all pixels: each pixel's classes add up to 1",
            _p_changed(lambda z: np.exp(z) / np.exp(z).sum())),
    Mistake("a label of −1 reads the last class, as a negative index does: these pixels get 0",
            lambda z, labels, w: gradient(
                z, np.where(labels < 0, z.shape[1] - 1, labels), w)),
    Mistake("pixels without a label get p in yours: they are not in E, so their gradient is 0",
            lambda z, labels, w: (softmax(z) - one_hot(z, labels)) * w[:, None] / count(labels)),
    Mistake("pixels without a label get p in yours, and n counts all: they are not in E, so their "
            "gradient is 0",
            lambda z, labels, w: (softmax(z) - one_hot(z, labels)) * w[:, None] / labels.size),
    Mistake("your dlogits is right at the first pixel and 0 at all others: is there a `return` "
            "inside the loop?", _first_pixel),
    Mistake("your n counts all pixels: divide by the number of those that have a label",
            _gradient_scaled(lambda labels, w: count(labels) / labels.size)),
)  # fmt: skip

TASKS = (
    Task(
        "softmax_cross_entropy_backward",
        gradient,
        (Output("dlogits", BACKWARD, "(N, K, H, W)"),),
        _cases,
        probes=(why_not_finite,),
    ),
)
