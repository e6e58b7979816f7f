"""Large amounts of the kinds that people have: time and memory, each part in a process of its own.

    python benchmarks/many_images.py [PART …] [--images 2000 --size 256]

| part | what is made and measured |
| --- | --- |
| `start` | a folder of PNG files and one of masks, until training would begin |
| `evaluate` | all scores of a stack of pages (`--pages`) |
| `cells` | one image of touching cells (`--cells`): weight map, SEG |
| `large` | `predict` of one uncompressed TIFF page of `--side` pixels a side, tiny network |

Without a part: `start`. Sizes are small by default except `start`'s; the issue's are `--pages 1000
--cells 65000 --side 30000` (the last writes 4.5 GB and takes long). "processor" is time of all
threads, "peak" the largest resident memory of the process above that after its imports.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import numpy as np

MEBIBYTE = 2**20
BORDER = 2  # pixels between two cells of `cells` and to each side


def peak():
    """Return the most resident memory of this process so far, in bytes."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


class Watch:
    """Prints what each stage took, and the peak at the end."""

    def __init__(self):
        self.base = peak()
        self.begun = time.perf_counter(), time.process_time()

    def done(self, name):
        """End the stage that began with the last one's end."""
        now = time.perf_counter(), time.process_time()
        wall, processor = (n - b for n, b in zip(now, self.begun, strict=True))
        grown = (peak() - self.base) / MEBIBYTE
        print(f"  {name:28} {wall:8.2f} s {processor:8.2f} s processor {grown:8.0f} MiB peak")
        self.begun = time.perf_counter(), time.process_time()


def write_folders(folder, options):
    """Write PNG images and masks of the same names."""
    from PIL import Image

    from tinyunet.images import synthetic_membranes

    images, masks = synthetic_membranes(8, options.size)
    for name, pages in (("images", images), ("masks", 255 * masks)):
        (folder / name).mkdir()
        for i in range(options.images):
            page = np.roll(pages[i % 8], 17 * i, 0)
            Image.fromarray(page).save(folder / name / f"cell {i}.png", compress_level=1)


def measure_start(folder, options):
    """Everything that happens before the first training step."""
    from tinyunet.images import read_pair
    from tinyunet.training.plan import make_plan
    from tinyunet.training.settings import Settings
    from tinyunet.training.tiles import prepare_slices

    watch = Watch()
    dataset = read_pair(folder / "images", folder / "masks")
    watch.done(f"read {len(dataset)} pairs")
    settings = Settings(val=(0, len(dataset) // 10), depth=3, base_channels=8, tile=188)
    plan = make_plan(dataset, settings, "cpu")
    watch.done("plan")
    prepare_slices(plan.training, settings)
    watch.done("prepare slices")


def write_stacks(folder, options):
    """Write a stack of probabilities and one of its labels."""
    from tinyunet.images import StackWriter, synthetic_membranes

    images, labels = synthetic_membranes(8, options.size)
    noise = np.random.default_rng(0)
    with (
        StackWriter(folder / "probabilities.tif", np.float32, options.pages) as maps,
        StackWriter(folder / "labels.tif", np.uint8, options.pages) as truth,
    ):
        for i in range(options.pages):
            shift = int(noise.integers(options.size))
            maps.append(np.roll(images[i % 8], shift, 0) / np.float32(255))
            truth.append(np.roll(labels[i % 8], shift, 0))


def measure_evaluate(folder, options):
    """All scores of the pages, as the command line gives them."""
    from tinyunet.cli import main as command

    watch = Watch()
    with redirect_stdout(StringIO()):
        code = command(["evaluate", str(folder / "probabilities.tif"), str(folder / "labels.tif")])
    assert code == 0
    watch.done(f"evaluate {options.pages} pages")


def cells_of(count):
    """Return a square image of at least `count` cells of 10 × 10 pixels, and their number."""
    side = int(np.ceil(count**0.5))
    numbers = np.arange(1, side * side + 1, dtype=np.int32).reshape(side, side)
    labels = numbers.repeat(12, 0).repeat(12, 1)
    labels[np.arange(len(labels)) % 12 < BORDER] = 0
    labels[:, np.arange(len(labels)) % 12 < BORDER] = 0
    return labels, side * side


def measure_cells(folder, options):
    """Weight map and SEG of very many cells: neither may take time or memory for each pair."""
    from tinyunet.metrics import seg
    from tinyunet.weight_map import weight_map

    labels, count = cells_of(options.cells)
    found = np.roll(labels, 1, 0)
    found[labels == 1] = 0
    watch = Watch()
    weight_map(labels, instances=True)
    watch.done(f"weight map, {count} cells")
    seg(labels, found)
    watch.done(f"SEG, {count} cells")


def write_large(folder, options):
    """Write one page, row by row, and a network that is not trained."""
    import tifffile

    from tinyunet import UNet, save_weights

    shape = options.side, options.side
    page = tifffile.memmap(folder / "large.tif", shape=shape, dtype=np.uint8, photometric=1)
    row = np.random.default_rng(0).integers(0, 256, options.side, np.uint8)
    for i in range(options.side):
        page[i] = np.roll(row, 31 * i)
    page.flush()
    net = UNet(depth=2, base_channels=2, device="cpu")
    net.normalisation = "image"  # as a training leaves it: the page is read for its mean first
    save_weights(folder / "net.safetensors", net)


def measure_large(folder, options):
    """The command `predict`."""
    from tinyunet.cli import main as command

    watch = Watch()
    files = [str(folder / name) for name in ("net.safetensors", "large.tif", "out.tif")]
    with redirect_stdout(StringIO()):
        code = command(["predict", *files[:2], "--out", files[2], "--tile", "1024"])
    assert code == 0
    watch.done(f"predict {options.side}×{options.side}")
    print(f"  {(peak() - watch.base) / options.side**2:.1f} bytes a pixel")


PARTS = {
    "start": (write_folders, measure_start),
    "evaluate": (write_stacks, measure_evaluate),
    "cells": (None, measure_cells),
    "large": (write_large, measure_large),
}


def main():
    """Write each part's files, then measure it in a fresh process."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", help=", ".join(PARTS), metavar="PART")
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--pages", type=int, default=20)
    parser.add_argument("--cells", type=int, default=4000)
    parser.add_argument("--side", type=int, default=2000)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)  # the fresh process
    options = parser.parse_args()
    for name in options.parts or ["start"]:
        if name not in PARTS:
            parser.error(f"no part {name!r}: choose from {', '.join(PARTS)}")
        write, measure = PARTS[name]
        if options.measure:
            measure(options.measure, options)
            continue
        with tempfile.TemporaryDirectory() as folder:
            print(name, flush=True)
            if write is not None:
                write(Path(folder), options)
            sizes = [f"--{n}={getattr(options, n)}" for n in ("images", "size", "pages")]
            sizes += [f"--{n}={getattr(options, n)}" for n in ("cells", "side")]
            command = [sys.executable, __file__, name, *sizes, "--measure", folder]
            subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
