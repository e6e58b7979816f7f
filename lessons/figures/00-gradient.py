"""Figure of lesson 00: a loss that depends on one number, its slope, and steps downhill."""

from itertools import pairwise

import numpy as np

from lessons import drawing
from tinyunet.images import synthetic_membranes

image, labels = (stack[0].astype(float) for stack in synthetic_membranes(1, size=192, seed=4))


def loss_and_slope(threshold):
    """Cross-entropy of "dark pixels are membrane", and how it changes with the threshold."""
    p = 1 / (1 + np.exp((image - threshold) / 20))  # probability of membrane
    membrane = labels == 0
    loss = -np.where(membrane, np.log(p), np.log(1 - p)).mean()
    return loss, (p - membrane).mean() / 20


thresholds = np.arange(30, 151)
steps = [140.0]
for _ in range(6):
    steps.append(steps[-1] - 900 * loss_and_slope(steps[-1])[1])

fig, axes = drawing.figure(width=6.6, height=3.0)
axes.plot(thresholds, [loss_and_slope(t)[0] for t in thresholds], color=drawing.BLUE, lw=2)
loss, slope = loss_and_slope(steps[0])
near = np.array([-16, 8])
axes.plot(steps[0] + near, loss + slope * near, color=drawing.RED, lw=2)
axes.text(132, loss + 0.06, "slope here: the gradient", color=drawing.RED, ha="right")
for a, b in pairwise(steps):
    ends = (a, loss_and_slope(a)[0]), (b, loss_and_slope(b)[0])
    axes.annotate("", ends[1], ends[0], arrowprops={"arrowstyle": "->", "color": drawing.BLACK})
    axes.plot(*ends[0], "o", color=drawing.BLACK, ms=4)
axes.set(
    xlabel="threshold: an intensity below it is called membrane", ylabel="loss", ylim=(0.3, None)
)
drawing.save(fig, "00-gradient.svg")
