"""Figure of lesson 07: noisy gradients, and the velocity that momentum 0.99 makes of them."""

import numpy as np

from lessons import drawing

rng = np.random.default_rng(0)
gradients = np.where(np.arange(1200) < 600, 1, -1) + 3 * rng.standard_normal(1200)
velocity, smooth = 0.0, []
for g in gradients:
    velocity = 0.99 * velocity + g
    smooth.append(0.01 * velocity)
fig, axes = drawing.figure(width=8.6, height=3.2)
every = np.arange(0, 1200, 4)  # all of them would be a quarter of the page's bytes
axes.plot(every, gradients[every], ".", color=drawing.GREY, ms=3, label="gradient of one tile")
axes.plot([0, 600, 600, 1200], [1, 1, -1, -1], "--", color=drawing.BLACK, label="true gradient")
axes.plot(smooth, color=drawing.BLUE, lw=2, label="(1 − m) v, with m = 0.99")
axes.set(xlabel="step", ylim=(-6, 8))
axes.legend(loc="upper right", ncols=3)
drawing.save(fig, "07-velocity.svg")
