"""The nuclei network that comes with the package: its data, its training, its threshold, its card.

    python lessons/runs/nuclei_network.py train dsb2018-nuclei --out RUN
    python lessons/runs/nuclei_network.py score dsb2018-nuclei --out RUN
    python lessons/runs/nuclei_network.py limits dsb2018-nuclei --out RUN

The folder holds two Cell Tracking sequences of the fluorescence images of the 2018 Data Science
Bowl (BBBC038, CC0): 48 images in 01, 299 in 02. Held out are frames 36 to 47 of 01 and every sixth
image of 02 in the order of size, typical nucleus and number: 62 images, and 285 to learn from.
`train` may be killed and started again: it goes on at its last checkpoint. `score` chooses the
settings that make cells of probabilities on one half of the held-out images and scores the other,
and the other way round; then it writes card and weights into the package, with the settings that
are best on all of them. `limits` tells what the scores would be if one half of the work were done
without a mistake, the parting of nuclei or their outlines, and how the labels' outlines vary.
"""

import argparse
import json
import shutil
import time
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
from scipy.ndimage import distance_transform_edt

from tinyunet import metrics
from tinyunet.images import Dataset, normalise, open_stack, read_pair
from tinyunet.images.normalise import compress
from tinyunet.inference.cores import cores_to_cells
from tinyunet.inference.predict import predict_tiled
from tinyunet.networks import card
from tinyunet.nn.sgd import SGD
from tinyunet.nn.unet import UNet
from tinyunet.training.checkpoint import load_network, save_weights
from tinyunet.training.settings import Settings
from tinyunet.training.step import DirectStep
from tinyunet.training.tiles import TileFeed, TrainingSlice
from tinyunet.weight_map.cores import core_classes, near_two

SETTINGS = Settings(
    depth=4, base_channels=16, dropout=0.0, tile=284, steps=34000, max_zoom=1.4
)  # rate and momentum: see below
# Steps, momentum, and the rate that falls to nothing over the last share of them. (0.002 with 0.99
# went well for 4500 steps; then the loss rose, and the cores never came back. Momentum 0.9 learns
# faster, see lesson 11b; that was found when two rounds were done.)
ROUNDS = ((16000, 0.99, 0.001, 0.7), (8000, 0.99, 0.0007, 1.0), (10000, 0.9, 0.01, 1.0))
HELD_OUT_01 = range(36, 48)
EVERY, FIRST = 6, 3  # of the images of 02
AVERAGE = 8  # turned and flipped versions of an image to predict
NEAR = 3.0  # weight of pixels near two nuclei


def diameter(labels):
    """Return the median diameter of an image's nuclei, as of discs of their areas."""
    areas = np.bincount(labels[labels > 0])
    return float(np.median(2 * np.sqrt(areas[areas > 0] / np.pi)))


def read(folder):
    """Return two data sets, to learn from and held out; images are compressed and normalised."""
    first, second = (read_sequence(Path(folder) / name) for name in ("01", "02"))
    order = sorted(
        range(len(second)), key=lambda i: (second.images[i].shape, diameter(second.labels[i]), i)
    )
    held_out = sorted(order[FIRST::EVERY])
    rest = [i for i in range(len(second)) if i not in held_out]
    ours = [i for i in range(len(first)) if i not in HELD_OUT_01]
    return (
        join(first.subset(ours), second.subset(rest)),
        join(first.subset(HELD_OUT_01), second.subset(held_out)),
    )


def read_sequence(path):
    """Return a sequence with its images prepared as the network takes them."""
    dataset = read_pair(path)
    stack = open_stack(path)
    dataset.images = [normalise(compress(stack.page(i)[None])) for i in range(len(stack))]
    return dataset


def join(one, other):
    """Return the slices of both."""
    names = ("images", "labels", "valid", "names")
    return Dataset(*(getattr(one, n) + getattr(other, n) for n in names), kind="instances")


def prepare(dataset):
    """Return slices to cut tiles from: three classes, and three times the weight between nuclei."""
    slices = []
    for image, labels, name in zip(dataset.images, dataset.labels, dataset.names, strict=True):
        weights = np.where(near_two(labels), NEAR, 1.0).astype(np.float32)
        slices.append(TrainingSlice(image, core_classes(labels), weights, name))
    return slices


