"""A figure without a screen, a picture in it, and the figure as a PNG.

Lesson: lessons/11-training.md.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np

from tinyunet._files import atomic_write
from tinyunet.arrays import Array

# Colours that people with any colour vision tell apart (Okabe and Ito).
BLUE, ORANGE, GREEN, RED = "#0072B2", "#E69F00", "#009E73", "#D55E00"


def new_figure(width: float, height: float) -> Any:
    """Make a figure that needs no screen.

    Parameters
    ----------
    width, height : float
        In inches.

    Returns
    -------
    matplotlib.figure.Figure
        Empty.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure: Any, path: str | os.PathLike, dpi: int = 110) -> Path:
    """Write a figure as a PNG, whole or not at all.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        What to write.
    path : path
        The file.
    dpi : int, optional
        Dots an inch.

    Returns
    -------
    Path
        `path`.
    """
    # 4.6 inches of 110 dots are 505.99…, which some versions of matplotlib cut down to 505.
    figure.set_size_inches([(round(dpi * size) + 0.01) / dpi for size in figure.get_size_inches()])
    with atomic_write(Path(path)) as temporary:
        figure.savefig(temporary, format="png", dpi=dpi)
    return Path(path)


def show_picture(axes: Any, image: Array, title: str, **style: Any) -> None:
    """Show a picture in grey, pixel by pixel, without axes.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where.
    image : array, shape (H, W) or (H, W, 3)
        The picture.
    title : str
        Above it.
    **style
        What `imshow` is to do otherwise.
    """
    limits = {"vmin": 0, "vmax": 1} if np.asarray(image).dtype == bool else {}  # all True is white
    axes.imshow(image, **{"cmap": "gray", "interpolation": "nearest", **limits, **style})
    axes.set_title(title, fontsize=10)
    axes.set_axis_off()
