"""`tinyunet predict`: images of any size to probabilities, masks, cells, and pictures of them.

What is written where stands in `predict_results.py`. Lesson: lessons/10-overlap-tile.md.
"""

import argparse
import shlex
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tinyunet.arrays import Array
from tinyunet.cli import common, predict_volume
from tinyunet.cli.parser import add_command
from tinyunet.cli.predict_results import KINDS, Places, Results
from tinyunet.geometry import check_size
from tinyunet.images import Stack, open_stack
from tinyunet.images._text import few
from tinyunet.images.normalise import AS_THEY_ARE, check_values
from tinyunet.inference.recipe import DEFAULTS, PLAIN, Recipe
from tinyunet.networks import Model, find_model
from tinyunet.nn.unet import UNet

PURPOSE = "segment images of any size with a trained network"
TEXT = """
RUN is the folder of a run, a .safetensors file, or the name of a network that comes with the
package (`tinyunet info` lists them). IMAGES is a TIFF stack, a picture, a folder of them, a Cell
Tracking sequence, or an OME-Zarr volume, whose result is one. Images are mirrored at their edges
and cut into tiles that fit the memory; the result has no seams.

Results keep the names of their images. A name ending in .tif becomes a stack of one page a slice,
any other a folder of one file a slice. What is there already is not touched without --overwrite.
"""
EXAMPLES = (
    ("tinyunet predict RUN images.tif --out probabilities.tif", "probabilities, a page a slice"),
    (
        "tinyunet predict RUN photos/ --masks masks/ --overlays overlays/",
        "masks, and their contours on the images, as PNG",
    ),
)
CELLS = (  # how cells are made: flag, type, metavar, words; None stands for the recipe's value
    ("--threshold", float, "P", "a pixel is no background above this probability"),
    ("--min-size", int, "N", "smaller cells, in pixels, are left out"),
    ("--border", int, "N", "gaps between cells up to so many pixels wide are closed"),
    ("--grow", int, "N", "pixels that cells grow all round"),
)


_OF_CARDS = ("--threshold", "--min-size")


def add_to(commands: Any) -> None:
    """Add the command to the parser."""
    usage = "RUN IMAGES --out FILE.tif [options]"
    parser = add_command(commands, "predict", usage, PURPOSE, TEXT, EXAMPLES)
    group = parser.add_argument_group("network and images")
    group.add_argument("run_folder", metavar="RUN", help="run folder, weights, or a network's name")
    group.add_argument(
        "images", metavar="IMAGES", help="stack, picture, folder, CTC sequence, .zarr"
    )
    group.add_argument("--slices", type=common.slice_range, metavar="A:B", help="only A to B − 1")
    group.add_argument(
        "--weights", choices=("best", "last"), help="of the run (the best, if it validated)"
    )
    group = parser.add_argument_group("results, one of them at least")
    for name, (metavar, words) in KINDS.items():
        group.add_argument(f"--{name}", metavar=metavar, help=words)
    group.add_argument("--overwrite", action="store_true", help="replace results that are there")
    group = parser.add_argument_group("masks and cells")
    for flag, kind, metavar, words in CELLS:
        default = DEFAULTS[flag[2:].replace("-", "_")]
        told = f"({'the best on what RUN held out, or ' * (flag == '--threshold')}{default}"
        told += f"{', or what the card of a network says' * (flag in _OF_CARDS)})"
        group.add_argument(flag, type=kind, metavar=metavar, help=f"{words} {told}")
    group.add_argument(
        "--classes-file",
        metavar="FILE",
        help=".csv or .json of number, name, colour: for masks, overlays and colours",
    )
    group = parser.add_argument_group("prediction")
    group.add_argument(
        "--tile", type=int, metavar="N", help="input pixels of a tile's side (by the free memory)"
    )
    group.add_argument(
        "--average",
        type=int,
        metavar="N",
        help="mean over N turned and flipped versions, 1 to 8: better, and N times as long (1, or "
        "what the network's card says)",
    )
    predict_volume.add_options(group)
    group = parser.add_argument_group("machine and output")
    common.add_device(group)
    common.add_json(group)
    parser.set_defaults(run=run, default=parser.get_default)


def run(arguments: argparse.Namespace) -> int:
    """Predict; return the exit code."""
    from tinyunet.training.checkpoint import load_network

    common.use_threads(arguments)
    model = find_model(arguments.run_folder, arguments.weights)
    if predict_volume.is_volume(arguments.images):
        return predict_volume.run(arguments, model)
    predict_volume.check_no_scheduler(arguments)
    recipe = _recipe(arguments, model.recipe)
    places = Places(arguments, model)
    net, _ = load_network(model.weights, arguments.device)
    _check_numbers(arguments, net)
    common.tell_if_unprepared(net, model.weights)
    classes = places.classes(net.n_classes)
    stack = open_stack(arguments.images, net.in_channels)
    first, end = arguments.slices or (0, len(stack))
    if end > len(stack):
        raise ValueError(f"slices {first}:{end} asked, {arguments.images} has {len(stack)}")
    chosen = range(first, end)
    _check_pages(stack, chosen)
    results = Results(places, recipe, classes, stack, chosen)
    _predict(arguments, net, results, model.average)
    _explain(arguments, model, recipe, results)
    _report(arguments, results, recipe)
    return 0


