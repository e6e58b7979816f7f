"""The ladder of the GPU path, rung by rung, against PyTorch on the same GPU in the same run.

    python benchmarks/ladder_gpu.py [--base 64 --tile 572] [--rungs update graph] [--rounds 7]
                                    [--kernels] [--json FILE]

First the count: operations and bytes of a step, and the floors they set. Then every rung is held to
PyTorch's strict float32 loss and gradients, and only then timed: rounds in turn, several steps a
sample, medians of device events. PyTorch runs with cudnn.benchmark in both memory formats; a
rung's share is of the faster one in the rung's precision. `--kernels` adds a table of where an
unrecorded step spends its time. Needs a GPU, CuPy and PyTorch with CUDA.
"""

import argparse
import json
import statistics
import sys

import numpy as np
from gpu_peers import RUNGS, Rung, TorchStep, relative_error

from tinyunet import geometry
from tinyunet.arrays import gpu_problem, select_device
from tinyunet.kernels import gpu
from tinyunet.kernels.counts import count_step

STEPS = 5  # in a sample
LIMIT = 5e-3  # relative error of strict float32: a few ReLUs among 10⁸ fall the other way
PRECISIONS = ("float32", "tf32", "bf16")
BARS = {(64, "float32"): 0.70, (64, "tf32"): 1.00, (64, "bf16"): 1.20, (16, "float32"): 0.50}
H200 = {"float32": 67e12, "tf32": 494e12, "bf16": 989e12, "bytes": 4.8e12}  # the datasheet's, dense


def print_floors(base, tile):
    """Print what a step must do and move, and what that takes on an H200."""
    counts = count_step(tile, base=base)
    print(f"\nbase {base}, tile {tile}: {counts.direct / 1e9:.0f} GFLOP directly, ", end="")
    print(
        f"{counts.winograd / 1e9:.0f} with Winograd; {counts.bytes / 1e9:.2f} GB at least, ", end=""
    )
    print(f"{counts.winograd_bytes / 1e9:.2f} GB more for Winograd's transforms")
    for name, precision, winograd in (
        ("float32, direct", "float32", False),
        ("float32, Winograd", "float32", True),
        ("tf32, direct", "tf32", False),
        ("bf16, direct", "bf16", False),
    ):
        work, move = counts.floors(H200[precision], H200["bytes"], winograd)
        print(f"  floors on an H200, {name:18} {work:6.2f} ms arithmetic, {move:5.2f} ms memory")
    return counts


def random_batch(tile):
    """Return (x, labels, weights) of one tile, random and fixed."""
    rng = np.random.default_rng(20150518)
    out = geometry.output_size(tile, 5)
    x = rng.standard_normal((1, 1, tile, tile), dtype=np.float32)
    labels = rng.integers(0, 2, (1, out, out))
    return x, labels, rng.uniform(0.5, 2, (1, out, out)).astype(np.float32)


def validate(contestants, batch):
    """Return {name: error to PyTorch's strict float32 gradients}, or raise AssertionError.

    Strict float32 may be off by LIMIT; a rung in tf32 or bf16 by twice what PyTorch is off there.
    """
    reference = next(c for c in contestants if c.name == "PyTorch, float32, contiguous")
    loss, grads = reference.gradients(*batch)
    errors = {}
    for contestant in contestants:
        got_loss, got = contestant.gradients(*batch)
        error = abs(got_loss - loss) / abs(loss)
        errors[contestant.name] = max(error, relative_error(got, grads))
    for contestant in contestants:
        peers = [e for n, e in errors.items() if n.startswith(f"PyTorch, {contestant.precision}")]
        limit = LIMIT if contestant.precision == "float32" else 2 * max(peers)
        if not errors[contestant.name] <= limit:
            error = errors[contestant.name]
            raise AssertionError(f"{contestant.name}: off by {error:.1e}, allowed {limit:.1e}")
    return errors


def sample(xp, contestant, batch):
    """Return milliseconds a step, by device events around several steps."""
    start, stop = xp.cuda.Event(), xp.cuda.Event()
    xp.cuda.Device().synchronize()
    start.record(xp.cuda.Stream.null)
    for _ in range(STEPS):
        contestant.step(*batch)
    stop.record(xp.cuda.Stream.null)
    stop.synchronize()
    return xp.cuda.get_elapsed_time(start, stop) / STEPS


