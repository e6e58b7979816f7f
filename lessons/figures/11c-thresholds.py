"""Figure of lesson 11c: pixel error rate against the threshold, with and without weights."""

import numpy as np

from lessons import drawing
from lessons.page import computed

lesson = computed("11c")
kinds = {
    "no weights": (lesson.sweeps["none"], drawing.BLUE, 0.5),
    "classes balanced": (lesson.sweeps["balance"], drawing.ORANGE, lesson.predicted["balance"]),
    "full weight map": (lesson.sweeps["full"], drawing.RED, lesson.predicted["full"]),
}
fig, axes = drawing.figure(width=7.6, height=3.4)
for name, (sweeps, colour, predicted) in kinds.items():
    for sweep in sweeps:
        axes.plot(lesson.thresholds, sweep, color=colour, lw=1)
    axes.plot([], [], color=colour, label=name)
    axes.axvline(predicted, color=colour, ls="--", lw=1)
axes.axhline(np.mean(lesson.truth == 0), color=drawing.GREY, lw=0.8)
axes.set(xlabel="threshold for cell", ylabel="pixel error rate", ylim=(0, 0.4), xlim=(0, 1))
axes.legend(loc="upper left", frameon=False)
drawing.save(fig, "11c-thresholds.svg")
