"""Lesson 11's question: at which threshold has a network that was trained with weights its optimum?

    python lessons/runs/thresholds.py train-volume.tif train-labels.tif RUN [RUN …]

writes thresholds.json beside this file, from the last weights of the study's runs (`study.py`): for
slices that they were trained on and for slices that they were not, what the weights are at the
pixels of each output, the threshold that these predict, and the best one.
"""

import argparse
import json
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
PARTS = {"trained on": (0, 4, 8, 12), "left out": (16, 17, 18, 19)}
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
    """Return what the lesson shows of one network on some slices."""
    doubtful = (p > 0.1) & (p < 0.9)
    best, rate = best_threshold(p, cell)
    counts = by_output(p, cell, weights)
    return {
        "mean weights": [float(weights[cell].mean()), float(weights[~cell].mean())],
        "doubtful": float(doubtful.mean()),
        "weights where doubtful": [
            float(weights[cell & doubtful].mean()),
            float(weights[~cell & doubtful].mean()),
        ],
        "predicted by the mean": mean_threshold(p, cell, weights),
        "predicted by output": local_threshold(p, cell, weights),
        "best": best,
        "rate at best": rate,
        "weighted share of cell": np.round(weighted_share(p, cell, weights), 3).tolist(),
        "membrane weight by output": np.round(counts[3] / counts[1], 2).tolist(),
        "pixels by output": counts[:2].astype(int).tolist(),
    }


def main():
    """Read the command line, measure, write thresholds.json."""
    from tinyunet.images import read_pair
    from tinyunet.inference.predict import predict_tiled
    from tinyunet.training.checkpoint import load_network
    from tinyunet.training.settings_file import read_settings
    from tinyunet.training.tiles import prepare_slices

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("images", help="stack")
    parser.add_argument("labels", help="stack of labels")
    parser.add_argument("runs", nargs="+", help="folders of the study's runs")
    arguments = parser.parse_args()
    dataset, found = read_pair(arguments.images, arguments.labels), {}
    for run in map(Path, arguments.runs):
        net, _ = load_network(run / "last.safetensors", "cpu")
        settings, _ = read_settings(run)
        for part, slices in PARTS.items():
            items = prepare_slices(dataset.subset(slices), settings)
            p = np.stack([predict_tiled(net, item.image, 604)[1] for item in items])
            cell = np.stack([item.classes for item in items]) == 1
            weights = np.stack([item.weight_map for item in items])
            found.setdefault(run.name, {})[part] = measure(p, cell, weights)
    text = json.dumps(found, indent=1)
    (HERE / "thresholds.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
