"""`tinyunet info` and `tinyunet gradcheck`: what is here, and is it right?

Lesson: lessons/05-the-u.md.
"""

import argparse
import re
import textwrap
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tinyunet._files import printable
from tinyunet._machine import usable_cores
from tinyunet._text import plural, size_text
from tinyunet.cli import common
from tinyunet.cli.network_card import print_card
from tinyunet.cli.parser import add_command
from tinyunet.networks import Card, find_model

INFO_TEXT = """
Without RUN: this version, the devices, the networks that come with the package, and a table of
layers of a network of --depth and --base. With RUN: how far the run is, its best score, its data,
and its own network. With the name of a network of the package: its card.
"""
INFO_EXAMPLES = (
    ("tinyunet info", "the paper's network: sizes, parameters, memory"),
    ("tinyunet info RUN", "what became of a run, and how to go on with it"),
)
GRADCHECK_TEXT = """
Compares every gradient that is written by hand with differences of the function, and every kernel
with the operation's own text. Run it after changing a layer. Exit code 1 if one is off.
"""
GRADCHECK_EXAMPLES = (
    ("tinyunet gradcheck", "a table of relative errors"),
    ("tinyunet gradcheck --json", "the same for programs"),
)


def add_to(commands: Any) -> None:
    """Add the two commands to the parser.

    Parameters
    ----------
    commands : action
        What ``add_subparsers`` returned.
    """
    purpose = "version, devices, the layers of a network, the state of a run"
    parser = add_command(commands, "info", "[RUN] [options]", purpose, INFO_TEXT, INFO_EXAMPLES)
    parser.add_argument(
        "run_folder", metavar="RUN", nargs="?", help="run folder, weights, or a network's name"
    )
    parser.add_argument(
        "--tile", type=int, metavar="N", help="input pixels of a side (the run's, or 572)"
    )
    parser.add_argument(
        "--depth", type=int, default=5, metavar="N", help="levels of the U, without RUN (5)"
    )
    parser.add_argument(
        "--base", type=int, default=64, metavar="N", help="channels of the first, without RUN (64)"
    )
    common.add_json(parser)
    parser.set_defaults(run=info)

    purpose = "check every gradient and kernel on this machine's devices"
    text, examples = GRADCHECK_TEXT, GRADCHECK_EXAMPLES
    parser = add_command(commands, "gradcheck", "[--json]", purpose, text, examples)
    common.add_json(parser)
    parser.set_defaults(run=gradcheck)


def info(arguments: argparse.Namespace) -> int:
    """Print version, devices, the state of a run, and the table of layers.

    Parameters
    ----------
    arguments : argparse.Namespace
        What was typed.

    Returns
    -------
    int
        The exit code, 0.
    """
    import numpy

    import tinyunet
    from tinyunet import geometry, networks
    from tinyunet.arrays import gpu_problem
    from tinyunet.nn.architecture import SHAPE, layer_table
    from tinyunet.nn.memory import training_memory

    architecture, own_tile, card = _architecture(arguments)
    tile = own_tile if arguments.tile is None else arguments.tile
    geometry.check_size(tile, architecture["depth"], "tile")
    shape = [architecture[name] for name in SHAPE]
    layers = layer_table(tile, *shape)
    result = {
        "version": tinyunet.__version__,
        "numpy": numpy.__version__,
        "cpu_cores": usable_cores(),
        "gpu": gpu_problem() or "ready",
        "run": _run(arguments.run_folder),
        "card": None if card is None else card.about,
        "networks": {name: networks.read_card(name).title for name in networks.names()},
        "gpus": _gpus(),
        **architecture,
        "tile": tile,
        "output": geometry.output_size(tile, architecture["depth"]),
        "parameters": sum(layer["parameters"] for layer in layers),
        "forward_flops": sum(layer["flops"] for layer in layers),
        "training_memory": training_memory(tile, *shape),
        "layers": layers,
    }
    if arguments.json:
        common.as_json(result)
        return 0
    print(
        f"tinyunet {result['version']}, numpy {result['numpy']}, "
        f"{plural(result['cpu_cores'], 'CPU core')}"
    )
    gpus = result["gpus"] or [f"GPU: {result['gpu']}"]
    print(*map(_wrapped, gpus), sep="\n")
    if result["run"] is not None:
        _print_run(result["run"])
    if card is not None:
        print_card(card)
    elif arguments.run_folder is None and result["networks"]:
        print("\nnetworks of the package, for `tinyunet predict`:")
        print(*(f"  {name}: {title}" for name, title in result["networks"].items()), sep="\n")
    _print_layers(result)
    return 0


def _gpus() -> list[str]:
    """A line for each GPU and the path that it would take; none where the kernels are not there."""
    if find_spec("tinyunet.backends") is None:
        return []
    from tinyunet.backends.cuda.report import describe_gpus

    return describe_gpus()


def _wrapped(text: str) -> str:
    """A text in lines of 80; a command between backquotes stays in one, to be copied."""
    whole = re.sub("`[^`]*`", lambda command: command[0].replace(" ", "\0"), text)
    lines = textwrap.fill(whole, 80, subsequent_indent="  ", break_on_hyphens=False)
    return lines.replace("\0", " ")


