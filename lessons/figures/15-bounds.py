"""Figure of lesson 15: lower bounds of a step by channels, and the time of its launches."""

from lessons import drawing
from lessons.page import computed
from tinyunet.backends import counts

lesson = computed("15")
bases = [4, 8, 16, 32, 64]
steps = [counts.count_step(284, base_channels=base) for base in bases]
fig, axes = drawing.figure(width=8.4, height=3.8)
for name, winograd, colour in (("direct", False, drawing.BLUE), ("Winograd", True, drawing.ORANGE)):
    pairs = [step.lower_bounds(67e12, lesson.memory, winograd) for step in steps]
    for k, (kind, style) in enumerate((("arithmetic", "--"), ("memory", ":"))):
        axes.loglog(
            bases, [p[k] for p in pairs], style, color=colour, lw=1.2, label=f"{name}: {kind}"
        )
    axes.loglog(
        bases, [max(p) for p in pairs], "o-", color=colour, lw=2, label=f"{name}: the larger"
    )
launches = [
    len(lesson.count_training_step(284, base_channels=base).launches) * 5e-3 for base in bases
]
axes.loglog(bases, launches, "s-", color=drawing.RED, ms=4, label="launches, 5 µs each")
axes.set_xticks(bases, bases)
axes.minorticks_off()
axes.set(
    xlabel="channels of the first level", ylabel="milliseconds a step", title="tile of 284, float32"
)
axes.legend(fontsize=8, ncols=2, loc="lower right")
drawing.save(fig, "15-bounds.svg")
