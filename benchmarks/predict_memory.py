"""Memory of overlap-tile prediction: bounded by the tile, not by the image.

    python benchmarks/predict_memory.py [--sizes 2000 20000] [--tile 1024] [--json FILE]

A memory-mapped uint8 image goes through a tiny network (depth 2, base 2) into a memory-mapped
float32 output (2 classes: 3.2 GB on disk for 20,000 × 20,000). What the process itself holds is
its anonymous memory, RssAnon in Linux's /proc/self/status; pages of the two files, which the
system drops whenever it needs room, are RssFile. First the result is checked: windows of the
stitched map must equal a pass of their own to 1e-6. The peer is the whole image in one pass,
whose need is told beforehand.
"""

import argparse
import json
import pathlib
import tempfile
import threading
import time

import numpy as np

from tinyunet.inference.predict import predict_tiled
from tinyunet.inference.tiling import read_window, tile_bytes
from tinyunet.nn.unet import UNet

MEBIBYTE = 2**20


def memory_now(kind):
    """RssAnon or RssFile of this process, in bytes."""
    text = pathlib.Path("/proc/self/status").read_text(encoding="ascii")
    return int(text.split(kind + ":")[1].split()[0]) * 1024


class Peak:
    """Samples the memory of the process every 5 ms, until it is left."""

    def __enter__(self):
        self.before = self.anonymous = memory_now("RssAnon")
        self.of_files = 0
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()
        return self

    def watch(self):
        while not self.stop.wait(0.005):
            self.anonymous = max(self.anonymous, memory_now("RssAnon"))
            self.of_files = max(self.of_files, memory_now("RssFile"))

    def __exit__(self, *exception):
        self.stop.set()
        self.thread.join()


def fill_with_noise(image):
    """Blocks of drawn grey values, each 256 × 256 block shifted by another amount."""
    block = np.random.default_rng(0).integers(0, 256, (256, image.shape[1]), np.uint8)
    for top in range(0, image.shape[0], 256):
        image[top : top + 256] = np.roll(block, 31 * top, axis=1)[: image.shape[0] - top]


def check(net, image, out, normalise):
    """Compare windows across tile borders with a pass of their own; SystemExit if they differ."""
    size = image.shape[0]
    for top, left in ((0, 0), (size // 2 // 2 * 2, 0), (size - 64, size - 64)):
        window = read_window(image[None], top - 8, left - 8, 80, 80)
        window = (window.astype(np.float32) - np.float32(normalise[0])) / np.float32(normalise[1])
        alone = net.predict_proba(window[None])[0]
        difference = np.abs(alone - out[:, top : top + 64, left : left + 64]).max()
        if not difference < 1e-6:
            raise SystemExit(f"the stitched map differs at {(top, left)} by {difference:g}")


def measure(size, tile, folder):
    net = UNet(depth=2, base_channels=2, device="cpu")
    image = np.memmap(folder / "image", np.uint8, "w+", shape=(size, size))
    fill_with_noise(image)
    image = np.memmap(folder / "image", np.uint8, "r", shape=(size, size))
    out = np.memmap(folder / "out", np.float32, "w+", shape=(2, size, size))
    predict_tiled(net, image[:300, :300], tile)  # compile before measuring
    start = time.perf_counter()
    with Peak() as peak:
        predict_tiled(net, image, tile, normalise=(127.5, 73.9), out=out)
    seconds = time.perf_counter() - start
    check(net, image, out, (127.5, 73.9))
    row = {
        "size": size,
        "tile": tile,
        "seconds": seconds,
        "peak_mib": (peak.anonymous - peak.before) / MEBIBYTE,
        "file_pages_mib": peak.of_files / MEBIBYTE,
        "told_for_tile_mib": tile_bytes(net, tile, tile) / MEBIBYTE,
        "one_pass_would_take_mib": tile_bytes(net, size + 16, size + 16) / MEBIBYTE,
        "image_and_out_mib": 9 * size * size / MEBIBYTE,
    }
    print(
        f"{size:6d} {tile:5d} {seconds:8.1f} {row['peak_mib']:10.1f} "
        f"{row['told_for_tile_mib']:10.1f} {row['file_pages_mib']:10.1f} "
        f"{row['image_and_out_mib']:10.1f} {row['one_pass_would_take_mib']:12.0f}",
        flush=True,
    )
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[2000, 20000])
    parser.add_argument("--tile", type=int, default=1024)
    parser.add_argument("--folder", help="where the two files go (default: a temporary folder)")
    parser.add_argument("--json", metavar="FILE", help="write the figures here as well")
    options = parser.parse_args()
    print("MiB, peak above what was held before:")
    print(
        f"{'size':>6} {'tile':>5} {'seconds':>8} {'peak':>10} {'told':>10} {'file pages':>10} "
        f"{'on disk':>10} {'one pass':>12}"
    )
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        rows = [measure(size, options.tile, pathlib.Path(folder)) for size in options.sizes]
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(rows, file, indent=1)


if __name__ == "__main__":
    main()
