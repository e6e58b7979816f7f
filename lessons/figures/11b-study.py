"""Figure of lesson 11b: every run of the study minus the run "all" with the same seed."""

import numpy as np

from lessons import drawing
from lessons.page import computed

lesson = computed("11b")
few = ("3 slices", "5 slices", "10 slices", "all, in PyTorch")  # other figures and texts
names = [name for name in lesson.SETTINGS if name not in few]
fig, axes = drawing.figure(columns=2, width=10, height=0.9 + 0.34 * len(names))
panels = {
    "v_rand_thinned": ("V_Rand thinned, minus that of “all”", 1),
    "best_rate": ("“all” minus pixel error rate at the best threshold", -1),
}
colours = dict(zip(lesson.GROUPS, (drawing.BLUE, drawing.ORANGE), strict=True))
for ax, (score, (title, sign)) in zip(axes, panels.items(), strict=True):
    for place, name in enumerate(names):
        rows = sign * lesson.differences(name, score)
        for k, (group, values) in enumerate(zip(lesson.GROUPS, rows, strict=True)):
            at = np.full(len(values), place - 0.13 + 0.26 * k)
            ax.plot(values, at, "o", mfc="none", mec=colours[group], ms=5)
    ax.axvline(0, color=drawing.BLACK, lw=1)
    ax.set(title=title, ylim=(len(names) - 0.5, -0.5))
    ax.set_yticks(range(len(names)), names if ax is axes[0] else [""] * len(names), size=9)
    ax.locator_params(axis="x", nbins=6)
    ax.grid(axis="x", color=drawing.GREY, lw=0.5)
for group, colour in colours.items():
    axes[1].plot([], [], "o", mfc="none", mec=colour, label=f"slices {group}")
axes[1].legend(frameon=False, loc="upper left")
drawing.save(fig, "11b-study.svg")
