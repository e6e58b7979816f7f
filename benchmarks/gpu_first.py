"""The first call on a GPU, at most 200 seconds: does it work at all, and roughly how fast?

    python benchmarks/gpu_references.py FILE                            (beforehand, on any machine)
    python benchmarks/gpu_first.py --out FOLDER [--references FILE]

Versions and the card's rates; every source compiled, all at once; every kernel once, each precision
in a process of its own, against the references; recorded steps; a small ladder: the recorded step
in each precision, PyTorch in float32. The limits leave the ladder 20 s even if every part before it
takes all that it may, and a launch that hangs ends its part after 10 s. FOLDER gets first.tar.gz,
with every part's output and figures, and first-summary.txt. Exits with 1 if any part did not end
well: mend that before gpu_second.py. `--small` and `--part-seconds` are for rehearsals.
"""

import argparse
import sys
from pathlib import Path

from gpu_parts import NO_GPU, Call, Part, script

from tinyunet.backends.cuda.sources import SOURCES
from tinyunet.nn.precision import PRECISIONS

SECONDS = 200


def main():
    """Run the parts, what matters first."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", required=True, help="folder for the archive and the summary")
    parser.add_argument("--references", help="what gpu_references.py has written")
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--part-seconds", type=float, help="for every part, in place of its own")
    parser.add_argument("--small", action="store_true", help="tiny sizes, to rehearse")
    args = parser.parse_args()
    if args.references and not Path(args.references).exists():
        parser.error(f"there is no {args.references}: gpu_references.py makes it")

    def part(name, command, seconds):
        return Part(name, command, args.part_seconds or seconds)

    call = Call("first", args.out, args.seconds)
    small = ["--small"] if args.small else []
    references = ["--references", Path(args.references).resolve()] if args.references else []
    call.run([part("machine", script("gpu_machine", *small), 30)])
    if call.codes.get("machine") == NO_GPU:
        sys.exit(call.finish())  # the part has said why
    call.run(
        [part(f"compile-{name}", script("gpu_compile", name), 40) for name in SOURCES], at_once=True
    )
    wait = ["--wait", 0.4 * (args.part_seconds or 25)]
    call.run(
        part(f"kernels-{name}", script("gpu_kernels", name, *wait, *references), 25)
        for name in PRECISIONS
    )
    call.run([part("agreement", script("gpu_agreement", "--steps", 5, *small), 35)])
    # With fewer channels one ReLU that rounding tips over is a fifth of a tf32 gradient.
    sizes = ["--base", 6, "--tile", 188] if args.small else ["--base", 64, "--tile", 572]
    rungs = ["graph", "graph, tf32", "graph, bf16"]
    quick = ["--rounds", 2, "--rungs", *rungs, "--peers", "float32"]
    call.run([part("ladder", script("ladder_gpu", *sizes, *quick), 100)])
    sys.exit(call.finish())


if __name__ == "__main__":
    main()
