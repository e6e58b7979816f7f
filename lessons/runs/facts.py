"""What lessons 11 and 13 say of the data themselves: neighbouring slices, and a perfect network.

    python lessons/runs/facts.py train-volume.tif train-labels.tif dsb2018-nuclei/01

From the project's root; writes facts.json beside this file. Nothing is trained: the first part
compares the membranes of the challenge's slices with each other, the second one cuts and restores
the borders of the true nuclei of the frames held out, as after a prediction without a mistake.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

HELD_OUT = range(36, 48)


def overlap_of_slices(labels, apart):
    """Return the mean IoU of the membranes of slices that lie `apart` slices from each other."""
    membranes = [np.asarray(label) == 0 for label in labels]
    pairs = zip(membranes[apart:], membranes, strict=False)
    return float(np.mean([(a & b).sum() / (a | b).sum() for a, b in pairs]))


def overlap_by_chance(labels):
    """Return the IoU of two sets of pixels at random, each as large as the membranes."""
    q = float(np.mean([np.mean(np.asarray(label) == 0) for label in labels]))
    return q * q / (2 * q - q * q)


def perfect_nuclei(labels, border=2, min_size=20):
    """Return {what is done with the true nuclei: [IoU, SEG, pairs kept apart, pairs]}."""
    from tinyunet import metrics, separate_touching
    from tinyunet.images.instances import number_parts
    from tinyunet.inference.postprocess import close_borders, grow_cells, remove_small

    cut = [remove_small(number_parts(separate_touching(c, border) > 0), min_size) for c in labels]
    results = {
        "cut": cut,
        "cut, borders closed": [close_borders(cells, border) for cells in cut],
        "cut, grown by 1": [grow_cells(cells, 1) for cells in cut],
        "cut, grown by 2": [grow_cells(cells, 2) for cells in cut],
        "not cut: the mask": [remove_small(number_parts(c > 0), min_size) for c in labels],
    }
    return {
        name: [
            round(float(metrics.iou(labels, cells)), 4),
            round(float(metrics.seg(labels, cells)), 4),
            *metrics.parted_pairs(labels, cells),
        ]
        for name, cells in results.items()
    }


def main():
    """Read the command line, measure, write facts.json."""
    from tinyunet.images import read_pair

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("images", help="stack of membranes")
    parser.add_argument("labels", help="stack of its labels")
    parser.add_argument("nuclei", help="a Cell Tracking sequence")
    arguments = parser.parse_args()
    slices = read_pair(arguments.images, arguments.labels).labels
    nuclei = [np.asarray(c) for c in read_pair(arguments.nuclei, None).subset(HELD_OUT).labels]
    sizes = np.concatenate([np.bincount(c.ravel())[1:] for c in nuclei])
    found = {
        "IoU of membranes": {
            "next slice": round(overlap_of_slices(slices, 1), 4),
            "ten slices apart": round(overlap_of_slices(slices, 10), 4),
            "by chance": round(overlap_by_chance(slices), 4),
        },
        "nuclei": int((sizes > 0).sum()),
        "median pixels": float(np.median(sizes[sizes > 0])),
        "perfect nuclei": perfect_nuclei(nuclei),
    }
    text = json.dumps(found, indent=1)
    (Path(__file__).parent / "facts.json").write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
