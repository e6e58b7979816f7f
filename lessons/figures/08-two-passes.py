"""Figure of lesson 08: the two nearest cells within each row, then the two nearest of all."""

import numpy as np

from lessons import drawing
from lessons.page import computed
from tinyunet.weight_map.distances import NOBODY, nearest_in_rows

lesson = computed("08")
cells = lesson.cells
shades = {1: drawing.SKY, 2: drawing.SAND, 3: drawing.MINT}
tint = {(y, x): shades[int(cells[y, x])] for y, x in np.argwhere(cells)}
near = nearest_in_rows(cells.astype(np.int32))
in_row = [
    ["\n".join(f"{gap}→{cell}" for gap, cell in p.reshape(2, 2) if gap < NOBODY) for p in line]
    for line in near
]
both = [
    [f"{a:.0f}\n{b:.0f}" for a, b in zip(*pair, strict=True)]
    for pair in zip(lesson.d1**2, lesson.d2**2, strict=True)
]
marked = {(1, 2): drawing.RED}
fig, *_ = drawing.grids(
    {"values": cells, "title": "cells", "colours": tint, "edges": marked},
    {
        "values": np.array(in_row),
        "title": "first pass, in each row:\ngap→cell",
        "colours": tint,
        "size": 8,
    },
    {
        "values": np.array(both),
        "title": "second pass:\nd1² over d2²",
        "colours": tint,
        "size": 8,
        "edges": marked,
    },
    cell=0.5,
)
drawing.save(fig, "08-two-passes.svg")
