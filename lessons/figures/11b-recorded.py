"""Figure of lesson 11b: the recorded runs, one of each kind, and how much each scatters."""

import numpy as np

from lessons import drawing
from lessons.page import computed

lesson = computed("11b")
colours = [drawing.BLUE, drawing.ORANGE, drawing.GREEN, drawing.RED]
fig, axes = drawing.figure(columns=3, width=10, height=3.6, width_ratios=[1.3, 1.3, 1])
for place, ((run, found), colour) in enumerate(zip(lesson.scores.items(), colours, strict=True)):
    log = lesson.logs[run]
    axes[0].plot(log["step"], log["loss"], color=colour, lw=1, label=run.removeprefix("isbi-"))
    checked = [
        (s, w)
        for s, w in zip(log["step"], log["val_pixel_error_rate"], strict=True)
        if w is not None
    ]
    axes[1].plot(*zip(*checked, strict=True), ".-", color=colour, lw=1, ms=4)
    slices = found["average 1"]["wrong_by_slice"]
    axes[2].plot(np.full(4, place), slices, "o", mfc="none", mec=colour)
    axes[2].plot(place, np.mean(slices), "_", color=drawing.BLACK, ms=16)
axes[0].set(title="training loss (two units)", xlabel="step", ylim=(0, 1))
axes[0].legend(frameon=False, fontsize=8)
axes[1].axhline(0.208, color=drawing.GREY, ls="--", lw=1)
axes[1].text(3000, 0.212, "everything called cell", ha="right", color=drawing.DARK_GREY, size=8.5)
axes[1].set(title="pixel error rate at 0.5, slices 20–23", xlabel="step", ylim=(0, 0.3))
names = [run.removeprefix("isbi-").replace("no-", "no\n") for run in lesson.scores]
axes[2].set_xticks(range(4), names, size=8)
axes[2].set(title="at the end, each slice", ylim=(0, 0.15), xlim=(-0.5, 3.5))
drawing.save(fig, "11b-recorded.svg")
