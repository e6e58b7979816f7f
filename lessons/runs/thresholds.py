"""Lesson 11's question: at which threshold has a network that was trained with weights its optimum?

    python -m lessons.runs.thresholds train-volume.tif train-labels.tif RUN [RUN …]

From the project's root; writes thresholds.json beside this file, from the last weights of the
study's runs with the paper's weight map (`study.py`). Each is measured on tiles as it was trained
on, deformed or not as its settings say, and on whole slices that it has not seen: what the weights
are at the pixels of each output, the threshold that they predict, and the best one.
"""

import argparse
import json
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
TRAINED_ON, LEFT_OUT = range(16), range(16, 20)
TILES, FIRST_STEP = 40, 10**6  # tiles of steps that no run has come to
FILE = HERE / "thresholds.json"
BINS = 20  # of outputs, each 0.05 wide
FINE = np.arange(1, 100) / 100


def by_output(p, cell, weights, bins=BINS):
    """Return (4, bins): numbers of cell and membrane pixels, and sums of their weights, by output.

    p, cell, weights: arrays of one shape, the predicted probability of cell, the ground truth as
    booleans, and the weight in the loss.
    """
    where = np.minimum((p * bins).astype(int), bins - 1).ravel()
    cell, weights = cell.ravel(), weights.ravel().astype(float)
    kinds = (cell, ~cell, cell * weights, ~cell * weights)
    return np.stack([np.bincount(where, kind, bins) for kind in kinds])


def mean_threshold(p, cell, weights):
    """Return w_c / (w_c + w_m) of the mean weights of all cell and all membrane pixels."""
    return float(weights[cell].mean() / (weights[cell].mean() + weights[~cell].mean()))


def local_threshold(p, cell, weights):
    """Return the t that equals w_c(t) / (w_c(t) + w_m(t)), the mean weights where the output is t.

    Between the middles of the bins it is interpolated; NaN if there is no such t.
    """
    cells, membranes, cell_weight, membrane_weight = by_output(p, cell, weights)
    with np.errstate(invalid="ignore", divide="ignore"):
        w_c, w_m = cell_weight / cells, membrane_weight / membranes
    return _crossing(w_c / (w_c + w_m))


def weighted_share(p, cell, weights):
    """Return for each bin of outputs the share of cell in the weights there."""
    _, _, cell_weight, membrane_weight = by_output(p, cell, weights)
    with np.errstate(invalid="ignore"):
        return cell_weight / (cell_weight + membrane_weight)


def best_threshold(p, cell):
    """Return the threshold with the fewest wrong pixels, and their share."""
    rates = [float(np.mean((p > t) != cell)) for t in FINE]
    return float(FINE[np.argmin(rates)]), min(rates)


def _crossing(values):
    """Where values, at the bins' middles, cross the diagonal from above."""
    middles = (np.arange(len(values)) + 0.5) / len(values)
    above = values - middles
    for i in range(len(values) - 1):
        if above[i] >= 0 > above[i + 1]:
            share = above[i] / (above[i] - above[i + 1])
            return float(middles[i] + share * (middles[i + 1] - middles[i]))
    return float("nan")


def measure(p, cell, weights):
    """Return what the lesson shows of one network on some pixels."""
    best, rate = best_threshold(p, cell)
    counts = by_output(p, cell, weights)
    with np.errstate(invalid="ignore", divide="ignore"):
        local = counts[2:] / counts[:2]
    return {
        "mean weights": [float(weights[cell].mean()), float(weights[~cell].mean())],
        "predicted by the mean": mean_threshold(p, cell, weights),
        "predicted by output": local_threshold(p, cell, weights),
        "best": best,
        "rate at best": rate,
        "weighted share of cell": np.round(weighted_share(p, cell, weights), 3).tolist(),
        "cell weight by output": np.round(local[0], 3).tolist(),
        "membrane weight by output": np.round(local[1], 2).tolist(),
    }


def on_tiles(net, dataset, settings):
    """Return (p, cell, weights) of tiles drawn as in training."""
    from tinyunet import nn
    from tinyunet.training.tiles import draw_tile, prepare_slices

    items, parts = prepare_slices(dataset.subset(TRAINED_ON), settings), []
    for step in range(FIRST_STEP, FIRST_STEP + TILES):
        x, classes, weights = draw_tile(items, settings, step)
        logits, _ = net.forward(x)
        parts.append((nn.softmax(logits)[0, 1], classes[0] == 1, weights[0]))
    return tuple(np.stack(part) for part in zip(*parts, strict=True))


def on_slices(net, dataset, settings):
    """Return (p, cell, weights) of whole slices that were left out."""
    from tinyunet.inference.predict import predict_tiled
    from tinyunet.training.tiles import prepare_slices

    items = prepare_slices(dataset.subset(LEFT_OUT), settings)
    p = np.stack([predict_tiled(net, item.image, 604)[1] for item in items])
    return p, np.stack([i.classes for i in items]) == 1, np.stack([i.weight_map for i in items])


def main():
    """Read the command line, measure, write thresholds.json."""
    from tinyunet.images import read_pair
    from tinyunet.training.checkpoint import load_network
    from tinyunet.training.settings import Settings

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("images", help="stack")
    parser.add_argument("labels", help="stack of labels")
    parser.add_argument("runs", nargs="+", help="folders of the study's runs")
    arguments = parser.parse_args()
    dataset = read_pair(arguments.images, arguments.labels)
    found = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    for run in map(Path, arguments.runs):
        net, _ = load_network(run / "last.safetensors", "cpu")
        content = json.loads((run / "settings.json").read_text(encoding="utf-8"))
        settings = Settings(**content["settings"])
        found[run.name] = {
            "tiles as in training": measure(*on_tiles(net, dataset, settings)),
            "slices left out": measure(*on_slices(net, dataset, settings)),
        }
        text = json.dumps(found, indent=1)
        FILE.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
