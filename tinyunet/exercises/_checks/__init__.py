"""The checks: each file has the tasks of an exercise, with the mistakes that are usual in it.

| exercise | file |
| --- | --- |
| 01, 02 | `conv2d.py`, `conv2d_backward.py` |
| 03 | `relu_pool.py` |
| 04 | `up_conv2d.py`, `up_conv2d_backward.py` |
| 05 | `crop_concat.py` |
| 06 | `cross_entropy.py`, `cross_entropy_backward.py` |
| 07, 08, 09, 10 | `momentum.py`, `weight_map.py`, `displaced.py`, `tiles.py` |
| 11 | `training_step.py` |
| 12, 13 | `rand_score.py`, `seg_score.py`, both with the label maps of `maps.py` |
| 14, 15 | `winograd.py`, `winograd_backward.py` |
| 16 | `own_network.py`, with the U of `own_rules.py` |

`gradients.py` has the mistakes that several backward passes share. Each right function here is
independent of the package's own and of the lessons' loops; the tests hold them together.
"""

from collections.abc import Callable, Iterator

from tinyunet.exercises._checks import (
    conv2d,
    conv2d_backward,
    crop_concat,
    cross_entropy,
    cross_entropy_backward,
    displaced,
    momentum,
    own_network,
    rand_score,
    relu_pool,
    seg_score,
    tiles,
    training_step,
    up_conv2d,
    up_conv2d_backward,
    weight_map,
    winograd,
    winograd_backward,
)
from tinyunet.exercises.learner import Learner
from tinyunet.exercises.task import Task


def _run(*tasks: Task) -> Callable[[Learner], Iterator[str]]:
    """The check of an exercise that is nothing but tasks."""

    def check(learner: Learner) -> Iterator[str]:
        for task in tasks:
            yield from task.check(learner)

    return check


# Exercise → what is called with the `Learner`: it yields the title of a step, then does it.
CHECKS: dict[str, Callable[[Learner], Iterator[str]]] = {
    "01": _run(*conv2d.TASKS),
    "02": _run(*conv2d_backward.TASKS),
    "03": _run(*relu_pool.TASKS),
    "04": _run(*up_conv2d.TASKS, *up_conv2d_backward.TASKS),
    "05": _run(*crop_concat.TASKS),
    "06": _run(*cross_entropy.TASKS, *cross_entropy_backward.TASKS),
    "07": _run(*momentum.TASKS),
    "08": _run(*weight_map.TASKS),
    "09": _run(*displaced.TASKS),
    "10": _run(*tiles.TASKS),
    "11": _run(*training_step.TASKS),
    "12": _run(*rand_score.TASKS),
    "13": _run(*seg_score.TASKS),
    "14": _run(*winograd.TASKS),
    "15": _run(*winograd_backward.TASKS),
    "16": own_network.check,
}