def _run(folder: str | None) -> dict[str, Any] | None:
    """What there is to say of a run folder; None for a file of weights, or nothing."""
    from tinyunet.report.state import describe_run

    if folder is None or not (Path(folder) / "settings.json").exists():
        return None
    return describe_run(Path(folder))


def _print_run(run: dict[str, Any]) -> None:
    done, steps = run["steps_done"], run["steps"]
    print(f"\nrun {run['run']}: {done:,} of {steps:,} steps", end="")
    print("" if done >= steps else ", not at its end: go on with `tinyunet train … --resume`")
    if run["best"] is not None:
        best = run["best"]
        print(
            f"best validation: {100 * best['pixel_error_rate']:.2f} % of the pixels wrong, loss "
            f"{best['loss']:.4f}, at step {best['step']:,}"
        )
    for line in run["data"]["found"]:
        print(printable(line))
    if run["starts"]:
        first, last = run["starts"][0], run["starts"][-1]
        print(f"started {first.get('date')} with tinyunet {first.get('tinyunet')}", end="")
        print("" if first is last else f", last resumed {last.get('date')}")


def _print_layers(result: dict[str, Any]) -> None:
    print(f"\n{'layer':<14}{'output shape':>18}{'parameters':>12}{'GFLOP':>8}{'MB':>8}")
    for layer in result["layers"]:
        channels, height, width = layer["shape"]
        print(
            f"{layer['name']:<14}{f'{channels} × {height} × {width}':>18}"
            f"{layer['parameters']:>12,}{layer['flops'] / 1e9:>8.2f}{layer['bytes'] / 1e6:>8.1f}"
        )
    print(
        f"\ntile {result['tile']} → {result['output']}: {result['parameters']:,} parameters, "
        f"{result['forward_flops'] / 1e9:.1f} GFLOP forward,\nabout three times that for a step, "
        f"about {size_text(result['training_memory'])} of memory"
    )


def _architecture(arguments: argparse.Namespace) -> tuple[dict[str, int], int, Card | None]:
    """(architecture, tile, card) of RUN, or of a new network with --depth and --base."""
    from tinyunet.nn.architecture import SHAPE
    from tinyunet.training.checkpoint import architecture, load_network

    if arguments.run_folder is None:
        if arguments.base < 1:
            raise ValueError(f"--base {arguments.base} is not at least 1")
        built = {"depth": arguments.depth, "base_channels": arguments.base}
        return {"in_channels": 1, "n_classes": 2, **built}, 572, None
    model = find_model(arguments.run_folder)
    file = model.weights
    net, meta = load_network(file, "cpu")
    built, tile = architecture(net), meta.get("tile", 572)
    if type(tile) is not int:
        raise ValueError(f"{file}: its tile is damaged: {printable(repr(tile))}")
    return {name: built[name] for name in SHAPE}, tile, model.card


def gradcheck(arguments: argparse.Namespace) -> int:
    """Run the checks on every device and print a table of errors.

    Parameters
    ----------
    arguments : argparse.Namespace
        What was typed.

    Returns
    -------
    int
        The exit code: 1 if an error is too large.
    """
    from tinyunet.arrays import gpu_problem
    from tinyunet.nn.gradcheck_table import LIMIT, all_checks

    devices = ["cpu"] if gpu_problem() else ["cpu", "gpu"]
    rows = [row | {"limit": LIMIT} for device in devices for row in all_checks(device)]
    kernels = [row for device in devices for row in _kernel_checks(device)]
    wrong = sum(row["error"] >= row["limit"] for row in rows + kernels)
    if arguments.json:
        common.as_json({"passed": wrong == 0, "checks": rows, "kernels": kernels})
        return 1 if wrong else 0
    print("Gradients in float64, by hand against differences:")
    _print_checks(rows)
    if kernels:
        print("\nKernels in float32 against the operations' own texts in float64:")
        _print_checks(kernels)
    if wrong:
        print(f"\n{wrong} of {len(rows) + len(kernels)} are off by more than their limit")
        return 1
    told = f"\n{len(rows)} gradients, all within {LIMIT:.0e}"
    if kernels:
        told += f"; {plural(len(kernels), 'row')} of kernels, all within {kernels[0]['limit']:.0e}"
    print(told)
    return 0


def _kernel_checks(device: str) -> list[dict[str, Any]]:
    """The rows of a device's kernels; none where there are no kernels."""
    if find_spec("tinyunet.backends") is None:
        return []
    from tinyunet.backends.equality import all_kernel_checks

    return all_kernel_checks(device)


def _print_checks(rows: list[dict[str, Any]]) -> None:
    print(f"{'device':<8}{'what':<27}{'gradient':<22}{'relative error':>15}")
    for row in rows:
        verdict = "" if row["error"] < row["limit"] else "   WRONG"
        print(
            f"{row['device']:<8}{row['what']:<27}{row['gradient']:<22}"
            f"{row['error']:>15.1e}{verdict}"
        )
