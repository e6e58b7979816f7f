"""Figure of lesson 00: the U of figure 1, each box as high as its map."""

from lessons import drawing
from tinyunet.nn.architecture import level_sizes

GAP, STEP = 100, 86  # pixels between two levels; between two boxes of a row
sizes = dict(level_sizes(572, depth=5))
tops = {1: 0}  # where the boxes of a level begin, downwards
for level in range(2, 6):
    tops[level] = tops[level - 1] + sizes[f"down{level - 1}"][0] + GAP

fig = drawing.plt.figure(figsize=(9.6, 7.2))
drawing.plt.rcParams.update(drawing.SETTINGS)
axes = fig.add_axes((0, 0, 1, 1))


def width_of(channels):
    return 7 + channels * 0.05


def box(x, top, size, channels, copied=0):
    """Draw a map as a box; the copied part of its channels comes first, in another colour."""
    wide, share = width_of(channels), copied / channels
    for start, part, colour in ((0, share, drawing.SAND), (share, 1 - share, drawing.SKY)):
        corner = (x + start * wide, top)
        face = {"facecolor": colour, "edgecolor": "none"}
        axes.add_patch(drawing.plt.Rectangle(corner, part * wide, size, **face))
    edge = {"facecolor": "none", "edgecolor": drawing.DARK_GREY, "lw": 0.8}
    axes.add_patch(drawing.plt.Rectangle((x, top), wide, size, **edge))
    label = f"{copied}\n+ {channels - copied}" if copied else f"{channels}"
    axes.text(x + wide / 2, top - 8, label, ha="center", va="bottom", size=8)
    axes.text(x + wide / 2, top + size + 8, f"{size}²", ha="center", va="top", size=7.5)
    return x + wide


def arrow(start, end, colour):
    style = {"arrowstyle": "-|>", "color": colour, "lw": 1.6, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", end, start, arrowprops=style)


x, skips, last = 0, {}, None
for stage, (entering, middle, leaving) in sizes.items():
    level, up = int(stage[-1]), stage.startswith("up")
    width = 64 * 2 ** (level - 1)
    top = tops[level] + (0 if not up else (sizes[f"down{level}"][2] - entering) / 2 + 2)
    first = 1 if stage == "down1" else 2 * width if up else width // 2
    if last is not None and not up:
        arrow((last[0] - 4, last[1] + 30), (last[0] - 4, top - 36), drawing.RED)
        x = last[0] - width_of(first)
    elif up:
        arrow(
            (last[0] + 12, last[2] - 8),
            (x + width_of(first) / 2, top + entering + 34),
            drawing.GREEN,
        )
    right = box(x, top, entering, first, width if up else 0)
    if up:
        y = top + entering / 2
        arrow((skips[level] + 6, y), (x - 5, y), drawing.GREY)
    for size, channels in ((middle, width), (leaving, width)):
        shift = (entering - size) / 2
        arrow(
            (right + 5, top + entering / 2), (right + STEP - 36, top + entering / 2), drawing.BLUE
        )
        right = box(right + STEP - 30, top + shift, size, channels)
    if not up and level < 5:
        kept = sizes[f"up{level}"][0]
        corner = (right - width_of(width), top + (entering - kept) / 2)
        part = drawing.plt.Rectangle(corner, width_of(width), kept, fc=drawing.SAND, ec="none")
        axes.add_patch(part)
    skips[level] = right
    last = (right, top + leaving + (entering - leaving) / 2, top)
    x = right + 40
y = tops[1] + 4 + sizes["up1"][0] / 2 + 88
arrow((right + 5, y), (right + 50, y), drawing.ORANGE)
box(right + 56, y - 194, 388, 2)

key = {
    "3×3 convolution, ReLU (lessons 01–03)": drawing.BLUE,
    "2×2 max-pool (lesson 03)": drawing.RED,
    "2×2 up-convolution (lesson 04)": drawing.GREEN,
    "copy the centre (lesson 05)": drawing.GREY,
    "1×1 convolution (lessons 01, 06)": drawing.ORANGE,
}
for label, colour in key.items():
    axes.plot([], [], color=colour, lw=2, label=label)
axes.legend(loc="upper center", bbox_to_anchor=(0.5, 0.97), fontsize=10, frameon=False)
axes.set(xlim=(-20, right + 90), ylim=(tops[5] + 75, -40))
axes.set_axis_off()
drawing.save(fig, "00-the-u.svg")
