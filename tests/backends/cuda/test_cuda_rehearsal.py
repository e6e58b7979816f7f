"""Both calls on a GPU, rehearsed below the stand-in: all well, and with failures planted.

In the first call with references from a file every part ends well and every kernel is compared. A
source that does not compile, a kernel that hangs, a kernel that writes beyond an array, a kernel
that computes a wrong value: the summary names each, and the other parts have run.
`pytest -m slow -s` shows it. In the second call every part ends well, and the ladder's bounds are
those of the card that it runs on.
"""

import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from cuda_shim import stand_in
from gpu import PROBLEM

from tinyunet.backends.cuda.sources import SOURCES
from tinyunet.nn.precision import PRECISIONS

ROOT = Path(__file__).resolve().parents[3]
WHY = stand_in.problem() or (None if PROBLEM else "there is a GPU")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(WHY is not None, reason=f"no stand-in for a GPU: {WHY}"),
]
PLANTED = {  # source: (what stands there, what is put behind it)
    "tf32.cu": ('#include "pack.cuh"\n', "this is no CUDA C;\n"),
    "bf16.cu": ("int height, int width, int out_channels, int pad, int relu, int slices) {\n",
                "    for (volatile int forever = 1; forever;) {}\n"),
    "layers.cu": ("max_pool_forward(const float* x, float* y, int height, int width) {\n",
                   "    y[-1] = 0.0f;\n"),
    "direct.cu": ("const float total = block_sum(sum[k], shared)",
                  " + (blockIdx.x == 21 && k == 5 ? 0.5f : 0.0f)"),
}  # fmt: skip
LIMITS = ["--part-seconds", "900", "--seconds", "6000"]  # a GPU's own are too short for this


def _kept(tmp_path_factory):
    """The folder for the stand-in's libraries and kernels, as in test_cuda_stand_in.py."""
    return Path(os.environ.get("TINYUNET_STAND_IN") or tmp_path_factory.mktemp("stand-in"))


def _planted(tmp_path_factory, names):
    """Return a copy of the package and the scripts with the broken sources `names`."""
    copy = tmp_path_factory.mktemp("copy")
    for name in ("tinyunet", "benchmarks"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in names:
        there, planted = PLANTED[name]
        path = copy / "tinyunet" / "backends" / "cuda" / name
        text = path.read_text(encoding="utf-8")
        assert there in text
        path.write_text(text.replace(there, there + planted, 1), encoding="utf-8")
    return copy


def _call(root, which, out, environment, *arguments):
    """Run a call; return (exit code, {part: how it ended}, {file in the archive: text})."""
    script = str(root / "benchmarks" / f"gpu_{which}.py")
    command = [sys.executable, script, "--out", str(out), "--small", *LIMITS, *arguments]
    environment = environment | {"PYTHONPATH": str(root)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (out / f"{which}-summary.txt").exists(), done.stdout + done.stderr
    text = (out / f"{which}-summary.txt").read_text(encoding="utf-8")
    print(text)
    with tarfile.open(out / f"{which}.tar.gz") as tar:
        files = [name for name in tar.getnames() if "." in name]
        said = {name: tar.extractfile(name).read().decode() for name in files}
    lines = [line.split(maxsplit=3) for line in text.splitlines()[1:]]
    ended = {part: how for part, _, _, how in lines}
    logs = [name for name in said if name.endswith(".txt")]
    assert len(logs) == sum(not how.startswith("NOT RUN") for how in ended.values())
    return done.returncode, ended, said


def _log(said, part):
    (log,) = (text for name, text in said.items() if name.endswith(f"-{part}.txt"))
    return log


@pytest.fixture(scope="module")
def references(tmp_path_factory):
    """A file of references."""
    path = tmp_path_factory.mktemp("references") / "references.safetensors"
    script = str(ROOT / "benchmarks" / "gpu_references.py")
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, script, str(path)], env=environment, check=True)
    return ["--references", str(path)]


@pytest.fixture(scope="module")
def healthy(tmp_path_factory, references):
    """(exit code, {part: how it ended}, {file: text}) of gpu_first.py."""
    environment = stand_in.environment(_kept(tmp_path_factory))
    out = tmp_path_factory.mktemp("first")
    return _call(ROOT, "first", out, environment, *references)


def test_every_part_of_the_first_call_ends_well(healthy):
    code, ended, _ = healthy
    parts = {"machine", "agreement", "ladder", *(f"compile-{name}" for name in SOURCES)}
    assert set(ended) == parts | {f"kernels-{name}" for name in PRECISIONS}
    assert set(ended.values()) == {"ok"}
    assert code == 0


