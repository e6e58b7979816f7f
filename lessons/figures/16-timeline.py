"""Figure of lesson 16: when the ideas of this lesson were published."""

from lessons import drawing

events = [
    (2014.97, "Adam"),
    (2015.12, "batch normalisation"),
    (2015.38, "U-Net"),
    (2015.94, "residual networks"),
    (2016.46, "V-Net: Dice loss; 3D U-Net"),
    (2017.45, "transformers"),
    (2018.45, "StarDist"),
    (2018.74, "nnU-Net"),
    (2020.1, "Cellpose"),
    (2020.47, "diffusion models with a U-Net"),
    (2020.81, "transformers for images"),
    (2021.2, "TransUNet, UNETR, Swin-Unet"),
    (2023.27, "SAM"),
    (2024.29, "nnU-Net revisited"),
]
fig, axes = drawing.figure(width=9.2, height=3.8)
axes.axhline(0, color=drawing.GREY, lw=1.5)
heights = [1.0, 2.0, -1.0, 3.0, -2.0, 1.0, -1.0, 2.0, -2.0, 3.0, 1.0, -1.0, 1.0, -2.0]
for (year, name), height in zip(events, heights, strict=True):
    ours = name == "U-Net"
    axes.plot([year, year], [0, height * 0.92], color=drawing.GREY, lw=0.8)
    axes.plot(year, 0, "o", color=drawing.RED if ours else drawing.BLUE, ms=7 if ours else 5)
    style = {"weight": "bold"} if ours else {}
    axes.text(year, height, name, ha="center", va="center", size=9, **style)
axes.set(xlim=(2014.3, 2025.3), ylim=(-2.6, 3.5))
axes.set_xticks(range(2015, 2026), range(2015, 2026))
axes.set_yticks([])
axes.spines["left"].set_visible(False)
drawing.save(fig, "16-timeline.svg")
