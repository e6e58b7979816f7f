"""Figure of lesson 09: an image, bent, bent and rotated, and its labels, with the source's grid."""

import numpy as np

from lessons import drawing
from lessons.page import computed
from tinyunet.augment import apply_transform, draw_transform, source_coordinates

lesson = computed("09")
image, labels = lesson.image, lesson.labels
size = image.shape
only = {"shift": False, "intensity": False}
bending = draw_transform(np.random.default_rng(12), size, rotation=False, flips=False, **only)
both = draw_transform(np.random.default_rng(12), size, **only)
result = apply_transform(both, image, labels)
straight = np.stack(np.mgrid[: size[0], : size[1]]).astype(float)

fig, axes = drawing.figure(columns=4, width=9.6, height=2.7)
columns = [
    ("original", image, straight),
    ("bent", apply_transform(bending, image).image, source_coordinates(bending)),
    ("bent, rotated and flipped", result.image, source_coordinates(both)),
    ("its labels", result.labels, None),
]
for ax, (title, picture, source) in zip(axes, columns, strict=True):
    drawing.show(ax, picture, title)
    for coordinate in [] if source is None else source:
        lines = np.arange(-192, 400, 24)
        ax.contour(
            coordinate[::8, ::8],
            lines,
            extent=(0, 184, 0, 184),
            colors=drawing.ORANGE,
            linewidths=0.8,
        )
drawing.save(fig, "09-deformed.svg")
