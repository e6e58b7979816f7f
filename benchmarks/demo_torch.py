"""The demo's network trained by PyTorch: same data, first weights, tiles and number of steps.

    tinyunet demo --out demo-out
    python benchmarks/demo_torch.py --steps N      (the steps that the demo printed)

Prints the fraction of wrong pixels on the demo's held-out images, after the best validation, as
the demo does.
"""

import argparse

import numpy as np
import torch
from train_torch import make_peer, step

from tinyunet import UNet, predict_tiled
from tinyunet.cli.demo_command import SETTINGS, demo_data
from tinyunet.images import normalise
from tinyunet.images.split import split
from tinyunet.training.tiles import draw_tile, prepare_slices
from tinyunet.training.validation import validate


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, required=True)
    steps = parser.parse_args().steps
    dataset, images, labels = demo_data()
    training, validation = (prepare_slices(part, SETTINGS) for part in split(dataset, SETTINGS))
    net = UNet(1, 2, SETTINGS.depth, SETTINGS.base_channels, dropout=0, seed=SETTINGS.seed)
    peer = make_peer(net)
    optimiser = torch.optim.SGD(peer.parameters(), lr=SETTINGS.lr, momentum=SETTINGS.momentum)
    best = (1.0, 0, None)
    for number in range(1, steps + 1):
        step(peer, optimiser, draw_tile(training, SETTINGS, number))
        if number % SETTINGS.val_every == 0 or number == steps:
            params = {name: value.numpy().copy() for name, value in peer.state_dict().items()}
            net.load(params)
            found, _ = validate(net, validation, SETTINGS, number)
            best = min(best, (found.pixel_error_rate, number, params))
    net.load(best[2])
    wrong = [
        ((predict_tiled(net, normalise(image))[1] > 0.5) != (label > 0)).mean()
        for image, label in zip(images, labels, strict=True)
    ]
    print(f"PyTorch, {steps} steps: {100 * np.mean(wrong):.2f} % wrong (weights of step {best[1]})")


if __name__ == "__main__":
    main()
