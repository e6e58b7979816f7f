"""`tinyunet info` and `tinyunet gradcheck`: what is here, and is it right?"""

from tinyunet.cli import common


def add_to(commands):
    """Add the two commands to the parser."""
    parser = commands.add_parser("info", help="version, devices, and the layers of a network")
    parser.add_argument("run_folder", metavar="RUN", nargs="?", help="run folder or weights")
    parser.add_argument("--tile", type=int, help="input size for the table (the run's, or 572)")
    parser.add_argument("--depth", type=int, default=5, help="without RUN (5)")
    parser.add_argument("--base", type=int, default=64, help="without RUN (64)")
    common.add_json(parser)
    parser.set_defaults(run=info)

    parser = commands.add_parser("gradcheck", help="check every gradient on this machine's devices")
    common.add_json(parser)
    parser.set_defaults(run=gradcheck)


def info(arguments):
    """Print version, devices and the table of layers."""
    import os

    import numpy

    import tinyunet
    from tinyunet import geometry
    from tinyunet.arrays import gpu_problem

    architecture, meta = _architecture(arguments)
    tile = arguments.tile or meta.get("tile", 572)
    shape = [architecture[k] for k in ("in_channels", "n_classes", "depth", "base")]
    layers = geometry.layer_table(tile, *shape)
    result = {
        "version": tinyunet.__version__,
        "numpy": numpy.__version__,
        "cpu_cores": os.cpu_count(),
        "gpu": gpu_problem() or "ready",
        **architecture,
        "tile": tile,
        "output": geometry.output_size(tile, architecture["depth"]),
        "parameters": sum(layer["parameters"] for layer in layers),
        "forward_flops": sum(layer["flops"] for layer in layers),
        "training_memory": geometry.training_memory(tile, *shape),
        "layers": layers,
    }
    if arguments.json:
        common.as_json(result)
        return 0
    print(f"tinyunet {result['version']}, numpy {result['numpy']}, {result['cpu_cores']} CPU cores")
    print(f"GPU: {result['gpu']}")
    print(f"\n{'layer':<14}{'output shape':>18}{'parameters':>12}{'GFLOP':>8}{'MB':>8}")
    for layer in layers:
        channels, height, width = layer["shape"]
        print(
            f"{layer['name']:<14}{f'{channels} × {height} × {width}':>18}"
            f"{layer['parameters']:>12,}{layer['flops'] / 1e9:>8.2f}{layer['bytes'] / 1e6:>8.1f}"
        )
    print(
        f"\ntile {tile} → {result['output']}: {result['parameters']:,} parameters, "
        f"{result['forward_flops'] / 1e9:.1f} GFLOP forward, about three times that for a step, "
        f"about {common.size_text(result['training_memory'])} of memory"
    )
    return 0


def _architecture(arguments):
    """Return (architecture, metadata) of RUN, or of a new network with --depth and --base."""
    from tinyunet.checkpoint import load_network
    from tinyunet.cli.predict_command import weights_file

    if arguments.run_folder is None:
        if arguments.base < 1:
            raise ValueError(f"--base {arguments.base} is not at least 1")
        names = {"depth": arguments.depth, "base": arguments.base}
        return {"in_channels": 1, "n_classes": 2, **names}, {}
    net, meta = load_network(weights_file(arguments.run_folder), "cpu")
    return {k: getattr(net, k) for k in ("in_channels", "n_classes", "depth", "base")}, meta


def gradcheck(arguments):
    """Run the checks on every device and print a table of errors; 1 if one is too large."""
    from tinyunet.arrays import gpu_problem
    from tinyunet.checks import LIMIT, all_checks

    devices = ["cpu"] if gpu_problem() else ["cpu", "gpu"]
    rows = [row for device in devices for row in all_checks(device)]
    good = all(row["error"] < LIMIT for row in rows)
    if arguments.json:
        common.as_json({"limit": LIMIT, "passed": good, "checks": rows})
        return 0 if good else 1
    print(f"{'device':<8}{'what':<24}{'gradient':<24}{'relative error':>15}")
    for row in rows:
        verdict = "" if row["error"] < LIMIT else "   WRONG"
        print(
            f"{row['device']:<8}{row['what']:<24}{row['gradient']:<24}"
            f"{row['error']:>15.1e}{verdict}"
        )
    wrong = sum(row["error"] >= LIMIT for row in rows)
    print(
        f"\n{len(rows)} gradients, all within {LIMIT:.0e}"
        if good
        else f"\n{wrong} of {len(rows)} gradients are off by more than {LIMIT:.0e}"
    )
    return 0 if good else 1
