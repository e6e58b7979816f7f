"""Figure of lesson 13: two touching cells and four results, with their scores."""

from lessons import drawing
from lessons.page import computed

lesson = computed("13")
shades = {1: drawing.SKY, 2: drawing.SAND}
window = (slice(1, 9), slice(1, 13))
parts = {"ground truth": lesson.pair} | lesson.four_results
fig, axes = drawing.canvas(48, 9.2, cell=0.195)
for k, (name, cells) in enumerate(parts.items()):
    left = 0.6 + 9.6 * k
    grid = cells[1:9, 2:12] if cells.shape[1] > 10 else cells
    rows, columns = grid.shape
    for i in range(rows):
        for j in range(columns):
            face = shades.get(int(grid[i, j]), "none")
            place = (left + 0.88 * j, 1.2 + 0.88 * i)
            axes.add_patch(
                drawing.plt.Rectangle(place, 0.88, 0.88, fc=face, ec=drawing.GREY, lw=0.6)
            )
    axes.text(left + 0.44 * columns, 0.9, name, ha="center", va="bottom", size=9.5)
    if name in lesson.four_scores:
        score = "IoU {:.2f}, SEG {:.2f}".format(*lesson.four_scores[name])
        axes.text(left + 0.44 * columns, 8.9, score, ha="center", va="center", size=8.5)
drawing.save(fig, "13-four-results.svg")