def _recipe(arguments: argparse.Namespace, recipe: Recipe) -> Recipe:
    """The recipe with what was typed, all that is wrong with it said now."""
    typed = {}
    for flag, *_ in CELLS:
        name = flag[2:].replace("-", "_")
        value = getattr(arguments, name)
        if value is None:
            continue
        if name == "threshold" and not 0 <= value < 1:
            raise ValueError(f"--threshold {value} is not in [0, 1)")
        if value < 0:
            raise ValueError(f"{flag} {value} is not at least 0")
        typed[name] = value
    closing = sorted({"border", "grow"} & set(typed))
    if closing and recipe.function != PLAIN:
        raise ValueError(
            f"--{closing[0]}: {recipe.function} takes no {closing[0]}: what this network "
            "gives has no cut borders to close"
        )
    return recipe.changed(**typed)


def _check_numbers(arguments: argparse.Namespace, net: UNet) -> None:
    if arguments.tile is not None:
        check_size(arguments.tile, net.depth, "--tile")
    if arguments.average is not None and not 1 <= arguments.average <= 8:
        raise ValueError(f"--average {arguments.average} is not 1 to 8")


def _check_pages(stack: Stack, chosen: range) -> None:
    """Look at the pixels before the work, not in the middle of it, where they may be refused."""
    for index in chosen:
        if stack.may_refuse(index):
            stack.page(index)


def _predict(arguments: argparse.Namespace, net: UNet, results: Results, average: int) -> None:
    """Predict and write the chosen slices, one at a time."""
    from tinyunet.inference.predict import predict_stack

    pages = Pages(results.stack, results.chosen, normalised=net.normalisation not in AS_THEY_ARE)
    with ExitStack() as writers:
        results.open(writers, net.n_classes)

        def take(place: int, probabilities: Array) -> None:
            results.write(place, pages.image, probabilities)

        average = arguments.average or average
        predict_stack(net, pages, take, arguments.tile, average=average, progress=True)


def _explain(arguments: argparse.Namespace, model: Model, recipe: Recipe, results: Results) -> None:
    """Say what was decided elsewhere: by the network's card, or on the slices of its run."""
    if model.card is not None:
        size = model.card.typical_diameter
        told = f"; made for objects about {size:g} pixels across" if size else ""
        common.note(f"{model.card.name}: {model.card.title}{told}")
    elif recipe.chosen and arguments.threshold is None and results.thresholded:
        common.note(f"threshold {recipe.threshold:g}: {recipe.chosen}")


def _report(arguments: argparse.Namespace, results: Results, recipe: Recipe) -> None:
    """Print what was written, and what is in it."""
    if arguments.json:
        common.as_json(
            {
                "network": str(arguments.run_folder),
                "images": str(arguments.images),
                "slices": len(results.chosen),
                "recipe": recipe.to_dict(),
                **results.summary(),
            }
        )
        return
    named = f": {few(results.image_names)}" if results.stack.named else ""
    for line in results.lines(named):
        print(line)
    out, cells = results.places.probabilities, results.places.given.get("cells")
    if recipe.objects:  # object labels are compared with objects
        if cells is not None:
            common.note(f"next: tinyunet evaluate {shlex.quote(str(cells))} LABELS --instances")
    elif out is not None:
        more = ""
        if len(results.all_classes) > 2:
            more = f" --classes {len(results.all_classes)}"
        elif recipe.chosen and Path(arguments.run_folder).is_dir():
            more = f" --run {shlex.quote(str(arguments.run_folder))}"
        common.note(f"next: tinyunet evaluate {shlex.quote(str(out))} LABELS{more}")


class Pages:
    """The chosen slices of a stack, read one at a time; `image` is the last read."""

    def __init__(self, stack: Stack, chosen: range, normalised: bool) -> None:
        self.stack, self.chosen, self.normalised = stack, chosen, normalised
        self.image: Any = None

    def __len__(self) -> int:
        return len(self.chosen)

    def __iter__(self) -> Iterator[Array]:
        for index in self.chosen:
            name = f"{self.stack.path}: slice {self.stack.names[index]}"
            self.image = self.stack.page(index)
            if self.normalised:
                check_values(self.image, name)
            else:
                check_values(self.image, name, empty="there is nothing in it to find")
            yield self.image
