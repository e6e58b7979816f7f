"""Figure of lesson 13: from probabilities to cells in five steps."""

import numpy as np

from lessons import drawing
from lessons.page import computed

lesson = computed("13")
shades = {1: drawing.SKY, 2: drawing.SAND, 3: drawing.MINT}
parts = []
for title, grid in lesson.stages.items():
    colours = {}
    if not title.startswith("ten"):
        colours = {at: shades[int(cell)] for at, cell in np.ndenumerate(grid) if cell}
    parts.append({"values": grid, "title": title, "colours": colours, "size": 7.5})
fig, *_ = drawing.grids(*parts, gap=0.9, cell=0.19)
drawing.save(fig, "13-steps.svg")
