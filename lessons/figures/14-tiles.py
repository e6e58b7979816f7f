"""Figure of lesson 14: input tiles of 6×6 overlap by two pixels, output tiles of 4×4 do not."""

from lessons import drawing

fig, axes = drawing.canvas(28, 12.4, cell=0.3)
for left, size, title in ((1, 10, "input: tiles of 6×6"), (16, 8, "output: tiles of 4×4")):
    for i in range(size):
        for j in range(size):
            place = (left + j, 1.6 + i)
            axes.add_patch(
                drawing.plt.Rectangle(place, 1, 1, fc="none", ec=drawing.LIGHT_GREY, lw=0.8)
            )
    axes.text(left + size / 2, 1.2, title, ha="center", va="bottom", size=10.5)
colours = (drawing.BLUE, drawing.ORANGE, drawing.GREEN, drawing.RED)
for k, colour in enumerate(colours):
    i, j = divmod(k, 2)
    inset = 0.08 * (k + 1)
    for left, tile in ((1, 6), (16, 4)):
        corner = (left + 4 * j + inset, 1.6 + 4 * i + inset)
        side = tile - 2 * inset
        axes.add_patch(drawing.plt.Rectangle(corner, side, side, fc="none", ec=colour, lw=2))
drawing.arrow(axes, (11.6, 6.2), (15.2, 6.2))
drawing.save(fig, "14-tiles.svg")
