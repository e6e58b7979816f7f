"""Elastic deformation of a 512×512 image with its label: tinyunet against SciPy and elasticdeform.

    python benchmarks/augment.py [--elasticdeform-python PATH] [--runs 15] [--json FILE]

The same 3×3 grid of displacements goes to all of them: image bicubic, label nearest neighbour, the
outside mirrored. First the results are compared, then the times are taken, one call of each in
turn, and the medians reported. SciPy is used as one would write it by hand: `map_coordinates` for
the displacement field (order 3), the image (order 3) and the label (order 0).

elasticdeform's wheels need NumPy below 2, so it runs in an environment of its own, whose Python is
given by --elasticdeform-python; without it this peer is left out. It answers one request at a time
and reports the time of the call alone.

What "equal" can mean: the displacement field is the same spline for all three, so labels are equal
but for ties. The image kernels differ by design (Keys' cubic here, a cubic B-spline with prefilter
in the peers), so images are compared on a smooth image, where both kernels are accurate.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy import ndimage

from tinyunet._machine import usable_cores
from tinyunet.augment import Transform, apply_transform

SIDE = 512
WORKER = """
import sys, time
import elasticdeform, numpy as np
data = np.load(sys.argv[1])
arrays = [data["image"], data["labels"]]
for line in sys.stdin:
    start = time.perf_counter()
    out = elasticdeform.deform_grid(arrays, data["grid"], order=[3, 0], mode="mirror", axis=(0, 1))
    seconds = time.perf_counter() - start
    np.savez(sys.argv[2], image=out[0], labels=out[1])
    print(seconds, flush=True)
"""


def with_scipy(image, labels, grid):
    """The same deformation with `scipy.ndimage.map_coordinates` alone."""
    rows, columns = np.mgrid[:SIDE, :SIDE].astype(np.float64)
    at = np.stack([rows, columns]) * ((np.array(grid.shape[1:]) - 1) / (SIDE - 1))[:, None, None]
    down, right = (ndimage.map_coordinates(g, at, order=3, mode="mirror") for g in grid)
    points = np.stack([rows + down, columns + right])
    return (
        ndimage.map_coordinates(image, points, order=3, mode="mirror"),
        ndimage.map_coordinates(labels, points, order=0, mode="mirror"),
    )


class Elasticdeform:
    """The peer in another interpreter: `call` returns the seconds of one deformation."""

    def __init__(self, python, folder, image, labels, grid):
        """Start it and hand the arrays over through a file."""
        self.out = Path(folder) / "out.npz"
        np.savez(Path(folder) / "in.npz", image=image, labels=labels, grid=grid)
        command = [python, "-c", WORKER, str(Path(folder) / "in.npz"), str(self.out)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def call(self):
        """Deform once."""
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise OSError("elasticdeform's interpreter ended: see its message above")
        return float(answer)

    def result(self):
        """The image and labels of the last call."""
        with np.load(self.out) as data:
            return data["image"], data["labels"]

    def close(self):
        """End the interpreter."""
        self.process.stdin.close()
        self.process.wait()


def timed(function, *arguments, **options):
    """Seconds of one call."""
    start = time.perf_counter()
    function(*arguments, **options)
    return time.perf_counter() - start


def compare(name, ours, image, labels, smooth_peer, smooth_ours):
    """Assert that a peer's results are ours, as far as they can be, and say how far they are."""
    unequal = np.mean(labels != ours.labels)
    apart = np.abs(smooth_peer - smooth_ours).max()
    kernels = np.abs(image - ours.image).mean()
    print(
        f"{name}: labels unequal {unequal:.1e}; smooth image, largest difference {apart:.1e}; "
        f"rough image, mean difference {kernels:.1e} (another kernel)"
    )
    if unequal > 1e-4 or apart > 1e-3:
        sys.exit(f"{name} does not agree: no times are taken")


def main():
    """Validate, time, report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--elasticdeform-python", metavar="PATH")
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    rough = rng.random((SIDE, SIDE), dtype=np.float32)
    image = ndimage.gaussian_filter(rough, 1, mode="mirror")
    smooth = ndimage.gaussian_filter(rough, 8, mode="mirror")
    labels = (ndimage.gaussian_filter(rough, 4) > 0.5).astype(np.uint8)
    grid = rng.normal(size=(2, 3, 3)) * 10.0
    middle = ((SIDE - 1) / 2, (SIDE - 1) / 2)
    transform = Transform((SIDE, SIDE), middle, displacement=grid)

    plain = apply_transform(transform, image, labels, plain=True)
    ours = apply_transform(transform, image, labels, parallel=True)
    serial = apply_transform(transform, image, labels)
    difference = np.abs(ours.image - plain.image).max()
    for name, got in (("parallel", ours), ("serial", serial)):
        np.testing.assert_allclose(got.image, plain.image, rtol=0, atol=1e-5, err_msg=name)
        np.testing.assert_array_equal(got.labels, plain.labels, err_msg=name)
    print(f"compiled against plain: image {difference:.1e} at most, labels equal")
    smooth_ours = apply_transform(transform, smooth).image
    compare(
        "scipy",
        ours,
        *with_scipy(image, labels, grid),
        with_scipy(smooth, labels, grid)[0],
        smooth_ours,
    )

    calls = {
        "tinyunet, all cores": lambda: timed(
            apply_transform, transform, image, labels, parallel=True
        ),
        "tinyunet, one thread": lambda: timed(apply_transform, transform, image, labels),
        "tinyunet, plain NumPy": lambda: timed(
            apply_transform, transform, image, labels, plain=True
        ),
        "scipy.ndimage.map_coordinates": lambda: timed(with_scipy, image, labels, grid),
    }
    with tempfile.TemporaryDirectory() as folder:
        peer = None
        if options.elasticdeform_python:
            python = options.elasticdeform_python
            peer = Elasticdeform(python, folder, smooth, labels, grid)
            peer.call()
            smooth_peer = peer.result()[0]
            peer.close()
            peer = Elasticdeform(python, folder, image, labels, grid)
            peer.call()
            compare("elasticdeform", ours, *peer.result(), smooth_peer, smooth_ours)
            calls["elasticdeform"] = peer.call
        seconds = {name: [] for name in calls}
        for _ in range(options.runs):
            for name, call in calls.items():
                seconds[name].append(call())
        if peer:
            peer.close()
    report(seconds, options)


def report(seconds, options):
    """Print the table of medians and write it as JSON if asked."""
    medians = {name: statistics.median(values) * 1e3 for name, values in seconds.items()}
    best = medians["tinyunet, all cores"]
    print(f"\n{SIDE}×{SIDE} float32 and uint8, {options.runs} runs, {usable_cores()} threads")
    print("| | median ms | smallest ms | times tinyunet |\n| --- | --- | --- | --- |")
    for name, median in medians.items():
        print(f"| {name} | {median:.2f} | {min(seconds[name]) * 1e3:.2f} | {median / best:.1f} |")
    if options.json:
        Path(options.json).write_text(json.dumps({"median_ms": medians}, indent=1) + "\n")


if __name__ == "__main__":
    main()
