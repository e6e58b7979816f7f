"""The times of lesson 14: one layer, one optimisation after the other, in one thread.

    python lessons/runs/winograd_steps.py

From the project's root; writes winograd_steps.json beside this file. Every variant is compared with
the plain operation first. Times are processor time of one thread, the smallest of a few runs in
turns, so other programs disturb them less than they would the clock. The loops are timed on a
corner and scaled up.
"""

import json
import sys
import time
from pathlib import Path
from unittest.mock import patch

import numpy as np
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from lessons.page import computed
from tinyunet import _workspace, nn
from tinyunet.backends.cpu import threads, winograd
from tinyunet.nn import reference

REPEATS = 7


def smallest_times(variants):
    """Return {name: seconds}: each run in turns, the first not counted."""
    times = {name: [] for name in variants}
    for turn in range(REPEATS + 1):
        for name, run in variants.items():
            start = time.process_time()
            run()
            if turn:
                times[name].append(time.process_time() - start)
    return {name: min(values) for name, values in times.items()}


def loops(weight, size):
    """Seconds of the plain loops, from two output channels of a 6×6 corner."""
    corner = np.ones((1, weight.shape[1], 6, 6), np.float32)
    start = time.process_time()
    reference.conv2d(corner, weight[:2], np.zeros(2, np.float32))
    return (time.process_time() - start) * len(weight) / 2 * (size - 2) ** 2 / 16


def with_settings(run, **settings):
    """Return `run` with other constants or functions in winograd.py."""

    def changed():
        with patch.multiple(winograd, **settings):
            return run()

    return changed


def unpadded(tiles, channels, n_threads=None):
    """`winograd.tile_buffer` without the line at the end of each row."""
    shape = (winograd.round_up(tiles, winograd.ROWS), 36 * winograd.round_up(channels, 16))
    return _workspace.empty(shape if n_threads is None else (n_threads, *shape))


def layer(channels, out_channels, size):
    """Return {variant: milliseconds} of one layer, forward."""
    three_passes = computed("14").three_passes
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1, channels, size, size)).astype(np.float32)
    weight = rng.standard_normal((out_channels, channels, 3, 3)).astype(np.float32)
    weight *= np.float32(np.sqrt(2 / (9 * channels)))
    bias = rng.standard_normal(out_channels).astype(np.float32)
    last = np.ascontiguousarray(x.transpose(0, 2, 3, 1))

    def im2col():
        with nn.plain():
            return nn.conv2d_relu(x, weight, bias)[0]

    def kernels():
        return winograd.conv3x3_relu(last, weight, bias).transpose(0, 3, 1, 2)

    variants = {
        "im2col and a matrix product": im2col,
        "Winograd in three passes, NumPy": lambda: three_passes(x, weight, bias),
        "Winograd kernels, all tiles at once": with_settings(kernels, BLOCK_BYTES=2**40),
        "Winograd kernels, in blocks": kernels,
    }
    right = im2col()
    for name, run in variants.items():
        error = np.abs(run() - right).max()
        assert error < 1e-4, f"{name} is off by {error}"
    found = {"plain loops in Python": loops(weight, size)} | smallest_times(variants)
    y = winograd.conv3x3_relu(last, weight, bias)
    dy = rng.standard_normal(y.shape).astype(np.float32)
    gradient = lambda: winograd.conv3x3_relu_backward(dy, last, weight, y)  # noqa: E731
    backward = {
        "backward, rows without the extra line": with_settings(gradient, tile_buffer=unpadded),
        "backward, rows one line longer": gradient,
    }
    found |= smallest_times(backward)
    return {name: round(1000 * seconds, 1) for name, seconds in found.items()}


def first_touch(megabytes=83):
    """Return the milliseconds to fill fresh memory, and memory that was used before."""
    n = megabytes * 10**6 // 4
    kept = np.ones(n, np.float32)

    def fill_fresh():
        np.empty(n, np.float32).fill(1)

    found = smallest_times({"fresh": fill_fresh, "kept": lambda: kept.fill(1)})
    return {name: round(1000 * seconds, 1) for name, seconds in found.items()}


if __name__ == "__main__":
    threads.set_threads(1)
    with threadpool_limits(1):
        works = ((16, 16, 282), (64, 64, 282), (128, 128, 138), (256, 256, 66))
        times = {f"{c}→{k}, {size}×{size}": layer(c, k, size) for c, k, size in works}
        times["83 MB of memory"] = first_touch()
    text = json.dumps(times, indent=1, ensure_ascii=False)
    print(text)
    (Path(__file__).parent / "winograd_steps.json").write_text(text + "\n", encoding="utf-8")
