"""The second call on a GPU, at most 450 seconds, when gpu_first.py has found nothing to mend.

    python benchmarks/gpu_second.py --out FOLDER

The whole ladder at base 64, then where PyTorch's step and ours spend their time, base 16,
prediction, the tests on the device, and compute-sanitizer where it is installed. FOLDER gets
second.tar.gz, with every part's output and figures, and second-summary.txt.
"""

import argparse
import shutil
import sys

from gpu_parts import Call, Part, script

SECONDS = 450
TESTS = ["tests/backends/cuda", "-m", "gpu", "-q", "--maxfail=5", "-p", "no:cacheprovider"]


def main():
    """Run the parts, what matters first."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", required=True, help="folder for the archive and the summary")
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--part-seconds", type=float, help="at most, for every part")
    parser.add_argument("--small", action="store_true", help="tiny sizes, to rehearse")
    args = parser.parse_args()
    large, medium, little = ((64, 572), (16, 572), (16, 284))
    if args.small:
        large = medium = little = (4, 188)

    def sizes(work):
        return ["--base", work[0], "--tile", work[1]]

    parts = [
        Part("ladder-64", script("ladder_gpu", *sizes(large)), 130),
        Part("profile-torch", script("gpu_profile", "torch", *sizes(large)), 45),
        Part("profile-ours", script("gpu_profile", "ours", *sizes(large)), 45),
        Part("ladder-16", script("ladder_gpu", *sizes(medium)), 70),
        Part("ladder-16-284", script("ladder_gpu", *sizes(little)), 60),
        Part("predict", script("predict_gpu", *(["--small"] if args.small else [])), 45),
        Part("tests", [sys.executable, "-u", "-m", "pytest", *TESTS], 150),
    ]
    if shutil.which("compute-sanitizer"):
        command = ["compute-sanitizer", "--tool", "memcheck", "--error-exitcode", "9"]
        parts.append(Part("sanitizer", [*command, *script("gpu_kernels", "--all", "--small")], 120))
    if args.small:
        parts = [part for part in parts if part.name != "tests"]  # which rehearse themselves
    limit = args.part_seconds
    call = Call("second", args.out, args.seconds)
    call.run([p._replace(seconds=min(p.seconds, limit or p.seconds)) for p in parts])
    sys.exit(call.finish())


if __name__ == "__main__":
    main()
