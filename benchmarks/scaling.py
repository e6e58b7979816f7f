"""Time of a training step against tile area and against width, and where it is not proportional.

    python benchmarks/scaling.py [--tiles 188 284 380 572 764] [--bases 8 16 32 64]
                                 [--base 16] [--tile 284] [--threads 2] [--repeats 5] [--json FILE]

The work is proportional to the *sum of the layers' areas*, which shrink by the valid convolutions'
borders: small tiles give the bottom of the U little to do, while its filters, the larger part of
the parameters, are transformed, differentiated and updated at any tile size. With the width,
multiplications grow as its square and memory traffic only in proportion: narrow networks are bound
by memory, wide ones by arithmetic. Both sides of each size are compared before they are timed.
"""

import argparse
import json

import torch
from step import alternate, compare, sides

from tinyunet.backends.cpu.threads import set_threads


def multiplications(base, tile, depth=5):
    """Multiplications of the 3×3 layers of one forward, computed directly (not by Winograd)."""
    total, size, channels = 0, tile, 1
    for level in range(depth):
        width = base * 2**level
        for inputs in (channels, width):
            size -= 2
            total += 9 * inputs * width * size**2
        channels, size = width, size // 2 if level < depth - 1 else size
    for level in range(depth - 2, -1, -1):
        width, size = base * 2**level, 2 * size
        for inputs in (2 * width, width):
            size -= 2
            total += 9 * inputs * width * size**2
    return total


def measure(base, tile, repeats):
    """Compare and time one size, print a line, return the figures."""
    all_sides = sides(base, tile)
    names = list(all_sides)
    compare(all_sides[names[0]], all_sides[names[1]])
    all_sides[names[2]].step()
    times = alternate({name: side.step for name, side in all_sides.items()}, repeats)
    ours = times["tinyunet"][0]
    theirs = min(clock for name, (clock, _) in times.items() if name != "tinyunet")
    work = 3 * 2 * multiplications(base, tile)  # forward and the two products of the backward
    print(
        f"base {base:3} tile {tile:4}: {ours:8.3f} s, {work / ours / 1e9:6.1f} GFLOP/s counted "
        f"directly, {ours / tile**2 * 1e9:8.1f} ns a pixel; torch {theirs:8.3f} s, "
        f"share {ours / theirs:.2f}",
        flush=True,
    )
    return {"base": base, "tile": tile, "seconds": ours, "torch_seconds": theirs, "flops": work}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tiles", nargs="+", type=int, default=[188, 284, 380, 572, 764])
    parser.add_argument("--bases", nargs="+", type=int, default=[8, 16, 32, 64])
    parser.add_argument("--base", type=int, default=16)
    parser.add_argument("--tile", type=int, default=284)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json")
    arguments = parser.parse_args()
    set_threads(arguments.threads)
    torch.set_num_threads(arguments.threads)
    by_tile = [measure(arguments.base, tile, arguments.repeats) for tile in arguments.tiles]
    by_base = [measure(base, arguments.tile, arguments.repeats) for base in arguments.bases]
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump({"by_tile": by_tile, "by_base": by_base}, file, indent=1)


if __name__ == "__main__":
    main()
