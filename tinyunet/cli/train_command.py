"""`tinyunet train`: say what was found, then train.

Lesson: lessons/11-training.md.
"""

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from tinyunet.arrays import Device
from tinyunet.cli import common
from tinyunet.cli.parser import add_command
from tinyunet.images import Dataset
from tinyunet.nn.precision import PRECISIONS
from tinyunet.training.held_out import Share, held_out_range
from tinyunet.training.observer import TrainingResult
from tinyunet.training.ranks import Ranks
from tinyunet.training.settings import Settings

DEFAULTS = Settings()

TEXT = """
Images and labels are TIFF stacks, folders of TIFF or PNG files with matching names (images may be
JPEG), or a Cell Tracking sequence (its labels are found beside it). Labels are 0/1 or 0/255 masks,
class numbers (--classes), or object numbers (--instances).

RUN becomes a folder with the log, curves.png, the last and the best weights, and report.html. A run
that was stopped or killed goes on with --resume and ends bit for bit where it would have ended.

Started by `mpirun -n 4`, four processes, or four GPUs, learn together, a tile each a step
(tinyunet[parallel]).
"""
EXAMPLES = (
    ("tinyunet train images.tif labels.tif --out RUN --val 20% --base 16", "a small network"),
    ("tinyunet train images.tif labels.tif --out RUN --resume --steps 9000", "go on for longer"),
)
GROUPS: tuple[tuple[str, tuple[tuple[str, str, type, str], ...]], ...] = (
    (
        "network (figure 1)",
        (
            ("--depth", "depth", int, "levels of the U: one more sees twice as far"),
            ("--base", "base_channels", int, "channels of the first level, doubled at each"),
            ("--dropout", "dropout", float, "share of the bottom's activations dropped a step"),
        ),
    ),
    (
        "training (section 3)",
        (
            ("--steps", "steps", int, "steps; each learns from one tile"),
            ("--tile", "tile", int, "pixels along a side of a tile; larger is better and slower"),
            ("--lr", "lr", float, "learning rate; a smaller one if the loss becomes NaN or flat"),
            (
                "--momentum",
                "momentum",
                float,
                "share of the last step's direction that is kept; 0.99 wants a tenth of the rate",
            ),
            (
                "--momentum-warmup",
                "momentum_warmup",
                int,
                "steps over which the momentum grows to it",
            ),
            (
                "--decay",
                "decay",
                float,
                "share of the steps, at the end, with a falling rate; 0.3 gains the last points of "
                "a long run",
            ),
            ("--seed", "seed", int, "of weights, drop-out and tiles"),
        ),
    ),
    (
        "weight map (equation 2)",
        (
            ("--w0", "w0", float, "weight of a pixel between two touching cells, on top of 1"),
            ("--sigma", "sigma", float, "how fast it falls off with the distance, in pixels"),
            ("--border", "border", int, "pixels of background cut between touching cells"),
        ),
    ),
    (
        "augmentation beyond the paper",
        (("--max-zoom", "max_zoom", float, "tiles enlarged or reduced up to so many times"),),
    ),
)
PARTS = (
    ("elastic", "no elastic deformation: for things that do not deform"),
    ("rotation", "quarter turns only: where the direction means something"),
    ("intensity", "no change of contrast and brightness: where values are measured"),
    ("weight_map", "every pixel weighs the same: better pixels, more cells merged"),
    ("balance", "classes keep their sizes in the weight map: only its borders are left"),
)


def add_to(commands: Any) -> None:
    """Add the command to the parser.

    Parameters
    ----------
    commands : action
        What ``add_subparsers`` returned.
    """
    parser = add_command(
        commands,
        "train",
        "IMAGES [LABELS] --out RUN [options]",
        "train a network on images and their labels",
        TEXT,
        EXAMPLES,
    )
    _add_data(parser)
    for title, options in GROUPS:
        group = parser.add_argument_group(title)
        for flag, name, kind, words in options:
            default = getattr(DEFAULTS, name)
            group.add_argument(
                flag,
                dest=name,
                type=kind,
                metavar="N" if kind is int else "X",
                help=f"{words} ({default})",
            )
    group = parser.add_argument_group("parts of the paper's recipe to leave out")
    for part, words in PARTS:
        flag = f"--no-{part.replace('_', '-')}"
        group.add_argument(flag, dest=part, action="store_false", default=None, help=words)
    group.add_argument(  # its name in version 1.0
        "--no-grey", dest="intensity", action="store_false", default=None, help=argparse.SUPPRESS
    )
    _add_validation(parser)
    group = parser.add_argument_group("machine and output")
    group.add_argument("--precision", choices=PRECISIONS, help="of products on a GPU (float32)")
    common.add_device(group)
    common.add_json(group)
    parser.set_defaults(run=run)


