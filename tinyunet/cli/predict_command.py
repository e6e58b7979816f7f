"""`tinyunet predict`: images of any size to probabilities, slice by slice, or to cells."""

import os
import secrets
import shutil
from pathlib import Path

import numpy as np

from tinyunet.cli import common
from tinyunet.geometry import check_size


def add_to(commands):
    """Add the command to the parser."""
    parser = commands.add_parser(
        "predict", help="segment images of any size with a trained network"
    )
    parser.add_argument("run_folder", metavar="RUN", help="run folder or .safetensors file")
    parser.add_argument("images", metavar="IMAGES", help="TIFF stack, image, folder, CTC sequence")
    parser.add_argument(
        "--out",
        required=True,
        metavar="FILE.tif",
        help="probabilities of class 1 (more than 2 classes: class numbers), a page a slice",
    )
    parser.add_argument("--cells", metavar="FOLDER", help="also write cells as mask000.tif … there")
    parser.add_argument(
        "--threshold", type=float, default=0.5, metavar="P", help="of a cell's probability (0.5)"
    )
    parser.add_argument("--min-size", type=int, default=20, help="smallest cell in pixels (20)")
    parser.add_argument(
        "--border", type=int, default=2, help="width of a gap given back to its two cells (2)"
    )
    parser.add_argument("--grow", type=int, default=0, help="pixels that cells grow all round (0)")
    parser.add_argument("--tile", type=int, help="input size of the tiles (by free memory)")
    parser.add_argument(
        "--average", type=int, default=1, help="turned and flipped versions, 1 to 8"
    )
    parser.add_argument("--slices", type=common.slice_range, metavar="A:B", help="only these")
    parser.add_argument(
        "--weights", choices=("best", "last"), help="of the run (best if it has one)"
    )
    common.add_device(parser)
    parser.set_defaults(run=run)


def weights_file(path, which=None):
    """Return the file of weights that RUN means."""
    path = Path(path)
    if path.is_file():
        return path
    if not path.is_dir():
        raise FileNotFoundError(f"{path}: no such run folder or file of weights")
    names = ["best", "last"] if which is None else [which]
    for name in names:
        if (path / f"{name}.safetensors").is_file():
            return path / f"{name}.safetensors"
    raise FileNotFoundError(f"{path}: holds no {' or '.join(n + '.safetensors' for n in names)}")


def run(arguments):
    """Predict; return the exit code."""
    from tinyunet.checkpoint import load_network
    from tinyunet.data import StackWriter, normalise, open_stack
    from tinyunet.postprocess import probabilities_to_cells
    from tinyunet.predict import predict_stack

    common.use_threads(arguments)
    inputs = arguments.run_folder, arguments.images
    out = common.check_output(arguments.out, (".tif", ".tiff"), inputs)
    cells = None if arguments.cells is None else _cells_folder(arguments)
    net, _ = load_network(weights_file(arguments.run_folder, arguments.weights), arguments.device)
    _check_numbers(arguments, net)
    stack = open_stack(arguments.images, net.in_channels)
    first, end = arguments.slices or (0, len(stack))
    if end > len(stack):
        raise ValueError(f"slices {first}:{end} asked, {arguments.images} has {len(stack)}")
    found = []

    with StackWriter(out) as writer:

        def write(_, probabilities):
            if net.n_classes == 2:
                writer.append(probabilities[1])
            else:
                writer.append(probabilities.argmax(axis=0).astype(np.uint8))
            if cells is not None:
                found.append(
                    probabilities_to_cells(
                        1 - probabilities[0],
                        threshold=arguments.threshold,
                        min_size=arguments.min_size,
                        grow=arguments.grow,
                        border=arguments.border,
                    )
                )

        pages = Pages(stack, first, end, normalise)
        predict_stack(net, pages, write, arguments.tile, average=arguments.average, progress=True)
    print(f"{out}: {end - first} slices")
    if cells is not None:
        write_cells(cells, found, first)
    return 0


def _check_numbers(arguments, net):
    if arguments.tile is not None:
        check_size(arguments.tile, net.depth, "--tile")
    if not 1 <= arguments.average <= 8:
        raise ValueError(f"--average {arguments.average} is not 1 to 8")


def _cells_folder(arguments):
    """Return the folder for the cells, with all that is wrong with it said now."""
    cells = Path(arguments.cells)
    if cells.exists() and (not cells.is_dir() or any(cells.iterdir())):
        raise FileExistsError(f"{cells}: is a file or not empty: name a new folder for the cells")
    if not cells.parent.is_dir():
        raise FileNotFoundError(f"{cells.parent}: no such folder to make {cells.name} in")
    for name in ("min_size", "border", "grow"):
        if getattr(arguments, name) < 0:
            flag = "--" + name.replace("_", "-")
            raise ValueError(f"{flag} {getattr(arguments, name)} is not at least 0")
    if not 0 <= arguments.threshold < 1:
        raise ValueError(f"--threshold {arguments.threshold} is not in [0, 1)")
    return cells


class Pages:
    """The slices `first` to `end` − 1 of a stack, read and normalised one at a time."""

    def __init__(self, stack, first, end, normalise):
        self.stack, self.range, self.normalise = stack, range(first, end), normalise

    def __len__(self):
        return len(self.range)

    def __iter__(self):
        for index in self.range:
            yield self.normalise(self.stack.page(index), self.stack.names[index])


def write_cells(folder, label_maps, first):
    """Write the label maps as the Cell Tracking Challenge wants them: all of them or none.

    They grow in a hidden folder beside, which takes the name once it is complete.
    """
    from tinyunet.data import write_label_frames

    final = folder.resolve()
    hidden = final.with_name(f".{final.name}.{secrets.token_hex(4)}.part")
    try:
        write_label_frames(hidden, label_maps, first)
        os.replace(hidden, final)  # which is not there, or empty
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
    print(f"{folder}: {sum(int(m.max()) for m in label_maps)} cells in {len(label_maps)} frames")
