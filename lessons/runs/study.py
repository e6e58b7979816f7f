"""The study of lessons 11 and 13: settings × seeds × training slices, and their table.

    python lessons/runs/study.py run train-volume.tif train-labels.tif --out RUNS [--only NAMES]
    python lessons/runs/study.py table --out RUNS     # study.json beside this file, and the tables

`run` trains what is missing, one run after another on one thread, and scores it; it may be stopped
and started again at any time (every run resumes at its last checkpoint), and several may work side
by side on one folder: what another one trains is left to it. Nothing is chosen by a run itself:
the learning rate falls to zero at the end of each, and the last weights are scored, on slices 16 to
19 and on slices 20 to 23. Nobody learns from either, except the rows "20 slices", which learn from
the first. The momentum and the rate of "all" were chosen by the scores on 16 to 19, the length and
the width of the last rows by those on 20 to 23. The rows "in PyTorch" are trained by

    python benchmarks/train_torch.py IMAGES LABELS --out RUNS/all-in_PyTorch-0 --seed 0 OPTIONS

and so on, with what the job of the same name without "in PyTorch" says as OPTIONS, on stacks that
end with slice 19, and `--val 16:20`.
"""

import argparse
import dataclasses
import json
import time
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
SEEDS = (0, 1, 2)
VALIDATION, LEFT_OUT = range(20, 24), range(16, 20)
# A narrow U of four levels: its tile is mostly output, so it sees most pixels a minute. All is
# said, so that another default of the package changes nothing.
COMMON = {"depth": 4, "base_channels": 8, "tile": 284, "steps": 2000}
COMMON |= {"lr": 0.02, "momentum": 0.9, "momentum_warmup": 300, "decay": 0.3}
PAPERS = {"lr": 0.002, "momentum": 0.99, "momentum_warmup": 0}  # whole from the first step on
FLIPS = {"elastic": False, "rotation": False, "intensity": False}


@dataclasses.dataclass(frozen=True)
class Job:
    """One network to train: what it is called, how it differs, on how many slices, which seed."""

    name: str
    changes: dict
    slices: int = 16
    seeds: tuple = SEEDS
    neighbours: bool = False  # the network sees the slices above and below, too
    is_peer: bool = False  # PyTorch trains it, by benchmarks/train_torch.py: here it is scored

    def settings(self, seed):
        """Return the run's settings."""
        from tinyunet.training.settings import Settings

        rare = {"val_every": 10**6, "checkpoint_every": 500}
        return Settings(**(COMMON | rare | self.changes | {"seed": seed}))


# Long enough, and wide enough, for a network to learn three slices by heart if it can.
LONG = {"base_channels": 16, "steps": 4000}
HEADLINE, BEST = "base 16, 12000 steps", "base 16, 16000 steps, 20 slices"
WIDE = "base 32, 8000 steps, 20 slices"
UNBALANCED = "base 16, 12000 steps, classes not balanced"
LONGEST = "0.99, base 16, 16000 steps"
# Scored over the eight symmetries, too:
AVERAGED = ("all", "0.99", LONGEST, HEADLINE, f"{HEADLINE}, in PyTorch", UNBALANCED, BEST, WIDE)
MAP = (
    ("no weight map", {"weight_map": False}),
    ("classes balanced, no borders", {"w0": 0.0}),
    ("borders, classes not balanced", {"balance": False}),
)

