"""Does the GPU compute what the CPU computes, and twice the same? Four checks, then their figures.

    python benchmarks/gpu_agreement.py [--steps 50] [--json FILE]

The losses of a small network over some steps: CPU and GPU agree to 1e-3, two runs on the GPU agree
bit for bit, a recorded step is the step done one by one bit for bit, and the gradients of each
precision lie near those of float64 on the CPU. Needs a GPU and CuPy.
"""

import argparse
import json
import sys

import numpy as np

from tinyunet.arrays import gpu_problem, to_numpy
from tinyunet.backends.cuda.graph_step import GraphStep
from tinyunet.geometry import output_size
from tinyunet.nn.precision import precision as use_precision
from tinyunet.nn.sgd import SGD
from tinyunet.nn.unet import UNet
from tinyunet.training.step import training_gradients

TILE = 204
OPTIONS = {"base_channels": 8, "depth": 4, "seed": 3}
LIMITS = {"float32": 5e-3, "tf32": 3e-2, "bf16": 3e-1}


def batches(count):
    """Yield tiles whose labels can be learned from them."""
    rng = np.random.default_rng(11)
    margin = (TILE - output_size(TILE, OPTIONS["depth"])) // 2
    for _ in range(count):
        x = rng.standard_normal((1, 1, TILE, TILE), dtype=np.float32)
        inner = x[:, 0, margin:-margin, margin:-margin]
        yield x, (inner > 0).astype(np.int64), np.ones(inner.shape, np.float32)


def train(device, steps, recorded=False):
    """Return the losses of `steps` steps and the parameters after them."""
    net = UNet(device=device, **OPTIONS)
    sgd = SGD(net.params, lr=1e-3, momentum=0.9)
    graph = GraphStep(net, sgd, (1, 1, TILE, TILE)) if recorded else None
    losses = []
    for batch in batches(steps):
        if recorded:
            losses.append(graph.step(*batch))
            continue
        loss, grads = training_gradients(net, *batch)
        losses.append(float(loss))
        sgd.step(grads)
    if recorded and graph.replays != steps - 1:
        raise AssertionError(f"only {graph.replays} of {steps} steps were replayed")
    return [float(loss) for loss in losses], {k: to_numpy(p) for k, p in net.params.items()}


def same_bits(one, other):
    """Return whether two results of `train` are identical."""
    return one[0] == other[0] and all(np.array_equal(p, other[1][k]) for k, p in one[1].items())


def gradient_errors():
    """Return {precision: relative error of the GPU's gradients to float64 on the CPU}."""
    (batch,) = batches(1)
    _, exact = training_gradients(UNet(device="cpu", dtype="float64", **OPTIONS), *batch)
    size = sum(np.linalg.norm(g) ** 2 for g in exact.values())
    errors = {}
    for precision in LIMITS:
        with use_precision(precision):
            _, grads = training_gradients(UNet(device="gpu", **OPTIONS), *batch)
        off = sum(np.linalg.norm(to_numpy(g) - exact[k]) ** 2 for k, g in grads.items())
        errors[precision] = float(np.sqrt(off / size))
    return errors


def main():
    """Run the checks, print a table, exit with 1 if any fails."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--small", action="store_true", help="a smaller network, to rehearse")
    parser.add_argument("--json", metavar="FILE", help="write the figures there too")
    args = parser.parse_args()
    problem = gpu_problem()
    if problem is not None:
        sys.exit(f"no GPU: {problem}")
    if args.small:
        globals()["TILE"], OPTIONS["base_channels"], OPTIONS["depth"] = 44, 5, 3
    on_gpu = train("gpu", args.steps)
    again, recorded = train("gpu", args.steps), train("gpu", args.steps, recorded=True)
    errors = gradient_errors()
    on_cpu_losses, _ = train("cpu", args.steps)
    apart = float(np.max(np.abs(np.subtract(on_gpu[0], on_cpu_losses))))
    rows = [
        ("losses, CPU and GPU apart by at most", f"{apart:.1e}", apart <= 1e-3),
        ("two runs on the GPU, bit for bit", "", same_bits(on_gpu, again)),
        ("recorded and one by one, bit for bit", "", same_bits(on_gpu, recorded)),
        *(
            (f"gradients in {name} off by", f"{error:.1e}", error <= LIMITS[name])
            for name, error in errors.items()
        ),
    ]
    for title, figure, passed in rows:
        print(f"{title:40} {figure:8} {'ok' if passed else 'FAILED'}")
    if args.json:
        with open(args.json, "w", encoding="utf-8") as file:
            json.dump({title: [figure, bool(passed)] for title, figure, passed in rows}, file)
    sys.exit(0 if all(passed for *_, passed in rows) else 1)


if __name__ == "__main__":
    main()
