"""Lesson 12's question: what are the mistakes that a score counts, and where are they?

    python lessons/runs/limits.py train-volume.tif train-labels.tif --out RUNS

From the project's root; writes limits.json beside this file. The networks are the study's longest
runs (`study.py`: `HEADLINE`, `BEST`, `WIDE`; those that are trained), averaged over the eight
symmetries. Each is scored on three groups of slices; some of them it has learned from.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from scipy.ndimage import distance_transform_edt

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))

FILE = HERE / "limits.json"
GROUPS = {"0 to 15": slice(16), "16 to 19": slice(16, 20), "20 to 23": slice(20, 24)}
DISTANCES = (1, 2, 3, 5)
LARGE = 0.001  # of the Rand error, a merger that one would see
KEPT = ("pixel_error", "rand_error", "warping_error", "v_rand_thinned", "v_info_thinned")


def rand_parts(truth, probability, threshold):
    """Return what the Rand error of a stack consists of, as shares that add up to it, and mergers.

    With a, b and ab of `metrics/rand.py`, summed over the slices, the error is
    ((a − ab) + (b − ab)) / (a + b). Of a − ab, "called membrane" are the pairs of which one
    pixel at least is, "split" those in two cells of the prediction; b − ab are "merged". The last
    value is the list of what each pair of true cells costs that shares a predicted one.
    """
    from tinyunet.metrics.overlap import group_components, overlaps_at

    called, split, a, b, merged = 0.0, 0.0, 0.0, 0.0, []
    for mask, p in zip(truth, probability, strict=True):
        table = overlaps_at(group_components(mask), p, threshold, False)
        rows, columns, counts = (part.astype(float) for part in table)
        is_white = columns > 0
        lost = counts[~is_white].sum()
        whole = np.bincount(rows.astype(int), counts)
        found = np.bincount(rows.astype(int), counts * is_white)
        together = np.bincount(rows.astype(int), counts**2 * is_white)
        called += (whole**2 - found**2).sum() - lost
        split += (found**2 - together).sum()
        a += (whole**2).sum()
        b += (np.bincount(columns[is_white].astype(int), counts[is_white]) ** 2).sum() + lost
        for column in np.unique(columns[is_white]):
            n = counts[columns == column]
            merged += [2 * n[i] * n[k] for i in range(len(n)) for k in range(i)]
    shares = {"called membrane": called, "split": split, "merged": sum(merged)}
    return {k: v / (a + b) for k, v in shares.items()}, [m / (a + b) for m in merged]


def distance_to_border(mask):
    """Return how far each pixel of a mask (H, W) is from the nearest of the other kind."""
    return np.where(mask, distance_transform_edt(mask), distance_transform_edt(~mask))


def pixels_within(truth):
    """Return which share of all pixels of a stack of masks lies so near to a border."""
    far = np.stack([distance_to_border(mask) for mask in truth])
    return {d: round(float((far <= d).mean()), 3) for d in DISTANCES}


def measure(labels, probability):
    """Return a stack's scores, the parts of its Rand error, and where the wrong pixels are."""
    from tinyunet.metrics import isbi2012_details

    report = isbi2012_details(labels, probability)
    truth, scores = labels > 0, report.scores.to_dict()
    parts, merged = rand_parts(truth, probability, report.winners["rand_error"])
    wrong = (probability > report.winners["pixel_error"]) != truth
    far = np.stack([distance_to_border(mask) for mask in truth])
    return {
        **{name: round(float(scores[name]), 5) for name in KEPT},
        "rand parts": {name: round(float(share), 5) for name, share in parts.items()},
        "large mergers": int(sum(m > LARGE for m in merged)),
        "in large mergers": round(float(sum(m for m in merged if m > LARGE)), 5),
        "wrong": round(float(wrong.mean()), 5),
        "wrong within": {
            d: round(float(wrong[far <= d].sum() / wrong.sum()), 3) for d in DISTANCES
        },
    }


def main():
    """Read the command line, measure, write limits.json."""
    from lessons.runs.study import BEST, HEADLINE, JOBS, WIDE, folder_of
    from tinyunet.images import read_pair
    from tinyunet.inference.predict import predict_tiled
    from tinyunet.training.checkpoint import load_network

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("images", help="stack")
    parser.add_argument("labels", help="stack of labels")
    parser.add_argument("--out", required=True, help="folder of the study's runs")
    arguments = parser.parse_args()
    dataset = read_pair(arguments.images, arguments.labels)
    labels = np.stack(dataset.labels)
    content = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {"networks": {}}
    content["pixels within"] = {
        group: pixels_within(labels[part] > 0) for group, part in GROUPS.items()
    }
    found = content["networks"]
    jobs = [job for job in JOBS if job.name in (HEADLINE, BEST, WIDE)]
    for job, seed in [(one, seed) for one in jobs for seed in one.seeds]:
        folder = folder_of(arguments.out, job, seed)
        if not (folder / "study.json").exists() or str(seed) in found.get(job.name, {}):
            continue
        net, _ = load_network(folder / "last.safetensors", "cpu")
        p = np.stack([predict_tiled(net, image, 604, 8)[1] for image in dataset.images])
        one = {group: measure(labels[part], p[part]) for group, part in GROUPS.items()}
        found.setdefault(job.name, {})[str(seed)] = one
        FILE.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        print(f"{job.name}, seed {seed}", flush=True)


if __name__ == "__main__":
    main()
