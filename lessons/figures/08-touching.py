"""Figure of lesson 08: touching cells, the border cut between them, and the weight map."""

import numpy as np

from lessons import drawing
from lessons.page import computed

lesson = computed("08")
window = np.s_[30:96, 0:75]
fig, axes = drawing.figure(columns=3, width=9.6, height=3.3)
for ax, cells, title in (
    (axes[0], lesson.labels, "cells that touch"),
    (axes[1], lesson.apart, "a border of 2 pixels cut"),
):
    shown = np.where(cells, cells % 9 + 1, 0)[window]
    drawing.show(ax, shown, title, cmap="tab10")
weights = drawing.show(axes[2], lesson.weights[window], "weight map w(x)", cmap="viridis")
fig.colorbar(weights, ax=axes[2], shrink=0.8)
drawing.save(fig, "08-touching.svg")
