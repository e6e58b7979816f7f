"""Figure of lesson 12: the Rand error of trained networks, taken apart."""

from lessons import drawing
from lessons.page import computed

lesson = computed("12")
parts = {
    "called membrane": ("called membrane", drawing.BLUE),
    "split": ("splits", drawing.GREEN),
    "merged": ("mergers", drawing.ORANGE),
}
names, rows = [], []
for name, seeds in lesson.limits["networks"].items():
    for group in lesson.limits["pixels within"]:
        for seed, network in seeds.items():
            names.append(f"{name.removesuffix(', 20 slices')}, seed {seed}, slices {group}")
            rows.append(network[group]["rand parts"])
fig, ax = drawing.figure(width=9.4, height=0.9 + 0.24 * len(names))
left = [0.0] * len(rows)
for key, (label, colour) in parts.items():
    values = [row[key] for row in rows]
    ax.barh(range(len(rows)), values, left=left, height=0.7, color=colour, label=label)
    left = [a + b for a, b in zip(left, values, strict=True)]
ax.set_yticks(range(len(rows)), names, size=9)
ax.invert_yaxis()
ax.set(xlabel="Rand error (small is good)")
ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
drawing.save(fig, "12-parts.svg")
