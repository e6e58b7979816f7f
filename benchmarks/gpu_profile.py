"""Where a step's time goes, kernel by kernel: ours or PyTorch's.

    python benchmarks/gpu_profile.py ours [--base 64 --tile 572]      (or torch)

Ours: events around every launch of an unrecorded step that waits behind a long product, so that the
GPU goes from kernel to kernel without waiting for Python. PyTorch's: its own profiler, in all three
precisions, channels last.
"""

import argparse
import sys

import numpy as np
from gpu_peers import Rung, TorchStep, torch
from ladder_gpu import random_batch

from tinyunet.arrays import gpu_problem, select_device
from tinyunet.backends.cuda import operations
from tinyunet.nn.precision import PRECISIONS
from tinyunet.nn.precision import precision as use_precision

ROWS = 25


def profile_ours(precision, base, batch):
    """Print launches and milliseconds of each kernel in one step."""
    rung = Rung("update", base, batch[0].shape)
    rung.precision = precision
    for _ in range(2):
        rung.step(*batch)
    xp = rung.net.device.xp
    gpu, spans = operations.gpu_of(next(iter(rung.net.params.values()))), []

    def timed(start_work, name_of):
        def start(*arguments):
            before, after = xp.cuda.Event(), xp.cuda.Event()
            before.record()
            start_work(*arguments)
            after.record()
            spans.append((name_of(arguments), before, after))

        return start

    fill_the_queue(xp, gpu)
    gpu._start = timed(gpu._start, lambda arguments: arguments[1])
    gpu._multiply = timed(gpu._multiply, lambda arguments: "product (cuBLAS)")
    try:
        rung.step(*batch)
    finally:
        del gpu._start, gpu._multiply  # the class's own again
    xp.cuda.Device().synchronize()
    totals = {}
    for name, before, after in spans:
        count, total = totals.get(name, (0, 0.0))
        totals[name] = count + 1, total + xp.cuda.get_elapsed_time(before, after)
    whole = sum(total for _, total in totals.values())
    print(f"{precision}: {len(spans)} launches, {whole:.3f} ms between their events", flush=True)
    for name, (count, total) in sorted(totals.items(), key=lambda item: -item[1][1]):
        print(f"  {name:24} {count:4} {total:8.3f} ms", flush=True)


def fill_the_queue(xp, gpu):
    """Start products that take the GPU longer than a step takes Python to ask for."""
    size = 8192 if gpu.xp.cuda.runtime.memGetInfo()[0] > 8e9 else 64
    with gpu.current(), use_precision("float32"):
        x = xp.asarray(np.ones((1, size, size), np.float32))
        for _ in range(6):
            gpu.product(x, x)


def profile_torch(precision, base, batch):
    """Print PyTorch's kernels by their time on the device."""
    from torch.profiler import ProfilerActivity, profile

    params = Rung("graph", base, batch[0].shape).net.params
    peer = TorchStep(params, base, precision, True)
    for _ in range(3):
        peer.step(*batch)
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as found:
        peer.step(*batch)
        select_device("gpu").xp.cuda.Device().synchronize()
    rows = sorted(found.key_averages(), key=lambda row: -row.self_device_time_total)
    whole = sum(row.self_device_time_total for row in rows) / 1e3
    print(f"PyTorch, {precision}, channels last: {whole:.3f} ms on the device", flush=True)
    for row in rows[:ROWS]:
        print(f"  {row.self_device_time_total / 1e3:8.3f} ms {row.count:4}  {row.key[:90]}")
    sys.stdout.flush()


def main():
    """Profile one side in all precisions."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("side", choices=("ours", "torch"))
    parser.add_argument("--base", type=int, default=64)
    parser.add_argument("--tile", type=int, default=572)
    args = parser.parse_args()
    if gpu_problem() is not None:
        sys.exit(f"no GPU: {gpu_problem()}")
    if args.side == "torch" and torch is None:
        print("no PyTorch that has a GPU")
        return
    batch = random_batch(args.tile)
    for precision in PRECISIONS:
        profile = profile_ours if args.side == "ours" else profile_torch
        profile(precision, args.base, batch)


if __name__ == "__main__":
    main()
