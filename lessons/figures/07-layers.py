"""Figure of lesson 07: size of outputs and gradients in all layers, for three initialisations."""

import numpy as np

from lessons import drawing
from lessons.page import computed

lesson = computed("07")
fig, axes = drawing.figure(rows=2, width=9.2, height=5.6, sharex=True)
colours = (drawing.BLUE, drawing.ORANGE, drawing.RED)
for (rule, networks), colour in zip(lesson.measured.items(), colours, strict=True):
    for ax, values in zip(axes, zip(*networks, strict=True), strict=True):
        values = np.array(values)  # (networks, layers)
        ax.fill_between(range(23), values.min(0), values.max(0), color=colour, alpha=0.25, lw=0)
        ax.semilogy(range(23), np.exp(np.log(values).mean(0)), "o-", color=colour, ms=4, label=rule)
axes[0].set_title("forward: size of each layer's output")
axes[1].set_title("backward: size of the gradient of each layer's output (read from right to left)")
axes[0].legend(title="standard deviation", loc="lower left", ncols=3)
axes[1].set_xticks(range(23), lesson.names, rotation=60, ha="right", size=8)
drawing.save(fig, "07-layers.svg")
