"""A whole training step and the forward alone: this network against PyTorch on the CPU.

    python benchmarks/step.py [--works 64:572 32:572 16:572 16:284] [--threads 2] [--repeats 7]
                              [--compile] [--json FILE]

Both networks start from the same parameters. First the logits, the loss and the parameters after
two steps are compared; then the two sides take turns, and medians are printed. PyTorch runs at its
best setting: contiguous and channels last both, and with --compile also through `torch.compile`;
the share is against the fastest of them. `processor` is the time of all threads together: where
other programs disturb, its shares are steadier than those of the clock.
"""

import argparse
import json
import statistics
import time

import numpy as np
import torch
from torch_unet import torch_unet

from tinyunet import nn
from tinyunet.backends.cpu.threads import set_threads
from tinyunet.nn.sgd import SGD
from tinyunet.nn.unet import UNet

RATE, MOMENTUM = 1e-3, 0.99
FORWARD_BOUND, PARAMETER_BOUND = 1e-5, 1e-5


class Ours:
    """The package's network, one tile and its labels; `forward()` and `step()` to be timed."""

    def __init__(self, base, tile, seed=0):
        self.net = UNet(base_channels=base, dropout=0, seed=seed, device="cpu")
        self.optimiser = SGD(self.net.params, RATE, MOMENTUM)
        rng = np.random.default_rng(seed)
        self.x = rng.standard_normal((1, 1, tile, tile), dtype=np.float32)
        self.labels = rng.integers(0, 2, (1, tile - 184, tile - 184))

    def forward(self):
        return self.net.forward(self.x)[0]

    def step(self):
        logits, cache = self.net.forward(self.x)
        loss, loss_cache = nn.softmax_cross_entropy(logits, self.labels)
        self.optimiser.step(
            self.net.backward(nn.softmax_cross_entropy_backward(loss_cache), cache, consume=True)
        )
        return float(loss)


class Theirs:
    """PyTorch's network with the same parameters, tile and labels."""

    def __init__(self, ours, base, channels_last=False, compiled=False):
        layout = torch.channels_last if channels_last else torch.contiguous_format
        net = torch_unet(base=base)
        net.load_state_dict({name: torch.tensor(p) for name, p in ours.net.params.items()})
        self.net = net.to(memory_format=layout)
        self.x = torch.tensor(ours.x).to(memory_format=layout)
        self.labels = torch.tensor(ours.labels)
        self.optimiser = torch.optim.SGD(self.net.parameters(), lr=RATE, momentum=MOMENTUM)
        self.run = torch.compile(self.net) if compiled else self.net

    def forward(self):
        with torch.no_grad():
            return self.run(self.x).numpy()

    def step(self):
        self.optimiser.zero_grad()
        loss = torch.nn.functional.cross_entropy(self.run(self.x), self.labels)
        loss.backward()
        self.optimiser.step()
        return loss.item()


def sides(base, tile, with_compile=False):
    """{name: side}, this package first; each is warmed up by the comparison."""
    ours = Ours(base, tile)
    result = {"tinyunet": ours}
    for channels_last in (False, True):
        for compiled in (False, True)[: 1 + with_compile]:
            name = "torch" + " channels-last" * channels_last + " compiled" * compiled
            result[name] = Theirs(ours, base, channels_last, compiled)
    return result


def compare(ours, theirs):
    """Raise AssertionError unless both give the same logits, losses and updated parameters."""
    logits, wanted = ours.forward(), theirs.forward()
    error = np.abs(logits - wanted).max() / np.abs(wanted).max()
    assert error < FORWARD_BOUND, f"the logits differ by {error:.1e}"
    for _ in range(2):
        ours_loss, theirs_loss = ours.step(), theirs.step()
        assert abs(ours_loss - theirs_loss) < 1e-5 * theirs_loss, (ours_loss, theirs_loss)
    for name, parameter in theirs.net.named_parameters():
        difference = np.abs(ours.net.params[name] - parameter.detach().numpy()).max()
        assert difference < PARAMETER_BOUND, f"{name} differs by {difference:.1e}"
    return float(error)


def alternate(functions, repeats):
    """{name: (median seconds on the clock, median seconds of processor)}, taking turns.

    Each turn begins with a call that is not timed: threads of the side before go on spinning for
    some milliseconds, and its arrays fill the cache. A step of a training has neither.
    """
    samples = {name: [] for name in functions}
    for _ in range(repeats):
        for name, function in functions.items():
            function()
            clock, processor = time.perf_counter(), time.process_time()
            function()
            samples[name].append((time.perf_counter() - clock, time.process_time() - processor))
    return {
        name: tuple(statistics.median(values) for values in zip(*taken, strict=True))
        for name, taken in samples.items()
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--works", nargs="+", default=["64:572", "32:572", "16:572", "16:284"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--json")
    arguments = parser.parse_args()
    set_threads(arguments.threads)
    torch.set_num_threads(arguments.threads)
    results = []
    for work in arguments.works:
        base, tile = map(int, work.split(":"))
        all_sides = sides(base, tile, arguments.compile)
        names = list(all_sides)
        error = compare(all_sides[names[0]], all_sides[names[1]])
        for name in names[2:]:
            all_sides[name].step()
            all_sides[name].forward()
        for kind in ("forward", "step"):
            times = alternate(
                {name: getattr(side, kind) for name, side in all_sides.items()}, arguments.repeats
            )
            results.append(report(base, tile, kind, times, error))
        del all_sides
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump({"threads": arguments.threads, "results": results}, file, indent=1)


def report(base, tile, kind, times, error):
    """Print one line and return it as a dictionary."""
    ours, peers = times["tinyunet"], {n: t for n, t in times.items() if n != "tinyunet"}
    best = min(peers, key=peers.get)
    share = [mine / other for mine, other in zip(ours, peers[best], strict=True)]
    print(
        f"base {base:3} tile {tile} {kind:8} tinyunet {ours[0]:7.3f} s, "
        f"{best} {peers[best][0]:7.3f} s: share {share[0]:.2f}, "
        f"of processor {share[1]:.2f}; logits agree to {error:.0e}",
        flush=True,
    )
    return {
        "base": base,
        "tile": tile,
        "work": kind,
        "seconds": {name: clock for name, (clock, _) in times.items()},
        "processor_seconds": {name: processor for name, (_, processor) in times.items()},
        "share": share[0],
        "processor_share": share[1],
        "best_peer": best,
    }


if __name__ == "__main__":
    main()
