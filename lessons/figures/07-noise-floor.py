"""Figure of lesson 07: how far from the minimum noisy gradients keep a parameter."""

from lessons import drawing
from lessons.page import computed

lesson = computed("07")
runs = {
    "rate 0.1, no momentum, one tile a step": (0.1, 0, 1, drawing.ORANGE),
    "rate 0.001, momentum 0.99, one tile a step": (0.001, 0.99, 1, drawing.BLUE),
    "rate 0.1, no momentum, 199 tiles a step": (0.1, 0, 199, drawing.GREEN),
}
fig, axes = drawing.figure(rows=3, width=8.6, height=4.6, sharex=True, sharey=True)
for ax, (name, (rate, momentum, tiles, colour)) in zip(axes, runs.items(), strict=True):
    ax.plot(lesson.descend(rate, momentum, tiles, seed=0)[:2000], color=colour, lw=1)
    ax.axhline(0, color=drawing.GREY, lw=0.8)
    ax.set_title(name, loc="left", size=10)
axes[-1].set(xlabel="step", ylim=(-1, 1))
axes[1].set_ylabel("p (the minimum is at 0)")
drawing.save(fig, "07-noise-floor.svg")
