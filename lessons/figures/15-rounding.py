"""Figure of lesson 15: how often the error of an output exceeds a given size, by format."""

import numpy as np

from lessons import drawing
from lessons.page import computed

lesson = computed("15")
scale = np.sqrt(np.mean(lesson.exact**2))
fig, axes = drawing.figure(width=8, height=3.5)
colours = {"tf32": drawing.BLUE, "bf16": drawing.RED}
for (name, way), y in lesson.outputs.items():
    errors = np.sort(abs(y - lesson.exact).ravel() / scale)[::-1]
    share = np.arange(1, errors.size + 1) / errors.size
    keep = np.unique(np.geomspace(1, errors.size, 400).astype(int)) - 1
    style = "-" if way == "direct" else "--"
    axes.loglog(errors[keep], share[keep], style, color=colours[name], lw=2, label=f"{name}, {way}")
axes.set(
    xlabel="error, relative to the root mean square of the results",
    ylabel="share of outputs with\nat least this error",
    xlim=(1e-5, 1),
    ylim=(1e-4, 1.2),
)
axes.legend(frameon=False, loc="lower left")
drawing.save(fig, "15-rounding.svg")
