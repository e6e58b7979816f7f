"""Data augmentation of section 3.1: one random transform a sample, applied in one resampling.

`elastic_deform` and `random_transform` draw and apply in one call. `draw_transform` draws a
`Transform` of plain numbers, `apply_transform` evaluates any window of it, `source_coordinates` and
`grid_lines` are there to draw it. Lesson: lessons/09-elastic-deformation.md.

| file | what it holds |
| --- | --- |
| `transform.py` | one drawn transform as plain numbers: where each output pixel looks |
| `draw.py` | all that is random, and the two functions that draw and apply |
| `field.py` | the grid of vectors as a smooth surface; the source point of every pixel |
| `resample.py` | a window of a transform: image, labels and weight map, each read once |
| `reference.py` | the reading in plain NumPy: cubic, nearest, linear |
| `kernel.py` | the same in one compiled pass |
"""

from tinyunet.augment.draw import draw_transform, elastic_deform, on_pixels, random_transform
from tinyunet.augment.field import grid_lines, source_coordinates
from tinyunet.augment.resample import Sample, apply_transform
from tinyunet.augment.transform import Transform

__all__ = [
    "Sample",
    "Transform",
    "apply_transform",
    "draw_transform",
    "elastic_deform",
    "grid_lines",
    "on_pixels",
    "random_transform",
    "source_coordinates",
]
