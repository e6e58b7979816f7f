"""`tinyunet export` and `tinyunet import`: networks out of and into other programs' formats."""

import argparse
import warnings
from pathlib import Path
from typing import Any

from tinyunet._text import size_text
from tinyunet.cli import common
from tinyunet.cli.parser import add_command

SUFFIXES = {
    "onnx": (".onnx",),
    "torch": (".pt", ".pth", ".safetensors"),
    "bioimageio": (".zip",),
}
EXPORT_TEXT = """
For ONNX Runtime, PyTorch, or a bioimage.io program such as deepImageJ, ilastik or napari. The
format is that of FILE's ending. Needs `pip install "tinyunet[exchange]"`.
"""
EXPORT_EXAMPLES = (
    ("tinyunet export RUN membranes.onnx", "for ONNX Runtime and the like"),
    (
        "tinyunet export RUN membranes.pt --layout double_conv",
        "for a PyTorch U-Net of that naming",
    ),
)
IMPORT_TEXT = """
Turns the parameters of a PyTorch U-Net of the paper's figure (valid convolutions, 2×2
up-convolutions, no batch normalisation), or of an exported ONNX file, into a file of weights that
`tinyunet predict` takes. Needs `pip install "tinyunet[exchange]"`.
"""
IMPORT_EXAMPLES = (
    (
        "tinyunet import unet.pt --out unet.safetensors",
        "then `tinyunet predict unet.safetensors …`",
    ),
    ("tinyunet import membranes.onnx --out membranes.safetensors", "what `export` wrote"),
)


def add_to(commands: Any) -> None:
    """Add the two commands to the parser."""
    purpose = "write a network in another program's format"
    usage = "RUN FILE [options]"
    parser = add_command(commands, "export", usage, purpose, EXPORT_TEXT, EXPORT_EXAMPLES)
    parser.add_argument(
        "run_folder", metavar="RUN", help="run folder, weights, or a network's name"
    )
    parser.add_argument("out", metavar="FILE", help="must not exist yet")
    parser.add_argument("--to", choices=tuple(SUFFIXES), help="the format (by FILE's ending)")
    parser.add_argument("--weights", choices=("best", "last"), help="of the run (best)")
    parser.add_argument(
        "--layout",
        choices=("tinyunet", "double_conv", "down_path"),
        default="tinyunet",
        help="torch: whose names for the parameters (tinyunet)",
    )
    parser.add_argument(
        "--mirror",
        action="store_true",
        help="onnx: mirror the border in the graph, so that the output has the image's size",
    )
    group = parser.add_argument_group("what a bioimageio package says of the network")
    for flag, default, words in (
        ("--name", "U-Net", "its title"),
        ("--author", "the network's trainer", "who trained it"),
        ("--data", "not stated", "what it was trained on"),
        ("--licence", "MIT", "under which others may use it, as an SPDX name"),
    ):
        group.add_argument(flag, default=default, metavar="TEXT", help=f"{words} ({default})")
    common.add_json(parser)
    parser.set_defaults(run=export)

    purpose = "read a PyTorch or ONNX network of the paper's figure"
    usage = "FILE --out FILE.safetensors [options]"
    parser = add_command(commands, "import", usage, purpose, IMPORT_TEXT, IMPORT_EXAMPLES)
    parser.add_argument("file", metavar="FILE", help=".pt, .pth, .safetensors or .onnx")
    parser.add_argument(
        "--out", required=True, metavar="FILE.safetensors", help="must not exist yet"
    )
    parser.add_argument(
        "--tile", type=int, metavar="N", help="input pixels to note down for predictions and info"
    )
    parser.add_argument(
        "--normalise",
        choices=("image", "compressed", "none"),
        default="image",
        help="how its training's images were: each with mean 0 and standard deviation 1 (image), "
        "that of its square root (compressed), or as the pixels are (none)",
    )
    common.add_json(parser)
    parser.set_defaults(run=import_)


def _new_file(path: str, suffixes: tuple[str, ...], inputs: tuple[str, ...]) -> Path:
    file = Path(common.check_output(path, suffixes, inputs, overwrite=True))
    if file.exists():
        raise FileExistsError(f"{file}: exists already: name a new file")
    return file


def export(arguments: argparse.Namespace) -> int:
    """Export; return the exit code."""
    from tinyunet.networks import find_model
    from tinyunet.training.checkpoint import load_network

    suffix = Path(arguments.out).suffix.lower()
    form = arguments.to or next((f for f, known in SUFFIXES.items() if suffix in known), None)
    if form is None:
        raise ValueError(f"{arguments.out}: which format? give --to {', '.join(SUFFIXES)}")
    out = _new_file(arguments.out, SUFFIXES[form], (arguments.run_folder,))
    weights = find_model(arguments.run_folder, arguments.weights).weights
    net, _ = load_network(weights, "cpu")
    if net.normalisation is None and form != "torch":
        warnings.warn(
            f"{weights} does not say how its training's images were normalised: nor does {out}",
            stacklevel=1,
        )
    if form == "onnx":
        from tinyunet.exchange.onnx_file import export_onnx

        export_onnx(net, out, arguments.mirror)
    elif form == "torch":
        from tinyunet.exchange.torch_file import export_torch

        export_torch(net, out, arguments.layout)
    else:
        from tinyunet.exchange.bioimageio_package import export_bioimageio

        about = {"author": arguments.author, "licence": arguments.licence, "data": arguments.data}
        export_bioimageio(net, out, arguments.name, **about)
    size = out.stat().st_size
    if arguments.json:
        common.as_json({"file": str(out), "bytes": size, "format": form})
    else:
        print(f"{out}: {size_text(size)}, {form}")
    return 0


def import_(arguments: argparse.Namespace) -> int:
    """Import; return the exit code."""
    from tinyunet.nn import UNet
    from tinyunet.training.checkpoint import save_weights

    out = _new_file(arguments.out, (".safetensors",), (arguments.file,))
    if Path(arguments.file).suffix.lower() == ".onnx":
        from tinyunet.exchange.onnx_file import import_onnx

        if not Path(arguments.file).is_file():
            raise FileNotFoundError(f"{arguments.file}: no such file")
        (params, architecture), layout = import_onnx(arguments.file), "onnx"
    else:
        from tinyunet.exchange.torch_file import import_torch

        params, architecture, layout = import_torch(arguments.file)
    net = UNet(**architecture, device="cpu")
    net.load(params)
    net.normalisation = arguments.normalise
    meta = {} if arguments.tile is None else {"tile": arguments.tile}
    if arguments.tile is not None:
        from tinyunet.geometry import check_size

        check_size(arguments.tile, net.depth, "--tile")
    save_weights(out, net, **meta)
    if arguments.json:
        common.as_json({"file": str(out), **architecture, "layout": layout})
    else:
        print(f"{out}: {net!r}, from layout {layout}")
    return 0
