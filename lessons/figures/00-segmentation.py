"""Figure of lesson 00: a picture, the class of each of its pixels, and the objects found in it."""

import numpy as np
from scipy.ndimage import label

from lessons import drawing
from tinyunet.images import synthetic_cells, synthetic_membranes

fig, axes = drawing.figure(rows=2, columns=3, width=9.0, height=6.2)
membranes, classes = (stack[0, :144, :144] for stack in synthetic_membranes(1, size=192, seed=4))
cells, numbers = (stack[0, :144, :144] for stack in synthetic_cells(1, size=160, seed=5))
palette = np.vstack([[0, 0, 0], np.random.default_rng(3).uniform(0.3, 1, (400, 3))])

drawing.show(axes[0, 0], membranes, "cells and their membranes")
drawing.show(axes[0, 1], classes, "each pixel: cell or membrane")
drawing.show(axes[0, 2], palette[label(classes)[0]], "so each connected region is a cell")
drawing.show(axes[1, 0], cells, "nuclei that touch")
drawing.show(axes[1, 1], numbers > 0, "each pixel: nucleus or background")
drawing.show(axes[1, 2], palette[numbers], "the nuclei that were meant")
drawing.save(fig, "00-segmentation.svg")