def train(folder, out, threads):
    """Train, a checkpoint every 500 steps."""
    from tinyunet.backends.cpu.threads import set_threads

    set_threads(threads)
    learn, _ = read(folder)
    slices, s = prepare(learn), SETTINGS
    net = UNet(1, 3, s.depth, s.base_channels, s.dropout, s.seed, device="cpu")
    net.normalisation = "compressed"
    optimiser, done = SGD(net.params, *rate_and_momentum(1)), 0
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    state = out / "state.npz"
    if state.exists():
        with np.load(state) as kept:
            done = int(kept["step"])
            for name, value in net.params.items():
                value[...] = kept[f"params/{name}"]
                optimiser.velocity[name][...] = kept[f"velocity/{name}"]
            optimiser.momentum = rate_and_momentum(done)[1]
    step, losses, begun = DirectStep(net, optimiser), [], time.perf_counter()
    with TileFeed(slices, s, done + 1) as feed:
        for number in range(done + 1, s.steps + 1):
            optimiser.lr, momentum = rate_and_momentum(number)
            if momentum != optimiser.momentum:  # a velocity of another length is worth nothing
                for velocity in optimiser.velocity.values():
                    velocity[...] = 0
            optimiser.momentum = momentum
            losses.append(step(feed.next_tile()))
            if not np.isfinite(losses[-1]):
                raise SystemExit(f"the loss became {losses[-1]} at step {number}")
            if number % 500 == 0 or number == s.steps:
                line = f"{number},{np.mean(losses[-500:]):.4f},{time.perf_counter() - begun:.0f}"
                print(line, flush=True)
                with (out / "log.csv").open("a") as log:
                    log.write(line + "\n")
                save(state, net, optimiser, number)
                save_weights(out / "last.safetensors", net, tile=s.tile, step=number)


def rate_and_momentum(step):
    """Return learning rate and momentum of a step, 1 to 34000."""
    for steps, momentum, rate, share in ROUNDS:
        if step <= steps:
            return rate * min(1.0, (steps - step + 1) / (share * steps)), momentum
        step -= steps
    raise ValueError("that step is in no round")


def save(path, net, optimiser, step):
    """Write all that the next step depends on, whole or not at all."""
    from tinyunet._files import atomic_write

    arrays = {f"params/{name}": value for name, value in net.params.items()}
    arrays |= {f"velocity/{name}": value for name, value in optimiser.velocity.items()}
    with atomic_write(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, step=step, **arrays)


GRID = {
    "threshold": (0.4, 0.45, 0.5, 0.55, 0.6),
    "core": (0.3, 0.4, 0.5, 0.6, 0.7),
    "min_core": (2, 5),
    "min_size": (10, 20),
}


def scores_of(dataset, cells, chosen):
    """Return SEG, and F1 at five IoUs, of some of the images."""
    truth = [dataset.labels[i] for i in chosen]
    found = [cells[i] for i in chosen]
    detected = metrics.detections(truth, found)
    return {
        "SEG": round(float(metrics.seg(truth, found)), 4),
        "IoU": round(float(metrics.iou(truth, found)), 4),
        "F1": {f"{one.threshold:g}": round(one.f1, 4) for one in detected},
        "AP": {f"{one.threshold:g}": round(one.ap, 4) for one in detected},
    }


def worth(scores):
    """Return what is maximised: SEG and F1 at IoU 0.5 together."""
    return scores["SEG"] + scores["F1"]["0.5"]


def predict(out, dataset):
    """Return the probabilities of all images, and what the file of weights says."""
    net, meta = load_network(Path(out) / "last.safetensors", "cpu")
    one = partial(predict_tiled, net, average=AVERAGE, normalise=None)
    return [one(image) for image in dataset.images], meta


def score(folder, out):
    """Choose settings, print scores, write the card."""
    learn, held_out = read(folder)
    answers, meta = predict(out, held_out)
    halves = [range(k, len(held_out), 2) for k in (0, 1)]
    tried = []
    for values in product(*GRID.values()):
        settings = dict(zip(GRID, values, strict=True))
        cells = [cores_to_cells(p, **settings) for p in answers]
        parts = [scores_of(held_out, cells, half) for half in (*halves, range(len(held_out)))]
        tried.append((settings, parts, cells))
    best = [max(tried, key=lambda one: worth(one[1][k])) for k in (0, 1, 2)]
    crossed = [best[1 - k][2][i] for i in range(len(held_out)) for k in (i % 2,)]
    found = scores_of(held_out, crossed, range(len(held_out)))
    print(json.dumps({"held out, settings chosen on the other half": found, "chosen": best[2][0]}))
    sequences = {
        "01, 36 to 47": scores_of(held_out, crossed, range(len(HELD_OUT_01))),
        "02": scores_of(held_out, crossed, range(len(HELD_OUT_01), len(held_out))),
    }
    write_card(out, meta, learn, held_out, best[2][0], found, sequences)


