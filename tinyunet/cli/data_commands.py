"""`tinyunet augment`, `weightmap` and `download`: files in, pictures out.

Lesson: lessons/09-elastic-deformation.md.
"""

import argparse
from typing import Any

import numpy as np

from tinyunet.arrays import Array
from tinyunet.cli import common
from tinyunet.cli.parser import add_command

AUGMENT_TEXT = """
A picture of one slice and of what training makes of it: turned, shifted, flipped and deformed
elastically, with another contrast, with a grid that shows where every pixel came from, and with the
labels that go the same way. Look at it before a long run: deformations that no cell would make
teach nothing.
"""
AUGMENT_EXAMPLES = (
    ("tinyunet augment images.tif labels.tif --out sheet.png", "four samples of the first slice"),
    (
        "tinyunet augment images.tif labels.tif --out sheet.png --slice 3 --no-elastic",
        "of another slice, without elastic deformation",
    ),
)
WEIGHTMAP_TEXT = """
The weight of each pixel in the loss: classes balanced, and the gaps between cells that touch or
nearly touch weighted most. As a picture beside the labels (.png), or as float32 values, a page a
slice (.tif).
"""
WEIGHTMAP_EXAMPLES = (
    ("tinyunet weightmap labels.tif --out weights.png", "a picture of the first slice"),
    (
        "tinyunet weightmap man_seg000.tif --instances --w0 5 --out weights.tif",
        "values for numbered cells, with half of the paper's border weight",
    ),
)
DOWNLOAD_TEXT = """
Fetches the public images of a challenge, file by file, checks each against its SHA-256, and writes
them as the stacks that the challenge ships. Files that an earlier try fetched are not fetched
again; stacks that are there are not replaced. Needs a network and `pip install
"tinyunet[download]"`.
"""
DOWNLOAD_EXAMPLES = (
    ("tinyunet download isbi2012", "membranes: 30 slices with labels, 30 without, in isbi2012/"),
    ("tinyunet download isbi2012 --out data", "into another folder"),
)
PARTS = (
    ("elastic", "no elastic deformation: what flips and turns alone look like"),
    ("rotation", "quarter turns only: for images whose axes mean something"),
    ("intensity", "no change of contrast and brightness: for calibrated values"),
)


def add_to(commands: Any) -> None:
    """Add the three commands to the parser."""
    purpose = "draw a sheet of what the network will see"
    usage = "IMAGE LABELS --out FILE.png [options]"
    parser = add_command(commands, "augment", usage, purpose, AUGMENT_TEXT, AUGMENT_EXAMPLES)
    group = parser.add_argument_group("data")
    group.add_argument("image", metavar="IMAGE", help="TIFF stack, picture, or folder")
    group.add_argument("labels", metavar="LABELS", help="of the same slices")
    group.add_argument("--slice", type=int, default=0, metavar="N", help="which, from 0 (0)")
    common.add_labels(group)
    group = parser.add_argument_group("transforms")
    group.add_argument("--samples", type=int, default=4, metavar="N", help="how many, 1 to 8 (4)")
    group.add_argument("--seed", type=int, default=0, metavar="N", help="of the random draws (0)")
    for part, words in PARTS:
        group.add_argument(f"--no-{part}", dest=part, action="store_false", help=words)
    group.add_argument(  # its name in version 1.0
        "--no-grey", dest="intensity", action="store_false", help=argparse.SUPPRESS
    )
    _add_out(parser, "FILE.png", "the picture")
    parser.set_defaults(run=augment)

    purpose = "draw the weight map of equation 2, or write its values"
    usage = "LABELS --out FILE [options]"
    parser = add_command(commands, "weightmap", usage, purpose, WEIGHTMAP_TEXT, WEIGHTMAP_EXAMPLES)
    group = parser.add_argument_group("data")
    group.add_argument("labels", metavar="LABELS", help="masks, class numbers or object numbers")
    group.add_argument(
        "--slice", type=int, default=0, metavar="N", help="which is drawn, from 0 (0)"
    )
    common.add_labels(group, channels=False)
    group = parser.add_argument_group("equation 2")
    for flag, kind, metavar, default, words in (
        ("--w0", float, "X", 10.0, "weight between two touching cells, on top of 1"),
        ("--sigma", float, "X", 5.0, "how fast it falls off with the distance, in pixels"),
        ("--border", int, "N", 2, "pixels of background cut between touching cells"),
    ):
        told = f"{words} ({default:g})"
        group.add_argument(flag, type=kind, default=default, metavar=metavar, help=told)
    _add_out(parser, "FILE", ".png: a picture; .tif: the values")
    parser.set_defaults(run=weightmap)

    purpose = "fetch a challenge's images"
    usage = "{isbi2012} [--out DIR]"
    parser = add_command(commands, "download", usage, purpose, DOWNLOAD_TEXT, DOWNLOAD_EXAMPLES)
    parser.add_argument("dataset", choices=["isbi2012"], help="which challenge")
    parser.add_argument("--out", default="isbi2012", metavar="DIR", help="folder (isbi2012)")
    common.add_json(parser)
    parser.set_defaults(run=download)


def _add_out(parser: Any, metavar: str, words: str) -> None:
    group = parser.add_argument_group("output")
    group.add_argument("--out", required=True, metavar=metavar, help=words)
    common.add_overwrite(group)
    common.add_json(group)


