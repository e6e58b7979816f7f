"""Figure of lesson 05b: the image pixels that one output pixel depends on, route by route."""

import numpy as np

from lessons import drawing
from lessons.page import computed

lesson = computed("05b")
names = [f"skip {level}" for level in (1, 2, 3, 4)] + ["bottom"]
colours = [drawing.ORANGE, drawing.GREEN, drawing.PURPLE, drawing.RED, drawing.BLUE]

fig, axes = drawing.figure(columns=2, width=9.2, height=3.9, width_ratios=[1, 1.25])
gradient = np.log10(abs(lesson.whole) + 1e-7)
drawing.show(axes[0], gradient, "gradient of one output pixel", cmap="gray", vmin=-6, vmax=-1)
for colour, part in zip(colours, lesson.parts, strict=True):
    rows, columns = (np.flatnonzero(part.any(axis=axis)) for axis in (1, 0))
    corner = columns[0] - 0.5, rows[0] - 0.5
    size = columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1
    axes[0].add_patch(drawing.plt.Rectangle(corner, *size, fill=False, ec=colour, lw=1.8))

shares = np.array(lesson.shares)  # (networks, routes)
places = np.arange(5)
axes[1].bar(places, shares.mean(axis=0), color=colours, width=0.6)
for place, column in zip(places, shares.T, strict=True):
    axes[1].plot(np.full(len(column), place), column, "o", mfc="none", mec=drawing.BLACK, ms=4)
labels = [f"{name}\n{width}×{width}" for name, width in zip(names, lesson.widths, strict=True)]
axes[1].set_xticks(places, labels)
axes[1].set(
    ylabel="share of the squared gradient", title="by the level at which it leaves the right side"
)
drawing.save(fig, "05b-regions.svg")
