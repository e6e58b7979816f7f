"""Figure of lesson 16: how the error of a prediction depends on the distance from the cut."""

import numpy as np

from lessons import drawing
from lessons.page import computed

profiles = computed("16").profiles
fig, axes = drawing.figure(width=8, height=3.2)
for (name, values), colour in zip(profiles.items(), (drawing.ORANGE, drawing.BLUE), strict=True):
    values = np.array(values)  # (networks, distances)
    distances = np.arange(values.shape[1])
    axes.fill_between(distances, values.min(0), values.max(0), color=colour, alpha=0.2, lw=0)
    axes.plot(distances, values.mean(0), "o-", ms=4, color=colour, label=name, lw=2)
label = "error, in standard\ndeviations of the map"
axes.set(xlabel="pixels from the edge of the piece", ylabel=label, ylim=(0, None))
axes.legend(frameon=False)
drawing.save(fig, "16-border.svg")
