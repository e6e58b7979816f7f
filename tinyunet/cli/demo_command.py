"""`tinyunet demo`: synthetic membranes, a small U-Net, a minute and a half, pictures.

Lesson: lessons/11-training.md.
"""

import argparse
import dataclasses
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from tinyunet._text import plural
from tinyunet.arrays import Array
from tinyunet.cli import common
from tinyunet.cli.parser import add_command
from tinyunet.images import Dataset
from tinyunet.training.observer import TrainingResult
from tinyunet.training.settings import Settings

IMAGES, HELD_OUT, VALIDATION, SIZE = 20, 4, 2, 256
SETTINGS = Settings(
    depth=3,
    base_channels=16,
    dropout=0.0,
    tile=148,
    steps=1500,  # enough: four per cent wrong; the clock ends slower ones
    lr=0.05,
    momentum=0.9,  # 0.99 needs hundreds of steps to get going; here every second counts
    momentum_warmup=0,
    decay=0.0,  # the clock may end it at any step
    val=(IMAGES, IMAGES + VALIDATION),
    val_every=50,
    checkpoint_every=500,
    elastic=False,
    rotation=False,
    weight_map=False,
)
TEXT = """
Draws images of cells between dark membranes, lets a small U-Net learn from 20 of them, and compares
it on 4 others with the best threshold on the brightness. Pictures and the network go to DIR.
"""
EXAMPLES = (
    ("tinyunet demo", "two minutes, on any machine"),
    ("tinyunet demo --steps 4000 --seconds 300 --out longer", "better, and longer"),
)


def add_to(commands: Any) -> None:
    """Add the command to the parser.

    Parameters
    ----------
    commands : action
        What ``add_subparsers`` returned.
    """
    purpose = "see a network learn membranes, in two minutes"
    parser = add_command(commands, "demo", "[options]", purpose, TEXT, EXAMPLES)
    parser.add_argument("--out", default="demo-out", metavar="DIR", help="new folder (demo-out)")
    parser.add_argument(
        "--steps",
        type=int,
        default=SETTINGS.steps,
        metavar="N",
        help=f"of the training, at most ({SETTINGS.steps})",
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=90,
        metavar="S",
        help="the training ends after so many, done or not; compiling does not count (90)",
    )
    common.add_device(parser)
    common.add_json(parser)
    parser.set_defaults(run=run)


def demo_data() -> tuple[Dataset, Array, Array]:
    """Draw the images.

    Returns
    -------
    dataset : Dataset
        Those to learn from and those to validate on.
    images, labels : array, shape (N, H, W)
        Those that the network never sees.
    """
    from tinyunet.images import normalise, synthetic_membranes

    count = IMAGES + VALIDATION + HELD_OUT
    images, labels = synthetic_membranes(count, SIZE, seed=0)
    seen = IMAGES + VALIDATION
    dataset = Dataset(
        images=[normalise(image)[None] for image in images[:seen]],
        labels=[label.astype(np.int32) for label in labels[:seen]],
        valid=[None] * seen,
        names=[f"synthetic {i}" for i in range(seen)],
        dtype="uint8",
    )
    return dataset, images[seen:], labels[seen:]


def best_threshold(images: Iterable[Array], labels: Iterable[Array]) -> tuple[float, int]:
    """Find the best global threshold on the brightness, either way up.

    Parameters
    ----------
    images, labels : iterable of arrays, shape (H, W)
        uint8, and classes.

    Returns
    -------
    rate : float
        The pixel error rate.
    value : int
        The threshold.
    """
    values = np.concatenate([image.ravel() for image in images])
    truth = np.concatenate([label.ravel() for label in labels]) > 0
    rates = [(float(((values > t) != truth).mean()), t) for t in range(256)]
    rates += [(1 - rate, t) for rate, t in rates]
    return min(rates)


