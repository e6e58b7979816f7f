"""What the checks of several backward passes share: mistakes of sums."""

from collections.abc import Callable
from typing import Any

import numpy as np

from tinyunet.arrays import Array
from tinyunet.exercises.task import Mistake

GRADIENTS = ("dx", "dweight", "dbias")
Backward = Callable[..., Any]

ONES = (
    "your {name} is right only for an upstream gradient of ones: each term is multiplied by its dy"
)
ASSIGNED = (
    "your {name} keeps only the last share: a value that went into several outputs collects from "
    "all of them, so `+=` where `=` is"
)
RETURNED = (
    "your {name} holds the share of the first {what} only: is there a `return` in the loop, or an "
    "index 0 for all of them?"
)


def upstream(backward: Backward) -> tuple[Mistake, ...]:
    """Return the mistakes that are the right backward pass of another dy.

    Parameters
    ----------
    backward : callable
        The right one, (dy, *inputs) → gradients.

    Returns
    -------
    tuple of Mistake
        dy ignored, cut short by a `return`, or read in another order.
    """

    def of(change: Callable[[Array], Array]) -> Backward:
        return lambda dy, *inputs: backward(change(dy), *inputs)

    def first(count: int) -> Backward:
        """The backward pass of dy at index 0 of its first `count` axes."""

        def change(dy: Array) -> Array:
            kept = np.zeros_like(dy)
            kept[(0,) * count] = dy[(0,) * count]
            return kept

        return of(change)

    axes = ((4, "output pixel"), (3, "row of outputs"), (2, "output channel"), (1, "image"))
    return (
        Mistake(ONES, of(np.ones_like)),
        *(Mistake(RETURNED.replace("{what}", what), first(count)) for count, what in axes),
        Mistake(
            "your {name} holds the share of the last image only: `+=` over the batch, not `=`",
            of(_last_image),
        ),
        Mistake("your {name} takes dy's channels in reverse order", of(lambda dy: dy[:, ::-1])),
        Mistake("your {name} takes dy's rows in reverse order", of(lambda dy: dy[:, :, ::-1])),
        Mistake("your {name} takes dy upside down and mirrored: dy is not turned, only the kernel",
                of(lambda dy: dy[:, :, ::-1, ::-1])),
        Mistake("every image gets the gradient of the first: dy[n], not dy[0]",
                of(lambda dy: np.broadcast_to(dy[:1], dy.shape))),
    )  # fmt: skip


def _last_image(dy: Array) -> Array:
    kept = np.zeros_like(dy)
    kept[-1:] = dy[-1:]
    return kept


def bias_sums() -> tuple[Mistake, ...]:
    """Return the mistakes of a bias's gradient: sums over other axes of dy (N, O, H', W').

    Returns
    -------
    tuple of Mistake
        Mistakes of the output "dbias".
    """
    sums = (
        ((2, 3), "your dbias is not summed over the batch: all images share one bias"),
        ((0,), "your dbias is not summed over pixels: bias[o] went into every one of them"),
        ((0, 2), "your dbias is not summed over columns: bias[o] went into every pixel"),
        ((0, 3), "your dbias is not summed over rows: bias[o] went into every pixel"),
        ((0, 1), "your dbias is summed over channels instead of pixels: bias[o] went into every "
         "pixel of channel o"),
        ((1, 2, 3), "your dbias is summed over channels instead of images: each channel has a "
         "bias of its own, and all images share it"),
        ((0, 1, 2, 3), "your dbias is summed over output channels too: each has a bias of its own"),
    )  # fmt: skip
    return (
        *(Mistake(says, lambda dy, *_, axes=axes: dy.sum(axis=axes)) for axes, says in sums),
        Mistake(
            "every element of your dbias holds the sum over all output channels: "
            "`dbias[o] +=`, not `dbias +=`",
            lambda dy, *_: np.full(dy.shape[1], dy.sum()),
        ),
        Mistake(ASSIGNED, lambda dy, *_: dy[-1, :, -1, -1]),
    )
