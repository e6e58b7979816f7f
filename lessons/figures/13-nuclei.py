"""Figure of lesson 13: the networks of the nuclei study, one dot each."""

import numpy as np

from lessons import drawing
from lessons.page import computed

lesson = computed("13")
fig, axes = drawing.figure(columns=2, width=9.2, height=2.2)
kinds = list(lesson.study)
panels = {"seg": "SEG", "parted": "touching pairs kept apart, of 106"}
for ax, (score, title) in zip(axes, panels.items(), strict=True):
    for place, kind in enumerate(kinds):
        values = lesson.study[kind][score]
        ax.plot(values, np.full(len(values), place), "o", mfc="none", mec=drawing.BLUE, ms=6)
        ax.plot(np.mean(values), place, "|", color=drawing.BLACK, ms=14, mew=2)
    ax.set(title=title, ylim=(len(kinds) - 0.5, -0.5))
    ax.set_yticks(range(len(kinds)), kinds if ax is axes[0] else [""] * len(kinds))
    ax.grid(axis="x", color=drawing.GREY, lw=0.5)
drawing.save(fig, "13-nuclei.svg")
