"""`tinyunet augment`, `weightmap` and `download`: files in, pictures out."""

import argparse
from typing import Any

import numpy as np

from tinyunet.arrays import Array
from tinyunet.cli import common


def add_to(commands: Any) -> None:
    """Add the three commands to the parser."""
    parser = commands.add_parser("augment", help="draw a sheet of what the network will see")
    parser.add_argument("image", metavar="IMAGE")
    parser.add_argument("labels", metavar="LABELS")
    parser.add_argument("--out", required=True, metavar="FILE.png")
    parser.add_argument("--slice", type=int, default=0, help="of the stack (0)")
    parser.add_argument("--samples", type=int, default=4, help="how many transforms (4)")
    parser.add_argument("--seed", type=int, default=0)
    for part in ("elastic", "rotation", "grey"):
        parser.add_argument(f"--no-{part}", dest=part, action="store_false")
    common.add_labels(parser)
    parser.set_defaults(run=augment)

    parser = commands.add_parser("weightmap", help="draw the weight map of equation 2")
    parser.add_argument("labels", metavar="LABELS")
    parser.add_argument("--out", required=True, metavar="FILE", help=".png: picture; .tif: values")
    parser.add_argument("--slice", type=int, default=0, help="of the stack, for a picture (0)")
    parser.add_argument("--w0", type=float, default=10.0)
    parser.add_argument("--sigma", type=float, default=5.0)
    parser.add_argument("--border", type=int, default=2, help="cut between touching cells (2)")
    common.add_labels(parser, channels=False)
    parser.set_defaults(run=weightmap)

    parser = commands.add_parser("download", help="fetch a challenge's images")
    parser.add_argument("dataset", choices=["isbi2012"])
    parser.add_argument("--out", default="isbi2012", metavar="DIR", help="folder (isbi2012)")
    parser.set_defaults(run=download)


def _slice_of(pages: list, index: int, path: str) -> Any:
    if not 0 <= index < len(pages):
        raise ValueError(f"--slice {index}: {path} has slices 0 to {len(pages) - 1}")
    return pages[index]


def augment(arguments: argparse.Namespace) -> int:
    """Write the sheet of transforms."""
    from tinyunet.augment import random_transform, source_coordinates
    from tinyunet.images import read_pair
    from tinyunet.plot import plot_augmented

    out = common.check_output(arguments.out, (".png",), (arguments.image, arguments.labels))
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
            intensity=arguments.grey,
            intensity_range=(-1.0, 1.0),
        )
        source = source_coordinates(sample.transform)
        samples.append((f"sample {number + 1}", np.asarray(sample.image)[0], sample.labels, source))
    print(plot_augmented(samples, out))
    return 0


def weightmap(arguments: argparse.Namespace) -> int:
    """Write the weight map, as a picture beside its labels or as float32 pages."""
    from tinyunet.images import StackWriter, read_labels
    from tinyunet.images.read import open_labels
    from tinyunet.plot import plot_weight_map

    out = common.check_output(arguments.out, (".png", ".tif", ".tiff"), (arguments.labels,))
    options = common.label_options(arguments)
    if arguments.classes is None:
        options["n_classes"] = 2**31  # numbers as they are: a mask, or object numbers
    pages = read_labels(arguments.labels, **options)
    _slice_of(pages, arguments.slice, arguments.labels)
    if out.suffix == ".png":
        plot_weight_map(*_weights(pages[arguments.slice], arguments), out)
    else:
        stack, _ = open_labels(arguments.labels)
        names = stack.names if stack.named else None
        one_size = stack.shape is not None
        with StackWriter(out, "float32", len(pages), names, one_size) as writer:
            for page in pages:
                writer.append(_weights(page, arguments)[1])
    print(out)
    return 0


def _weights(page: Array, arguments: argparse.Namespace) -> tuple[Array, Array]:
    """Return (cells cut apart, weight map) of one label slice."""
    from tinyunet.images.labels import IGNORED
    from tinyunet.weight_map import find_instances, separate_touching, weight_map

    valid = page != IGNORED
    page = np.where(valid, page, 0)
    if arguments.classes is not None:
        page = page > 0  # as in training, every class but 0 is cell
    cells = find_instances(page, True if arguments.instances else None)
    cells = separate_touching(cells, arguments.border)
    valid = None if valid.all() else valid
    weights = weight_map(cells, arguments.w0, arguments.sigma, instances=True, valid=valid)
    return cells, weights


def download(arguments: argparse.Namespace) -> int:
    """Fetch the challenge's slices and write them as its stacks."""
    from tinyunet.images.download import download_isbi2012

    for path in download_isbi2012(arguments.out, report=common.note).values():
        print(path)
    return 0
