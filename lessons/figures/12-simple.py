"""Figure of lesson 12: five neighbourhoods, and whether their centre is a simple pixel."""

import numpy as np

from lessons import drawing
from lessons.page import computed
from tinyunet.metrics.simple_points import RING, is_simple

parts = []
for name, ring in computed("12").neighbourhoods.items():
    simple = is_simple(sum(int(white) << k for k, white in enumerate(ring)))
    around = np.full((3, 3), "?")
    for (down, right), white in zip(RING, ring, strict=True):
        around[1 + down, 1 + right] = white
    colours = {tuple(at): drawing.LIGHT_GREY for at in np.argwhere(around == "0")}
    colours[1, 1] = drawing.MINT if simple else drawing.PEACH
    title = f"{name}:\n{'simple' if simple else 'not simple'}"
    parts.append({"values": around, "title": title, "colours": colours})
fig, *_ = drawing.grids(*parts, gap=1.4)
drawing.save(fig, "12-simple.svg")
