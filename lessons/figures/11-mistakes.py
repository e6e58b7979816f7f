"""Figure of lesson 11: a held-out slice, its labels, the network's answer, and its mistakes."""

from lessons import drawing
from lessons.page import computed
from tinyunet.plot import error_overlay

lesson = computed("11")
image, truth, p = lesson.held_out[0].image[0], lesson.truth[0], lesson.p[0]
errors = error_overlay(image, truth > 0, p > 0.5)
fig, axes = drawing.figure(columns=4, width=9.6, height=2.7)
titles = ("held-out slice", "ground truth", "probability of cell", "mistakes")
for ax, picture, title in zip(axes, (image, truth, p, errors), titles, strict=True):
    drawing.show(ax, picture, title)
drawing.save(fig, "11-mistakes.svg")
