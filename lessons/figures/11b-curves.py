"""Figure of lesson 11b: scores against slices to learn from, against steps, against channels."""

import numpy as np

from lessons import drawing
from lessons.page import computed

lesson = computed("11b")
curves = {
    "slices to learn from": {3: "3 slices", 5: "5 slices", 10: "10 slices", 16: "all"},
    "steps": {500: "500 steps", 1000: "1000 steps", 2000: "all", 4000: "4000 steps"},
    "base channels": {4: "base 4", 8: "all", 16: "base 16", 32: "base 32"},
}
scores = {"V_Rand thinned": "v_rand_thinned", "pixel error rate": "best_rate"}
fig, axes = drawing.figure(columns=3, rows=2, width=9.6, height=4.8, sharey="row", sharex="col")
colours = dict(zip(lesson.GROUPS, (drawing.BLUE, drawing.ORANGE), strict=True))
for column, (what, settings) in zip(axes.T, curves.items(), strict=True):
    there = {number: name for number, name in settings.items() if name in lesson.study}
    for ax, score in zip(column, scores.values(), strict=True):
        for (group, part), shift in zip(lesson.GROUPS.items(), (0.97, 1.03), strict=True):
            rows = [lesson.study[name][part][score] for name in there.values()]
            for number, values in zip(there, rows, strict=True):
                x = np.full(len(values), number * shift)
                ax.plot(x, values, "o", mfc="none", mec=colours[group], ms=4)
            means = [np.mean(values) for values in rows]
            ax.plot(np.array(list(there)) * shift, means, color=colours[group], label=group)
        ax.set_xscale("log", base=2)
        ax.set_xticks(list(there), list(map(str, there)))
        ax.minorticks_off()
        ax.grid(color=drawing.GREY, lw=0.4)
    column[-1].set_xlabel(what)
for ax, label in zip(axes[:, 0], scores, strict=True):
    ax.set_ylabel(label)
axes[0, 1].legend(frameon=False, title="slices scored", title_fontsize=9, loc="upper left")
drawing.save(fig, "11b-curves.svg")
