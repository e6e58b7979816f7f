"""Figure of lesson 04: how many products each output pixel receives, for three kernels."""

import numpy as np

from lessons import drawing
from lessons.page import computed

count = computed("04").contributions
shades = {1: "none", 2: drawing.SKY, 4: drawing.SAND}
parts = []
for kernel, stride in [(2, 2), (3, 2), (4, 2)]:
    counts = count(kernel, stride).astype(int)
    colours = {at: shades[n] for at, n in np.ndenumerate(counts)}
    title = f"{kernel}×{kernel}, stride {stride}"
    parts.append({"values": counts, "title": title, "colours": colours, "size": 10})
fig, *_ = drawing.grids(*parts, cell=0.33)
drawing.save(fig, "04-overlap.svg")
