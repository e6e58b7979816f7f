"""Figure of lesson 05b: by what each layer multiplies the gradient on its way back."""

import numpy as np

from lessons import drawing
from lessons.page import computed

lesson = computed("05b")
names = list(lesson.factors[0])
fig, axes = drawing.figure(width=9.2, height=3.4)
for factors in lesson.factors:
    values = [factors[name] for name in names]
    axes.plot(values, "o", mfc="none", mec=drawing.BLUE, ms=5)
axes.plot([], [], "o", mfc="none", mec=drawing.BLUE, label="measured, one point a network")
expected = [lesson.expected(name) for name in names]
axes.plot(expected, "_", color=drawing.RED, ms=12, mew=2, label="expected from He initialisation")
axes.axhline(1, color=drawing.GREY, lw=0.8)
axes.set_xticks(np.arange(len(names)), names, rotation=60, ha="right", size=8)
axes.set(ylabel="size after / before", ylim=(0, None))
axes.legend(loc="upper center", ncols=2)
drawing.save(fig, "05b-factors.svg")
