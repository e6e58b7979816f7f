"""How many channels of the study's networks are dead: 0 at every pixel, after their ReLU.

    python lessons/runs/dead_units.py train-volume.tif train-labels.tif --out RUNS

From the project's root; RUNS is the folder that `study.py` wrote. Writes dead_units.json beside
this file: for each run the dead channels, all channels, and the V_Rand of its slices left out; and
for the first steps of some settings, seed by seed, how many channels were dead after them, and the
norm of the gradient of all parameters in the first step and in the median of the 100 last ones. And
what the output would be without the levels below the first.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from lessons.runs.study import JOBS, LEFT_OUT, SEEDS, folder_of

HERE = Path(__file__).parent
EARLY = ("0.99", "0.99, grows", "momentum 0.9 from step 1", "all")
RATE_GROWS = 300  # steps of a rate that grows in place of the momentum: what is usually done


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


def without_the_deep_levels(net, image):
    """Return how well the logits' difference correlates with that of skip 1 alone: 1, no depth."""
    name, differences = "up1.upconv.weight", []
    kept = net.params[name].copy()
    for weight in (kept, 0):
        net.params[name][...] = weight
        logits = net.forward(image[None])[0][0]
        differences.append((logits[1] - logits[0]).ravel())
    net.params[name][...] = kept
    return round(float(np.corrcoef(differences)[0, 1]), 3)


def first_steps(job, dataset, images, seed, rate_grows=0):
    """Return {step: dead channels} of a setting's first steps, and two norms of its gradients."""
    from tinyunet import SGD, UNet
    from tinyunet.training.step import training_gradients
    from tinyunet.training.tiles import draw_tile, prepare_slices

    settings = job.settings(seed)
    slices = prepare_slices(dataset.subset(range(job.slices)), settings)
    shape = (1, 2, settings.depth, settings.base_channels)
    net = UNet(*shape, settings.dropout, seed, device="cpu")
    optimiser, found, norms = SGD(net.params, settings.lr, settings.momentum), {}, []
    for number in range(1, 301):
        if number <= rate_grows:
            optimiser.lr = settings.lr * number / rate_grows
        optimiser.momentum = settings.momentum_at(number)
        _, gradients = training_gradients(net, *draw_tile(slices, settings, number))
        norms.append(float(np.sqrt(sum((g.astype(float) ** 2).sum() for g in gradients.values()))))
        optimiser.step(gradients)
        if number in (10, 50, 100, 300):
            found[number] = dead_channels(net, images)[0]
    return {
        "dead": found,
        "first norm": round(norms[0], 1),
        "later norm": round(float(np.median(norms[-100:])), 1),
    }


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
                dead, channels = dead_channels(net, images)
                deep = without_the_deep_levels(net, images[0])
                one = {"dead": dead, "channels": channels, "v_rand": rand}
                found[f"{job.name}, seed {seed}"] = one | {"without the deep levels": deep}
    dataset = read_pair(options.images, options.labels)
    early = {
        job.name: {f"seed {seed}": first_steps(job, dataset, images, seed) for seed in SEEDS}
        for job in JOBS
        if job.name in EARLY
    }
    job = next(job for job in JOBS if job.name == EARLY[0])
    early["0.99, rate grows"] = {
        f"seed {seed}": first_steps(job, dataset, images, seed, RATE_GROWS) for seed in SEEDS
    }
    text = json.dumps({"runs": found, "first steps": early}, indent=1)
    (HERE / "dead_units.json").write_text(text + "\n", encoding="utf-8")
    for name, seeds in early.items():
        print(f"{name:22} {seeds}")
    for name, one in found.items():
        print(f"{name:40} {one}")


if __name__ == "__main__":
    main()
