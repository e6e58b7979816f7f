"""Versions, the card, and its two rates: copying and multiplying.

    python benchmarks/gpu_machine.py

The rates are what this card does today, by CuPy and cuBLAS: the roofline that everything else is
held against. `--small` is for machines that only play a GPU.
"""

import argparse
import json
import os
import platform
import sys

import numpy as np
from gpu_parts import NO_GPU

import tinyunet
from tinyunet.arrays import gpu_problem, select_device
from tinyunet.backends.cuda.launch import CupyGpu
from tinyunet.nn.precision import PRECISIONS


def rate(xp, amount, work, repeat):
    """Return `amount` for each second that `work` takes, the median of `repeat` times."""
    work()
    spans = []
    for _ in range(repeat):
        start, stop = xp.cuda.Event(), xp.cuda.Event()
        start.record()
        work()
        stop.record()
        stop.synchronize()
        spans.append(xp.cuda.get_elapsed_time(start, stop) / 1e3)
    return amount / max(np.median(spans), 1e-9)


def main():
    """Print and keep the facts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true")
    args = parser.parse_args()
    print("python", platform.python_version(), "numpy", np.__version__)
    print("tinyunet", tinyunet.__version__, "cores", os.cpu_count())
    if gpu_problem():
        print(f"no GPU: {gpu_problem()}")
        sys.exit(NO_GPU)
    xp = select_device("gpu").xp
    gpu = CupyGpu(xp, 0)
    card = xp.cuda.runtime.getDeviceProperties(0)["name"].decode()
    runtime, driver = xp.cuda.runtime.runtimeGetVersion(), xp.cuda.runtime.driverGetVersion()
    print("cupy", xp.__version__, "runtime", runtime, "driver", driver, "nvrtc", *_nvrtc(xp))
    multiprocessors = xp.cuda.Device(0).attributes["MultiProcessorCount"]
    free = xp.cuda.runtime.memGetInfo()[0]
    print(card, multiprocessors, "multiprocessors", f"{free / 1e9:.1f} GB free", flush=True)
    size = 64 if args.small else 8192
    numbers = xp.asarray(np.random.default_rng(1).standard_normal((1, size, size), np.float32))
    large = xp.empty((1 if args.small else 4, *numbers.shape[1:]), np.float32)
    large[:] = numbers
    other = xp.empty_like(large)
    rates = {"copy": rate(xp, 2 * large.nbytes, lambda: xp.copyto(other, large), 20)}
    print(f"copy {rates['copy'] / 1e12:.2f} TB/s, read and write", flush=True)
    for name in PRECISIONS:

        def multiply(name=name):
            gpu.product(numbers, numbers, precision=name)

        rates[name] = rate(xp, 2 * size**3, multiply, 5)
        print(f"product in {name}: {rates[name] / 1e12:.0f} TFLOP/s", flush=True)
    facts = {"card": card, "multiprocessors": multiprocessors, "rates": rates}
    if "GPU_LOGS" in os.environ:
        path = os.path.join(os.environ["GPU_LOGS"], "machine.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(facts, file)


def _nvrtc(xp):
    return xp.cuda.nvrtc.getVersion()


if __name__ == "__main__":
    main()
