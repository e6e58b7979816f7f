"""Figure of lesson 06: cross-entropy and squared error of two classes, and their slopes."""

import numpy as np

from lessons import drawing

lead = np.linspace(-8, 8, 161)
p = 1 / (1 + np.exp(-lead))  # of the correct class
fig, axes = drawing.figure(columns=2, width=9.2, height=3.2)
curves = {
    "cross-entropy": (-np.log(p), 1 - p, drawing.BLUE),
    "squared error": (2 * (1 - p) ** 2, 4 * p * (1 - p) ** 2, drawing.RED),
}
for name, (loss, slope, colour) in curves.items():
    axes[0].plot(lead, loss, color=colour, label=name)
    axes[1].plot(lead, slope, color=colour)
axes[0].set(title="loss", ylim=(0, None))
axes[0].legend(frameon=False)
axes[1].set(title="size of its slope", ylim=(0, 1.1))
for ax in axes:
    ax.axvspan(-8, -4, color=drawing.LIGHT_GREY, alpha=0.5, lw=0)
    ax.set(xlabel="lead of the correct class, z(label) − z(other)", xlim=(-8, 8))
axes[1].text(-6, 0.55, "confident\nand wrong", ha="center")
drawing.save(fig, "06-two-losses.svg")
