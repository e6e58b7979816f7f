"""Figure of lesson 15: which element of the patches each thread copies, for a map of 2×3 pixels."""

import numpy as np

from lessons import drawing

height, width = 2, 3
index = np.arange(4 * height * width)
row, column = index // (2 * width), index % (2 * width)
in_patch = 2 * (row % 2) + column % 2
pixel = row // 2 * width + column // 2
shades = [drawing.SKY, drawing.SAND, drawing.MINT, drawing.PEACH]

y = index.reshape(2 * height, 2 * width)
source = (in_patch * height * width + pixel).reshape(y.shape)
tint = {at: shades[in_patch.reshape(y.shape)[at]] for at in np.ndindex(y.shape)}
patches = np.arange(4 * height * width).reshape(4, height * width)
patch_tint = {(k, j): shades[k] for k in range(4) for j in range(height * width)}
edges = {(2, 3): drawing.RED}
fig, *_ = drawing.grids(
    {"values": y, "title": "y: number of the thread", "colours": tint, "edges": edges},
    {"values": source, "title": "the element it reads", "colours": tint, "edges": edges},
    {
        "values": patches,
        "title": "patches: four maps,\na row each",
        "colours": patch_tint,
        "edges": {(1, 4): drawing.RED},
    },
    cell=0.4,
)
drawing.save(fig, "15-threads.svg")
