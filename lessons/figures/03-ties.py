"""Figure of lesson 03: how many windows of the four poolings have several largest pixels."""

import numpy as np

from lessons import drawing
from lessons.page import computed

shares = computed("03").shares
fig, axes = drawing.figure(width=7.0, height=2.8)
left = np.zeros(4)
kinds = {
    "one largest pixel": drawing.GREEN,
    "four zeros": drawing.LIGHT_GREY,
    "several positive largest pixels": drawing.RED,
}
for share, (kind, colour) in zip(np.transpose(shares), kinds.items(), strict=True):
    axes.barh([f"down{n}" for n in (2, 3, 4, 5)], share, left=left, color=colour, label=kind)
    left = left + share
axes.invert_yaxis()
axes.set(xlabel="share of the windows", xlim=(0, 1))
fig.legend(loc="outside upper center", ncols=3)
drawing.save(fig, "03-ties.svg")
