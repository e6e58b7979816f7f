"""The second call on a GPU, at most 450 seconds, when gpu_first.py has found nothing to mend.

    python benchmarks/gpu_second.py --out FOLDER

The card's rates again, for the ladder's bounds; the whole ladder at base 64, then where PyTorch's
step and ours spend their time, agreement over 50 steps, base 16, prediction, the tests on the
device, and compute-sanitizer where it is installed (in a sandbox it may be refused the device).
The limits leave the tests 50 s even if every part before them takes all that it may; the sanitizer
has what is left. FOLDER gets second.tar.gz, with every part's output and figures, and
second-summary.txt. `--small` and `--part-seconds` are for rehearsals.
"""

import argparse
import shutil
import sys
from importlib.util import find_spec

from gpu_parts import NO_GPU, Call, Part, script

SECONDS = 450
TESTS = ["tests/backends/cuda", "-m", "gpu", "-v", "--maxfail=5", "-p", "no:cacheprovider"]
TESTS += ["-o", "faulthandler_timeout=60"]  # one that hangs: its name, and where it stands
SANITIZER, MEMCHECK = "compute-sanitizer", ["--tool", "memcheck", "--error-exitcode", "9"]


def main():
    """Run the parts, what matters first."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", required=True, help="folder for the archive and the summary")
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--part-seconds", type=float, help="for every part, in place of its own")
    parser.add_argument("--small", action="store_true", help="tiny sizes, to rehearse")
    args = parser.parse_args()
    large, medium, little = ((64, 572), (16, 572), (16, 284))
    if args.small:
        large = medium = little = (2, 188)

    def sizes(work):
        return ["--base", work[0], "--tile", work[1]]

    def ladder(work):
        quick = ["--rounds", 1, "--rungs", "graph", "update", "im2col"] if args.small else []
        return script("ladder_gpu", *sizes(work), *quick)

    small = ["--small"] if args.small else []
    steps = ["--steps", 3 if args.small else 50]
    checked = ["--all", "--small", "--wait", 60]
    parts = [
        Part("ladder-64", ladder(large), 110),
        Part("profile-torch", script("gpu_profile", "torch", *sizes(large)), 40),
        Part("profile-ours", script("gpu_profile", "ours", *sizes(large)), 30),
        Part("agreement", script("gpu_agreement", *steps, *small), 40),
        Part("ladder-16", ladder(medium), 60),
        Part("ladder-16-284", ladder(little), 50),
        Part("predict", script("predict_gpu", *small), 40),
        Part("tests", [sys.executable, "-u", "-m", "pytest", *TESTS], 150),
        Part("sanitizer", [SANITIZER, *MEMCHECK, *script("gpu_kernels", *checked)], 120),
    ]
    left_out = {"tests": "they rehearse themselves"} if args.small else {}
    if find_spec("torch") is None:
        left_out["profile-torch"] = "PyTorch is not installed"
    if not shutil.which(SANITIZER):
        left_out["sanitizer"] = "not installed"
    limit = args.part_seconds
    call = Call("second", args.out, args.seconds)
    call.run([Part("machine", script("gpu_machine", *small), limit or 30)])
    if call.codes.get("machine") == NO_GPU:
        sys.exit(call.finish())  # the part has said why
    for part in parts:
        if part.name in left_out:
            call.leave_out(part.name, left_out[part.name])
        else:
            call.run([part._replace(seconds=limit or part.seconds)])
    sys.exit(call.finish())


if __name__ == "__main__":
    main()
