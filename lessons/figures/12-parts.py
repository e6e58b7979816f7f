"""Figure of lesson 12: the Rand error of trained networks, taken apart."""

from lessons import drawing
from lessons.page import computed

lesson = computed("12")
fig, ax = drawing.figure(width=8.2, height=2.7)
parts = {
    "thick membranes": ("thick", drawing.BLUE),
    "splits": ("split", drawing.GREEN),
    "mergers": ("merged", drawing.ORANGE),
}
names, rows = [], []
for part in ("learned from", "held out"):
    for seed, network in enumerate(lesson.networks):
        names.append(f"{part}, seed {seed}")
        rows.append(network[part]["rand parts"])
left = [0.0] * len(rows)
for label, (key, colour) in parts.items():
    values = [row[key] for row in rows]
    ax.barh(range(len(rows)), values, left=left, height=0.7, color=colour, label=label)
    left = [a + b for a, b in zip(left, values, strict=True)]
ax.set_yticks(range(len(rows)), names)
ax.invert_yaxis()
ax.set(xlabel="Rand error (small is good)")
ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
drawing.save(fig, "12-parts.svg")