def measure(xp, contestants, batch, rounds):
    """Return {name: median ms a step}, contestants taking turns."""
    for contestant in contestants:
        for _ in range(3):  # compile, choose algorithms, record
            contestant.step(*batch)
        if not contestant.is_recorded():
            raise AssertionError(f"{contestant.name}: the step was not recorded as a graph")
    samples = {c.name: [] for c in contestants}
    for _ in range(rounds):
        for contestant in contestants:
            samples[contestant.name].append(sample(xp, contestant, batch))
    return {name: statistics.median(values) for name, values in samples.items()}


def kernel_table(xp, base, batch):
    """Print how the time of an unrecorded float32 step is spread over the kernels."""
    rung = Rung("update", base, batch[0].shape)
    rung.step(*batch)
    device, spans = gpu._gpu(next(iter(rung.net.params.values()))), []

    def timed(name, start_work):
        def start(*arguments):
            events = xp.cuda.Event(), xp.cuda.Event()
            events[0].record()
            start_work(*arguments)
            events[1].record()
            spans.append((arguments[1] if name is None else name, events))

        return start

    device._start, device._multiply = (
        timed(None, device._start),
        timed("(cuBLAS)", device._multiply),
    )
    rung.step(*batch)
    del device._start, device._multiply  # the class's own again
    xp.cuda.Device().synchronize()
    totals = {}
    for name, events in spans:
        count, total = totals.get(name, (0, 0.0))
        totals[name] = count + 1, total + xp.cuda.get_elapsed_time(*events)
    print("  kernel               launches      ms")
    for name, (count, total) in sorted(totals.items(), key=lambda item: -item[1][1]):
        print(f"  {name:20} {count:8} {total:7.3f}")
    return totals


def report(times, errors, base):
    """Print one line a contestant, with its share of PyTorch's time and the bar it is held to."""
    best = {
        precision: min(t for name, t in times.items() if name.startswith(f"PyTorch, {precision}"))
        for precision in PRECISIONS
    }
    print("  contestant                            ms   share   bar   gradients' error")
    rows = {}
    for name, time in times.items():
        precision = RUNGS[name][1] if name in RUNGS else name.split(", ")[1]
        share = time / best[precision]
        is_last = name.startswith("graph")
        bar = BARS.get((base, precision)) if is_last else None
        mark = "" if bar is None else ("met" if share <= bar else "MISSED")
        shown = "" if bar is None else f"{bar:.2f}"
        print(f"  {name:34} {time:7.3f} {share:6.2f}  {shown:>5} {mark:6} {errors[name]:.1e}")
        rows[name] = {"ms": time, "share": share, "bar": bar, "error": errors[name]}
    return rows


def main():
    """Parse, validate, time, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", type=int, default=64)
    parser.add_argument("--tile", type=int, default=572)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--rungs", nargs="+", choices=RUNGS, default=list(RUNGS))
    parser.add_argument("--kernels", action="store_true", help="where a step spends its time")
    parser.add_argument("--json", metavar="FILE", help="write the figures there too")
    args = parser.parse_args()
    counts = print_floors(args.base, args.tile)
    problem = gpu_problem()
    if problem is not None:
        sys.exit(f"no GPU: {problem}")
    xp = select_device("gpu").xp
    batch = random_batch(args.tile)
    contestants = [Rung(name, args.base, batch[0].shape) for name in args.rungs]
    contestants += [
        TorchStep(contestants[0].net.params, args.base, precision, channels_last)
        for precision in PRECISIONS
        for channels_last in (False, True)
    ]
    errors = validate(contestants, batch)
    rows = report(measure(xp, contestants, batch, args.rounds), errors, args.base)
    totals = kernel_table(xp, args.base, batch) if args.kernels else {}
    if args.json:
        result = {"base": args.base, "tile": args.tile, "counts": vars(counts), "steps": rows}
        with open(args.json, "w", encoding="utf-8") as file:
            json.dump(result | {"kernels": totals}, file, indent=1)


if __name__ == "__main__":
    main()
