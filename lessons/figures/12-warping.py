"""Figure of lesson 12: four predictions, and the label warped towards each."""

import numpy as np

from lessons import drawing
from lessons.page import computed

lesson = computed("12")
fig, axes = drawing.canvas(33.5, 10.6, cell=0.29)
for k, (name, (prediction, warped, rows, columns)) in enumerate(lesson.warped.items()):
    left = 0.5 + 8.3 * k
    stuck = dict.fromkeys(zip(rows.tolist(), columns.tolist(), strict=True), drawing.SAND)
    for top, grid, title in (
        (1.6, prediction, f"{name}: prediction"),
        (6.6, warped, "label, warped"),
    ):
        colours = {tuple(at): drawing.LIGHT_GREY for at in np.argwhere(grid == 0)}
        colours |= stuck if grid is warped else {}
        drawing.number_grid(axes, grid.astype(int), title, colours, left=left, top=top, size=9)
drawing.save(fig, "12-warping.svg")
