"""Figure of lesson 10: how strongly one output pixel depends on those of its receptive field."""

import numpy as np

from lessons import drawing
from lessons.page import computed

felt = computed("10").influence(4, 108, 4)[:100, :100]
fig, axes = drawing.figure(columns=2, width=9.2, height=3.6)
shown = drawing.show(
    axes[0], np.log10(felt / felt.max() + 1e-6), "influence, powers of ten", cmap="viridis"
)
fig.colorbar(shown, ax=axes[0], shrink=0.8)
sides = np.arange(4, 101, 4)
shares = [
    felt[50 - n // 2 : 50 + n // 2, 50 - n // 2 : 50 + n // 2].sum() / felt.sum() for n in sides
]
axes[1].plot(sides, shares, color=drawing.BLUE, lw=2.5, label="measured")
axes[1].plot(
    sides, (sides / 100) ** 2, "--", color=drawing.GREY, label="if all pixels counted equally"
)
axes[1].axvline(100, color=drawing.RED, lw=1.5, label="receptive field")
axes[1].set(
    xlabel="side of a central square, pixels", ylabel="its share of the influence", ylim=(0, 1.05)
)
axes[1].legend(loc="upper left", frameon=False)
drawing.save(fig, "10-influence.svg")
