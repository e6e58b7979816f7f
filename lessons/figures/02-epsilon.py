"""Figure of lesson 02: the error of a central difference against its step."""

import numpy as np

from lessons import drawing
from lessons.page import computed

error_at = computed("02").error_at
steps = 10.0 ** np.arange(-12, 0.1, 0.5)
fig, axes = drawing.figure(width=7.0, height=3.4)
for dtype, colour in ((np.float64, drawing.BLUE), (np.float32, drawing.RED)):
    errors = [error_at(eps, dtype, directions=50) for eps in steps]
    axes.loglog(steps, errors, ".-", color=colour, label=dtype.__name__)
right, left = steps[steps > 1e-3], steps[steps < 1e-7]
axes.loglog(right, 0.1 * right**2, "--", color=drawing.GREY)
axes.loglog(left, 3e-17 / left, "--", color=drawing.GREY)
axes.text(3e-3, 1e-8, "∝ ε², terms left out", color=drawing.DARK_GREY)
axes.text(2e-12, 2e-9, "∝ 1/ε, rounding", color=drawing.DARK_GREY)
axes.set(xlabel="step ε", ylabel="relative error", ylim=(1e-12, 1e2))
axes.legend()
drawing.save(fig, "02-epsilon.svg")
