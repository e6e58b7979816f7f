"""Figure of lesson 14: operations per byte of the eighteen 3×3 layers, three ways."""

from lessons import drawing
from lessons.page import computed

lesson = computed("14")
named = [layer for layer in lesson.walk.values() if layer.kind == "conv3x3"]
labels = ("direct", "Winograd, written out", "Winograd, in blocks")
colours = (drawing.BLUE, drawing.ORANGE, drawing.GREEN)
fig, axes = drawing.figure(width=8.5, height=3.6)
for values, label, colour in zip(
    zip(*map(lesson.per_byte, named), strict=True), labels, colours, strict=True
):
    axes.semilogy(values, "o-", color=colour, label=label, lw=2)
axes.axhline(145 / 23, color=drawing.GREY, ls="--")
axes.text(17.4, 145 / 23 * 0.6, "below: limited by memory", ha="right", color=drawing.DARK_GREY)
axes.set_xticks(range(len(named)), [layer.name for layer in named], rotation=60, ha="right", size=8)
axes.set(ylabel="operations per byte", xlim=(-0.5, 17.5))
axes.legend(frameon=False, ncols=3, loc="lower right")
drawing.save(fig, "14-intensity.svg")
