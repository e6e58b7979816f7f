"""Weight map (equation 2): tinyunet against one distance transform a cell, and time against cells.

    python benchmarks/weight_map.py [--cells 324] [--size 512] [--json FILE]

First the maps are compared (they must agree to 1e-5), then both are timed in turn, in one run.
The peer is the usual way: one `scipy.ndimage.distance_transform_edt` a cell, stacked and sorted
(`tinyunet/weight_map/reference.py`). Its memory grows with the cells as well: 8 bytes a pixel and
cell.
"""

import argparse
import json
import platform
import statistics
import time

import numpy as np

from tinyunet.weight_map import reference, weight_map


def disc_cells(cells, size, cover=0.6, seed=0):
    """A (size, size) int32 image of `cells` discs on a jittered grid that cover `cover` of it."""
    rng = np.random.default_rng(seed)
    across = int(np.ceil(np.sqrt(cells)))
    pitch = size / across
    radius = pitch * np.sqrt(cover / np.pi)
    labels = np.zeros((size, size), np.int32)
    for cell in range(cells):
        cy, cx = (np.array(divmod(cell, across)) + 0.5) * pitch + rng.normal(0, pitch / 20, 2)
        top, left = (int(max(0, centre - pitch)) for centre in (cy, cx))
        box = labels[top : int(cy + pitch) + 1, left : int(cx + pitch) + 1]
        y, x = np.indices(box.shape)
        box[(y + top - cy) ** 2 + (x + left - cx) ** 2 < radius**2] = cell + 1
    return labels


def seconds(function, *arguments):
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


def against_the_usual_way(cells, size, peer_runs):
    labels = disc_cells(cells, size)
    fast, usual = weight_map(labels), reference.weight_map(labels)  # this also compiles
    difference = float(np.abs(fast - usual).max())
    if difference > 1e-5:
        raise SystemExit(f"the maps differ by {difference:g}: nothing is timed")
    ours, theirs = [], []
    for _ in range(peer_runs):
        ours += [seconds(weight_map, labels) for _ in range(7)]
        theirs.append(seconds(reference.weight_map, labels))
    ours, theirs = statistics.median(ours), statistics.median(theirs)
    print(f"{size}x{size}, {len(np.unique(labels)) - 1} cells, largest difference {difference:g}")
    print(f"  one scipy transform a cell  {theirs * 1e3:10.1f} ms")
    print(f"  tinyunet                    {ours * 1e3:10.1f} ms   {theirs / ours:.0f} times faster")
    return {
        "size": size,
        "cells": cells,
        "largest_difference": difference,
        "usual_ms": theirs * 1e3,
        "tinyunet_ms": ours * 1e3,
        "times_faster": theirs / ours,
    }


def against_the_number_of_cells(size, counts):
    images = {count: disc_cells(count, size) for count in counts}
    times = {count: [] for count in counts}
    for _ in range(15):
        for count, labels in images.items():
            times[count].append(seconds(weight_map, labels))
    print(f"\n{size}x{size}, {'cells':>6} {'median ms':>10} {'least ms':>10}")
    rows = []
    for count, runs in times.items():
        rows.append({"cells": count, "median_ms": statistics.median(runs) * 1e3})
        print(f"{'':8} {count:6d} {rows[-1]['median_ms']:10.1f} {min(runs) * 1e3:10.1f}")
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, default=324)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--peer-runs", type=int, default=3)
    parser.add_argument("--json", metavar="FILE", help="write the figures here as well")
    options = parser.parse_args()
    result = {
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "peer": against_the_usual_way(options.cells, options.size, options.peer_runs),
        "cells": against_the_number_of_cells(options.size, (10, 30, 100, 324, 1000, 3000)),
    }
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(result, file, indent=1)


if __name__ == "__main__":
    main()
