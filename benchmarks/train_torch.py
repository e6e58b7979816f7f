"""The same training run in PyTorch: the same tiles, first weights, drop-out, rates and momenta.

    python benchmarks/train_torch.py IMAGES LABELS --out RUN-TORCH --base 16 --steps 1500 \\
        --val 20:24 --no-elastic --no-rotation --no-intensity --no-weight-map

Takes the options of `tinyunet train` and writes a log.csv of the same form and the last weights, so
that the two runs can be laid side by side and `tinyunet predict` takes both. PyTorch computes
forward, gradients and updates; tiles and validation are tinyunet's, so that both networks see and
are judged by the same.
"""

import copy
import sys
from pathlib import Path

import torch
from torch_unet import torch_unet

from tinyunet import UNet
from tinyunet._progress import Progress
from tinyunet.cli import build_parser
from tinyunet.cli.train_command import said
from tinyunet.images import read_pair
from tinyunet.images.split import split
from tinyunet.plot import plot_curves
from tinyunet.training.checkpoint import save_weights
from tinyunet.training.log import read_log
from tinyunet.training.run_folder import RunFolder
from tinyunet.training.settings import Settings
from tinyunet.training.tiles import TileFeed, prepare_slices
from tinyunet.training.validation import validate


def make_peer(net):
    """Return `net` as a PyTorch module with the same weights, and drop-out drawn as ours is."""
    peer = torch_unet(net.in_channels, net.n_classes, net.depth, net.base_channels)
    peer.load_state_dict({name: torch.tensor(p) for name, p in net.params.items()})
    rng = copy.deepcopy(net.rng)

    def drop(module, _inputs, output):
        if not module.training or net.dropout == 0:
            return output
        keep = torch.tensor(rng.random(tuple(output.shape), dtype="float32") >= net.dropout)
        return output * keep / (1 - net.dropout)

    getattr(peer, f"down{net.depth}").register_forward_hook(drop)
    return peer


def step(peer, optimiser, tile):
    """One training step in PyTorch; return the loss."""
    x, labels, weights = tile
    optimiser.zero_grad()
    each = torch.nn.functional.cross_entropy(
        peer(torch.tensor(x)), torch.tensor(labels.astype("int64")), reduction="none"
    )
    loss = (each if weights is None else each * torch.tensor(weights)).mean()
    loss.backward()
    optimiser.step()
    return loss.item()


def main(argv):
    arguments = build_parser().parse_args(["train", *argv])
    settings = Settings(**said(arguments))
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    parts = split(read_pair(arguments.images, arguments.labels), settings)
    training, validation = (prepare_slices(part, settings) for part in parts)
    net = UNet(
        depth=settings.depth,
        base_channels=settings.base_channels,
        dropout=settings.dropout,
        seed=settings.seed,
        device="cpu",
    )
    net.normalisation = "image"
    peer = make_peer(net)
    optimiser = torch.optim.SGD(peer.parameters(), lr=settings.lr, momentum=settings.momentum)
    with RunFolder(arguments.out) as folder, TileFeed(training, settings) as feed:
        log = folder.open_log(0)
        with Progress(settings.steps) as bar:
            for number in range(1, settings.steps + 1):
                now = {"lr": settings.lr_at(number), "momentum": settings.momentum_at(number)}
                optimiser.param_groups[0].update(now)
                loss = step(peer, optimiser, feed.next_tile())
                found = None
                if number % settings.val_every == 0 or number == settings.steps:
                    net.load({k: v.numpy() for k, v in peer.state_dict().items()})
                    found, _ = validate(net, validation, settings, number)
                log.add(number, loss, found)
                log.flush()
                bar.update(number, f"step {number}, loss {loss:.4f}")
    out = Path(arguments.out)
    save_weights(out / "last.safetensors", net, tile=settings.tile, step=settings.steps)
    plot_curves(read_log(out / "log.csv"), out / "curves.png")
    log = read_log(out / "log.csv")
    rates = zip(log["val_pixel_error_rate"], log["step"], strict=True)
    best = min((rate, step) for rate, step in rates if rate is not None)
    print(f"{settings.steps} steps, best validation {100 * best[0]:.2f} % wrong at step {best[1]}")


if __name__ == "__main__":
    main(sys.argv[1:])
