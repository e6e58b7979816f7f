"""Exercises that answer back: the checks behind `tinyunet check`.

The learner's files are in `lessons/exercises/`, one an exercise; a check runs their functions on
small arrays and stops at the first that is not right, with an explanation in the lesson's terms.

| file | what it holds |
| --- | --- |
| `learner.py` | their file: imported by path, called with copies; errors with their line |
| `diagnose.py` | a wrong array compared with typical distortions of the right one |
| `run.py` | which file is which exercise; one check run to its verdict |
| the others | the checks, by subject |
"""

from typing import NamedTuple

from tinyunet.exercises import (
    convolutions,
    elementwise,
    own_network,
    pictures,
    scores,
    training,
    winograd,
)


class Exercise(NamedTuple):
    """One exercise: its file's name, its lesson, the functions to write and their check."""

    name: str  # "02_conv2d_backward"
    lesson: str  # "lessons/02-convolution-backward.md"
    functions: tuple  # names of what the file must define
    check: object  # a generator function of the `Learner`, which yields step titles

    @property
    def number(self):
        """The two digits that it begins with."""
        return self.name[:2]


def _exercise(name, lesson, functions, check):
    return Exercise(name, f"lessons/{lesson}.md", tuple(functions.split()), check)


EXERCISES = (
    _exercise("01_conv2d_loops", "01-valid-convolution", "conv2d", convolutions.check_conv2d),
    _exercise(
        "02_conv2d_backward",
        "02-convolution-backward",
        "conv2d_backward",
        convolutions.check_conv2d_backward,
    ),
    _exercise(
        "03_max_pool_backward",
        "03-relu-and-pool",
        "relu relu_backward max_pool2d max_pool2d_backward",
        elementwise.check_relu_and_pool,
    ),
    _exercise(
        "04_up_conv2d",
        "04-up-convolution",
        "up_conv2d up_conv2d_backward",
        convolutions.check_up_conv2d,
    ),
    _exercise(
        "05_crop_concat",
        "05-the-u",
        "center_crop_concat center_crop_concat_backward",
        elementwise.check_crop_concat,
    ),
    _exercise(
        "06_cross_entropy",
        "06-cross-entropy",
        "softmax_cross_entropy softmax_cross_entropy_backward",
        training.check_cross_entropy,
    ),
    _exercise(
        "07_sgd_momentum",
        "07-initialisation-and-momentum",
        "he_deviation sgd_momentum",
        training.check_momentum,
    ),
    _exercise("08_weight_map", "08-weight-map", "weight_map", pictures.check_weight_map),
    _exercise(
        "09_displacement_field", "09-elastic-deformation", "displaced", pictures.check_displaced
    ),
    _exercise("10_overlap_tile", "10-overlap-tile", "mirror tiles", pictures.check_tiles),
    _exercise("11_training_step", "11-training", "training_step", training.check_training_step),
    _exercise("12_rand_score", "12-scores", "v_rand", scores.check_v_rand),
    _exercise("13_seg_score", "13-touching-cells", "seg", scores.check_seg),
    _exercise(
        "14_winograd_forward",
        "14-fast-on-a-cpu",
        "f23_filter f23 winograd_tile",
        winograd.check_forward,
    ),
    _exercise(
        "15_winograd_backward",
        "14-fast-on-a-cpu",
        "winograd_tile_backward",
        winograd.check_backward,
    ),
    _exercise("16_your_own_unet", "05-the-u", "forward backward", own_network.check_own_network),
)
