"""Figure of lesson 09: a displacement through three control points, and its slope."""

import numpy as np

from lessons import drawing
from lessons.page import computed
from tinyunet.augment.field import axis_basis

lesson = computed("09")
pixels = np.linspace(0, 16, 161)
lines = {
    "straight lines": (np.interp(pixels, [0, 8, 16], lesson.values), drawing.GREY),
    "cubic B-spline": (lesson.coefficients @ axis_basis(0, 161, 161, 3, None), drawing.BLUE),
}
fig, axes = drawing.figure(columns=2, width=9.4, height=3.4)
for name, (line, colour) in lines.items():
    axes[0].plot(pixels, line, color=colour, lw=2.5, label=name)
    axes[1].plot(pixels[1:], np.diff(line) / np.diff(pixels), color=colour, lw=2.5)
axes[0].plot([0, 8, 16], lesson.values, "o", color=drawing.RED, label="control points")
axes[0].set(title="displacement u", xlabel="pixel")
axes[0].legend(frameon=False, loc="lower center")
axes[1].axhspan(-1.6, -1, color=drawing.PEACH, lw=0)
axes[1].axhline(0, color=drawing.GREY, lw=0.8)
for y, text in (
    (0.88, "above 0: squeezed"),
    (-0.92, "−1 to 0: stretched"),
    (-1.4, "below −1: folded over"),
):
    axes[1].text(8, y, text, ha="center", color=drawing.INK if y < -1 else drawing.BLACK)
axes[1].set(title="slope of u", xlabel="pixel", ylim=(-1.6, 1.2))
drawing.save(fig, "09-spline.svg")
