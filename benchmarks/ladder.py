"""One 3×3 layer up the ladder: loops, im2col, Winograd; and what the machine could do at best.

    python benchmarks/ladder.py [--layers 1:16:284 16:16:282 64:64:282 256:256:66 512:512:66]
                                [--threads 2] [--repeats 5] [--json FILE]

A layer is channels:out_channels:height. Every rung computes convolution, bias and ReLU of the same
float32 input, is compared with the plain operation in float64, and is timed in turns. GFLOP/s
count the direct convolution's operations, also for Winograd, which needs a quarter of the
multiplications and so can pass the peak. The loops are timed on a 12×12 corner and scaled up.
"""

import argparse
import json
import time

import numpy as np
import torch
from step import alternate

from tinyunet import nn
from tinyunet.backends.cpu import operations as cpu
from tinyunet.backends.cpu.threads import set_threads
from tinyunet.nn import plain
from tinyunet.nn import reference as naive

BOUND = 5e-6


def matmul_peak(n=2048, repeats=5):
    """GFLOP/s of NumPy's float32 matrix product."""
    a, out = np.ones((n, n), np.float32), np.empty((n, n), np.float32)
    return 2 * n**3 / best_time(lambda: np.matmul(a, a, out=out), repeats) / 1e9


def bandwidth(n_bytes=2**28, repeats=5):
    """GB/s of copying from memory to memory in one thread, bytes read and bytes written counted."""
    source, target = np.ones(n_bytes, np.uint8), np.empty(n_bytes, np.uint8)
    return 2 * n_bytes / best_time(lambda: np.copyto(target, source), repeats) / 1e9


def best_time(function, repeats):
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def in_plain(function, *arrays):
    with plain():
        return function(*arrays)[0]


def rungs(x, weight, bias):
    """{name: function without arguments}: the layer at every rung, the loops apart."""
    x_last = cpu.channels_first(cpu.channels_last(x))
    layer = [torch.tensor(array) for array in (x, weight, bias)]
    last = [t.to(memory_format=torch.channels_last) if t.ndim == 4 else t for t in layer]

    def theirs(arrays):
        with torch.no_grad():
            return torch.relu(torch.nn.functional.conv2d(*arrays)).numpy()

    return {
        "im2col": lambda: in_plain(nn.conv2d_relu, x, weight, bias),
        "kernels": lambda: cpu.conv2d_relu(x_last, weight, bias)[0],
        "torch": lambda: theirs(layer),
        "torch channels-last": lambda: theirs(last),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    layers = ["1:16:284", "16:16:282", "64:64:282", "256:256:66", "512:512:66"]
    parser.add_argument("--layers", nargs="+", default=layers)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json")
    arguments = parser.parse_args()
    set_threads(arguments.threads)
    torch.set_num_threads(arguments.threads)
    machine = {"matmul_gflops": matmul_peak(), "copy_gb_per_s": bandwidth()}
    print(f"matrix product {machine['matmul_gflops']:.0f} GFLOP/s, ", end="")
    print(f"memory {machine['copy_gb_per_s']:.0f} GB/s in one thread")
    results = [
        climb(*map(int, layer.split(":")), arguments.repeats, machine) for layer in arguments.layers
    ]
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump({**machine, "threads": arguments.threads, "layers": results}, file, indent=1)


def climb(channels, out_channels, size, repeats, machine):
    """Compare and time one layer, print a line a rung, return the figures."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1, channels, size, size), dtype=np.float32)
    weight = rng.standard_normal((out_channels, channels, 3, 3), dtype=np.float32)
    bias = rng.standard_normal(out_channels, dtype=np.float32)
    functions = rungs(x, weight, bias)
    wanted = in_plain(nn.conv2d_relu, *(a.astype(np.float64) for a in (x, weight, bias)))
    errors = {
        name: float(np.abs(function() - wanted).max() / wanted.max())
        for name, function in functions.items()
    }
    assert max(errors.values()) < BOUND, errors
    times = {name: clock for name, (clock, _) in alternate(functions, repeats).items()}
    times = {"loops": loop_time(x, weight, bias, wanted), **times}
    operations = 2 * 9 * channels * out_channels * (size - 2) ** 2
    moved = 4 * (x.size + wanted.size)
    for name, seconds in times.items():
        share = operations / seconds / 1e9 / machine["matmul_gflops"]
        memory = moved / seconds / 1e9 / machine["copy_gb_per_s"]
        print(
            f"{channels:4} → {out_channels:4}, {size}²: {name:20} {seconds * 1e3:11.2f} ms, "
            f"{share:8.2%} of the matrix product's speed, {memory:7.2%} of memory's",
            flush=True,
        )
    return {"layer": [channels, out_channels, size], "seconds": times, "errors": errors}


def loop_time(x, weight, bias, wanted):
    """Seconds that plain loops over one output channel of a corner would take for the layer."""
    corner, one = x[:, :, :12, :12], weight[:1]
    start = time.perf_counter()
    y = np.maximum(naive.conv2d(corner.astype(np.float64), one, bias[:1]), 0)
    seconds = time.perf_counter() - start
    np.testing.assert_allclose(y, wanted[:, :1, :10, :10], rtol=1e-5, atol=1e-5)
    return seconds * wanted.size / y.size


if __name__ == "__main__":
    main()
