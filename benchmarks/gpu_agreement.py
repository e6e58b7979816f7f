"""Does the GPU compute what the CPU computes, and twice the same? A line for each check.

    python benchmarks/gpu_agreement.py [--steps 50] [--json FILE]

Two runs on the GPU agree bit for bit, a recorded step is the step done one by one bit for bit, the
gradients of each precision lie near those of float64 on the CPU, and the losses of a small network
over some steps agree to 1e-3 with the CPU's. Each line is printed as soon as it is known, and a
check that fails does not stop the others. The CPU computes by the operations' plain texts, for
which nothing has to be compiled. Needs a GPU and CuPy.
"""

import argparse
import json
import sys
from functools import cached_property

import numpy as np
from gpu_parts import first_line

from tinyunet.arrays import gpu_problem, select_device, to_numpy
from tinyunet.backends.cuda.graph_step import GraphStep
from tinyunet.geometry import output_size
from tinyunet.nn.operation import plain
from tinyunet.nn.precision import precision as use_precision
from tinyunet.nn.sgd import SGD
from tinyunet.nn.unet import UNet
from tinyunet.training.step import training_gradients

TILE = 204
OPTIONS = {"base_channels": 8, "depth": 4, "seed": 3}
LIMITS = {"float32": 5e-3, "tf32": 3e-2, "bf16": 3e-1}
APART = 1e-3  # of the losses


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


class Checks:
    """The checks, each a function that returns (a figure or what is off, whether it passed)."""

    def __init__(self, steps):
        self.steps = steps
        (self.batch,) = batches(1)

    @cached_property
    def on_gpu(self):
        """The run that the others are compared with."""
        return train("gpu", self.steps)

    @cached_property
    def exact(self):
        """The gradients in float64."""
        with plain():
            net = UNet(device="cpu", dtype="float64", **OPTIONS)
            return training_gradients(net, *self.batch)[1]

    def same_bits(self, recorded):
        """Compare a second run on the GPU with the first."""
        losses, params = train("gpu", self.steps, recorded)
        for step, (loss, other) in enumerate(zip(self.on_gpu[0], losses, strict=True)):
            if loss != other:
                return f"step {step}: {loss!r}, {other!r}", False
        other = self.on_gpu[1]
        wrong = [k for k, p in params.items() if not np.array_equal(p, other[k])]
        return ", ".join(wrong[:3]), not wrong

    def gradients(self, precision):
        """Compare the gradients with those of float64."""
        with use_precision(precision):
            _, grads = training_gradients(UNet(device="gpu", **OPTIONS), *self.batch)
        off = sum(np.linalg.norm(to_numpy(g) - self.exact[k]) ** 2 for k, g in grads.items())
        size = sum(np.linalg.norm(g) ** 2 for g in self.exact.values())
        error = float(np.sqrt(off / size))
        return f"{error:.1e}", error <= LIMITS[precision]

    def losses(self):
        """Compare the losses with the CPU's."""
        with plain():
            on_cpu, _ = train("cpu", self.steps)
        apart = float(np.max(np.abs(np.subtract(self.on_gpu[0], on_cpu))))
        return f"{apart:.1e}", apart <= APART

    def all(self):
        """Return [(title, function)], the CPU's long one last."""
        return [
            ("two runs on the GPU, bit for bit", lambda: self.same_bits(False)),
            ("recorded and one by one, bit for bit", lambda: self.same_bits(True)),
            *(
                (f"gradients in {name} off by", lambda name=name: self.gradients(name))
                for name in LIMITS
            ),
            ("losses, CPU and GPU apart by at most", self.losses),
        ]


def main():
    """Run the checks, a line each, exit with 1 if any fails."""
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
    rows = {}
    for title, check in Checks(args.steps).all():
        try:
            rows[title] = check()
        except Exception as error:  # the others are worth knowing
            rows[title] = first_line(error), False
            select_device("gpu").xp.cuda.Device().synchronize()  # raises if nothing runs any more
        figure, passed = rows[title]
        print(f"{title:40} {figure:8} {'ok' if passed else 'FAILED'}", flush=True)
        if args.json:
            with open(args.json, "w", encoding="utf-8") as file:
                json.dump({title: [row[0], bool(row[1])] for title, row in rows.items()}, file)
    failed = [title for title, (_, passed) in rows.items() if not passed]
    if failed:
        sys.exit(f"error: {len(failed)} failed: {failed[0]}: {rows[failed[0]][0]}")


if __name__ == "__main__":
    main()
