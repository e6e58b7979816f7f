"""Figure of lesson 17: how many times as many tiles a second P ranks learn from."""

import numpy as np

from lessons import drawing
from lessons.page import computed
from tinyunet.nn.architecture import count_parameters

lesson = computed("17")
ranks = np.arange(1, 17)
fig, panels = drawing.figure(columns=2, width=8.4, height=3.4, sharey=True)
colours = (drawing.ORANGE, drawing.BLUE, drawing.GREEN)
for axes, (base, seconds) in zip(panels, lesson.steps.items(), strict=True):
    n_bytes = 4 * count_parameters(1, 2, 5, base)
    axes.plot(ranks, ranks, "--", color=drawing.BLACK, lw=1)
    for (name, bandwidth), colour in zip(lesson.networks.items(), colours, strict=True):
        times = [lesson.speedup(seconds, n_bytes, bandwidth, p) for p in ranks]
        axes.plot(ranks, times, "o-", ms=3, color=colour, label=name)
    axes.set(title=f"base {base}: {n_bytes / 1e6:.0f} MB, {seconds:.2f} s a step", xlabel="ranks")
panels[0].set(ylabel="times as many tiles a second")
panels[0].legend(frameon=False)
drawing.save(fig, "17-scaling.svg")