@pytest.mark.parametrize("precision", PRECISIONS)
def test_every_kernel_is_compared(healthy, precision):
    log = _log(healthy[2], f"kernels-{precision}")
    assert f"\n{precision}: compared all kernels\n" in log  # and not "but" some
    assert log.endswith("\nall right\n")


@pytest.fixture(scope="module")
def broken(tmp_path_factory, references):
    """{part: how it ended} of gpu_first.py with the broken sources."""
    root = _planted(tmp_path_factory, ["tf32.cu", "bf16.cu", "layers.cu"])
    environment = stand_in.environment(_kept(tmp_path_factory))
    out = tmp_path_factory.mktemp("broken")
    limit = ["--part-seconds", "300"]
    code, ended, said = _call(root, "first", out, environment, *references, *limit)
    assert code == 1
    return ended, said


def test_what_does_not_compile_is_named(broken):
    ended, said = broken
    assert ended["compile-tf32.cu"].startswith("FAILED (1): ")
    assert "CompileException" in ended["compile-tf32.cu"]
    assert " wrong: kernel pack_tf32 (tf32.cu) failed: " in ended["kernels-tf32"]
    assert "  conv 1x1: dx (2, 64, 20, 28) off by " in _log(said, "kernels-tf32")  # it has gone on


def test_what_hangs_is_named_and_ended(broken):
    ended, _ = broken
    assert ended["kernels-bf16"].startswith("FAILED (3): kernel conv_bf16_64 (bf16.cu) failed: ")
    assert "no end within 120 s, in the trial" in ended["kernels-bf16"]


def test_what_writes_beyond_an_array_is_named(broken):
    ended, said = broken
    named = "kernel max_pool_forward (layers.cu) failed: it wrote up to 4 bytes before an array of "
    assert f" wrong: {named}" in ended["kernels-float32"]
    assert "  up-conv: dx (1, 128, 28, 20) off by " in _log(said, "kernels-float32")
    illegal = "kernel max_pool_forward (layers.cu) failed: cudaErrorIllegalAddress"
    assert illegal in ended["agreement"]  # there nobody guards it, and nothing runs any more


def test_the_others_have_run(broken):
    ended, _ = broken
    others = ["machine", *(f"compile-{name}.cu" for name in ("winograd", "direct", "bf16"))]
    assert [ended[name] for name in others] == ["ok"] * 4
    assert "NOT RUN" not in "".join(ended.values())


def test_a_wrong_value_is_named(tmp_path_factory, references):
    root = _planted(tmp_path_factory, ["direct.cu"])
    environment = stand_in.environment(_kept(tmp_path_factory)) | {"PYTHONPATH": str(root)}
    command = [sys.executable, str(root / "benchmarks" / "gpu_kernels.py"), "float32"]
    command += ["--wait", "120", *references]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    print(done.stderr)
    wrong = "conv, one image of one channel: dweight (64, 1, 3, 3) off by "
    assert f"error: 1 wrong: {wrong}" in done.stderr
    assert ", 1 wrong, first (21, 0, 1, 2): " in done.stderr
    assert "  launched there: direct_forward direct_filter_gradient" in done.stdout
    assert "  up-conv: dx (1, 128, 28, 20) off by " in done.stdout


@pytest.fixture(scope="module")
def second(tmp_path_factory):
    """({part: how it ended}, {file: what it said}) of gpu_second.py with tiny sizes."""
    environment = stand_in.environment(_kept(tmp_path_factory))
    code, ended, said = _call(ROOT, "second", tmp_path_factory.mktemp("second"), environment)
    assert code == 0
    return ended, said


def test_every_part_of_the_second_call_ends_well(second):
    ended, said = second
    parts = {"machine", "ladder-64", "profile-ours", "agreement", "ladder-16", "ladder-16-284"}
    assert {ended[name] for name in [*parts, "predict"]} == {"ok"}
    others = set(ended) - parts - {"predict"}
    assert others == {"profile-torch", "tests", "sanitizer"}
    assert ended["tests"] == "NOT RUN, they rehearse themselves"
    assert all(ended[name] == "ok" or ended[name].startswith("NOT RUN") for name in others)
    assert {"second/machine.json", "second/ladder-2-188.json"} <= set(said)


def test_the_ladder_holds_its_bounds_against_the_card_it_runs_on(second):
    _, said = second
    ladder = _log(said, "ladder-64")
    card = json.loads(said["second/machine.json"])["card"]
    assert card in _log(said, "machine")
    assert ladder.count(f"  bounds on {card}, ") == 4
    assert "graph" in ladder
