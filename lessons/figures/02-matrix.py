"""Figure of lesson 02: the convolution as a matrix, and its transpose."""

import numpy as np

from lessons import drawing
from lessons.page import computed

M = computed("02").M
shades = {1: drawing.SKY, 2: drawing.SAND, 3: drawing.MINT, 4: drawing.PEACH}


def tint(matrix):
    return {at: shades[value] for at, value in np.ndenumerate(matrix) if value}


fig, *_ = drawing.grids(
    {"values": M, "title": "M: a row for each output, a column for each input", "colours": tint(M)},
    {"values": M.T, "title": "its transpose", "colours": tint(M.T)},
)
drawing.save(fig, "02-matrix.svg")
