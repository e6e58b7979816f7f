"""Every operation once on the GPU, kernel by kernel, against references from the CPU.

    python benchmarks/gpu_kernels.py float32 [--references FILE]     (or tf32, bf16, or --all)

First a trial of every kernel, as the package does it, then the cases of gpu_cases.py. Launches are
waited for one by one, and every array has memory of its own between guards: what goes wrong is the
doing of the kernel that is named, be it that it does not compile, does not end, or writes beyond an
array. For each result: shape, error, and the first element that is off. What fails ends nothing but
its case, unless nothing runs on the device any more: so each precision is a process of its own.
`--small` leaves the small cases and no guards, for a sanitizer, which has its own.
"""

import argparse
import sys

import numpy as np
from gpu_cases import CASES, SMALL, inputs
from gpu_parts import first_line
from gpu_references import references
from gpu_watch import Guards, Watch
from safetensors.numpy import load_file

from tinyunet.arrays import gpu_problem, select_device, to_numpy
from tinyunet.backends.cuda import operations, trial
from tinyunet.backends.cuda.errors import KernelError
from tinyunet.nn.precision import PRECISIONS
from tinyunet.nn.precision import precision as use_precision

TOLERANCE = 2e-5  # of the largest number: sums of exact products in float32, Winograd's roundings


def compute(name, expected, to_gpu):
    """Return {result: array} of a case on the GPU."""
    arrays, _ = inputs(name)

    def upstream(what, *_):
        return to_gpu(expected[f"{name}/{what}"])

    return CASES[name].run(operations, upstream, *map(to_gpu, arrays))


def compare(got, exact):
    """Return how far `got` is off in words, and whether that is right."""
    if got.shape != exact.shape:
        return f"has shape {got.shape}, not {exact.shape}", False
    off, scale = np.abs(got.astype(float) - exact), np.abs(exact).max()
    wrong = ~(off <= TOLERANCE * scale)
    said = f"{got.shape} off by {off.max() / scale:.1e}"
    if not wrong.any():
        return said, True
    place = tuple(int(i[0]) for i in np.nonzero(wrong))
    said += f", {wrong.sum()} wrong, first {place}: {got[place]:.6g}, not {exact[place]:.6g}"
    return said, False


def check(name, expected, watch, to_gpu):
    """Print a line for each result of a case; return what is wrong, a line each."""
    before = len(watch.launched)
    watch.doing = f"in {name}"
    problems = []
    for what, result in compute(name, expected, to_gpu).items():
        said, is_right = compare(to_numpy(result), expected[f"{name}/{what}"])
        print(f"  {name}: {what} {said}", flush=True)
        if not is_right:
            problems.append(f"{name}: {what} {said}")
    if problems:
        print("  launched there:", *dict.fromkeys(watch.launched[before:]), flush=True)
    return problems


def check_blocking(name, expected, watch, precision):
    """As `check`, waiting for each launch; whatever is raised is a problem as well.

    Raises KernelError where nothing runs on this GPU any more.
    """
    try:
        with use_precision(precision), watch.gpu.blocking():
            return check(name, expected, watch, select_device("gpu").asarray)
    except Exception as error:  # the other cases may be right
        problem = f"{name}: {first_line(error)}"
    print(f"  {problem}", flush=True)
    try:
        watch.gpu.synchronize()
    except Exception as error:
        raise KernelError(f"{problem}; nothing runs on this GPU any more") from error
    return [problem]


def find_problems(precision, expected, names, watch):
    """Try every kernel, then every case; return what is wrong, a line each."""
    print(f"{precision}: a trial of every kernel", flush=True)
    watch.doing = "in the trial"
    watch.launched.clear()
    problem = trial.find_problem(watch.gpu, precision)
    problems = [] if problem is None else [problem]
    if problem is not None:
        print(f"  {problem}", flush=True)
    tried, before = set(watch.launched), len(watch.launched)
    for name in names:
        problems += check_blocking(name, expected, watch, precision)
    if not problems:
        missing = sorted(tried - set(watch.launched[before:]))
        print(f"{precision}: compared all kernels", *(["but", *missing] if missing else []))
    return problems


def find_all_problems(precisions, expected, names, watch):
    """Return what is wrong in any precision; end the process where nothing runs any more."""
    try:
        return [p for name in precisions for p in find_problems(name, expected, names, watch)]
    except KernelError as error:
        sys.exit(f"error: {error}")


def main():
    """Check one precision, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("precision", nargs="?", default="float32", choices=PRECISIONS)
    parser.add_argument("--references", help="what gpu_references.py has written")
    parser.add_argument("--all", action="store_true", help="all precisions, in this process")
    parser.add_argument("--small", action="store_true", help="small cases, for a sanitizer")
    parser.add_argument("--wait", type=float, default=10, help="seconds, at most, for a launch")
    args = parser.parse_args()
    if gpu_problem():
        sys.exit(f"no GPU: {gpu_problem()}")
    device, guards = select_device("gpu"), None if args.small else Guards()
    device.xp.cuda.set_allocator(guards and guards.allocate)  # no pool: every array its own memory
    names = SMALL if args.small else list(CASES)
    expected = load_file(args.references) if args.references else references(names)
    gpu = operations.gpu_of(device.asarray(np.zeros(1, np.float32)))
    with Watch(gpu, args.wait, guards) as watch:
        precisions = PRECISIONS if args.all else [args.precision]
        problems = find_all_problems(precisions, expected, names, watch)
    if problems:
        sys.exit(f"error: {len(problems)} wrong: {problems[0]}")
    print("all right")


if __name__ == "__main__":
    main()
