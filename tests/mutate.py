"""Mutation testing: make the package wrong on purpose and count how often the tests notice.

    python tests/mutate.py ops model            # these groups; without a name: all of them
    python tests/mutate.py --sample 30 --seed 2 --unseen first.json --json second.json
    python tests/mutate.py --rerun first.json   # only what survived there

For each file of a group a sample of mutants (`mutators.py`) is drawn, the same for the same seed.
Each is planted in a copy of the project, never in the working tree, and the group's tests run
there until the first one fails; a timeout counts as a failure. Survivors are printed as diffs:
each deserves a test, or a line in `mutants.md` that says why it changes nothing.

To be quick, this process imports the libraries once and forks for every mutant; a first run of the
unchanged copy, which must pass, notes which functions each test calls, so that a mutant meets only
the tests that can see it, the quickest first. Compiled functions cannot be watched like that, and
their callers have them inlined: a mutant in a file with kernels meets all tests of its group, and
the machine code of everything that imports it is made anew.
"""

import argparse
import json
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from mutant_runner import Runner
from mutators import Mutant, draw, mutants_of

ROOT = Path(__file__).resolve().parents[1]
ORACLES = {
    "tinyunet/nn/reference.py",
    "tinyunet/weight_map/reference.py",
}  # the tests' own yardsticks
GROUPS = {  # name: (files under test, their tests)
    "ops": (
        [
            "nn/conv2d.py",
            "nn/im2col.py",
            "nn/relu.py",
            "nn/max_pool2d.py",
            "nn/up_conv2d.py",
            "nn/crop_concat.py",
            "nn/dropout.py",
            "nn/cross_entropy.py",
            "nn/fused.py",
        ],
        ["nn/ops", "nn/fused_pool", "nn/unet"],
    ),
    "unet": (["nn/unet.py"], ["nn/unet"]),
    "sgd": (["nn/sgd.py"], ["nn/sgd", "nn/unet"]),
    "init": (["nn/init.py"], ["nn/init", "nn/unet"]),
    "weight_map": (
        ["weight_map/*.py", "images/instances.py"],
        ["weight_map/weight_map", "weight_map/separate_touching", "inference/cores"],
    ),
    "augment": (
        ["augment/*.py"],
        [
            "augment/augment",
            "augment/augment_draw",
            "augment/augment_field",
            "augment/augment_values",
        ],
    ),
    "tiling": (
        ["geometry.py", "inference/tiling.py", "inference/predict.py"],
        ["geometry", "inference/tiling", "inference/predict"],
    ),
    "metrics": (
        ["metrics/*.py"],
        [
            "metrics/detection",
            "metrics/metrics",
            "metrics/metrics_inputs",
            "metrics/metrics_oracle",
            "metrics/metrics_touching",
        ],
    ),
}


def main():
    options = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the copy is left in order
    scratch = Path(options.scratch)
    _copy_project(scratch, options.keep)
    _import_libraries(scratch)
    results = []
    for group in options.groups or GROUPS:
        mutants = _mutants(scratch, group, options)
        if not mutants:
            continue
        runner = Runner(scratch, group, GROUPS[group][1])
        for number, mutant in enumerate(mutants, 1):
            result = runner.run(mutant)
            results.append(result)
            print(f"{group} {number}/{len(mutants)} {result['verdict']} {mutant.name}", flush=True)
            if options.json:
                Path(options.json).write_text(json.dumps(results, indent=1), encoding="utf-8")
    _report(results)


def _arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=", ".join(GROUPS))
    parser.add_argument("--sample", type=int, default=20, help="mutants of each file (20)")
    parser.add_argument("--seed", default="1", help="another seed draws other mutants (1)")
    parser.add_argument("--only", default="", help="only files whose path contains this text")
    parser.add_argument("--unseen", action="append", default=[], help="leave out a JSON's mutants")
    parser.add_argument("--rerun", help="run only the survivors of an earlier --json")
    parser.add_argument("--json", help="write the results here, mutant by mutant")
    parser.add_argument("--keep", action="store_true", help="copy the tests, not the package")
    # A folder of its own around the copy: no real data beside it, whose tests take too long here.
    scratch = Path(tempfile.gettempdir()) / "tinyunet-mutants" / "project"
    parser.add_argument("--scratch", default=scratch, help=f"where to copy to ({scratch})")
    options = parser.parse_args()
    if unknown := set(options.groups) - set(GROUPS):
        parser.error(f"no group {', '.join(sorted(unknown))}: there are {', '.join(GROUPS)}")
    return options


