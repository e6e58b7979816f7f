"""What the lessons' figures share: grids with their numbers in them, and one place to save to.

Run from the project's root. A lesson imports it as `from lessons import drawing`.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

# Colours that people with any colour vision tell apart (Okabe and Ito), as in tinyunet/plot.py.
BLUE, ORANGE, GREEN, RED, SKY, GREY = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#BBDDF0",
    "#DDDDDD",
)


def figure(columns=1, rows=1, width=9.0, height=3.2, **options):
    """Return (figure, axes) of a fixed size in inches, laid out so that nothing overlaps."""
    return plt.subplots(rows, columns, figsize=(width, height), layout="constrained", **options)


def save(fig, name):
    """Write the figure to lessons/figures/`name` (PNG, 100 dots an inch) and close it."""
    folder = Path("lessons") / "figures"
    folder.mkdir(parents=True, exist_ok=True)
    fig.savefig(folder / name, dpi=100)
    plt.close(fig)


def number_grid(axes, values, title="", colours=None, form="{:g}", size=13):
    """Draw the matrix `values` as a grid of squares with the numbers written in them.

    colours: {(row, column): colour} for the squares that should stand out.
    """
    values, colours = np.asarray(values), colours or {}
    rows, columns = values.shape
    for (i, j), value in np.ndenumerate(values):
        face = colours.get((i, j), "white")
        axes.add_patch(plt.Rectangle((j, i), 1, 1, facecolor=face, edgecolor="#888888", lw=1))
        axes.text(j + 0.5, i + 0.53, form.format(value), ha="center", va="center", size=size)
    axes.set(xlim=(-0.05, columns + 0.05), ylim=(rows + 0.05, -0.05), aspect="equal")
    axes.set_title(title, size=11)
    axes.set_axis_off()
