"""What the lessons' figures share: colours, grids with their numbers in them, one place to save to.

Each figure has a program of its own, `lessons/figures/NN-name.py`, which ends in
`drawing.save(fig, "NN-name.svg")`. `python -m lessons 02` draws the figures of lesson 02.

Colours: `BLACK`, white and the greys are the page's own; a dark theme may exchange them. The other
colours stay, so text on a coloured square is `INK`, which stays dark.
"""

import re
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

# Colours that people with any colour vision tell apart (Okabe and Ito), as in tinyunet/plot.py.
BLUE, ORANGE, GREEN, RED, PURPLE = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7"
# Light fills behind numbers.
SKY, SAND, MINT, PEACH = "#BBDDF0", "#F6D9A0", "#B9E2D3", "#F3C3A5"
BLACK, DARK_GREY, GREY, LIGHT_GREY = "#000000", "#555555", "#888888", "#DDDDDD"
INK = "#111111"

SETTINGS = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "tinyunet",  # the same identifiers in every run
    "path.simplify": False,  # as many points as were given, whatever their last digits
    "image.interpolation": "none",  # pictures keep their own pixels
    "font.size": 10,
    "axes.titlesize": 11,
    "legend.fontsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
CELL = 0.42  # inches: the side of a square in every grid of numbers


def figure(columns=1, rows=1, width=9.0, height=3.2, **options):
    """Return (figure, axes) of a fixed size in inches, laid out so that nothing overlaps."""
    plt.rcParams.update(SETTINGS)
    return plt.subplots(rows, columns, figsize=(width, height), layout="constrained", **options)


def save(fig, name):
    """Write the figure to lessons/figures/`name` (SVG) and close it."""
    file = Path("lessons") / "figures" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    fig.savefig(file, metadata={"Date": None})
    plt.close(fig)
    file.write_text(_tidy(file.read_text(encoding="utf-8")), encoding="utf-8")


def _tidy(svg):
    """Return an SVG file of matplotlib's with short lists of fonts."""
    svg = re.sub(r"font-family: [^;\"]*|(?<=px )'DejaVu Sans'[^;\"]*", _short_fonts, svg)
    return re.sub(r"[ \t]+$", "", svg, flags=re.M)


def _short_fonts(match):
    name = "font-family: " if match[0].startswith("font-family") else ""
    return f"{name}'DejaVu Sans', 'Verdana', sans-serif"


def show(axes, picture, title="", **options):
    """Show a picture, grey unless `cmap` is given, without ticks; return the image."""
    shown = axes.imshow(picture, **({"cmap": "gray"} | options))
    axes.set_title(title)
    axes.set_axis_off()
    return shown


def grids(*parts, gap=1.2, cell=CELL):
    """Draw matrices side by side, all squares of one size; return (figure, axes, left edges).

    parts: dictionaries of `number_grid`'s arguments, or text to stand between two grids; `gap`:
    squares between two grids; `cell`: inches. `axes` is measured in squares, row 0 at the top, so
    that arrows may be added.
    """
    at, placed = 0.0, []
    for k, part in enumerate(parts):
        wide = 0.9 if isinstance(part, str) else np.shape(part["values"])[1]
        placed.append((at, part))
        between_text = isinstance(part, str) or (
            k + 1 < len(parts) and isinstance(parts[k + 1], str)
        )
        at += wide + (0.4 if between_text else gap)
    total = at - (0.4 if isinstance(parts[-1], str) else gap)
    rows = max(np.shape(part["values"])[0] for part in parts if not isinstance(part, str))
    lines = max(
        part.get("title", "").count("\n") + 1 for part in parts if not isinstance(part, str)
    )
    head = (0.25 + 0.5 * lines) * CELL / cell
    plt.rcParams.update(SETTINGS)
    fig = plt.figure(figsize=(cell * (total + 0.4), cell * (rows + head + 0.2)))
    axes = fig.add_axes((0, 0, 1, 1))
    axes.set(xlim=(-0.2, total + 0.2), ylim=(rows + 0.2, -head))
    axes.set_axis_off()
    for left, part in placed:
        if isinstance(part, str):
            axes.text(left + 0.45, rows / 2, part, ha="center", va="center", size=15)
        else:
            tall = np.shape(part["values"])[0]
            number_grid(axes, **part, left=left, top=(rows - tall) / 2)
    return fig, axes, [left for left, _ in placed]


def canvas(columns, rows, cell=CELL):
    """Return (figure, axes) of so many squares, row 0 at the top, without ticks."""
    plt.rcParams.update(SETTINGS)
    fig = plt.figure(figsize=(cell * columns, cell * rows))
    axes = fig.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, columns), ylim=(rows, 0))
    axes.set_axis_off()
    return fig, axes


def arrow(axes, start, end, colour=BLACK, text="", style="-|>", **options):
    """Draw an arrow from `start` to `end`, with `text` above its middle."""
    line = {"arrowstyle": style, "color": colour, "lw": 1.4, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", end, start, arrowprops=line | options)
    middle = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
    axes.annotate(text, middle, (0, 5), textcoords="offset points", ha="center", color=colour)


def number_grid(
    axes, values, title="", colours=None, form="{:g}", size=12, left=0.0, top=0.0, edges=None
):
    """Draw the matrix `values` as a grid of squares with the numbers written in them.

    colours: {(row, column): colour} for the squares that should stand out; `edges` likewise for
    their outlines. `left`, `top`: where the grid begins, in squares.
    """
    values, colours, edges = np.asarray(values), colours or {}, edges or {}
    for (i, j), value in np.ndenumerate(values):
        face = colours.get((i, j), "none")
        place = (left + j, top + i)
        axes.add_patch(plt.Rectangle(place, 1, 1, facecolor=face, edgecolor=GREY, lw=1))
        text = value if isinstance(value, str) else form.format(value)
        text = re.sub(r"^-", "−", text)
        ink = BLACK if face in ("none", LIGHT_GREY) else INK
        x, y = left + j + 0.5, top + i + 0.53
        axes.text(x, y, text, ha="center", va="center", size=size, color=ink)
    for (i, j), colour in edges.items():
        place = (left + j, top + i)
        axes.add_patch(plt.Rectangle(place, 1, 1, facecolor="none", edgecolor=colour, lw=2.5))
    middle = left + values.shape[1] / 2
    axes.text(middle, top - 0.25, title, ha="center", va="bottom", size=10.5)
