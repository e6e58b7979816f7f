"""Figure of lesson 10: three ways to assemble a prediction, each compared with a single pass."""

from lessons import drawing
from lessons.page import computed

lesson = computed("10")
fig, axes = drawing.figure(columns=3, width=9.6, height=3.5)
steps = {"zeros around each tile": 48, "mirrored, 52 apart": 52, "overlap-tile, 48 apart": 48}
for ax, (name, result) in zip(axes, lesson.results.items(), strict=True):
    error = abs(result - lesson.whole) / lesson.whole.std()
    title = f"{name}\nmean {error.mean():.2f}, largest {error.max():.1f}"
    shown = drawing.show(ax, error, title, cmap="magma", vmin=0, vmax=2)
    for line in range(steps[name], 192, steps[name]):
        ax.plot([line - 0.5] * 2, [-6, 0], color=drawing.GREY, clip_on=False)
        ax.plot([-6, 0], [line - 0.5] * 2, color=drawing.GREY, clip_on=False)
label = "difference, in standard deviations of the map"
fig.colorbar(shown, ax=axes, shrink=0.75, label=label, extend="max")
drawing.save(fig, "10-seams.svg")