# What a claim of the lessons rests on comes first.
JOBS = (
    Job("all", {}),
    *(Job(name, changes) for name, changes in MAP),
    Job("no elastic", {"elastic": False}),
    Job("no elastic, 3 slices", {"elastic": False}, 3),
    Job("flips only", FLIPS),
    Job("all, 3 slices, long", LONG, 3),
    Job("no elastic, 3 slices, long", LONG | {"elastic": False}, 3),
    Job("flips only, 3 slices, long", LONG | FLIPS, 3),
    Job("constant rate", {"decay": 0.0}),
    Job("rate falls all the way", {"decay": 1.0}),
    Job("rate 0.01", {"lr": 0.01}),
    Job("rate 0.04", {"lr": 0.04}),
    Job("no drop-out", {"dropout": 0.0}),
    Job("no rotation", {"rotation": False}),
    Job("no intensity", {"intensity": False}),
    Job("500 steps", {"steps": 500}),
    Job("1000 steps", {"steps": 1000}),
    Job("4000 steps", {"steps": 4000}),
    *(Job(f"{number} slices", {}, number) for number in (3, 5, 10)),
    Job("sees three slices", {}, neighbours=True),
    Job("base 4", {"base_channels": 4}),
    Job("base 16", {"base_channels": 16}),
    Job("base 32", {"base_channels": 32}),
    Job("base 64, 1000 steps", {"base_channels": 64, "steps": 1000}, seeds=(0,)),
    Job("base 16, no weight map", {"base_channels": 16, "weight_map": False}),
    Job("base 16, no elastic", {"base_channels": 16, "elastic": False}),
    Job("five levels", {"depth": 5, "tile": 380}),  # as many output pixels a tile: 196 × 196
    Job("all, in PyTorch", {}, is_peer=True),
    Job("base 16, in PyTorch", {}, is_peer=True),
    Job(HEADLINE, LONG | {"steps": 12_000, "decay": 0.5}),
    Job(f"{HEADLINE}, in PyTorch", {}, is_peer=True),
    Job(UNBALANCED, LONG | {"steps": 12_000, "decay": 0.5, "balance": False}, seeds=(0,)),
    Job(BEST, LONG | {"steps": 16_000, "decay": 0.5}, 20),  # 16 to 19 are not left out here
    Job(WIDE, {"base_channels": 32, "steps": 8000, "decay": 0.5}, 20, seeds=(0,)),
    # The rows below are those that showed what momentum 0.99 does from the first step on.
    Job("momentum 0.9 from step 1", {"momentum_warmup": 0}),
    Job("0.99", PAPERS),
    Job("0.99, grows", PAPERS | {"momentum_warmup": 300}),
    Job("0.99, grows, rate 0.004", PAPERS | {"momentum_warmup": 300, "lr": 0.004}),
    Job("0.99, rate 0.001", PAPERS | {"lr": 0.001}),
    *(Job(f"0.99, {name}", PAPERS | changes) for name, changes in MAP[:2]),
    Job("0.99, no elastic", PAPERS | {"elastic": False}),
    Job("0.99, flips only", PAPERS | FLIPS),
    Job("0.99, 3 slices", PAPERS, 3),
    Job("0.99, no elastic, 3 slices", PAPERS | {"elastic": False}, 3),
    Job("0.99, all, 3 slices, long", PAPERS | LONG, 3),
    Job("0.99, flips only, 3 slices, long", PAPERS | LONG | FLIPS, 3),
    Job(LONGEST, PAPERS | {"base_channels": 16, "steps": 16_000, "decay": 0.5}, seeds=(0,)),
)


def folder_of(out, job, seed):
    """Return the folder of a run."""
    return Path(out) / f"{job.name.replace(', ', '-').replace(' ', '_')}-{seed}"


def with_neighbours(dataset):
    """Return the data set with each image between the ones above and below it, as three channels.

    The first and the last slice have themselves in place of what is missing.
    """
    pages = [dataset.images[0], *dataset.images, dataset.images[-1]]
    images = [np.concatenate(pages[i : i + 3]) for i in range(len(dataset))]
    return dataclasses.replace(dataset, images=images)


def train_and_score(dataset, job, seed, out):
    """Train one network, or go on with it, and write its scores; False if another one does."""
    from tinyunet.training.loop import train

    folder = folder_of(out, job, seed)
    if (folder / "study.json").exists():
        return False
    begun = time.perf_counter()
    if job.neighbours:
        dataset = with_neighbours(dataset)
    if not job.is_peer:
        result = train(dataset.subset(range(job.slices)), job.settings(seed), folder, "cpu", True)
        if result.interrupted is not None:
            raise SystemExit(f"{folder}: stopped after step {result.steps}")
    elif not (folder / "last.safetensors").exists():
        return False
    found = {"seconds": round(time.perf_counter() - begun)}
    for name, part in (("validation", VALIDATION), ("left out", LEFT_OUT)):
        if part.start < job.slices:  # it has learned from them
            continue
        averages = (1, 8) if job.name in AVERAGED else (1,)
        for average in averages:
            key = name if average == 1 else f"{name}, average {average}"
            found[key] = score([folder], dataset.subset(part), average)
    (folder / "study.json").write_text(json.dumps(found, indent=1))
    return True


