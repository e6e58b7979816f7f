"""The paper's network trained on a GPU within ten minutes: ISBI slices 0 to 19, scored on 20 to 23.

    python benchmarks/train_gpu.py DATA --out FOLDER [--minutes 7] [--precision float32]

DATA holds train-volume.tif and train-labels.tif. First a short run measures the pace, which gives
the number of steps (or say `--steps`); then one run of the paper's recipe with a rate that falls to
nothing over its second half, so that its last weights are scored and none are chosen by the slices
they are scored on. FOLDER gets the run (log.csv, curves.png, the weights), scores.json and
result.png: image, truth, probability and errors of each slice. The paper's own scores (table 1,
tests on other slices) stand beside. This takes longer than gpu_first.py and gpu_second.py may, so
it is no part of them. Seven minutes of training leave three of ten, which is what a command may
take on some machines, to compiling, the pace, prediction and scores.
Needs a GPU and CuPy; `--device cpu` with small `--base`, `--tile` and `--steps` tries it out.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from tinyunet.arrays import gpu_problem
from tinyunet.images import read_pair
from tinyunet.inference.predict import predict_tiled
from tinyunet.metrics import isbi2012
from tinyunet.plot import plot_curves, plot_results
from tinyunet.training.checkpoint import load_network
from tinyunet.training.log import read_log
from tinyunet.training.loop import train
from tinyunet.training.observer import Observer
from tinyunet.training.settings import Settings

PAPER = {"rand_error": 0.0382, "warping_error": 0.000353, "pixel_error": 0.0611}
VALIDATION = (20, 24)
PROBE = 60  # steps that measure the pace, after as many that compile and record
ROTATIONS = 7  # averaged in prediction, as in the paper


def settings_of(args, steps):
    """Return the run's `Settings`: validations and checkpoints so rare that they cost nothing."""
    return Settings(
        depth=args.depth,
        base_channels=args.base,
        tile=args.tile,
        steps=steps,
        lr=args.lr,
        decay=0.5,
        val=VALIDATION,
        val_every=max(1, steps // 10),
        checkpoint_every=max(1, steps // 5),
        precision=args.precision,
    )


def steps_within(args, dataset, seconds):
    """Return how many steps fit into `seconds`, from a run whose first half is thrown away."""
    ends = []

    class Clock(Observer):
        def step(self, step, loss):
            ends.append(time.perf_counter())

    with tempfile.TemporaryDirectory() as folder:
        train(
            dataset,
            settings_of(args, 2 * PROBE),
            folder,
            args.device,
            observer=Clock(),
        )
    pace = (ends[-1] - ends[PROBE - 1]) / PROBE
    print(
        f"{1e3 * pace:.2f} ms a step, validation and all: {int(seconds / pace)} steps", flush=True
    )
    return int(seconds / pace)


def score(dataset, run, out, device):
    """Predict the slices set aside with the run's last weights; return scores, write pictures."""
    net, _ = load_network(run / "last.safetensors", device)
    indices = range(*VALIDATION)
    maps = [predict_tiled(net, dataset.images[i], average=ROTATIONS) for i in indices]
    truths = [dataset.labels[i] for i in indices]
    probabilities = [p[1] for p in maps]
    images = [dataset.images[i][0] for i in indices]
    plot_results(images, truths, probabilities, out / "result.png", [str(i) for i in indices])
    return isbi2012(np.stack(truths), np.stack(probabilities)).to_dict()


def main():
    """Measure the pace, train, predict, score, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder of train-volume.tif and train-labels.tif")
    parser.add_argument("--out", type=Path, required=True, help="a new folder")
    parser.add_argument("--minutes", type=float, default=7, help="of training (7)")
    parser.add_argument("--steps", type=int, help="instead of as many as fit into the minutes")
    parser.add_argument("--precision", default="float32", choices=("float32", "tf32", "bf16"))
    parser.add_argument("--lr", type=float, default=Settings().lr)
    parser.add_argument("--base", type=int, default=64)
    parser.add_argument("--depth", type=int, default=5)
    parser.add_argument("--tile", type=int, default=572)
    parser.add_argument("--device", default="gpu")
    args = parser.parse_args()
    if args.device != "cpu" and gpu_problem() is not None:
        sys.exit(f"no GPU: {gpu_problem()}")
    dataset = read_pair(args.data / "train-volume.tif", args.data / "train-labels.tif")
    begun = time.perf_counter()
    steps = args.steps or steps_within(args, dataset, 60 * args.minutes)
    run = args.out / "run"
    result = train(dataset, settings_of(args, steps), run, args.device)
    plot_curves(read_log(run / "log.csv"), run / "curves.png")
    scores = score(dataset, run, args.out, args.device)
    total = time.perf_counter() - begun
    print(
        f"{result.steps} steps in {result.seconds:.0f} s, {100 * result.waited:.1f} % waiting for "
        f"tiles; with pace, prediction and scores {total:.0f} s"
    )
    print("score            slices 20 to 23   the paper's (other slices)")
    for name, paper in PAPER.items():
        met = "met" if scores[name] <= paper else "MISSED"
        print(f"{name:16} {scores[name]:15.6f}   {paper:.6f}  {met}")
    minutes = result.seconds / 60
    print(f"training: {minutes:.1f} of at most 10 minutes: {'met' if minutes <= 10 else 'MISSED'}")
    facts = {"steps": result.steps, "seconds": result.seconds, "waited": result.waited}
    text = json.dumps({"command": sys.argv, **facts, "scores": scores, "paper": PAPER}, indent=1)
    (args.out / "scores.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