def _copy_project(scratch, keep):
    """Copy what the tests need, times kept, so that compiled kernels stay valid."""
    for name in ("tests",) if keep else ("tests", "tinyunet"):
        known = (scratch / name).exists()  # the copy's own machine code is at least as complete
        ignore = shutil.ignore_patterns("__pycache__") if known else None
        shutil.copytree(ROOT / name, scratch / name, dirs_exist_ok=True, ignore=ignore)
    shutil.copy2(ROOT / "pyproject.toml", scratch)
    for kept in list((scratch / "tinyunet").rglob("__pycache__kept")):  # of a run that was killed
        shutil.rmtree(kept.with_name("__pycache__"), ignore_errors=True)
        kept.rename(kept.with_name("__pycache__"))


def _import_libraries(scratch):
    """What all tests import, and nothing of the package: that comes after the fork."""
    import hypothesis
    import hypothesis.extra.numpy
    import numba  # noqa: F401
    import numpy  # noqa: F401
    import pytest  # noqa: F401
    import scipy.ndimage  # noqa: F401

    sys.path[0] = str(scratch)
    sys.modules["torch"] = None  # the comparisons with it are slow; its golden file is used
    sys.dont_write_bytecode = True  # two mutants of one second and size would be taken for one
    hypothesis.settings.register_profile(
        "mutants",
        phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),  # a failure may be large
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    hypothesis.settings.load_profile("mutants")


def _mutants(scratch, group, options):
    """The mutants to try: a sample of each file, or the survivors of an earlier run."""
    if options.rerun:
        earlier = json.loads(Path(options.rerun).read_text(encoding="utf-8"))
        alive = [r for r in earlier if r["verdict"] == "survived" and r["group"] == group]
        found = [_found_again(scratch, Mutant(**result["mutant"])) for result in alive]
        return [mutant for mutant in found if options.only in mutant.file]
    seen = set()
    for file in options.unseen:
        seen |= {_place(r["mutant"]) for r in json.loads(Path(file).read_text(encoding="utf-8"))}
    drawn = []
    for pattern in GROUPS[group][0]:
        for path in sorted((scratch / "tinyunet").glob(pattern)):
            file = path.relative_to(scratch).as_posix()
            if file in ORACLES or options.only not in file:
                continue
            every = mutants_of(file, path.read_bytes())
            drawn += draw([m for m in every if _place(vars(m)) not in seen],
                          options.sample, options.seed)  # fmt: skip
    return drawn


def _place(mutant):
    return mutant["file"], mutant["start"], mutant["end"], mutant["new"]


def _found_again(scratch, mutant):
    """Refuse to rerun mutants of a file that has changed since."""
    every = mutants_of(mutant.file, (scratch / mutant.file).read_bytes())
    if mutant not in every:
        raise SystemExit(f"{mutant.file} has changed since this survivor was found: draw anew")
    return mutant


def _report(results):
    """Survivors as diffs, then a table: a row a file and one a group."""
    for result in results:
        if result["verdict"] == "survived":
            print(f"\n{result['diff']}")
    print(f"\n{'':44}{'made':>6}{'killed':>8}{'timeout':>9}{'':>8}{'seconds':>9}")
    for group in dict.fromkeys(r["group"] for r in results):
        rows = [r for r in results if r["group"] == group]
        for file in dict.fromkeys(r["mutant"]["file"] for r in rows):
            _row(f"  {file}", [r for r in rows if r["mutant"]["file"] == file])
        _row(group, rows)
    _row("all", results)


def _row(title, results):
    if not results:
        return
    verdicts = [r["verdict"] for r in results]
    dead = len(verdicts) - verdicts.count("survived")
    seconds = sum(r["seconds"] for r in results)
    print(
        f"{title:44}{len(verdicts):>6}{dead:>8}{verdicts.count('timeout'):>9}"
        f"{dead / len(verdicts):>8.0%}{seconds:>9.0f}"
    )


if __name__ == "__main__":
    main()
