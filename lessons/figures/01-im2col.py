"""Figure of lesson 01: where im2col puts each of sixteen numbered pixels."""

import numpy as np

from lessons import drawing
from tinyunet.nn.im2col import im2col

pixel = np.arange(16).reshape(4, 4)
columns = im2col(pixel[None, None], (3, 3))[0]
inner = [5, 6, 9, 10]


def tint(matrix):
    return {tuple(at): drawing.SKY for at in np.argwhere(np.isin(matrix, inner))}


fig, *_ = drawing.grids(
    {"values": pixel, "title": "16 pixels, numbered", "colours": tint(pixel)},
    "→",
    {"values": columns, "title": "the four windows\nas columns", "colours": tint(columns)},
)
drawing.save(fig, "01-im2col.svg")
