"""Figure of lesson 05a: the operations of a U of depth 2, forward and backward."""

from lessons import drawing

fig, axes = drawing.canvas(27.2, 11.0, cell=0.35)
nodes = {
    "x": (1.2, 2.6),
    "a": (4.8, 2.6),
    "skip": (8.4, 2.6),
    "p": (8.4, 9.6),
    "b": (11.6, 9.6),
    "c": (14.8, 9.6),
    "u": (17.6, 9.6),
    "joined": (17.6, 2.6),
    "f": (20.6, 2.6),
    "g": (23.4, 2.6),
    "logits": (26.0, 2.6),
}
steps = [
    ("x", "a", "conv,\nReLU"),
    ("a", "skip", "conv,\nReLU"),
    ("skip", "p", "pool"),
    ("p", "b", "conv,\nReLU"),
    ("b", "c", "conv,\nReLU"),
    ("c", "u", "up-\nconv"),
    ("u", "joined", ""),
    ("skip", "joined", "crop, concatenate"),
    ("joined", "f", "conv,\nReLU"),
    ("f", "g", "conv,\nReLU"),
    ("g", "logits", "1×1"),
]
half_width = {"skip": 0.8, "joined": 1.1, "logits": 0.95}


def border(name, towards, shift):
    """Return where an arrow between two nodes leaves the box of the first."""
    (x, y), (to_x, to_y) = nodes[name], nodes[towards]
    wide, high = half_width.get(name, 0.55), 0.5
    if abs(to_x - x) > 0.1:
        return x + (wide + 0.1) * (1 if to_x > x else -1), y + shift
    return x + shift, y + (high + 0.1) * (1 if to_y > y else -1)


for start, end, text in steps:
    drawing.arrow(axes, border(start, end, -0.2), border(end, start, -0.2), drawing.BLACK)
    drawing.arrow(axes, border(end, start, 0.25), border(start, end, 0.25), drawing.RED)
    (x, y), (to_x, to_y) = nodes[start], nodes[end]
    if text and abs(y - to_y) < 0.1:
        axes.text((x + to_x) / 2, y - 0.75, text, ha="center", va="bottom", size=8.5)
    elif text:
        axes.text(x - 0.6, (y + to_y) / 2, text, ha="right", va="center", size=8.5)
for name, (x, y) in nodes.items():
    wide = half_width.get(name, 0.55)
    face = drawing.SAND if name == "skip" else "none"
    box = drawing.plt.Rectangle((x - wide, y - 0.5), 2 * wide, 1, fc=face, ec=drawing.GREY)
    axes.add_patch(box)
    ink = drawing.INK if name == "skip" else drawing.BLACK
    axes.text(x, y + 0.03, name, ha="center", va="center", size=9.5, color=ink)
axes.text(9.3, 3.5, "two gradients\narrive: add them", color=drawing.RED, va="top", size=9)
axes.text(20.0, 9.2, "forward", weight="bold")
axes.text(20.0, 10.2, "backward", weight="bold", color=drawing.RED)
drawing.save(fig, "05a-graph.svg")
