"""Figure of lesson 04: the strided convolution as a matrix, and the up-convolution as one."""

import numpy as np

from lessons import drawing
from lessons.page import computed

lesson = computed("04")
shades = {1: drawing.SKY, 2: drawing.SAND, 3: drawing.MINT, 4: drawing.PEACH}


def tint(matrix):
    return {at: shades[value] for at, value in np.ndenumerate(matrix) if value}


parts = [
    (lesson.A, "A: 2×2 convolution with stride 2,\na row for each output"),
    (lesson.U, "U: up-convolution"),
]
grids = [{"values": m, "title": title, "colours": tint(m), "size": 10} for m, title in parts]
fig, *_ = drawing.grids(*grids, cell=0.33)
drawing.save(fig, "04-matrix.svg")
