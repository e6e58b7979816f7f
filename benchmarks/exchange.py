"""A network in every format that it can leave in: size, time, and how equal its answers are.

    python benchmarks/exchange.py [RUN] [--depth 5 --base 16]

RUN: a run folder, a file of weights, or the name of a network that comes with the package; without
it a network that is not trained. Every file is written, read back where `tinyunet import` can, and
run by the format's own engine: ONNX Runtime, PyTorch (the networks whose names each layout has),
bioimageio.core's `test_model`. Differences are of probabilities, the largest of several odd sizes.
Needs `pip install ".[exchange]" onnxruntime bioimageio.core`.
"""

import argparse
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

from tinyunet import UNet, geometry
from tinyunet.exchange.bioimageio_package import export_bioimageio
from tinyunet.exchange.onnx_file import export_onnx, import_onnx
from tinyunet.exchange.torch_file import export_torch, import_torch

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests" / "exchange")]


def images(net, mirror):
    """Return images (1, C, H, W) of sizes that fit, height and width unlike."""
    step, margin = geometry.scale(net.depth), geometry.margin(net.depth)
    smallest = geometry.smallest_size(net.depth)
    if mirror:  # the graph adds the margin itself, and mirrors no more than there is
        smallest = smallest - 2 * margin + step * -(-2 * margin // step)
    rng = np.random.default_rng(0)
    for rows, columns in ((1, 4), (5, 2), (3, 3)):
        sizes = (smallest + rows * step, smallest + columns * step)
        yield rng.standard_normal((1, net.in_channels, *sizes), dtype=np.float32)


def wanted(net, x, mirror):
    """Return the network's own probabilities."""
    margin = geometry.margin(net.depth) if mirror else 0
    return net.predict_proba(np.pad(x, [(0, 0)] * 2 + [(margin, margin)] * 2, mode="reflect"))


def onnx_difference(net, file, mirror):
    """Return the largest difference of ONNX Runtime's probabilities, and what was compared."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    differences = [
        np.abs(session.run(["probabilities"], {"image": x})[0] - wanted(net, x, mirror)).max()
        for x in images(net, mirror)
    ]
    return f"{max(differences):.1e} from ONNX Runtime {onnxruntime.__version__}"


def torch_difference(net, file, layout):
    """Return the largest difference of PyTorch's probabilities in the layout's own network."""
    import torch
    from public_unets import DoubleConvUNet, DownPathUNet
    from torch_unet import torch_unet

    made = {"tinyunet": torch_unet, "double_conv": DoubleConvUNet, "down_path": DownPathUNet}
    model = made[layout](net.in_channels, net.n_classes, net.depth, net.base_channels)
    model.load_state_dict(torch.load(file, weights_only=True))
    with torch.no_grad():
        differences = [
            np.abs(model(torch.from_numpy(x)).softmax(1).numpy() - wanted(net, x, False)).max()
            for x in images(net, False)
        ]
    return f"{max(differences):.1e} from PyTorch {torch.__version__}"


def package_status(net, file, _):
    """Return what bioimageio.core says of a package when it has run its test."""
    import bioimageio.core

    return (
        f"bioimageio.core {bioimageio.core.__version__}: {bioimageio.core.test_model(file).status}"
    )


def came_back(net, read):
    """Return whether `read` gives the network's parameters, bit for bit."""
    params = read()[0]
    same = all(np.array_equal(params[name], value) for name, value in net.params.items())
    return "bit for bit" if same and len(params) == len(net.params) else "NOT EQUAL"


def network(options):
    """Return the network to export."""
    if options.run is None:
        return UNet(depth=options.depth, base_channels=options.base, seed=1, device="cpu")
    from tinyunet.networks import find_model
    from tinyunet.training.checkpoint import load_network

    return load_network(find_model(options.run, None).weights, "cpu")[0]


def main():
    """Print a row a format."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", nargs="?", metavar="RUN")
    parser.add_argument("--depth", type=int, default=5)
    parser.add_argument("--base", type=int, default=16)
    net = network(parser.parse_args())
    print(f"{net!r}\n")
    forms = [
        ("net.onnx", export_onnx, onnx_difference, False),
        ("mirrored.onnx", export_onnx, onnx_difference, True),
        *(
            (f"{layout}.pt", export_torch, torch_difference, layout)
            for layout in ("tinyunet", "double_conv", "down_path")
        ),
        ("net.safetensors", export_torch, None, "tinyunet"),
        ("net.zip", lambda net, file, _: export_bioimageio(net, file), package_status, None),
    ]
    with tempfile.TemporaryDirectory() as folder:
        for name, export, check, option in forms:
            file = Path(folder) / name
            begun = time.perf_counter()
            try:
                export(net, file, option)
            except ValueError as error:  # a format that has no step for this network's images
                print(f"| {name:16} | refused: {error} |")
                continue
            seconds = time.perf_counter() - begun
            back = "no import"
            if file.suffix != ".zip":
                read = import_onnx if file.suffix == ".onnx" else import_torch
                back = came_back(net, lambda file=file, read=read: read(file))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of the libraries, about themselves
                result = check(net, file, option) if check else ""
            size = file.stat().st_size / 1e6
            print(f"| {name:16} | {size:6.2f} MB | {seconds:5.2f} s | {back:11} | {result} |")


if __name__ == "__main__":
    main()