def score(folders, dataset, average):
    """Return the challenge's scores on these slices of the last weights of a run, or of several.

    Several runs answer together: the mean of their probabilities is scored.
    """
    from tinyunet.inference.predict import predict_tiled
    from tinyunet.metrics import isbi2012_details
    from tinyunet.training.checkpoint import load_network

    nets = [load_network(folder / "last.safetensors", "cpu")[0] for folder in folders]
    pages = [
        np.mean([predict_tiled(net, image, 604, average)[1] for net in nets], axis=0)
        for image in dataset.images
    ]
    truth, p = np.stack(dataset.labels), np.stack(pages)
    details = isbi2012_details(truth, p)
    rates = [float(((p > t) != (truth > 0)).mean()) for t in details.thresholds]
    best = int(np.argmin(rates))
    extra = {"best_rate": rates[best], "best_rate_threshold": float(details.thresholds[best])}
    return details.scores.to_dict() | extra


def score_together(dataset, job, out):
    """Score a job's seeds as one, on slices 20 to 23; False if one is missing, or all is done."""
    folders = [folder_of(out, job, seed) for seed in job.seeds]
    together = folder_of(out, job, "together")
    if (together / "study.json").exists() or not all((f / "study.json").exists() for f in folders):
        return False
    together.mkdir(exist_ok=True)
    found = {"validation, average 8": score(folders, dataset.subset(VALIDATION), 8)}
    (together / "study.json").write_text(json.dumps(found, indent=1))
    return True


def run(images, labels, out, only):
    """Train and score all that is missing."""
    from tinyunet.backends.cpu.threads import set_threads
    from tinyunet.images import read_pair

    set_threads(1)
    dataset = read_pair(images, labels)
    for job in JOBS:
        for seed in job.seeds:
            if only and job.name not in only:
                continue
            try:
                done = train_and_score(dataset, job, seed, out)
            except BlockingIOError:  # another one is at it
                continue
            if done:
                print(f"{job.name}, seed {seed}", flush=True)
    best = next(job for job in JOBS if job.name == BEST)
    if (not only or BEST in only) and score_together(dataset, best, out):
        print(f"{BEST}, all seeds together", flush=True)


SHOWN = ("pixel_error_rate", "best_rate", "pixel_error", "rand_error", "v_rand_thinned")


def collect(out):
    """Return {job: {part: {score: [one value a seed]}}} of all runs that are done."""
    found = {}
    for job in JOBS:
        for name, seeds in ((job.name, job.seeds), (f"{job.name}, together", ("together",))):
            files = [folder_of(out, job, seed) / "study.json" for seed in seeds]
            runs = [json.loads(file.read_text()) for file in files if file.exists()]
            if runs:
                found[name] = {
                    part: {key: [round(one[part][key], 5) for one in runs] for key in runs[0][part]}
                    for part in runs[0]
                    if part != "seconds"
                }
    return found


def _mean_and_spread(values):
    spread = f" ± {np.std(values, ddof=1):.4f}" if len(values) > 1 else ""
    return f"{np.mean(values):.4f}{spread}"


def table_of(found, part, scores=SHOWN):
    """Return rows of Markdown: mean ± standard deviation over the seeds of each score."""
    lines = ["| setting | seeds | " + " | ".join(scores) + " |", "| --- " * (2 + len(scores)) + "|"]
    for name, parts in found.items():
        if part in parts:
            values = [parts[part][score] for score in scores]
            cells = [_mean_and_spread(v) for v in values]
            lines.append(f"| {name} | {len(values[0])} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def table(out):
    """Write study.json, and print the tables of both parts."""
    found = collect(out)
    text = json.dumps(found, indent=1)
    (HERE / "study.json").write_text(text + "\n", encoding="utf-8")
    for part in ("left out", "validation", "left out, average 8", "validation, average 8"):
        print(f"\n{part}\n\n{table_of(found, part)}")


def main():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    runs = commands.add_parser("run", help="train and score what is missing")
    runs.add_argument("images", help="stack")
    runs.add_argument("labels", help="stack of labels")
    runs.add_argument("--only", nargs="+", choices=[job.name for job in JOBS], default=())
    for one in (runs, commands.add_parser("table", help="study.json and the tables")):
        one.add_argument("--out", required=True, help="folder of the runs")
    arguments = parser.parse_args()
    if arguments.command == "run":
        run(arguments.images, arguments.labels, arguments.out, arguments.only)
    else:
        table(arguments.out)


if __name__ == "__main__":
    main()
