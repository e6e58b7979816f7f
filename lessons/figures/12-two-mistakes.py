"""Figure of lesson 12: two predictions that are each wrong in one pixel, and their scores."""

import numpy as np

from lessons import drawing
from lessons.page import computed

lesson = computed("12")
shades = [drawing.SKY, drawing.SAND, drawing.MINT]
fig, axes = drawing.canvas(24, 5.6)


def tint(row):
    """Give each run of ones a colour of its own."""
    colours, cell = {}, -1
    for x, value in enumerate(row):
        if value and (x == 0 or not row[x - 1]):
            cell += 1
        if value:
            colours[0, x] = shades[cell]
    return colours


rows = {"ground truth": lesson.label_row, "split": lesson.split, "merged": lesson.merged}
for k, (name, row) in enumerate(rows.items()):
    top = 1.0 + 1.5 * k
    wrong = dict.fromkeys(map(tuple, np.argwhere(row != lesson.label_row)), drawing.RED)
    drawing.number_grid(axes, row.astype(int), "", tint(row[0]), left=4.0, top=top, edges=wrong)
    axes.text(3.6, top + 0.5, name, ha="right", va="center")
    if name in lesson.row_scores:
        pixel, rand, info = lesson.row_scores[name]
        for x, value in zip((15, 18.4, 21.8), (pixel, rand, info), strict=True):
            axes.text(x, top + 0.5, f"{value:.3f}", ha="center", va="center")
for x, text in zip((15, 18.4, 21.8), ("pixel error", "V_Rand", "V_info"), strict=True):
    axes.text(x, 1.9, text, ha="center", weight="bold", size=9.5)
drawing.save(fig, "12-two-mistakes.svg")
