"""Figure of lesson 06: what a small number inside the logarithm does to loss and slope."""

import numpy as np

from lessons import drawing

gap = np.linspace(0, 30, 151)
p = np.exp(-gap) / (1 + np.exp(-gap))  # of the correct class, whose logit is lower by `gap`
fig, axes = drawing.figure(columns=2, width=9.2, height=3.0)
axes[0].plot(gap, np.logaddexp(0, gap), color=drawing.BLUE, label="−log p, stable")
axes[0].plot(gap, -np.log(p + 1e-7), color=drawing.RED, label="−log(p + 1e-7)")
axes[1].plot(gap, 1 - p, color=drawing.BLUE)
axes[1].plot(gap, p * (1 - p) / (p + 1e-7), color=drawing.RED)
axes[0].set(title="loss", ylim=(0, None))
axes[0].legend(frameon=False)
axes[1].set(title="size of its slope", ylim=(0, 1.1))
for ax in axes:
    ax.set_xlabel("by how much the wrong logit is larger")
drawing.save(fig, "06-added-constant.svg")
