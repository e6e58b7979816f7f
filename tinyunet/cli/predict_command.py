"""`tinyunet predict`: images of any size to probabilities, slice by slice, or to cells."""

import argparse
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from tinyunet.arrays import Array
from tinyunet.cli import common, predict_volume
from tinyunet.geometry import check_size
from tinyunet.images import FolderWriter, Stack, StackWriter, normalise, open_stack
from tinyunet.images._text import few
from tinyunet.images.ctc import result_name
from tinyunet.nn.unet import UNet

TIFF = (".tif", ".tiff")


def add_to(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "predict", help="segment images of any size with a trained network"
    )
    parser.add_argument("run_folder", metavar="RUN", help="run folder or .safetensors file")
    parser.add_argument("images", metavar="IMAGES", help="TIFF stack, image, folder, CTC sequence")
    parser.add_argument(
        "--out",
        required=True,
        metavar="FILE.tif|FOLDER",
        help="probabilities of class 1 (more than 2 classes: class numbers): a page a slice, or in "
        "a folder a file a slice, named as its image",
    )
    parser.add_argument(
        "--cells",
        metavar="FOLDER",
        help="also write cells, 16 bit, one number a cell: files named as the images, mask000.tif "
        "… for the frames of a sequence and the pages of a stack",
    )
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
    predict_volume.add_options(parser)
    common.add_device(parser)
    parser.set_defaults(run=run, default=parser.get_default)


def weights_file(path: str | Path, which: str | None = None) -> Path:
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


def run(arguments: argparse.Namespace) -> int:
    """Predict; return the exit code."""
    from tinyunet.training.checkpoint import load_network

    common.use_threads(arguments)
    if predict_volume.is_volume(arguments.images):
        return predict_volume.run(arguments, arguments.default)
    predict_volume.check_no_scheduler(arguments)
    out, cells = _outputs(arguments)
    net, _ = load_network(weights_file(arguments.run_folder, arguments.weights), arguments.device)
    _check_numbers(arguments, net)
    stack = open_stack(arguments.images, net.in_channels)
    first, end = arguments.slices or (0, len(stack))
    if end > len(stack):
        raise ValueError(f"slices {first}:{end} asked, {arguments.images} has {len(stack)}")
    _check_finite(stack, range(first, end))
    names = stack.names[first:end]
    count = _predict(arguments, net, stack, range(first, end), out, cells)
    print(f"{out}: {end - first} slices" + (f": {few(names)}" if stack.named else ""))
    if cells is not None:
        print(f"{cells}: {count} cells in {end - first} frames")
    return 0


def _outputs(arguments: argparse.Namespace) -> tuple[Path, Path | None]:
    """Return the paths of --out and --cells, with all that is wrong with them said now."""
    inputs = arguments.run_folder, arguments.images
    out = Path(arguments.out)
    if out.suffix.lower() in TIFF:
        common.check_output(out, TIFF, inputs)
    elif out.suffix and not out.is_dir():
        raise ValueError(f"{out}: must end in .tif or .tiff, or be a folder, without an ending")
    else:
        common.check_folder(arguments.out, inputs)
    if arguments.cells is None:
        return out, None
    for name in ("min_size", "border", "grow"):
        if getattr(arguments, name) < 0:
            flag = "--" + name.replace("_", "-")
            raise ValueError(f"{flag} {getattr(arguments, name)} is not at least 0")
    if not 0 <= arguments.threshold < 1:
        raise ValueError(f"--threshold {arguments.threshold} is not in [0, 1)")
    cells = common.check_folder(arguments.cells, inputs)
    if cells.resolve() == out.resolve():
        raise ValueError(f"--out and --cells are both {out}: name two places")
    return out, cells


def _check_numbers(arguments: argparse.Namespace, net: UNet) -> None:
    if arguments.tile is not None:
        check_size(arguments.tile, net.depth, "--tile")
    if not 1 <= arguments.average <= 8:
        raise ValueError(f"--average {arguments.average} is not 1 to 8")


def _check_finite(stack: Stack, chosen: range) -> None:
    """Look for NaN before the work, not in the middle of it: a page that has some is refused."""
    for index in chosen:
        if stack.dtypes[index].kind == "f":
            stack.page(index)


def _predict(
    arguments: argparse.Namespace,
    net: UNet,
    stack: Stack,
    chosen: range,
    out: Path,
    cells: Path | None,
) -> int:
    """Predict and write the chosen slices; return the number of cells."""
    from tinyunet.inference.predict import predict_stack

    names, found = [stack.names[i] for i in chosen], []
    with ExitStack() as writers:
        write = _writer(writers, out, stack, chosen)
        folder = None
        if cells is not None:
            folder = writers.enter_context(FolderWriter(cells, np.uint16))

        def take(index: int, probabilities: Array) -> None:
            if net.n_classes == 2:
                write(names[index], probabilities[1])
            else:
                write(names[index], probabilities.argmax(axis=0).astype(np.uint8))
            if folder is not None:
                labels = _cells(arguments, probabilities)
                folder.append(_cells_name(names[index], stack.named), labels)
                found.append(int(labels.max()))

        pages = Pages(stack, chosen)
        predict_stack(net, pages, take, arguments.tile, average=arguments.average, progress=True)
    return sum(found)


def _writer(
    writers: ExitStack, out: Path, stack: Stack, chosen: range
) -> Callable[[str, Array], None]:
    """Open what --out means; return a function of the slice's name and its page."""
    if out.suffix.lower() not in TIFF:
        return writers.enter_context(FolderWriter(out)).append
    sizes = {stack.sizes[i] for i in chosen}
    if len(sizes) > 1:
        common.note(
            f"{out}: its pages will differ in size, as the images do; some programs show only the "
            "first: a folder as --out takes one file a slice"
        )
    names = [stack.names[i] for i in chosen] if stack.named else None
    writer = writers.enter_context(StackWriter(out, names=names, one_size=len(sizes) == 1))
    return lambda _, page: writer.append(page)


def _cells(arguments: argparse.Namespace, probabilities: Array) -> Array:
    from tinyunet.inference.postprocess import probabilities_to_cells

    return probabilities_to_cells(
        1 - probabilities[0],
        threshold=arguments.threshold,
        min_size=arguments.min_size,
        grow=arguments.grow,
        border=arguments.border,
    )


def _cells_name(name: str, named: bool) -> str:
    """mask0007 for frame t0007 and mask007 for page 7; all other files keep their names."""
    return result_name(name) if named else f"mask{int(name):03d}"


class Pages:
    """The chosen slices of a stack, read and normalised one at a time."""

    def __init__(self, stack: Stack, chosen: range) -> None:
        self.stack, self.chosen = stack, chosen

    def __len__(self) -> int:
        return len(self.chosen)

    def __iter__(self) -> Iterator[Array]:
        for index in self.chosen:
            name = f"{self.stack.path}: slice {self.stack.names[index]}"
            yield normalise(self.stack.page(index), name)
