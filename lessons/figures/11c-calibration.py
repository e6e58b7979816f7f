"""Figure of lesson 11c: the weighted share of cell against the output, in training and left out."""

import json

import numpy as np

from lessons import drawing
from lessons.runs.record import RUNS

measured = json.loads((RUNS / "thresholds.json").read_text(encoding="utf-8"))
panels = {"0.99-flips_only": "flips only", "0.99": "rotation, deformation, intensity"}
parts = {"tiles as in training": drawing.BLUE, "slices left out": drawing.RED}
fig, both = drawing.figure(columns=2, width=8, height=3.7, sharey=True)
for axes, (kind, title) in zip(both, panels.items(), strict=True):
    for part, colour in parts.items():
        for seed in range(3):
            share = measured[f"{kind}-{seed}"][part]["weighted share of cell"]
            middles = (np.arange(len(share)) + 0.5) / len(share)
            axes.plot(middles, share, color=colour, lw=1)
        axes.plot([], [], color=colour, label=part)
    axes.plot([0, 1], [0, 1], "--", color=drawing.BLACK, lw=1)
    axes.set(title=title, xlabel="output for cell", xlim=(0, 0.6), ylim=(0, 0.6))
both[0].set(ylabel="weighted share of cell")
both[0].legend(loc="upper left", frameon=False)
drawing.save(fig, "11c-calibration.svg")
