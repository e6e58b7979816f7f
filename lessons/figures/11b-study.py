"""Figure of lesson 11b: every run of the study, one dot a seed, and the mean of each setting."""

import numpy as np

from lessons import drawing
from lessons.page import computed

lesson = computed("11b")
names = [n for n, found in lesson.left_out.items() if len(found["rand_error"]) > 1]
fig, axes = drawing.figure(columns=2, width=10, height=0.7 + 0.34 * len(names))
for ax, score, title in zip(
    axes,
    ("v_rand_thinned", "best_rate"),
    ("V_Rand thinned (large is good)", "pixel error rate, best threshold (small is good)"),
    strict=True,
):
    for place, name in enumerate(names):
        values = lesson.left_out[name][score]
        ax.plot(values, np.full(len(values), place), "o", mfc="none", mec=drawing.BLUE, ms=6)
        ax.plot(np.mean(values), place, "|", color=drawing.BLACK, ms=14, mew=2)
    ax.set(title=title, ylim=(len(names) - 0.5, -0.5))
    ax.set_yticks(range(len(names)), names if ax is axes[0] else [""] * len(names), size=9)
    ax.grid(axis="x", color=drawing.GREY, lw=0.5)
drawing.save(fig, "11b-study.svg")
