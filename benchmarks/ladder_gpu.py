"""The ladder of the GPU path, rung by rung, against PyTorch on the same GPU in the same run.

    python benchmarks/ladder_gpu.py [--base 64 --tile 572] [--rungs update graph] [--rounds 5]

First the roofline bounds of this card, by its measured rates. Then each contestant, what matters
first: its loss and gradients are held to PyTorch's strict float32, then it is timed, and its line
is printed at once; one that fails or is off is named and the others run. In the rounds after that
all take turns once more, several steps a sample, medians of device events, as long as there is
time. PyTorch runs with cudnn.benchmark in both memory formats, its channels-last step recorded as a
graph too; a rung's share is of PyTorch's fastest in the rung's precision, and `--peers` says in
which precisions it runs. Needs a GPU and CuPy; where PyTorch is not installed, our step of plain
CuPy operations is the reference and no shares are shown.
"""

import argparse
import json
import os
import statistics
import sys
import time

import numpy as np
from gpu_count import BARS
from gpu_parts import first_line
from gpu_peers import RUNGS, Rung, TorchStep, relative_error, torch

from tinyunet import geometry
from tinyunet.arrays import gpu_problem, select_device
from tinyunet.backends.counts import count_step
from tinyunet.nn.precision import PRECISIONS

STEPS = 5  # in a sample
# Relative errors. In strict float32 a few ReLUs among 10⁸ fall the other way, in the others many:
# PyTorch with factors rounded on a CPU is off by 0.002 to 0.012 (tf32) and 0.01 to 0.04 (bf16) at
# 16:284, 16:572 and 64:284.
LIMITS = {"float32": 5e-3, "tf32": 0.1, "bf16": 0.5}


def print_bounds(base, tile):
    """Print what a step must do and move, and the times that today's rates make of it."""
    counts = count_step(tile, base_channels=base)
    print(f"base {base}, tile {tile}: {counts.direct / 1e9:.0f} GFLOP directly, ", end="")
    print(
        f"{counts.winograd / 1e9:.0f} with Winograd; {counts.bytes / 1e9:.2f} GB at least, ", end=""
    )
    print(f"{counts.winograd_bytes / 1e9:.2f} GB more for Winograd's transforms", flush=True)
    path = os.path.join(os.environ.get("GPU_LOGS", ""), "machine.json")
    if not os.path.exists(path):
        return  # gpu_machine.py has not measured this card
    with open(path, encoding="utf-8") as file:
        facts = json.load(file)
    for precision, winograd in (
        ("float32", False),
        ("float32", True),
        ("tf32", False),
        ("bf16", False),
    ):
        rates = facts["rates"][precision], facts["rates"]["copy"]
        work, move = counts.lower_bounds(*rates, winograd)
        name = f"{precision}, {'Winograd' if winograd else 'direct'}"
        times = f"{work:6.2f} ms arithmetic, {move:5.2f} ms memory"
        print(f"  bounds on {facts['card']}, {name:18} {times}")


def random_batch(tile):
    """Return (x, labels, weight_map) of one tile, random and fixed."""
    rng = np.random.default_rng(20150518)
    out = geometry.output_size(tile, 5)
    x = rng.standard_normal((1, 1, tile, tile), dtype=np.float32)
    labels = rng.integers(0, 2, (1, out, out))
    return x, labels, rng.uniform(0.5, 2, (1, out, out)).astype(np.float32)


def makers(names, peers, params, base, shape):
    """Return [(name, function that makes the contestant)], what matters first.

    `names` are our rungs, `peers` the precisions in which PyTorch runs, from `params`.
    """

    def torch_step(*options):
        return lambda: TorchStep(params, base, *options)

    found = []
    for precision in PRECISIONS:
        rung = "graph" if precision == "float32" else f"graph, {precision}"
        if rung in names:
            found.append((rung, lambda rung=rung: Rung(rung, base, shape)))
        runs = torch is not None and precision in peers
        formats = ((True, False), (False, False), (True, True)) if runs else ()
        found += [(f"PyTorch, {precision}", torch_step(precision, *f)) for f in formats]
    found += [
        (name, lambda name=name: Rung(name, base, shape))
        for name in reversed(RUNGS)
        if name in names and not name.startswith("graph")
    ]
    return found


def reference_of(plain, base, batch):
    """Return the loss and the gradients to hold all to: PyTorch's, or those of `plain`, a rung."""
    if torch is None:
        print("  PyTorch is not there: no shares, and held to our own plain operations")
        return plain.gradients(*batch)
    try:
        return TorchStep(plain.net.params, base, "float32", True).gradients(*batch)
    except Exception as error:  # then it is a contestant that fails, and no reason to measure none
        print(f"  PyTorch failed, held to our own plain operations: {first_line(error)}")
        return plain.gradients(*batch)


