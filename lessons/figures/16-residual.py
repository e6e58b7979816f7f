"""Figure of lesson 16: size of the gradient in forty layers, plain and residual."""

import numpy as np

from lessons import drawing
from lessons.page import computed

gradient_norms = computed("16").gradient_norms
curves = {
    "He": (1, False, drawing.BLUE, "-"),
    "He, residual": (1, True, drawing.BLUE, "--"),
    "a fifth of He": (0.2, False, drawing.RED, "-"),
    "a fifth of He, residual": (0.2, True, drawing.RED, "--"),
}
fig, axes = drawing.figure(width=8, height=3.6)
for name, (scale, residual, colour, style) in curves.items():
    runs = np.array([gradient_norms(scale, residual, seed) for seed in range(3)])
    middle = np.exp(np.log(runs / runs[:, -1:]).mean(axis=0))
    axes.semilogy(range(1, 41), middle, style, color=colour, lw=2, label=name)
axes.set(xlabel="layer", ylabel="gradient, relative to layer 40", ylim=(1e-28, 1e12))
axes.legend(frameon=False, ncols=2, loc="lower right")
drawing.save(fig, "16-residual.svg")
