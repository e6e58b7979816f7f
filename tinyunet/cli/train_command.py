"""`tinyunet train`: say what was found, then train."""

import dataclasses
import os
from pathlib import Path

from tinyunet.cli import common
from tinyunet.settings import PRECISIONS, Settings

DEFAULTS = Settings()


def add_to(commands):
    """Add the command to the parser."""
    parser = commands.add_parser("train", help="train a network on images and their labels")
    parser.add_argument("images", metavar="IMAGES", help="TIFF stack, folder, or CTC sequence")
    parser.add_argument("labels", metavar="LABELS", nargs="?", help="likewise (CTC finds its own)")
    parser.add_argument("--out", required=True, metavar="RUN", help="folder of the run")
    parser.add_argument("--resume", action="store_true", help="go on with the run in RUN")
    parser.add_argument("--classes", type=int, default=2, metavar="K", help="classes (2)")
    parser.add_argument("--channels", type=int, default=1, metavar="C", help="of the images (1)")
    parser.add_argument("--ignore", type=int, metavar="VALUE", help="label value without truth")
    for name, kind, text in (
        ("depth", int, "levels of the U"),
        ("base", int, "channels of the first level"),
        ("dropout", float, "share dropped at the bottom of the U"),
        ("tile", int, "input size of the training tile"),
        ("steps", int, "steps, one tile each"),
        ("momentum", float, "of SGD"),
        ("decay", float, "share of the steps, at the end, in which the rate falls to 0"),
        ("seed", int, "of weights, drop-out and tiles"),
        ("w0", float, "height of the weight map's borders"),
        ("sigma", float, "their width in pixels"),
        ("border", int, "pixels of background cut between touching cells"),
        ("val_every", int, "steps between validations"),
        ("checkpoint_every", int, "steps between checkpoints"),
    ):
        flag = "--" + name.replace("_", "-")
        default = getattr(DEFAULTS, name)
        parser.add_argument(flag, dest=name, type=kind, help=f"{text} ({default})")
    parser.add_argument("--lr", dest="rate", type=float, help=f"learning rate ({DEFAULTS.rate})")
    parser.add_argument(
        "--val", type=common.slice_range, metavar="A:B", help="slices A to B - 1 only validate"
    )
    for part in ("elastic", "rotation", "grey", "weight-map"):
        parser.add_argument(
            f"--no-{part}",
            dest=part.replace("-", "_"),
            action="store_false",
            default=None,
            help=f"leave the recipe's {part} out",
        )
    parser.add_argument(
        "--precision", choices=PRECISIONS, help="of products on a GPU (float32, strict)"
    )
    common.add_device(parser)
    common.add_json(parser)
    parser.set_defaults(run=run)


def run(arguments):
    """Train; return the exit code."""
    from tinyunet.arrays import select_device
    from tinyunet.data import read_pair
    from tinyunet.data.split import split
    from tinyunet.plot import plot_curves
    from tinyunet.rundir import read_log
    from tinyunet.train import train

    common.use_threads(arguments)
    device = select_device(arguments.device)
    settings = settings_of(arguments)
    dataset = read_pair(
        arguments.images,
        arguments.labels,
        in_channels=arguments.channels,
        n_classes=arguments.classes,
        ignore=arguments.ignore,
    )
    training, validation = split(dataset, settings)
    check_memory(dataset, settings, device)
    announce(dataset, training, validation, settings, device)
    with common.Bar(settings.steps) as bar:
        result = train(dataset, settings, arguments.out, device, arguments.resume, bar)
    folder = Path(arguments.out)
    plot_curves(read_log(folder / "log.csv"), folder / "curves.png")
    report(result, folder, arguments.json)
    return 0 if result.interrupted is None else 128 + result.interrupted


def settings_of(arguments):
    """Return the run's `Settings`: what was said, else what the resumed run has, else defaults.

    Raises what `check_folder` raises: a folder that cannot be used is refused before data are read.
    """
    from tinyunet.rundir import check_folder, read_settings

    base = DEFAULTS.to_dict()
    if check_folder(arguments.out, arguments.resume):
        base = read_settings(arguments.out)[0].to_dict()
    names = [field.name for field in dataclasses.fields(Settings)]
    said = {n: getattr(arguments, n) for n in names if getattr(arguments, n, None) is not None}
    return Settings(**{**base, **said})


def check_memory(dataset, settings, device):
    """Raise ValueError where a step needs more memory than the machine has at all (CPU only)."""
    from tinyunet import geometry

    shape = dataset.images[0].shape[0], dataset.n_classes, settings.depth, settings.base
    needed = geometry.training_memory(settings.tile, *shape)
    if device.is_gpu or "SC_PHYS_PAGES" not in os.sysconf_names:
        return
    there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if needed > there:
        raise ValueError(
            f"a step needs about {common.size_text(needed)} of memory, this machine has "
            f"{common.size_text(there)}: choose a smaller --tile, --base or --depth"
        )


def announce(dataset, training, validation, settings, device):
    """Say what was found and what it will take, before any of it is done."""
    from tinyunet import geometry
    from tinyunet.init import count_parameters

    channels = dataset.images[0].shape[0]
    shape = channels, dataset.n_classes, settings.depth, settings.base
    output = geometry.output_size(settings.tile, settings.depth)
    memory = geometry.training_memory(settings.tile, *shape)
    common.note(dataset.describe())
    common.note(
        f"training on {len(training.labelled())} slices, validating on {len(validation.labelled())}"
    )
    common.note(
        f"network: depth {settings.depth}, base {settings.base}, "
        f"{count_parameters(*shape):,} parameters; tile {settings.tile} → {output}"
    )
    common.note(f"device: {device.name}; a step needs about {common.size_text(memory)} of memory")


def report(result, folder, as_json):
    """Print how the run ended."""
    if as_json:
        common.as_json({**dataclasses.asdict(result), "run": str(folder)})
        return
    if result.interrupted is not None:
        print(f"stopped after step {result.steps}: go on with --resume")
    else:
        print(f"{result.steps} steps in {folder}, the last loss {result.loss:.4f}")
    if result.best_step is not None:
        print(
            f"best validation: loss {result.best_loss:.4f}, {100 * result.best_wrong:.2f} % wrong, "
            f"at step {result.best_step}"
        )
    print(f"time: {result.seconds:.0f} s, of which {100 * result.waited:.1f} % waiting for tiles")
