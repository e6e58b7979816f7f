"""Figure of lesson 14: measured times of one layer, step by step."""

from lessons import drawing
from lessons.page import computed

times = computed("14").times
fig, axes = drawing.figure(width=8.4, height=3.4)
layers = {
    "16→16, 282×282": drawing.ORANGE,
    "64→64, 282×282": drawing.BLUE,
    "256→256, 66×66": drawing.GREEN,
}
steps = [name for name in times["64→64, 282×282"] if not name.startswith("backward")]
for layer, colour in layers.items():
    axes.semilogx(
        [times[layer][step] for step in steps], range(len(steps)), "o-", color=colour, label=layer
    )
axes.set_yticks(range(len(steps)), steps)
axes.invert_yaxis()
axes.set(xlabel="milliseconds, one thread")
axes.legend(frameon=False)
drawing.save(fig, "14-ladder.svg")