def _add_data(parser: Any) -> None:
    group = parser.add_argument_group("data")
    group.add_argument("images", metavar="IMAGES", help="TIFF stack, folder, or CTC sequence")
    group.add_argument("labels", metavar="LABELS", nargs="?", help="likewise (CTC finds its own)")
    group.add_argument("--out", required=True, metavar="RUN", help="folder of the run")
    group.add_argument("--resume", action="store_true", help="go on with the run in RUN")
    common.add_labels(group)


def _add_validation(parser: Any) -> None:
    group = parser.add_argument_group("validation and checkpoints")
    group.add_argument(
        "--val",
        type=validation_slices,
        metavar="A:B|P%",
        help="slices A to B − 1, or the last P %% of them, are held out: nothing is learned from "
        "them, and the weights that do best on them are kept",
    )
    for flag, name, words in (
        ("--val-every", "val_every", "steps between two validations"),
        ("--checkpoint-every", "checkpoint_every", "steps that a kill may cost, at most"),
    ):
        group.add_argument(
            flag, dest=name, type=int, metavar="N", help=f"{words} ({getattr(DEFAULTS, name)})"
        )


def validation_slices(text: str) -> tuple[int, int] | Share:
    """Parse "20:24" or "20%".

    Parameters
    ----------
    text : str
        What was typed.

    Returns
    -------
    tuple of int or Share
        (first, behind the last) slice, or a share of the slices.

    Raises
    ------
    argparse.ArgumentTypeError
        For all else.
    """
    if not text.endswith("%"):
        return common.slice_range(text)
    try:
        return Share(float(text[:-1]) / 100)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share like 20% ({error})") from None


def said(arguments: argparse.Namespace) -> dict[str, Any]:
    """Collect the settings that were typed.

    Parameters
    ----------
    arguments : argparse.Namespace
        Of `train`.

    Returns
    -------
    dict
        Values by the settings' names; without "val", if that is a share of slices not yet read.
    """
    names = [field.name for field in dataclasses.fields(Settings)]
    values = {name: getattr(arguments, name, None) for name in names}
    return {n: v for n, v in values.items() if v is not None and not isinstance(v, Share)}


def complete(settings: Settings, arguments: argparse.Namespace, dataset: Dataset) -> Settings:
    """Return the settings with a share of slices turned into a range of them.

    Parameters
    ----------
    settings : Settings
        What else was typed.
    arguments : argparse.Namespace
        Of `train`.
    dataset : Dataset
        The slices.

    Returns
    -------
    Settings
        Complete.
    """
    if not isinstance(arguments.val, Share):
        return settings
    return dataclasses.replace(settings, val=held_out_range(dataset, arguments.val))


def run(arguments: argparse.Namespace) -> int:
    """Train.

    Parameters
    ----------
    arguments : argparse.Namespace
        What was typed.

    Returns
    -------
    int
        The exit code: 0, or 128 and the number of the signal that ended the run.
    """
    from tinyunet.arrays import select_device
    from tinyunet.cli.training import report
    from tinyunet.training.parallel import find_ranks

    common.use_threads(arguments)
    with find_ranks() as ranks:
        device = select_device(ranks.device(arguments.device))
        ranks.use(device)
        if ranks.rank > 0:
            return _follow(arguments, device, ranks)
        result = _lead(arguments, device, ranks)
    report(result, Path(arguments.out), arguments.json)
    return 0 if result.interrupted is None else 128 + result.interrupted


def _read(arguments: argparse.Namespace) -> Dataset:
    from tinyunet.images import read_pair

    return read_pair(
        arguments.images,
        arguments.labels,
        in_channels=arguments.channels,
        **common.label_options(arguments),
    )


def _lead(arguments: argparse.Namespace, device: Device, ranks: Ranks) -> TrainingResult:
    """Train as rank 0, which may be the only one: it alone writes and speaks."""
    from tinyunet.cli.training import Watch, announce, command_line
    from tinyunet.report import score_and_report
    from tinyunet.training.loop import run_plan
    from tinyunet.training.plan import make_plan
    from tinyunet.training.run_folder import RunFolder

    with RunFolder(arguments.out, arguments.resume) as folder:
        # What is wrong is said before data are read.
        settings = folder.settings(said(arguments) | {"ranks": ranks.size})
        dataset = _read(arguments)
        plan = make_plan(dataset, complete(settings, arguments, dataset), device)
        announce(plan)
        command = command_line(arguments.argv)
        with Watch(plan, folder.path) as watch:
            result = run_plan(plan, folder, watch, command=command, ranks=ranks)
        score_and_report(folder.path, plan, result, bar=True)
    return result


def _follow(arguments: argparse.Namespace, device: Device, ranks: Ranks) -> int:
    """Train as one of the other ranks."""
    from tinyunet.training.follow import follow

    signal = follow(_read(arguments), said(arguments), device, ranks)
    return 0 if signal is None else 128 + signal
