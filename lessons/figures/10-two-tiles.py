"""Figure of lesson 10: ten pixels, mirrored at both ends, and the windows of two tiles."""

import numpy as np

from lessons import drawing
from tinyunet.geometry import mirror
from tinyunet.inference.tiling import plan_axis

MARGIN, FIRST = 8, -8
fig, axes = drawing.canvas(32, 7.6, cell=0.3)


def square(x, y, text, colour):
    place = (x - FIRST + 5.0, y)
    axes.add_patch(drawing.plt.Rectangle(place, 1, 1, fc=colour, ec=drawing.GREY, lw=1))
    ink = drawing.BLACK if colour == "none" else drawing.INK
    axes.text(place[0] + 0.5, y + 0.53, text, ha="center", va="center", size=8.5, color=ink)


positions = np.arange(-8, 18)
for x, read in zip(positions, mirror(positions, 10), strict=True):
    square(x, 0.8, read, drawing.SAND if 0 <= x < 10 else "none")
axes.text(4.7, 1.3, "reads pixel", ha="right", va="center", size=9.5)
tiles = zip(plan_axis(10, 22, 2), (drawing.SKY, drawing.MINT), ("tile 1", "tile 2"), strict=True)
for k, ((start, count, window), colour, name) in enumerate(tiles):
    y = 3.0 + 2.2 * k
    for x in range(start - MARGIN, start - MARGIN + window):
        inside = start <= x < start + count
        square(x, y, x if inside else "", colour if inside else "none")
    axes.text(4.7, y + 0.5, name, ha="right", va="center", size=9.5)
drawing.save(fig, "10-two-tiles.svg")
