"""Figure of lesson 13: which touching pairs two networks keep apart."""

import numpy as np

from lessons import drawing
from lessons.page import computed
from tinyunet.metrics.regions import match_objects
from tinyunet.metrics.touching import touching_pairs

lesson = computed("13")
truth = lesson.truths[0]
centre = {int(n): np.argwhere(truth == n).mean(axis=0)[::-1] for n in np.unique(truth) if n}
palette = np.vstack([[0, 0, 0], np.random.default_rng(1).uniform(0.3, 1, (400, 3))])

fig, axes = drawing.figure(columns=4, width=9.6, height=2.9)
drawing.show(axes[0], lesson.pictures[6], "image")
drawing.show(axes[1], palette[truth], "true cells")
for ax, w0 in zip(axes[2:], (10, 0), strict=True):
    probability = lesson.probabilities[w0, 0][0]
    cells = lesson.to_cells(probability)
    matched = match_objects(truth, cells)
    drawing.show(ax, probability, f"probability, w0 = {w0}", vmin=0, vmax=1)
    for a, b in touching_pairs(truth):
        a, b = int(a), int(b)
        apart = 0 not in (matched[a], matched[b]) and matched[a] != matched[b]
        ends = np.array([centre[a], centre[b]])
        colour = drawing.GREEN if apart else drawing.RED
        ax.plot(*ends.T, color=colour, lw=2, ls="-" if apart else ":")
for colour, style, label in (
    (drawing.GREEN, "-", "kept apart"),
    (drawing.RED, ":", "merged or missed"),
):
    axes[3].plot([], [], color=colour, ls=style, lw=2, label=label)
fig.legend(loc="outside lower right", ncols=2)
drawing.save(fig, "13-two-networks.svg")
