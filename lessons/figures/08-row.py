"""Figure of lesson 08: one row with two cells, its distances and its weights."""

from lessons import drawing
from lessons.page import computed

lesson = computed("08")
shades = {1: drawing.SKY, 2: drawing.SAND}
fig, axes = drawing.canvas(12.4, 6.4)
rows = [
    ("cells", lesson.row, "{:d}"),
    ("d1", lesson.d1_row, "{:.0f}"),
    ("d2", lesson.d2_row, "{:.0f}"),
    ("weight", lesson.weights_row, "{:.2f}"),
]
for k, (name, values, form) in enumerate(rows):
    tint = {(0, x): shades[int(cell)] for x, cell in enumerate(lesson.row[0]) if cell}
    if name == "weight":
        tint |= {(0, x): drawing.PEACH for x in (2, 3, 4)}
    top = 0.4 + 1.5 * k
    drawing.number_grid(axes, values, "", tint, form=form, left=2.4, top=top, size=10.5)
    axes.text(2.0, top + 0.5, name, ha="right", va="center")
drawing.save(fig, "08-row.svg")
