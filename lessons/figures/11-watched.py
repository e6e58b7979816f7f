"""Figure of lesson 11: training loss and validation of a small run."""

import numpy as np

from lessons import drawing
from lessons.page import computed

lesson = computed("11")
losses, checks = np.array(lesson.losses), np.array(lesson.checks)
fig, axes = drawing.figure(columns=2, width=9.2, height=3.1)
steps = np.arange(1, len(losses) + 1)
axes[0].plot(steps, losses, ".", color=drawing.GREY, ms=3, label="training, one tile")
means = [losses[max(0, k - 20) : k].mean() for k in steps]
axes[0].plot(steps, means, color=drawing.BLUE, lw=2, label="mean of the last 20 tiles")
axes[0].plot(checks[:, 0], checks[:, 1], "o-", color=drawing.RED, label="validation")
axes[0].axhline(0.559, color=drawing.GREY, ls="--", lw=1)
axes[0].set(title="loss", xlabel="step", ylim=(0, 2))
axes[0].legend(frameon=False)
axes[1].plot(checks[:, 0], checks[:, 2], "o-", color=drawing.RED)
axes[1].axhline(0.247, color=drawing.GREY, ls="--", lw=1)
axes[1].text(100, 0.252, "constant answer", ha="right", color=drawing.DARK_GREY)
axes[1].set(title="validation, pixel error rate", xlabel="step", ylim=(0, 0.3))
drawing.save(fig, "11-watched.svg")
