"""Figure of lesson 05: the maps of a U of depth 2, each pixel above those that it belongs to."""

from lessons import drawing

fig, axes = drawing.canvas(27.5, 15.2, cell=0.34)


def row(y, start, count, width=1, name="", colours=None, colour="none"):
    """Draw a map as a row of squares: pixel k lies at start + k · width, in pixels of the image."""
    for k in range(count):
        face = (colours or {}).get(k, colour)
        place = (start + k * width + 0.03, y)
        ink = drawing.BLACK if face == "none" else drawing.INK
        box = drawing.plt.Rectangle(place, width - 0.06, 0.86, fc=face, ec=drawing.GREY, lw=1)
        axes.add_patch(box)
        axes.text(place[0] + width / 2, y + 0.45, k, ha="center", va="center", size=8, color=ink)
    axes.text(20.6, y + 0.45, name, va="center", size=9.5)


kept = dict.fromkeys(range(4, 12), drawing.SAND)
row(0.6, 0, 20, name="image, 20")
row(2.0, 1, 18, name="3×3 convolution, 18")
row(3.4, 2, 16, name="3×3 convolution, 16: the skip", colours=kept)
row(4.8, 2, 8, 2, name="max-pool, 8", colour=drawing.SKY)
row(6.2, 4, 6, 2, name="3×3 convolution, 6", colour=drawing.SKY)
row(7.6, 6, 4, 2, name="3×3 convolution, 4", colour=drawing.SKY)
row(9.0, 6, 8, name="up-convolution, 8", colour=drawing.SKY)
row(10.4, 6, 8, name="centre of the skip, 8", colour=drawing.SAND)
for x in (6, 14):
    axes.plot([x, x], [3.3, 11.4], color=drawing.ORANGE, lw=1.2, ls="--")
row(11.8, 7, 6, name="3×3 convolution, 6")
row(13.2, 8, 4, name="3×3 convolution, 4: output")
drawing.save(fig, "05-alignment.svg")