def limits(folder, out):
    """Print what the true cores, and the true outlines, would bring; and the outlines' scatter."""
    _, held_out = read(folder)
    answers, _ = predict(out, held_out)
    settings = card.read_card("nuclei").about["postprocessing"]["settings"]
    truth = [np.maximum(labels, 0) for labels in held_out.labels]
    ours = [cores_to_cells(p, **settings) for p in answers]
    masks = [1 - p[0] > settings["threshold"] for p in answers]
    cores = [np.where(core_classes(labels) == 2, labels, 0) for labels in held_out.labels]
    whole = [grow(cells, labels > 0) for cells, labels in zip(ours, truth, strict=True)]
    rows = {
        "as predicted": ours,
        "true cores, predicted outlines": list(map(grow, cores, masks)),
        "predicted cells, true outlines": whole,
    }
    parts = {"held out": range(len(truth)), "02": range(len(HELD_OUT_01), len(truth))}
    for (part, chosen), (name, cells) in product(parts.items(), rows.items()):
        found = scores_of(held_out, cells, chosen)
        print(f"{part:9} {name:31} SEG {found['SEG']:.3f}, F1 {found['F1']['0.5']:.3f}")
    areas = [mask.sum() / (labels > 0).sum() for mask, labels in zip(masks, truth, strict=True)]
    spread = np.percentile(areas, (0, 5, 50, 95, 100)).round(2)
    print("predicted area by labelled area, image by image (0, 5, 50, 95, 100 %):", spread)


def grow(cores, mask):
    """Give each pixel of `mask` to its nearest core."""
    if not cores.any():
        return cores
    nearest = distance_transform_edt(cores == 0, return_distances=False, return_indices=True)
    return np.where(mask, cores[tuple(nearest)], 0)


def write_card(out, meta, learn, held_out, settings, found, sequences):
    """Put the weights and what there is to know about them into the package."""
    sizes = [diameter(labels) for labels in learn.labels]
    about = {
        "title": "nuclei in fluorescence images",
        "postprocessing": {"function": "cores_to_cells", "settings": settings},
        "average": AVERAGE,
        "typical_diameter": round(float(np.median(sizes)), 1),
        "diameters": [round(float(v), 1) for v in np.percentile(sizes, (2, 98))],
        "data": "2018 Data Science Bowl, BBBC038 (Caicedo et al. 2019), fluorescence images, CC0",
        "split": f"{len(learn)} images to learn from, {len(held_out)} held out "
        "(lessons/runs/nuclei_network.py says which)",
        "network": f"U-Net, {SETTINGS.depth} levels, base {SETTINGS.base_channels}, three classes "
        "(background, rim, core), valid convolutions",
        "training": f"{meta['step']} steps, one tile of {SETTINGS.tile} pixels each, SGD with "
        f"momentum, in {len(ROUNDS)} rounds: "
        + ", then ".join(
            f"{steps} steps with momentum {momentum} and a rate of {rate} that falls over the last "
            f"{100 * share:.0f} %"
            for steps, momentum, rate, share in ROUNDS
        )
        + f"; elastic deformation, rotation, flips, intensity, zoom up to {SETTINGS.max_zoom}",
        "command": "python lessons/runs/nuclei_network.py train dsb2018-nuclei --out RUN",
        "scores": {"held out": found, **sequences},
        "fails": FAILS,
        "licence": "CC0-1.0",
    }
    shutil.copyfile(Path(out) / "last.safetensors", card.FOLDER / "nuclei.safetensors")
    text = json.dumps(about, indent=1, ensure_ascii=False)
    (card.FOLDER / "nuclei.json").write_text(text + "\n", encoding="utf-8")


FAILS = (
    "Nuclei that overlap, or are out of focus among sharp ones, are merged or missed; nuclei much "
    "larger than 60 pixels across are cut: reduce such images first. It has seen no tissue, no "
    "histology, no bright field, no colour."
)


def main():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    trains = commands.add_parser("train", help="train, or go on with it")
    trains.add_argument("--threads", type=int, default=2)
    scores = commands.add_parser("score", help="choose thresholds, score, write card and weights")
    limit = commands.add_parser("limits", help="score with half of the work done by the labels")
    for one in (trains, scores, limit):
        one.add_argument("folder", help="with the sequences 01 and 02")
        one.add_argument("--out", required=True, metavar="RUN", help="folder of the run")
    arguments = parser.parse_args()
    if arguments.command == "train":
        train(arguments.folder, arguments.out, arguments.threads)
    else:
        {"score": score, "limits": limits}[arguments.command](arguments.folder, arguments.out)


if __name__ == "__main__":
    main()