def _slice_of(pages: list, index: int, path: str) -> Any:
    if not 0 <= index < len(pages):
        raise ValueError(f"--slice {index}: {path} has slices 0 to {len(pages) - 1}")
    return pages[index]


def augment(arguments: argparse.Namespace) -> int:
    """Write the sheet of transforms."""
    from tinyunet.augment import random_transform, source_coordinates
    from tinyunet.images import read_pair
    from tinyunet.plot import plot_augmented

    out = common.check_output(
        arguments.out, (".png",), (arguments.image, arguments.labels), arguments.overwrite
    )
    if not 1 <= arguments.samples <= 8:
        raise ValueError(f"--samples {arguments.samples} is not 1 to 8")
    if arguments.seed < 0:
        raise ValueError(f"--seed {arguments.seed} is not at least 0")
    dataset = read_pair(
        arguments.image,
        arguments.labels,
        in_channels=arguments.channels,
        **common.label_options(arguments),
    )
    _slice_of(dataset.images, arguments.slice, arguments.image)
    image, labels = dataset.images[arguments.slice], dataset.labels[arguments.slice]
    if labels is None:
        raise ValueError(f"--slice {arguments.slice}: this frame has no labels")
    rng = np.random.default_rng(arguments.seed)
    samples = [("original", image[0], labels, np.indices(labels.shape))]
    for number in range(arguments.samples):
        sample = random_transform(
            image,
            labels,
            rng=rng,
            elastic=arguments.elastic,
            rotation=arguments.rotation,
            quarter_turns=not arguments.rotation,
            intensity=arguments.intensity,
            intensity_range=(-1.0, 1.0),
        )
        source = source_coordinates(sample.transform)
        samples.append((f"sample {number + 1}", np.asarray(sample.image)[0], sample.labels, source))
    plot_augmented(samples, out)
    _tell(arguments, {"picture": str(out), "samples": arguments.samples})
    return 0


def weightmap(arguments: argparse.Namespace) -> int:
    """Write the weight map, as a picture beside its labels or as float32 pages."""
    from tinyunet.images import StackWriter, read_labels
    from tinyunet.images.read import open_labels
    from tinyunet.plot import plot_weight_map
    from tinyunet.weight_map.equation2 import check_border_term
    from tinyunet.weight_map.separate import check_width

    out = common.check_output(
        arguments.out, (".png", ".tif", ".tiff"), (arguments.labels,), arguments.overwrite
    )
    check_border_term(arguments.w0, arguments.sigma)
    check_width(arguments.border)
    options = common.label_options(arguments)
    if arguments.classes is None:
        options["n_classes"] = 2**31  # numbers as they are: a mask, or object numbers
    pages = read_labels(arguments.labels, **options)
    _slice_of(pages, arguments.slice, arguments.labels)
    stack, numbers = open_labels(arguments.labels)
    instances = _hold_objects(pages, numbers is not None, arguments)
    if out.suffix.lower() == ".png":
        plot_weight_map(*_weights(pages[arguments.slice], instances, arguments), out)
    else:
        names = stack.names if stack.named else None
        one_size = stack.shape is not None
        with StackWriter(out, "float32", len(pages), names, one_size) as writer:
            for page in pages:
                writer.append(_weights(page, instances, arguments)[1])
    _tell(arguments, {"weight_map": str(out), "slices": len(pages)})
    return 0


def _tell(arguments: argparse.Namespace, result: dict[str, Any]) -> None:
    """Print the file, or all of the result as JSON."""
    if arguments.json:
        common.as_json(result)
    else:
        print(next(iter(result.values())))


def _hold_objects(pages: list[Array], man_seg: bool, arguments: argparse.Namespace) -> bool:
    """Whether the pages hold objects, not masks: one alone may hold few values by chance."""
    from tinyunet.images.instances import hold_objects
    from tinyunet.images.labels import IGNORED

    if arguments.classes is not None:
        return False  # as in training, every class but 0 is cell
    if arguments.instances or man_seg:
        return True
    try:
        return hold_objects(*(np.where(page == IGNORED, 0, page) for page in pages))
    except ValueError as error:  # in the words of the command line
        text = str(error).replace("pass instances=True", "give --instances")
        raise ValueError(f"{arguments.labels}: {text}") from None


def _weights(page: Array, instances: bool, arguments: argparse.Namespace) -> tuple[Array, Array]:
    """Return (cells cut apart, weight map) of one label slice."""
    from tinyunet.images.labels import IGNORED
    from tinyunet.weight_map import find_instances, separate_touching, weight_map

    valid = page != IGNORED
    cells = find_instances(np.where(valid, page, 0), instances)
    cells = separate_touching(cells, arguments.border)
    valid = None if valid.all() else valid
    weights = weight_map(cells, arguments.w0, arguments.sigma, instances=True, valid=valid)
    return cells, weights


def download(arguments: argparse.Namespace) -> int:
    """Fetch the challenge's slices and write them as its stacks."""
    from tinyunet.images.download import download_isbi2012

    paths = download_isbi2012(arguments.out, report=common.note)
    if arguments.json:
        common.as_json({name: str(path) for name, path in paths.items()})
        return 0
    for path in paths.values():
        print(path)
    return 0
