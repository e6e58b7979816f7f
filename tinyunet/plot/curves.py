"""The log of a run as curves.

Lesson: lessons/11-training.md.
"""

from collections.abc import Mapping, Sequence
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np

from tinyunet.arrays import Array, as_array
from tinyunet.plot.canvas import BLUE, ORANGE, new_figure, save_figure, show_picture

_8_BITS = {"vmin": 0, "vmax": 255}


def running_mean(values: object, width: int) -> Array:
    """Return the mean of each value and some before it.

    Parameters
    ----------
    values : array_like
        One axis of finite numbers, also none.
    width : int
        How many are averaged, at most: each value and up to `width` − 1 before it.

    Returns
    -------
    Array
        float64, one for each value.

    Raises
    ------
    ValueError
        For values that are no sequence of finite numbers, and a width below 1.
    """
    if not isinstance(width, Integral) or width < 1:
        raise ValueError(f"width must be a whole number of at least 1, got {width!r}")
    numbers = as_array(values, "values")
    if numbers.ndim != 1 or numbers.dtype.kind not in "buif" or not np.isfinite(numbers).all():
        raise ValueError(
            "values must be a sequence of finite numbers, "
            f"got shape {numbers.shape}, dtype {numbers.dtype}"
        )
    sums = np.concatenate([[0.0], np.cumsum(numbers.astype(np.float64))])
    stop = np.arange(1, len(numbers) + 1)
    start = np.maximum(stop - width, 0)
    return (sums[stop] - sums[start]) / (stop - start)


def plot_curves(
    log: Mapping[str, Sequence[Any]], path: Path, pictures: Sequence[tuple[str, Array]] = ()
) -> Path:
    """Draw the loss of training and validation, and the pixel error rate, over the steps.

    The validation of the smallest loss, whose weights the run keeps, is marked.

    Parameters
    ----------
    log : mapping
        What `tinyunet.training.log.read_log` returns.
    path : path
        The PNG.
    pictures : sequence of (title, image), optional
        Shown in a row below, such as what the network made of one slice at several steps. uint8
        is shown as it is, 0 in black and 255 in white, so that pictures of several steps compare;
        other dtypes from their darkest to their brightest value.

    Returns
    -------
    Path
        `path`.
    """
    if not pictures:
        figure = new_figure(9, 3.6)
        left, right = figure.subplots(1, 2)
    else:
        shape = max(image.shape[0] / image.shape[1] for _, image in pictures)
        below = 9 / len(pictures) * min(shape, 2.0) + 0.3
        figure = new_figure(9, 3.6 + below)
        upper, lower = figure.subfigures(2, 1, height_ratios=[3.6, below])
        left, right = upper.subplots(1, 2)
        for axes, (title, image) in zip(
            lower.subplots(1, len(pictures), squeeze=False)[0], pictures, strict=True
        ):
            show_picture(axes, image, title, **(_8_BITS if image.dtype == np.uint8 else {}))
    _losses(left, log)
    _error_rates(right, log)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    return save_figure(figure, path)


def _validated(log: Mapping[str, Sequence[Any]]) -> tuple[Array, Array, Array]:
    """(steps, losses, error rates in %) of the validated steps."""
    at = [i for i, value in enumerate(log["val_loss"]) if value is not None]
    steps, losses, rates = (
        np.array([log[name][i] for i in at])
        for name in ("step", "val_loss", "val_pixel_error_rate")
    )
    return steps, losses, 100 * rates


def _losses(axes: Any, log: Mapping[str, Sequence[Any]]) -> None:
    steps, loss = np.array(log["step"]), np.array(log["loss"], float)
    if len(steps):
        width = max(1, len(steps) // 50)
        words = f"training, mean of {width}" if width > 1 else "training"
        axes.plot(steps, loss, color=BLUE, alpha=0.2, linewidth=0.7)
        axes.plot(steps, running_mean(loss, width), color=BLUE, label=words)
        axes.set_ylim(0, max(1.2 * np.percentile(loss, 98), 1e-6))
    at, val_loss, _ = _validated(log)
    if len(at):
        axes.plot(at, val_loss, color=ORANGE, marker=".", label="validation")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False)
    axes.set(xlabel="step", ylabel="weighted cross-entropy", title="loss")


def _error_rates(axes: Any, log: Mapping[str, Sequence[Any]]) -> None:
    at, val_loss, rates = _validated(log)
    if len(at):
        axes.plot(at, rates, color=ORANGE, marker=".")
        best = int(np.argmin(val_loss))  # whose weights are kept
        axes.annotate(
            f"kept: {rates[best]:.2f} %\nof step {at[best]}",
            (at[best], rates[best]),
            xytext=(0.7, 0.75),  # where a falling curve leaves room
            textcoords="axes fraction",
            ha="center",
            arrowprops={"arrowstyle": "->", "color": "0.4"},
        )
        axes.set_ylim(0, max(1.1 * max(rates.max(), 1.4 * rates[best]), 0.01))
        axes.set_xlim(left=0)
    else:
        axes.text(0.5, 0.5, "no validation", ha="center", va="center", color="0.5")
    axes.set(xlabel="step", ylabel="pixel error rate (%)", title="validation slices")
