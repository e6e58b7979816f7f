"""Figure of lesson 04: each input pixel times the kernel, each product in its own 2×2 place."""

from lessons import drawing
from lessons.page import computed

lesson = computed("04")
shade = (drawing.SKY, drawing.SAND, drawing.MINT, drawing.PEACH)
corners = [(0, 0), (0, 1), (1, 0), (1, 1)]
small = dict(zip(corners, shade, strict=True))
large = {(2 * i + a, 2 * j + b): small[i, j] for i, j in corners for a, b in corners}
fig, *_ = drawing.grids(
    {"values": lesson.small, "title": "x", "colours": small},
    {"values": lesson.kernel, "title": "weight"},
    "→",
    {"values": lesson.large, "title": "y", "colours": large},
)
drawing.save(fig, "04-patches.svg")
