"""Pictures of what went in and what came out; every function writes a PNG and returns its path.

They draw on matplotlib's own canvas and need no screen. `canvas.py` has the figure, `curves.py` the
log of a run, `pictures.py` predictions, errors, deformations and weight maps. `overlay.py` makes
pictures of labels as arrays and writes nothing.
Lesson: lessons/11-training.md.
"""

from tinyunet.plot.canvas import BLUE, GREEN, ORANGE, RED
from tinyunet.plot.curves import plot_curves, running_mean
from tinyunet.plot.overlay import colour_labels, colour_table, draw_contours, find_contours
from tinyunet.plot.pictures import (
    error_overlay,
    plot_augmented,
    plot_classes,
    plot_results,
    plot_weight_map,
)

__all__ = [
    "BLUE",
    "GREEN",
    "ORANGE",
    "RED",
    "colour_labels",
    "colour_table",
    "draw_contours",
    "error_overlay",
    "find_contours",
    "plot_augmented",
    "plot_classes",
    "plot_curves",
    "plot_results",
    "plot_weight_map",
    "running_mean",
]
