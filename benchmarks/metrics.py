"""Time the ISBI 2012 scores: python benchmarks/metrics.py [--slice N] [--repeats N] [--json FILE]

The peer is a plain NumPy version of the overlaps, run beside ours on the same masks and compared
with it first. With the challenge's slices in ../shared/data the prediction is made from a real
slice, otherwise from synthetic membranes.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import numpy as np
from scipy import ndimage

from tinyunet import metrics
from tinyunet.images.instances import connected_components
from tinyunet.metrics.inputs import is_white, thresholds
from tinyunet.metrics.overlap import count_overlaps, group_components
from tinyunet.metrics.thinning import thin
from tinyunet.metrics.warping import slice_mismatches

DATA = Path(__file__).resolve().parents[1] / "../shared/data/isbi2012"


def synthetic_slice(size=512, seed=0):
    """(image, label) of Voronoi cells with dark membranes three pixels wide."""
    rng = np.random.default_rng(seed)
    seeds = rng.integers(0, size, (220, 2))
    mask = np.ones((size, size), bool)
    mask[tuple(seeds.T)] = False
    nearest = ndimage.distance_transform_edt(mask, return_distances=False, return_indices=True)
    cells = nearest[0] * size + nearest[1]
    label = (ndimage.maximum_filter(cells, 3) == ndimage.minimum_filter(cells, 3)).astype(np.uint8)
    image = 40 + 150 * ndimage.gaussian_filter(label.astype(float), 1.5)
    image += rng.normal(0, 25, image.shape)
    return np.clip(image, 0, 255), label


def real_slice(number):
    """(image, label) of one training slice, or synthetic ones where the data are not at hand."""
    if not (DATA / "train-volume.tif").exists():
        return synthetic_slice(), "synthetic membranes"
    import tifffile

    image = tifffile.imread(DATA / "train-volume.tif", key=number)
    label = tifffile.imread(DATA / "train-labels.tif", key=number)
    return (image, label), f"ISBI 2012 training slice {number}"


def noisy_prediction(image, label, seed=0):
    """A plausible network output, float32 in 0..1: blurred label, some image, smooth noise."""
    rng = np.random.default_rng(seed)
    soft = ndimage.gaussian_filter((label > 0).astype(float), 2.0)
    blurred = ndimage.gaussian_filter(image / 255.0, 1.0)
    noise = rng.normal(size=label.shape) + 6 * ndimage.gaussian_filter(
        rng.normal(size=label.shape), 2.0
    )
    logit = 6 * (soft - 0.5) + 4 * (blurred - blurred.mean()) + 1.5 * noise
    return (1 / (1 + np.exp(-logit))).astype(np.float32)


def peer_overlaps(label_ids, ids):
    """The contingency table by sorting all pairs."""
    inside = label_ids > 0
    pairs = np.stack([label_ids[inside], ids[inside]]).astype(np.int64)
    keys, counts = np.unique(pairs[0] * (ids.max() + 1) + pairs[1], return_counts=True)
    return keys // (ids.max() + 1), keys % (ids.max() + 1), counts


def timed(function, repeats):
    """Median seconds of `function()`."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main():
    """Validate, time alternating, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slice", type=int, default=20, help="number of the training slice")
    parser.add_argument("--repeats", type=int, default=5, help="runs of which the median is shown")
    parser.add_argument("--json", metavar="FILE", help="also write the figures to FILE")
    arguments = parser.parse_args()

    (image, label), source = real_slice(arguments.slice)
    prediction = noisy_prediction(image, label)
    scores = metrics.isbi2012(label, prediction)  # compiles
    white = is_white(prediction, thresholds()[5])
    groups = group_components(label > 0)
    ids, count = connected_components(white)
    label_ids = connected_components(label > 0)[0]
    overlap = count_overlaps(groups, ids, count)
    for ours, theirs in zip(overlap, peer_overlaps(label_ids, ids), strict=True):
        assert np.array_equal(ours, theirs), "overlaps differ from NumPy's"

    steps = {
        "isbi2012, all scores, 11 thresholds": lambda: metrics.isbi2012(label, prediction),
        "components (SciPy), one threshold": lambda: connected_components(white),
        "overlaps, one threshold": lambda: count_overlaps(groups, ids, count),
        "overlaps, NumPy unique": lambda: peer_overlaps(label_ids, ids),
        "thinning, one threshold": lambda: thin(ids, count),
        "warping, one threshold": lambda: slice_mismatches(label > 0, prediction, thresholds()[5]),
    }
    seconds = {name: [] for name in steps}
    for _ in range(arguments.repeats):
        for name, step in steps.items():
            seconds[name].append(timed(step, 1))
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    print(f"{source}, {label.shape[0]} x {label.shape[1]}, median of {arguments.repeats}")
    for name, median in medians.items():
        print(f"  {name:38s} {1000 * median:9.1f} ms")
    for name, score in scores.items():
        print(f"  {name:38s} {score:9.6g}")
    if arguments.json:
        Path(arguments.json).write_text(
            json.dumps({"seconds": medians, "scores": scores.to_dict()})
        )


if __name__ == "__main__":
    main()
