"""Figure of lesson 13: recorded runs on nuclei, with and without the weight map."""

from lessons import drawing
from lessons.runs.record import read_scores

thresholds = (0.5, 0.7, 0.8, 0.9)
scores = read_scores()
fig, axes = drawing.figure(columns=2, width=9.2, height=3.2)
runs = {
    "nuclei-weights": ("with the weight map", drawing.BLUE),
    "nuclei-no-weights": ("without", drawing.ORANGE),
}
for run, (label, colour) in runs.items():
    for way, style in (("borders closed", "o-"), ("grown by 1", "s--")):
        found = [scores[run][f"above {t}, {way}"] for t in thresholds]
        for ax, values in zip(
            axes, ([f["parted"] for f in found], [f["seg"] for f in found]), strict=True
        ):
            ax.plot(thresholds, values, style, color=colour, mfc="none", label=f"{label}, {way}")
axes[0].set(title="pairs kept apart, of 106", xlabel="threshold", ylim=(0, None), xticks=thresholds)
axes[1].set(title="SEG", xlabel="threshold", ylim=(0, 0.8), xticks=thresholds)
axes[1].legend(fontsize=8, loc="lower left", frameon=False)
drawing.save(fig, "13-nuclei.svg")
