"""Both calls on a GPU, rehearsed below the stand-in, the first with three failures planted.

A source that does not compile, a kernel that hangs, a kernel that writes beyond an array: the
summary names each, and the other parts have run. `pytest -m slow -s` shows it. In the second call
every part ends well, and the ladder's bounds are those of the card that it runs on.
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
}  # fmt: skip


@pytest.fixture(scope="module")
def summary(tmp_path_factory):
    """{part: how it ended} of gpu_first.py with the broken kernels."""
    copy, out = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("out")
    for name in ("tinyunet", "benchmarks"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name, (there, planted) in PLANTED.items():
        path = copy / "tinyunet" / "backends" / "cuda" / name
        text = path.read_text(encoding="utf-8")
        assert there in text
        path.write_text(text.replace(there, there + planted, 1), encoding="utf-8")
    environment = stand_in.environment(tmp_path_factory.mktemp("stand-in"))
    environment["PYTHONPATH"] = str(copy)
    command = [sys.executable, str(copy / "benchmarks" / "gpu_first.py"), "--out", str(out)]
    command += ["--small", "--part-seconds", "60", "--seconds", "500"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    text = (out / "first-summary.txt").read_text(encoding="utf-8")
    print(text)
    with tarfile.open(out / "first.tar.gz") as tar:
        logs = [name for name in tar.getnames() if name.endswith(".txt")]
    lines = [line.split(maxsplit=3) for line in text.splitlines()[1:]]
    assert len(logs) == len(lines)  # what every part had said came back
    return {part: ended for part, _, _, ended in lines}


def test_what_does_not_compile_is_named(summary):
    assert summary["compile-tf32.cu"].startswith("FAILED (1): ")
    assert "CompileException" in summary["compile-tf32.cu"]
    assert summary["kernels-tf32"].startswith("FAILED (1): kernel pack_tf32 (tf32.cu) failed: ")


def test_what_hangs_is_stopped(summary):
    assert summary["kernels-bf16"].startswith("OUT OF TIME (40 s): bf16: a trial of every kernel")


def test_what_writes_beyond_an_array_is_named(summary):
    named = "FAILED (1): kernel max_pool_forward (layers.cu) failed: cudaErrorIllegalAddress"
    assert summary["kernels-float32"].startswith(named)


def test_the_others_have_run(summary):
    others = ["machine", *(f"compile-{name}.cu" for name in ("winograd", "direct", "bf16"))]
    assert [summary[name] for name in others] == ["ok"] * 4
    assert "NOT RUN" not in "".join(summary.values())


@pytest.fixture(scope="module")
def second(tmp_path_factory):
    """({part: how it ended}, {part: what it said}) of gpu_second.py with tiny sizes."""
    out = tmp_path_factory.mktemp("second")
    kept = os.environ.get("TINYUNET_STAND_IN")  # as in test_cuda_stand_in.py
    environment = stand_in.environment(Path(kept or tmp_path_factory.mktemp("stand-in")))
    command = [sys.executable, str(ROOT / "benchmarks" / "gpu_second.py"), "--out", str(out)]
    command += ["--small", "--part-seconds", "600", "--seconds", "1800"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    text = (out / "second-summary.txt").read_text(encoding="utf-8")
    print(text)
    assert done.returncode == 0, done.stdout + done.stderr
    with tarfile.open(out / "second.tar.gz") as tar:
        files = [name for name in tar.getnames() if "." in name]
        said = {name: tar.extractfile(name).read().decode() for name in files}
    lines = [line.split(maxsplit=3) for line in text.splitlines()[1:]]
    return {part: ended for part, _, _, ended in lines}, said


def test_every_part_of_the_second_call_ends_well(second):
    ended, said = second
    parts = {"machine", "ladder-64", "profile-ours", "ladder-16", "ladder-16-284", "predict"}
    assert parts <= set(ended)
    assert set(ended.values()) == {"ok"}
    assert {"second/machine.json", "second/ladder-2-188.json"} <= set(said)


def test_the_ladder_holds_its_bounds_against_the_card_it_runs_on(second):
    _, said = second
    (ladder,) = (text for name, text in said.items() if name.endswith("-ladder-64.txt"))
    (machine,) = (text for name, text in said.items() if name.endswith("-machine.txt"))
    card = json.loads(said["second/machine.json"])["card"]
    assert card in machine
    assert ladder.count(f"  bounds on {card}, ") == 4
    assert "graph" in ladder
