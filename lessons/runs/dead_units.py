"""How many channels of the study's networks are dead: 0 at every pixel, after their ReLU.

    python lessons/runs/dead_units.py train-volume.tif train-labels.tif --out RUNS

From the project's root; RUNS is the folder that `study.py` wrote. Writes dead_units.json beside
this file: for each run the dead channels, all channels, and the V_Rand of its slices left out; and
for the first steps of four settings, seed by seed, how many channels were dead after them.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from lessons.runs.study import JOBS, LEFT_OUT, SEEDS, folder_of

HERE = Path(__file__).parent
EARLY = ("all", "momentum grows", "momentum 0.9", "momentum 0.9, grows")


def dead_channels(net, images):
    """Return (dead, all): channels behind a ReLU, and those that no pixel of the images excites."""
    from tinyunet.nn import plain

    excited = {}
    for image in images:
        with plain():  # the plain operations keep the ReLU's output in their cache
            _, cache = net.forward(image[None])
        for name, kept in cache.items():
            if ".conv" in name:
                _, y = kept
                excited[name] = excited.get(name, False) | (y > 0).any(axis=(0, 2, 3))
    alive = np.concatenate(list(excited.values()))
    return int((~alive).sum()), alive.size


def first_steps(job, dataset, images, seed):
    """Return {step: dead channels} of the first steps of a setting."""
    from tinyunet import SGD, UNet
    from tinyunet.training.step import DirectStep
    from tinyunet.training.tiles import draw_tile, prepare_slices

    settings = job.settings(seed)
    slices = prepare_slices(dataset.subset(range(job.slices)), settings)
    shape = (1, 2, settings.depth, settings.base_channels)
    net = UNet(*shape, settings.dropout, seed, device="cpu")
    optimiser, found = SGD(net.params, settings.lr, settings.momentum), {}
    step = DirectStep(net, optimiser)
    for number in range(1, 301):
        optimiser.momentum = settings.momentum_at(number)
        step(draw_tile(slices, settings, number))
        if number in (10, 50, 100, 300):
            found[number] = dead_channels(net, images)[0]
    return found


def main():
    """Read the command line, count, write dead_units.json."""
    from tinyunet import load_network
    from tinyunet.images import normalise, open_stack, read_pair

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("images", help="stack")
    parser.add_argument("labels", help="stack of labels")
    parser.add_argument("--out", required=True, help="folder of the study's runs")
    options = parser.parse_args()
    stack = open_stack(options.images)
    images = [normalise(stack.page(k))[None, :284, :284] for k in LEFT_OUT]
    found = {}
    for job in JOBS:
        for seed in job.seeds:
            folder = folder_of(options.out, job, seed)
            if (folder / "study.json").exists():
                net, _ = load_network(folder / "last.safetensors", "cpu")
                scores = json.loads((folder / "study.json").read_text(encoding="utf-8"))
                rand = round(scores["left out"]["v_rand_thinned"], 4)
                found[f"{job.name}, seed {seed}"] = [*dead_channels(net, images), rand]
    dataset = read_pair(options.images, options.labels)
    early = {
        job.name: {f"seed {seed}": first_steps(job, dataset, images, seed) for seed in SEEDS}
        for job in JOBS
        if job.name in EARLY
    }
    text = json.dumps({"runs": found, "first steps": early}, indent=1)
    (HERE / "dead_units.json").write_text(text + "\n", encoding="utf-8")
    for name, seeds in early.items():
        print(f"{name:22} {seeds}")
    for name, (dead, channels, rand) in found.items():
        print(f"{name:40} {dead:4} of {channels:4} dead   V_Rand {rand:.3f}")


if __name__ == "__main__":
    main()
