"""Figure of lesson 06: three logits, their probabilities, and what each would cost."""

import numpy as np

from lessons import drawing

logits = np.array([-1.0, 0.5, 2.0])
p = np.exp(logits) / np.exp(logits).sum()
colours = [drawing.SKY, drawing.SAND, drawing.MINT]
names = ["class 0", "class 1", "class 2"]

fig, axes = drawing.figure(columns=3, width=9.2, height=2.9)
axes[0].bar(names, logits, color=colours)
axes[0].axhline(0, color=drawing.BLACK, lw=0.8)
axes[0].set(title="logits z of one pixel", ylim=(-1.5, 2.5))
axes[1].bar(names, p, color=colours)
axes[1].set(title="softmax: probabilities", ylim=(0, 1))
for ax, values in zip(axes, (logits, p), strict=False):
    for place, value in enumerate(values):
        above = (0, 3 if value > 0 else -11)
        text = f"{value:.2f}".replace("-", "−")
        ax.annotate(text, (place, value), above, textcoords="offset points", ha="center", size=9)
curve = np.linspace(0.02, 1, 200)
axes[2].plot(curve, -np.log(curve), color=drawing.BLUE)
for value, colour, name in zip(p, colours, names, strict=True):
    point = {"mfc": colour, "mec": drawing.DARK_GREY, "ms": 8}
    axes[2].plot(value, -np.log(value), "o", **point)
    axes[2].annotate(name, (value, -np.log(value)), (8, 4), textcoords="offset points", size=9)
axes[2].set(title="loss −log p if that class is correct", xlabel="p", ylim=(0, 4), xlim=(0, 1.12))
drawing.save(fig, "06-softmax.svg")
