"""Every operation once on the GPU, kernel by kernel, against references from the CPU.

    python benchmarks/gpu_kernels.py float32 [--references FILE]     (or tf32, bf16, or --all)

Launches are waited for one by one, and every array has memory of its own: what goes wrong is the
doing of the kernel that is named, and a write beyond an array has a chance to be noticed. For each
result: shape, error, and the first element that is off. After an illegal address nothing runs on
the device any more, so each precision is a process of its own.
"""

import argparse
import sys

import numpy as np
from gpu_references import CASES, compute, references
from safetensors.numpy import load_file

from tinyunet.arrays import gpu_problem, select_device, to_numpy
from tinyunet.backends.cuda import operations, trial
from tinyunet.backends.cuda.launch import KernelError
from tinyunet.nn.precision import PRECISIONS
from tinyunet.nn.precision import precision as use_precision

TOLERANCE = 2e-5  # of the largest number: sums of exact products in float32, Winograd's roundings


def check(name, expected):
    """Print a line for each result of a case; return whether all are right."""
    are_right = True
    try:
        results = compute(name, operations, select_device("gpu").asarray)
    except KernelError as error:
        sys.exit(f"{name}: {error}")
    for number, result in enumerate(results):
        got, exact = to_numpy(result), expected[f"{name}/{number}"]
        what = ("y", "dx or first gradient", "dweight or second gradient", "dbias")[number]
        if got.shape != exact.shape:
            print(f"  {name}: {what} has shape {got.shape}, not {exact.shape}", flush=True)
            are_right = False
            continue
        off = np.abs(got.astype(float) - exact)
        scale = np.abs(exact).max()
        wrong = ~(off <= TOLERANCE * scale)
        line = f"  {name}: {what} {got.shape} off by {off.max() / scale:.1e}"
        if wrong.any():
            place = tuple(int(i[0]) for i in np.nonzero(wrong))
            line += (
                f"; {wrong.sum()} wrong, first {place}: {got[place]:.6g}, not {exact[place]:.6g}"
            )
            are_right = False
        print(line, flush=True)
    return are_right


def check_precision(precision, expected):
    """Try every kernel, then every case; return whether all is right."""
    device = select_device("gpu")
    gpu = operations.gpu_of(device.asarray(np.zeros(1, np.float32)))
    print(f"{precision}: a trial of every kernel", flush=True)
    try:
        problem = trial.find_problem(gpu, precision)
    except KernelError as error:  # nothing runs on this GPU any more
        problem = error
    if problem is not None:
        sys.exit(problem)
    with use_precision(precision), gpu.blocking():
        ended = [check(name, expected) for name in CASES]
    return all(ended)


def main():
    """Check one precision, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("precision", nargs="?", default="float32", choices=PRECISIONS)
    parser.add_argument("--references", help="what gpu_references.py has written")
    parser.add_argument("--all", action="store_true", help="all precisions, in this process")
    parser.add_argument("--small", action="store_true", help="only a trial of every kernel")
    args = parser.parse_args()
    if gpu_problem():
        sys.exit(f"no GPU: {gpu_problem()}")
    select_device("gpu").xp.cuda.set_allocator(None)  # no pool: every array its own memory
    if args.small:
        CASES.clear()
    expected = load_file(args.references) if args.references else references()
    precisions = PRECISIONS if args.all else [args.precision]
    ended = [check_precision(name, expected) for name in precisions]
    if not all(ended):
        sys.exit("some results are wrong")
    print("all right")


if __name__ == "__main__":
    main()
