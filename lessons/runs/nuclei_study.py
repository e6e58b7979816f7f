"""The study of lesson 13: nuclei with and without the weight map, and with a third class.

    python lessons/runs/nuclei_study.py run dsb2018-nuclei/01 --out RUNS [--only KINDS]
    python lessons/runs/nuclei_study.py table --out RUNS    # nuclei_study.json beside this file

The same network, images, steps and seeds for four kinds of target: two classes with the paper's
weight map, with its balance of the classes alone, and with no weights; and background, rim and
core without any. `run` trains what is missing, each on one thread, on frames 0 to 35. How
probabilities become cells is chosen on those frames; frames 36 to 47 are scored once, by that
choice. A run that is stopped begins again.
"""

import argparse
import json
import time
from itertools import product
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
LEARN, HELD_OUT = range(36), range(36, 48)
SEEDS = (0, 1, 2)
# As in study.py.
COMMON = {"depth": 4, "base_channels": 8, "tile": 284, "steps": 2000}
COMMON |= {"lr": 0.02, "momentum": 0.9, "momentum_warmup": 300, "decay": 0.3}
KINDS = {
    "weight map": {},
    "classes balanced, no borders": {"w0": 0.0},
    "no weight map": {"weight_map": False},
    "rim and core": {"weight_map": False},
}
BORDERS = ({"border": 2}, {"border": 0, "grow": 1}, {"border": 2, "grow": 1})
THRESHOLDS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def recipes(kind):
    """Return the ways to make cells that are tried on the frames learned from."""
    from tinyunet.inference.recipe import Recipe

    if kind == "rim and core":
        grid = product((0.4, 0.5, 0.6), (0.3, 0.4, 0.5, 0.6, 0.7))
        settings = [{"threshold": t, "core": core, "min_size": 20} for t, core in grid]
        return [Recipe("cores_to_cells", one) for one in settings]
    return [Recipe().changed(threshold=t, **way) for way in BORDERS for t in THRESHOLDS]


def file_of(out, kind, seed):
    """Return where the scores of a run are kept."""
    return Path(out) / f"{kind.replace(', ', '-').replace(' ', '_')}-{seed}.json"


def train(dataset, kind, seed):
    """Return the network after its last step."""
    from tinyunet.nn.sgd import SGD
    from tinyunet.nn.unet import UNet
    from tinyunet.training.settings import Settings
    from tinyunet.training.step import DirectStep
    from tinyunet.training.tiles import TileFeed, TrainingSlice, prepare_slices
    from tinyunet.weight_map.cores import core_classes

    s = Settings(**(COMMON | KINDS[kind] | {"seed": seed}))
    slices = prepare_slices(dataset, s)
    if kind == "rim and core":
        classes = map(core_classes, dataset.labels)
        slices = [
            TrainingSlice(one.image, target, None, one.name)
            for one, target in zip(slices, classes, strict=True)
        ]
    classes = 3 if kind == "rim and core" else 2
    net = UNet(1, classes, s.depth, s.base_channels, s.dropout, seed, device="cpu")
    optimiser = SGD(net.params, s.lr, s.momentum)
    step = DirectStep(net, optimiser)
    with TileFeed(slices, s, 1) as feed:
        for number in range(1, s.steps + 1):
            optimiser.lr, optimiser.momentum = s.lr_at(number), s.momentum_at(number)
            loss = float(step(feed.next_tile()))
            if not np.isfinite(loss):
                raise SystemExit(f"{kind}, seed {seed}: the loss became {loss} at step {number}")
    return net


def predict(net, dataset):
    """Return the probabilities of all frames; they are normalised already."""
    from tinyunet.inference.predict import predict_tiled

    return [predict_tiled(net, image, 348, normalise=None) for image in dataset.images]


def scores_of(labels, cells):
    """Return SEG, IoU, touching pairs that are parted, and F1 at an IoU of 0.5."""
    from tinyunet import metrics

    parted, pairs = metrics.parted_pairs(labels, cells)
    return {
        "seg": round(float(metrics.seg(labels, cells)), 4),
        "iou": round(float(metrics.iou(labels, cells)), 4),
        "f1": round(float(metrics.detections(labels, cells)[0].f1), 4),
        "parted": parted,
        "pairs": pairs,
    }


def score(net, kind, learn, held_out):
    """Choose a recipe by SEG on the frames learned from; return its scores on those held out."""
    from tinyunet import metrics

    answers, tried = predict(net, learn), recipes(kind)
    worth = [metrics.seg(learn.labels, [one.cells(p) for p in answers]) for one in tried]
    chosen = tried[int(np.argmax(worth))]
    cells = [chosen.cells(p) for p in predict(net, held_out)]
    found = scores_of(held_out.labels, cells)
    return found | {"settings": chosen.settings, "seg_learned": round(float(max(worth)), 4)}


def run(images, out, only):
    """Train and score all that is missing."""
    from tinyunet.backends.cpu.threads import set_threads
    from tinyunet.images import read_pair

    set_threads(1)
    dataset = read_pair(images)
    learn, held_out = dataset.subset(LEARN), dataset.subset(HELD_OUT)
    for seed, kind in product(SEEDS, KINDS):
        file = file_of(out, kind, seed)
        if file.exists() or (only and kind not in only):
            continue
        begun = time.perf_counter()
        found = score(train(learn, kind, seed), kind, learn, held_out)
        found["seconds"] = round(time.perf_counter() - begun)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(found, indent=1))
        print(f"{kind}, seed {seed}: {found}", flush=True)


def table(out):
    """Write nuclei_study.json and print the means over the seeds."""
    found = {}
    for kind in KINDS:
        files = [file_of(out, kind, seed) for seed in SEEDS]
        runs = [json.loads(file.read_text()) for file in files if file.exists()]
        if runs:
            found[kind] = {key: [one[key] for one in runs] for key in runs[0]}
            del found[kind]["seconds"]
    text = json.dumps(found, indent=1)
    (HERE / "nuclei_study.json").write_text(text + "\n", encoding="utf-8")
    print("| targets | seeds | SEG | IoU | F1 at 0.5 | pairs kept apart |\n" + "| --- " * 6 + "|")
    for kind, values in found.items():
        cells = [
            f"{np.mean(values[key]):.3f} ± {np.std(values[key], ddof=len(values[key]) > 1):.3f}"
            for key in ("seg", "iou", "f1", "parted")
        ]
        print(f"| {kind} | {len(values['seg'])} | " + " | ".join(cells) + " |")


def main():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    runs = commands.add_parser("run", help="train and score what is missing")
    runs.add_argument("images", help="Cell Tracking sequence")
    runs.add_argument("--only", nargs="+", choices=list(KINDS), default=())
    for one in (runs, commands.add_parser("table", help="nuclei_study.json and the table")):
        one.add_argument("--out", required=True, help="folder of the runs")
    arguments = parser.parse_args()
    if arguments.command == "run":
        run(arguments.images, arguments.out, arguments.only)
    else:
        table(arguments.out)


if __name__ == "__main__":
    main()
