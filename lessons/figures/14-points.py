"""Figure of lesson 14: rounding error of F(4×4, 3×3) for every pair of points."""

import numpy as np

from lessons import drawing
from lessons.page import computed

rounding = computed("14").rounding
candidates = np.arange(4, 37) / 16
table = np.full((len(candidates), len(candidates)), np.nan)
for i, a in enumerate(candidates):
    for j, b in enumerate(candidates):
        if b > a + 0.05:
            table[i, j] = rounding((0, a, -a, b, -b), n=60)
fig, axes = drawing.figure(width=7.5, height=4.4)
edges = np.append(candidates, candidates[-1] + 1 / 16) - 1 / 32
shown = axes.imshow(
    table,
    cmap="viridis_r",
    vmin=5,
    vmax=25,
    origin="lower",
    aspect="auto",
    extent=(edges[0], edges[-1], edges[0], edges[-1]),
)
fig.colorbar(shown, ax=axes, extend="max", label="error, in units of the direct sum's")
for a, b, label in [(1, 2, "0, ±1, ±2"), (5 / 8, 3 / 2, "0, ±5/8, ±3/2")]:
    axes.plot(b, a, "o", color=drawing.RED, ms=8)
    axes.annotate(label, (b, a), (b - 0.06, a + 0.12), ha="right", color=drawing.INK)
axes.set(xlabel="larger point", ylabel="smaller point")
drawing.save(fig, "14-points.svg")