def error_of(contestant, batch, reference):
    """Return the error of loss and gradients."""
    loss, grads = contestant.gradients(*batch)
    return max(abs(loss - reference[0]) / abs(reference[0]), relative_error(grads, reference[1]))


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


class Ladder:
    """The contestants so far, their samples, and what went wrong."""

    def __init__(self, xp, base, batch):
        self.xp, self.base, self.batch = xp, base, batch
        self.contestants, self.samples, self.errors, self.failed = [], {}, {}, {}

    def add(self, name, make, reference):
        """Make a contestant, hold it to the reference, time it, print its line."""
        try:
            contestant = make()
            error = error_of(contestant, self.batch, reference)
            self.errors[contestant.name], limit = error, LIMITS[contestant.precision]
            if not error <= limit:  # its time is worth knowing all the same
                self.failed[name] = f"off by {error:.1e}, allowed {limit:.1e}"
                print(f"  {name}: FAILED, {self.failed[name]}", flush=True)
            for _ in range(3):  # compile, choose algorithms, record
                contestant.step(*self.batch)
            contestant.check()
            self.samples[contestant.name] = [sample(self.xp, contestant, self.batch)]
        except Exception as error:
            self.failed[name] = first_line(error)
            print(f"  {name}: FAILED, {self.failed[name]}", flush=True)
            self.xp.cuda.Device().synchronize()  # raises where nothing runs any more
            return
        self.contestants.append(contestant)
        print(self.line(contestant), flush=True)

    def round(self):
        """Time every contestant once more."""
        for contestant in self.contestants:
            self.samples[contestant.name].append(sample(self.xp, contestant, self.batch))

    def share(self, contestant):
        """Return its time as a share of PyTorch's fastest in its precision, None without one."""
        peers = [
            statistics.median(self.samples[c.name])
            for c in self.contestants
            if c.name.startswith("PyTorch") and c.precision == contestant.precision
        ]
        return statistics.median(self.samples[contestant.name]) / min(peers) if peers else None

    def line(self, contestant):
        """Return what is known of a contestant: time, share, bar, error."""
        time, share = statistics.median(self.samples[contestant.name]), self.share(contestant)
        bar = BARS.get((self.base, contestant.precision))
        if not contestant.name.startswith("graph") or share is None:
            bar = None
        mark = "" if bar is None else f"{bar:.2f} {'met' if share <= bar else 'MISSED'}"
        shown = "" if share is None else f"{share:.2f}"
        error = self.errors[contestant.name]
        return f"  {contestant.name:38} {time:8.3f} ms {shown:>6} {mark:12} {error:.1e}"

    def report(self):
        """Return {name: figures}."""
        return {
            c.name: {
                "samples": self.samples[c.name],
                "share": self.share(c),
                "error": self.errors[c.name],
            }
            for c in self.contestants
        }


def keep(ladder, args):
    """Write the figures so far beside the other parts' where a call runs this."""
    if "GPU_LOGS" not in os.environ:
        return
    path = os.path.join(os.environ["GPU_LOGS"], f"ladder-{args.base}-{args.tile}.json")
    result = {"base": args.base, "tile": args.tile, "steps": ladder.report()}
    with open(path, "w", encoding="utf-8") as file:
        json.dump(result | {"failed": ladder.failed}, file, indent=1)


def main():
    """Parse, validate, time, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", type=int, default=64)
    parser.add_argument("--tile", type=int, default=572)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=60, help="no new round after these")
    parser.add_argument("--rungs", nargs="+", choices=RUNGS, default=list(RUNGS))
    parser.add_argument("--peers", nargs="+", choices=PRECISIONS, default=list(PRECISIONS))
    args = parser.parse_args()
    print_bounds(args.base, args.tile)
    begun = time.monotonic()
    if gpu_problem() is not None:
        sys.exit(f"no GPU: {gpu_problem()}")
    xp, batch = select_device("gpu").xp, random_batch(args.tile)
    plain = Rung("im2col", args.base, batch[0].shape)
    found = makers(args.rungs, args.peers, plain.net.params, args.base, batch[0].shape)
    reference = reference_of(plain, args.base, batch)
    ladder = Ladder(xp, args.base, batch)
    print(
        "  contestant                                ms  share of PyTorch, bar, error", flush=True
    )
    for name, make in found:
        ladder.add(name, make, reference)
        keep(ladder, args)
    for _ in range(args.rounds - 1):
        if time.monotonic() - begun < args.seconds:
            ladder.round()
    print("  medians of all rounds", *map(ladder.line, ladder.contestants), sep="\n", flush=True)
    keep(ladder, args)
    if ladder.failed:
        name, why = next(iter(ladder.failed.items()))
        sys.exit(f"error: {len(ladder.failed)} failed, the first: {name}: {why}")


if __name__ == "__main__":
    main()
