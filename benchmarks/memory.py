"""Peak memory of a training step: this network against PyTorch, each in a process of its own.

    python benchmarks/memory.py [--works 64:572 32:572 16:572 16:284] [--json FILE]

A child process makes one network, takes three steps and reports the most memory it ever held
(VmHWM of Linux's /proc/self/status: libraries, parameters and all; `ru_maxrss` will not do, it
starts from the parent's). Before that the parent compares the two networks.
"""

import argparse
import json
import pathlib
import subprocess
import sys


def child(side, base, tile):
    """Take three steps of one side in this process and print its peak in MB."""
    if side == "tinyunet":
        # Only what this side needs is imported, for libraries count too.
        import numpy as np

        from tinyunet import nn
        from tinyunet.nn.sgd import SGD
        from tinyunet.nn.unet import UNet

        net = UNet(base_channels=base, dropout=0, device="cpu")
        optimiser = SGD(net.params, 1e-3)
        rng = np.random.default_rng(0)
        x = rng.standard_normal((1, 1, tile, tile), dtype=np.float32)
        labels = rng.integers(0, 2, (1, tile - 184, tile - 184))
        for _ in range(3):
            logits, cache = net.forward(x)
            _, loss_cache = nn.softmax_cross_entropy(logits, labels)
            optimiser.step(
                net.backward(nn.softmax_cross_entropy_backward(loss_cache), cache, consume=True)
            )
    else:
        import torch
        from torch_unet import torch_unet

        layout = torch.channels_last if side == "torch channels-last" else torch.contiguous_format
        net = torch_unet(base=base).to(memory_format=layout)
        optimiser = torch.optim.SGD(net.parameters(), lr=1e-3, momentum=0.99)
        x = torch.randn(1, 1, tile, tile).to(memory_format=layout)
        labels = torch.randint(0, 2, (1, tile - 184, tile - 184))
        for _ in range(3):
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(net(x), labels).backward()
            optimiser.step()
    status = pathlib.Path("/proc/self/status").read_text(encoding="ascii")
    print(int(status.split("VmHWM:")[1].split()[0]) / 1024)


def measure(side, base, tile):
    """Peak in MB of a fresh process."""
    command = [sys.executable, __file__, "--child", side, str(base), str(tile)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--works", nargs="+", default=["64:572", "32:572", "16:572", "16:284"])
    parser.add_argument("--json")
    arguments = parser.parse_args()
    from step import Ours, Theirs, compare

    small = Ours(4, 188)
    compare(small, Theirs(small, 4))
    results = []
    for work in arguments.works:
        base, tile = map(int, work.split(":"))
        peaks = {s: measure(s, base, tile) for s in ("tinyunet", "torch", "torch channels-last")}
        best = min(peaks["torch"], peaks["torch channels-last"])
        share = peaks["tinyunet"] / best
        print(
            f"base {base:3} tile {tile}: tinyunet {peaks['tinyunet']:6.0f} MB, "
            f"torch {best:6.0f} MB: share {share:.2f}",
            flush=True,
        )
        results.append({"base": base, "tile": tile, "megabytes": peaks, "share": share})
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(results, file, indent=1)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    else:
        main()
