"""The times of lesson 14: one layer, one optimisation after the other, in one thread.

    python lessons/runs/winograd_steps.py [vectors]

From the project's root; writes winograd_steps.json beside this file, with "vectors" only that part.
Every variant is compared with the plain operation first. Times are processor time of one thread,
the smallest of a few runs in turns, so other programs disturb them less than they would the clock.
The loops are timed on a corner and scaled up.
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
from tinyunet._numba import jit
from tinyunet.backends.cpu import threads, winograd
from tinyunet.backends.cpu.cook_toom import input_1d
from tinyunet.backends.cpu.products import multiply
from tinyunet.backends.cpu.tracing import kernel
from tinyunet.backends.cpu.winograd_transforms import gather_inputs
from tinyunet.nn import reference

REPEATS = 7
compiled_input_1d = jit(input_1d)


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


@jit
def transform_with_loops(x, V, half):
    """`gather_inputs` with inner loops over the channels, which the compiler makes vectors of."""
    tile_columns, channels = (x.shape[2] - 2) // 4, x.shape[3]
    for tile in range(len(V)):
        i, j = tile // tile_columns * 4, tile % tile_columns * 4
        for b in range(6):
            for c in range(channels):
                d0, d1, d2 = x[0, i, j + b, c], x[0, i + 1, j + b, c], x[0, i + 2, j + b, c]
                d3, d4, d5 = x[0, i + 3, j + b, c], x[0, i + 4, j + b, c], x[0, i + 5, j + b, c]
                v = compiled_input_1d(d0, d1, d2, d3, d4, d5)
                half[0, b, c], half[1, b, c], half[2, b, c] = v[0], v[1], v[2]
                half[3, b, c], half[4, b, c], half[5, b, c] = v[3], v[4], v[5]
        for a in range(6):
            p = 6 * a
            for c in range(channels):
                h0, h1, h2 = half[a, 0, c], half[a, 1, c], half[a, 2, c]
                h3, h4, h5 = half[a, 3, c], half[a, 4, c], half[a, 5, c]
                v = compiled_input_1d(h0, h1, h2, h3, h4, h5)
                V[tile, p, c], V[tile, p + 1, c], V[tile, p + 2, c] = v[0], v[1], v[2]
                V[tile, p + 3, c], V[tile, p + 4, c], V[tile, p + 5, c] = v[3], v[4], v[5]


@kernel
def transform_with_vectors(x, tiles, V):
    """The package's transform."""
    gather_inputs(x, 0, tiles, 0, V)


@jit
def multiply_with_loops(V, U, M):
    """M = V · U in three loops, the innermost over neighbouring numbers."""
    for t in range(len(V)):
        M[t] = 0
        for c in range(V.shape[1]):
            for k in range(U.shape[1]):
                M[t, k] += V[t, c] * U[c, k]


@kernel
def multiply_with_vectors(V, panels, M):
    """The package's product, six rows by sixteen columns of sums at a time."""
    multiply(V, 0, V.shape[1], V.shape[0], panels, 0, V.shape[1], M.shape[1], M, 0, M.shape[1])


def vectors(channels, tiles=96, calls=200):
    """Return microseconds of the transform of `tiles` tiles, and of one of the 36 products."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1, 6, 4 * tiles + 2, channels)).astype(np.float32)
    V, half = np.empty((tiles, 36, channels), np.float32), np.empty((6, 6, channels), np.float32)
    padded = winograd.tile_buffer(tiles, channels)
    rows = rng.standard_normal((tiles, channels)).astype(np.float32)
    U = rng.standard_normal((channels, channels)).astype(np.float32)
    panels = np.ascontiguousarray(U.reshape(channels, -1, 16).transpose(1, 0, 2))
    M, product = np.empty((2, tiles, channels), np.float32)

    def repeated(function, *arguments):
        def run():
            for _ in range(calls):
                function(*arguments)

        return run

    variants = {
        "transform, loops": repeated(transform_with_loops, x, V, half),
        "transform, vectors": repeated(transform_with_vectors, x, tiles, padded),
        "product, loops": repeated(multiply_with_loops, rows, U, M),
        "product, vectors": repeated(multiply_with_vectors, rows, panels, product),
    }
    for run in variants.values():
        run()
    same = padded[:tiles, : 36 * channels].reshape(V.shape)
    assert np.abs(V - same).max() < 1e-4
    assert np.abs(M - product).max() < 1e-3
    found = smallest_times(variants)
    return {name: round(1e6 * seconds / calls, 1) for name, seconds in found.items()}


FILE = Path(__file__).parent / "winograd_steps.json"

if __name__ == "__main__":
    threads.set_threads(1)
    times = json.loads(FILE.read_text(encoding="utf-8"))
    with threadpool_limits(1):
        if sys.argv[1:] != ["vectors"]:
            works = ((16, 16, 282), (64, 64, 282), (128, 128, 138), (256, 256, 66))
            times |= {f"{c}→{k}, {size}×{size}": layer(c, k, size) for c, k, size in works}
            times["83 MB of memory"] = first_touch()
        times["vectors"] = {str(channels): vectors(channels) for channels in (16, 64, 256)}
    text = json.dumps(times, indent=1, ensure_ascii=False)
    print(text)
    FILE.write_text(text + "\n", encoding="utf-8")
