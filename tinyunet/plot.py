"""Pictures of what went in and what came out: curves, predictions, errors, deformations, weights.

All functions write a PNG and return its path. They draw on matplotlib's own canvas and need no
screen. Images are (H, W); probabilities (H, W) in 0 … 1.
Lesson: lessons/11-training.md.
"""

from pathlib import Path

import numpy as np

from tinyunet.checkpoint import atomic_write

# Colours that people with any colour vision tell apart (Okabe and Ito).
BLUE, ORANGE, GREEN, RED = "#0072B2", "#E69F00", "#009E73", "#D55E00"


def _figure(width, height):
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _save(figure, path, dpi=110):
    with atomic_write(Path(path)) as temporary:
        figure.savefig(temporary, format="png", dpi=dpi)
    return Path(path)


def _picture(axes, image, title, **style):
    axes.imshow(image, **{"cmap": "gray", "interpolation": "nearest", **style})
    axes.set_title(title, fontsize=10)
    axes.set_axis_off()


def running_mean(values, width):
    """Return the mean of each value and up to `width` − 1 values before it."""
    sums = np.concatenate([[0.0], np.cumsum(np.asarray(values, float))])
    stop = np.arange(1, len(values) + 1)
    start = np.maximum(stop - width, 0)
    return (sums[stop] - sums[start]) / (stop - start)


def plot_curves(log, path):
    """Draw the loss of training and validation, and the wrong pixels, over the steps.

    The validation of the smallest loss, whose weights the run keeps, is marked.

    `log` is what `tinyunet.rundir.read_log` returns.
    """
    steps, loss = np.array(log["step"]), np.array(log["loss"], float)
    validated = [i for i, value in enumerate(log["val_loss"]) if value is not None]
    figure = _figure(9, 3.6)
    left, right = figure.subplots(1, 2)
    if len(steps):
        width = max(1, len(steps) // 50)
        left.plot(steps, loss, color=BLUE, alpha=0.2, linewidth=0.7)
        left.plot(steps, running_mean(loss, width), color=BLUE, label=f"training, mean of {width}")
        left.set_ylim(0, max(1.2 * np.percentile(loss, 98), 1e-6))
    if validated:
        at = steps[validated]
        val_loss = [log["val_loss"][i] for i in validated]
        wrong = 100 * np.array([log["val_wrong"][i] for i in validated])
        left.plot(at, val_loss, color=ORANGE, marker=".", label="validation")
        right.plot(at, wrong, color=ORANGE, marker=".")
        best = int(np.argmin(val_loss))  # whose weights are kept
        right.annotate(
            f"kept: {wrong[best]:.2f} %\nof step {at[best]}",
            (at[best], wrong[best]),
            xytext=(0.7, 0.75),  # where a falling curve leaves room
            textcoords="axes fraction",
            ha="center",
            arrowprops={"arrowstyle": "->", "color": "0.4"},
        )
        right.set_ylim(0, max(1.1 * max(wrong.max(), 1.4 * wrong[best]), 0.01))
    else:
        right.text(0.5, 0.5, "no validation", ha="center", va="center", color="0.5")
    if left.get_legend_handles_labels()[0]:
        left.legend(frameon=False)
    left.set(xlabel="step", ylabel="weighted cross-entropy", title="loss")
    right.set(xlabel="step", ylabel="wrong pixels (%)", title="validation slices")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    return _save(figure, path)


def error_overlay(image, truth, predicted):
    """Return (H, W, 3): the image in grey; missed foreground in orange, invented one in blue."""
    low, high = np.percentile(image, [0.5, 99.5])
    grey = np.clip((image - low) / max(high - low, 1e-9), 0, 1)
    rgb = np.repeat(0.25 + 0.75 * grey[..., None], 3, axis=2)
    rgb[truth & ~predicted] = [0.90, 0.62, 0.0]
    rgb[~truth & predicted] = [0.0, 0.45, 0.70]
    return rgb


def plot_results(images, truths, probabilities, path, names=None):
    """Draw a row for each image: input, truth, probability of foreground, errors at 0.5."""
    rows = len(images)
    figure = _figure(12.5, 3.3 * rows)
    grid = figure.subplots(rows, 4, squeeze=False)
    names = [f"image {i}" for i in range(rows)] if names is None else names
    for axes, image, truth, p, name in zip(grid, images, truths, probabilities, names, strict=True):
        truth, predicted = np.asarray(truth) > 0, p > 0.5
        _picture(axes[0], image, name)
        _picture(axes[1], truth, "truth")
        shown = axes[2].imshow(p, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        axes[2].set_title("probability", fontsize=10)
        axes[2].set_axis_off()
        figure.colorbar(shown, ax=axes[2], fraction=0.046, pad=0.02)
        wrong = 100 * (truth != predicted).mean()
        _picture(axes[3], error_overlay(image, truth, predicted), f"{wrong:.1f} % wrong")
    figure.supxlabel(
        "errors: orange, background where there is foreground; "
        "blue, foreground where there is background",
        fontsize=9,
    )
    return _save(figure, path)


def plot_augmented(samples, path, step=32):
    """Draw images with the grid that was straight in the original, and their labels below.

    samples : list of (title, image (H, W), labels (H, W), source (2, H, W)), where source holds
    the row and the column of the original that each pixel shows. `step`: of the grid, in pixels.
    """
    columns = len(samples)
    figure = _figure(3.1 * columns, 6.6)
    axes = figure.subplots(2, columns, squeeze=False)
    for column, (title, image, labels, source) in enumerate(samples):
        _picture(axes[0, column], image, title)
        shown = np.ma.masked_equal(labels, 0)
        _picture(axes[1, column], image, "labels")
        colours = {"cmap": "prism"} if labels.max() > 1 else {"cmap": "autumn", "vmin": 0}
        axes[1, column].imshow(shown, alpha=0.35, interpolation="nearest", **colours)
        for coordinate in source:
            levels = np.arange(step * (coordinate.min() // step), coordinate.max() + step, step)
            axes[0, column].contour(coordinate, levels, colors=ORANGE, linewidths=0.8, alpha=0.8)
    return _save(figure, path)


def plot_weight_map(labels, weights, path):
    """Draw a label map beside its weight map, with a colour bar, as figure 3 of the paper does."""
    figure = _figure(10, 4.6)
    left, right = figure.subplots(1, 2)
    colours = {"cmap": "gray"} if labels.max() <= 1 else {"cmap": "nipy_spectral"}
    _picture(left, labels, "labels", **colours)
    shown = right.imshow(weights, cmap="viridis", interpolation="nearest")
    right.set_title("weight of each pixel", fontsize=10)
    right.set_axis_off()
    figure.colorbar(shown, ax=right, fraction=0.046, pad=0.02)
    return _save(figure, path)
