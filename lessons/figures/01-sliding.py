"""Figure of lesson 01: a kernel on its first position, and the output pixel that it makes."""

from lessons import drawing
from lessons.page import computed

lesson = computed("01")
window = {(i, j): drawing.SKY for i in range(3) for j in range(3)} | {(1, 1): drawing.SAND}
fig, *_ = drawing.grids(
    {"values": lesson.image, "title": "x, the first window", "colours": window},
    "∗",
    {"values": lesson.kernel, "title": "weight", "colours": {(1, 1): drawing.SAND}},
    "+ 1 =",
    {"values": lesson.result, "title": "y", "colours": {(0, 0): drawing.SAND}},
)
drawing.save(fig, "01-sliding.svg")
