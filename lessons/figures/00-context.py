"""Figure of lesson 00: what a small window cannot tell, and what a coarse map cannot say."""

import numpy as np

from lessons import drawing
from tinyunet.images import synthetic_membranes

image, labels = (stack[0] for stack in synthetic_membranes(1, size=192, seed=4))
spots = {"A": (81, 114), "B": (181, 70)}  # inside an organelle; on a membrane
colours = {"A": drawing.ORANGE, "B": drawing.SKY}

fig, axes = drawing.figure(columns=4, width=9.4, height=2.75, width_ratios=[1, 1, 1.8, 1.8])
for ax, (name, (row, column)) in zip(axes, spots.items(), strict=False):
    window = image[row - 4 : row + 5, column - 4 : column + 5]
    drawing.show(ax, window, f"window of {name}", vmin=60, vmax=180)
drawing.show(axes[2], image[48:192, 48:192], "the same two in their surroundings")
for name, (row, column) in spots.items():
    y, x = row - 48, column - 48
    box = drawing.plt.Rectangle((x - 4.5, y - 4.5), 9, 9, fill=False, ec=colours[name], lw=2)
    axes[2].add_patch(box)
    axes[2].text(x + 7, y - 7, name, color=colours[name], size=12, weight="bold")
coarse = labels[48:192, 48:192].reshape(9, 16, 9, 16).mean(axis=(1, 3))
drawing.show(axes[3], np.kron(coarse, np.ones((16, 16))), "share of cell in each 16×16 pixels")
drawing.save(fig, "00-context.svg")
