"""Figure of lesson 02: the gradient of x is a sum of kernels, each multiplied by one dy."""

import numpy as np

from lessons import drawing
from lessons.page import computed

lesson = computed("02")
kernel, upstream = lesson.kernel, lesson.upstream
shades = [drawing.SKY, drawing.SAND, drawing.MINT, drawing.PEACH]
corners = list(np.ndindex(2, 2))
parts = [
    {
        "values": upstream,
        "title": "dy",
        "colours": dict(zip(corners, shades, strict=True)),
    },
    {"values": kernel, "title": "weight"},
    "→",
]
for shade, (i, j) in zip(shades, corners, strict=True):
    stamp = np.full((3, 3), "", dtype=object)
    for a, b in corners:
        stamp[i + a, j + b] = f"{upstream[i, j] * kernel[a, b]:g}"
    where = {(i + a, j + b): shade for a, b in corners}
    title = f"{upstream[i, j]:g} · weight\nat ({i}, {j})".replace("-", "−")
    parts += [{"values": stamp.astype(str), "title": title, "colours": where}, "+"]
parts[-1] = "="
parts.append({"values": lesson.dx_by_hand, "title": "dx"})
fig, *_ = drawing.grids(*parts, gap=0.7, cell=0.34)
drawing.save(fig, "02-stamping.svg")
