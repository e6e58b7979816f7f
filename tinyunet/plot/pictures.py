"""What went in and what came out: predictions, errors, deformations, weight maps.

Images are (H, W); probabilities (H, W) in 0 … 1. Lesson: lessons/11-training.md.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tinyunet.arrays import Array, as_array
from tinyunet.plot.canvas import ORANGE, new_figure, save_figure, show_picture
from tinyunet.plot.overlay import to_unit_range


def error_overlay(image: object, ground_truth: object, prediction: object) -> Array:
    """Return an image with its errors in colour.

    Parameters
    ----------
    image : array_like
        (H, W), real numbers.
    ground_truth, prediction : array_like
        (H, W) bool: where the foreground is.

    Returns
    -------
    Array
        (H, W, 3) float64 in 0..1: missed foreground in orange, invented one in blue, the image
        elsewhere.

    Raises
    ------
    ValueError
        For other dtypes and shapes.
    """
    values = as_array(image, "image")
    if values.ndim != 2 or values.size == 0 or values.dtype.kind not in "buif":
        raise ValueError(
            f"image must be (H, W) real numbers, got shape {values.shape}, dtype {values.dtype}"
        )
    truth = _foreground(ground_truth, "ground_truth", values.shape)
    predicted = _foreground(prediction, "prediction", values.shape)
    values = values.astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError("image must be finite, got NaN or infinity")
    rgb = np.repeat(0.25 + 0.75 * to_unit_range(values)[..., None], 3, axis=2)
    rgb[truth & ~predicted] = [0.90, 0.62, 0.0]
    rgb[~truth & predicted] = [0.0, 0.45, 0.70]
    return rgb


def _foreground(mask: object, name: str, shape: tuple[int, ...]) -> Array:
    """The mask, if it is one: numbers, of which nobody knows the threshold, are refused."""
    array = as_array(mask, name)
    if array.dtype != bool or array.shape != shape:
        raise ValueError(
            f"{name} must be bool {shape} like the image, got {array.dtype} {array.shape}"
        )
    return array


def plot_results(
    images: Sequence[Array],
    ground_truths: Sequence[Array],
    probabilities: Sequence[Array],
    path: str | os.PathLike,
    names: Sequence[str] | None = None,
) -> Path:
    """Draw a row for each image: input, ground truth, probability of foreground, errors at 0.5.

    Parameters
    ----------
    images : sequence of Array
        Each (H, W).
    ground_truths : sequence of Array
        Labels (H, W), above 0 on foreground.
    probabilities : sequence of Array
        Of foreground, (H, W) in 0..1.
    path : path
        Of the PNG.
    names : sequence of str, optional
        Titles of the rows.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    ValueError
        For lists of unequal lengths and images of unequal shapes.
    """
    rows = len(images)
    figure = new_figure(12.5, 3.3 * rows)
    grid = figure.subplots(rows, 4, squeeze=False)
    names = [f"image {i}" for i in range(rows)] if names is None else names
    every = zip(grid, images, ground_truths, probabilities, names, strict=True)
    for axes, image, labels, p, name in every:
        truth, predicted = np.asarray(labels) > 0, np.asarray(p) > 0.5
        show_picture(axes[0], image, name)
        show_picture(axes[1], truth, "ground truth")
        shown = axes[2].imshow(p, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        axes[2].set_title("probability", fontsize=10)
        axes[2].set_axis_off()
        figure.colorbar(shown, ax=axes[2], fraction=0.046, pad=0.02)
        errors = error_overlay(image, truth, predicted)
        show_picture(axes[3], errors, f"{100 * (truth != predicted).mean():.1f} % wrong")
    figure.supxlabel(
        "errors: orange, background where there is foreground; "
        "blue, foreground where there is background",
        fontsize=9,
    )
    return save_figure(figure, path)


def plot_classes(
    images: Sequence[Array],
    truths: Sequence[Array],
    predicted: Sequence[Array],
    path: str | os.PathLike,
    names: Sequence[str],
) -> Path:
    """Draw a row for each image of several classes: input, ground truth, prediction, mistakes.

    Parameters
    ----------
    images, truths, predicted : sequence of arrays, shape (H, W)
        One of each for every row; class numbers.
    path : path
        The PNG.
    names : sequence of str
        Of the images.

    Returns
    -------
    Path
        `path`.
    """
    figure = new_figure(12.5, 3.3 * len(images))
    grid = figure.subplots(len(images), 4, squeeze=False)
    colours = {"cmap": "tab20", "vmin": 0, "vmax": 19}
    for axes, image, truth, found, name in zip(grid, images, truths, predicted, names, strict=True):
        show_picture(axes[0], image, name)
        show_picture(axes[1], truth % 20, "ground truth", **colours)
        show_picture(axes[2], found % 20, "predicted", **colours)
        wrong = truth != found
        show_picture(axes[3], wrong, f"{100 * wrong.mean():.1f} % wrong (white)")
    return save_figure(figure, path)


def plot_augmented(
    samples: Sequence[tuple[str, Array, Array, Array]], path: str | os.PathLike, step: int = 32
) -> Path:
    """Draw images with the grid that was straight in the original, and their labels below.

    Parameters
    ----------
    samples : sequence of (str, Array, Array, Array)
        Title, image (H, W), labels (H, W), and source (2, H, W): the row and the column of the
        original that each pixel shows.
    path : path
        Of the PNG.
    step : int
        Of the grid, in pixels.

    Returns
    -------
    Path
        `path`.
    """
    columns = len(samples)
    figure = new_figure(3.1 * columns, 6.6)
    axes = figure.subplots(2, columns, squeeze=False)
    for column, (title, image, labels, source) in enumerate(samples):
        show_picture(axes[0, column], image, title)
        shown = np.ma.masked_equal(labels, 0)
        show_picture(axes[1, column], image, "labels")
        colours: dict[str, Any] = {"cmap": "prism"}
        if labels.max() <= 1:
            colours = {"cmap": "autumn", "vmin": 0}
        axes[1, column].imshow(shown, alpha=0.35, interpolation="nearest", **colours)
        for coordinate in source:
            levels = np.arange(step * (coordinate.min() // step), coordinate.max() + step, step)
            axes[0, column].contour(coordinate, levels, colors=ORANGE, linewidths=0.8, alpha=0.8)
    return save_figure(figure, path)


def plot_weight_map(labels: Array, weight_map: Array, path: str | os.PathLike) -> Path:
    """Draw a label map beside its weight map, with a colour bar, as figure 3 of the paper does.

    Parameters
    ----------
    labels : Array
        (H, W) whole numbers.
    weight_map : Array
        (H, W) floats.
    path : path
        Of the PNG.

    Returns
    -------
    Path
        `path`.
    """
    figure = new_figure(10, 4.6)
    left, right = figure.subplots(1, 2)
    colours: dict[str, Any] = {"cmap": "nipy_spectral"}
    if labels.max() <= 1:
        colours = {"cmap": "gray", "vmin": 0, "vmax": 1}
    show_picture(left, labels, "labels", **colours)
    shown = right.imshow(weight_map, cmap="viridis", interpolation="nearest")
    right.set_title("weight of each pixel", fontsize=10)
    right.set_axis_off()
    figure.colorbar(shown, ax=right, fraction=0.046, pad=0.02)
    return save_figure(figure, path)
