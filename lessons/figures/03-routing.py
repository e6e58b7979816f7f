"""Figure of lesson 03: forward through ReLU and pooling, and the gradient on its way back."""

from lessons import drawing
from lessons.page import computed

lesson = computed("03")
shade = (drawing.SKY, drawing.SAND, drawing.PEACH, drawing.MINT)
winners = dict(zip([(1, 0), (0, 2), (2, 0), (2, 2)], shade, strict=True))
corner = dict(zip([(0, 0), (0, 1), (1, 0), (1, 1)], shade, strict=True))
stopped = {(2, 0): drawing.RED}

fig, axes = drawing.canvas(21, 13.6)
places = {"z": 0.6, "a": 8.1, "y": 16.6}
rows = [(lesson.z, lesson.a, lesson.y), (lesson.dz, lesson.da, lesson.dy)]
titles = [("z, from a convolution", "a = ReLU(z)", "y = max-pool(a)"), ("dz", "da", "dy")]
for top, values, names in zip((1.4, 8.2), rows, titles, strict=True):
    back = top > 2
    for left, grid, name in zip(places.values(), values, names, strict=True):
        small = grid.shape[-1] == 2
        colours = corner if small else winners
        if left == places["z"]:
            colours = {at: c for at, c in winners.items() if back and at != (2, 0)}
        edges = stopped if back and not small else {}
        grid = grid.reshape(grid.shape[-2:])
        where = {"left": left, "top": top + (1 if small else 0)}
        drawing.number_grid(axes, grid, name, colours, edges=edges, **where)
drawing.arrow(axes, (4.9, 3.4), (7.8, 3.4), text="ReLU")
drawing.arrow(axes, (12.4, 3.4), (16.3, 3.4), text="largest of\neach window")
drawing.arrow(axes, (16.3, 10.2), (12.4, 10.2), text="to the first\nlargest pixel")
drawing.arrow(axes, (7.8, 10.2), (4.9, 10.2), text="where\nz > 0")
axes.text(
    0.6,
    12.75,
    "outlined: the 30 reaches a, but z was −1 there; the ReLU stops it",
    color=drawing.RED,
)
axes.text(20.4, 0.7, "forward", ha="right", weight="bold")
axes.text(20.4, 7.4, "backward", ha="right", weight="bold")
drawing.save(fig, "03-routing.svg")
