"""The second call on a GPU, at most 450 seconds, when gpu_first.py has found nothing to mend.

    python benchmarks/gpu_second.py --out FOLDER

The card's rates again, for the ladder's bounds; the whole ladder at base 64, then where PyTorch's
step and ours spend their time, base 16, prediction, the tests on the device, and compute-sanitizer
where it is installed. FOLDER gets second.tar.gz, with every part's output and figures, and
second-summary.txt. `--small` is for rehearsals.
"""

import argparse
import shutil
import sys
from importlib.util import find_spec

from gpu_parts import Call, Part, script

SECONDS = 450
TESTS = ["tests/backends/cuda", "-m", "gpu", "-q", "--maxfail=5", "-p", "no:cacheprovider"]


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
    parts = [
        Part("ladder-64", ladder(large), 130),
        Part("profile-torch", script("gpu_profile", "torch", *sizes(large)), 45),
        Part("profile-ours", script("gpu_profile", "ours", *sizes(large)), 45),
        Part("ladder-16", ladder(medium), 70),
        Part("ladder-16-284", ladder(little), 60),
        Part("predict", script("predict_gpu", *small), 45),
        Part("tests", [sys.executable, "-u", "-m", "pytest", *TESTS], 150),
    ]
    if shutil.which("compute-sanitizer"):
        command = ["compute-sanitizer", "--tool", "memcheck", "--error-exitcode", "9"]
        parts.append(Part("sanitizer", [*command, *script("gpu_kernels", "--all", "--small")], 120))
    left_out = {"tests"} if args.small else set()  # they rehearse themselves
    if find_spec("torch") is None:
        left_out.add("profile-torch")
    limit = args.part_seconds
    call = Call("second", args.out, args.seconds)
    if not call.run([Part("machine", script("gpu_machine", *small), 30)]):
        sys.exit(call.finish())  # there is no GPU, and the part has said why
    call.run(
        part._replace(seconds=limit or part.seconds) for part in parts if part.name not in left_out
    )
    sys.exit(call.finish())


if __name__ == "__main__":
    main()