def run(arguments: argparse.Namespace) -> int:
    """Make data, train, segment unseen images, print scores, draw pictures.

    Parameters
    ----------
    arguments : argparse.Namespace
        What was typed.

    Returns
    -------
    int
        The exit code: 1 where the network is no better than the threshold.
    """
    from tinyunet.cli.training import Watch, command_line
    from tinyunet.report import write_report
    from tinyunet.training.loop import run_plan
    from tinyunet.training.plan import make_plan
    from tinyunet.training.run_folder import RunFolder

    if not 0 < arguments.seconds < float("inf"):
        raise ValueError(f"--seconds {arguments.seconds:g} is not a positive number")
    common.use_threads(arguments)
    settings = dataclasses.replace(SETTINGS, steps=arguments.steps)
    out = Path(arguments.out)
    if (out / "settings.json").exists():
        raise FileExistsError(f"{out}: holds a run already: name another folder with --out")
    with RunFolder(out) as folder:
        dataset, images, labels = demo_data()
        plan = make_plan(dataset, settings, arguments.device)
        common.note(dataset.describe())
        with Watch(plan, out, seconds=arguments.seconds) as watch:
            command = command_line(arguments.argv)
            result = run_plan(plan, folder, watch, arguments.seconds, command)
        if result.interrupted is not None:
            return 128 + result.interrupted
        common.note(f"scoring on {plural(len(images), 'image')} that it never saw")
        summary = _judge(out, arguments.device, result, images, labels)
        write_report(out)
    if arguments.json:
        common.as_json(summary)
    else:
        _print(summary, out)
    return 0 if summary["times_better"] > 1 else 1


def _judge(
    out: Path, device: str, result: TrainingResult, images: Array, labels: Array
) -> dict[str, Any]:
    """Score the network and the threshold on images that neither has seen, draw the result."""
    from tinyunet.inference.predict import predict_tiled
    from tinyunet.metrics import isbi2012
    from tinyunet.plot import plot_results
    from tinyunet.training.checkpoint import load_network

    net, _ = load_network(out / "best.safetensors", device)
    p = np.stack([predict_tiled(net, image)[1] for image in images])
    scores = isbi2012(labels, p)
    rate, value = best_threshold(images, labels)
    names = [f"held-out image {i}" for i in range(len(images))]
    plot_results(list(images), list(labels), list(p), out / "result.png", names)
    return {
        "steps": result.steps,
        "seconds": result.seconds,
        "pixel_error_rate": scores.pixel_error_rate,
        "threshold": value,
        "threshold_pixel_error_rate": rate,
        "times_better": rate / max(scores.pixel_error_rate, 1e-9),
        "scores": scores.to_dict(),
        "images": len(images),
        "pictures": [str(out / "result.png"), str(out / "curves.png")],
        "report": str(out / "report.html"),
    }


def _print(summary: dict[str, Any], out: Path) -> None:
    scores = summary["scores"]
    print(f"{plural(summary['steps'], 'step')} in {summary['seconds']:.0f} s")
    print(f"misclassified pixels on {summary['images']} images that it never saw:")
    worst = 100 * summary["threshold_pixel_error_rate"]
    print(f"  {worst:6.2f} %  the best threshold on the brightness ({summary['threshold']})")
    print(f"  {100 * summary['pixel_error_rate']:6.2f} %  the U-Net", end="")
    better = summary["times_better"] > 1
    print(f", {summary['times_better']:.1f} times fewer" if better else "")
    print(
        f"V_Rand {scores['v_rand_thinned']:.3f}, V_info {scores['v_info_thinned']:.3f} (thinned; "
        "1 is perfect)"
    )
    print(f"pictures: {' '.join(summary['pictures'])}")
    print(f"report: {summary['report']}")
    run = shlex.quote(str(out))
    if better:
        print("next: with images of your own, and their labels,")
        print("  tinyunet train IMAGES LABELS --out RUN --val 20%")
    else:
        print("This is no better than the threshold: it had too little time to learn. Try")
        print(f"  tinyunet demo --seconds 600 --out {run}-longer")
