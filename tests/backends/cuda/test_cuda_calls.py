"""How the two calls on a GPU run their parts and compare results: what of it needs no GPU."""

import os
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from cuda_shim import shim_gpu

from tinyunet.backends.cuda import operations

BENCHMARKS = Path(__file__).resolve().parents[3] / "benchmarks"


@pytest.fixture(autouse=True)
def _scripts(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))


@pytest.fixture
def call(tmp_path):
    """A `Call` of 100 seconds; signals are handled as before afterwards."""
    from gpu_parts import SIGNALS, Call

    before = [signal.getsignal(number) for number in SIGNALS]
    yield Call("some", tmp_path, 100)
    for number, handler in zip(SIGNALS, before, strict=True):
        signal.signal(number, handler)


def _python(text):
    return [sys.executable, "-u", "-c", text]


def _summary(folder):
    lines = (folder / "some-summary.txt").read_text(encoding="utf-8").splitlines()
    return {line[:24].strip(): line[24:].split("s  ", 1)[1] for line in lines[1:]}


def test_a_part_that_fails_or_hangs_stops_no_other(call, tmp_path):
    from gpu_parts import Part

    hangs = _python("import time; print('kernel k failed: so far'); time.sleep(600)")
    parts = [
        Part("good", _python("print(1)"), 60),
        Part("bad", _python("print('x'); raise SystemExit('error: why')"), 60),
        Part("hangs", hangs, 5),
        Part("last", _python("print(2)"), 60),
    ]
    assert not call.run(parts)
    call.leave_out("other", "not installed")
    assert call.finish() == 1
    assert call.codes == {"good": 0, "bad": 1, "hangs": -signal.SIGKILL, "last": 0}
    said = _summary(tmp_path)
    assert said.pop("hangs").startswith("OUT OF TIME (")
    assert said == {
        "good": "ok",
        "bad": "FAILED (1): error: why",
        "last": "ok",
        "other": "NOT RUN, not installed",
    }
    with tarfile.open(tmp_path / "some.tar.gz") as tar:
        assert "kernel k failed: so far" in tar.extractfile("some/03-hangs.txt").read().decode()


def test_what_is_left_out_is_no_failure(call):
    from gpu_parts import Part

    assert call.run([Part("good", _python("print(1)"), 60)])
    call.leave_out("other", "not installed")
    assert call.finish() == 0


def test_a_part_begun_with_others_loses_no_time_to_them_twice(call):
    from gpu_parts import Part

    now = time.monotonic()
    call.begun = now - 80  # 20 s are left to the call, and 30 to the part
    assert call.limit(Part("one", [], 60), now - 30) == pytest.approx(20, abs=2)
    assert call.limit(Part("one", [], 35), now - 30) == pytest.approx(5, abs=2)


def test_a_process_that_survives_its_kill_holds_nobody_up(monkeypatch):
    import gpu_parts

    class Stuck:
        pid = 0

        def poll(self):
            return None

        def wait(self, seconds):
            raise subprocess.TimeoutExpired("stuck", seconds)

    killed = []
    monkeypatch.setattr(gpu_parts.os, "killpg", lambda *arguments: killed.append(arguments))
    assert not gpu_parts.kill(Stuck(), 10)
    assert killed == [(0, signal.SIGKILL)]


def test_a_call_that_is_ended_ends_its_parts(tmp_path):
    child = "import os, time; print(os.getpid()); time.sleep(600)"
    text = f"""
from gpu_parts import Call, Part, script
call = Call("some", {str(tmp_path)!r}, 100)
print(call.logs, flush=True)
call.run([Part("one", [*script("x")[:2], "-c", {child!r}], 60)])
"""
    environment = os.environ | {"PYTHONPATH": str(BENCHMARKS)}
    process = subprocess.Popen(_python(text), env=environment, stdout=subprocess.PIPE, text=True)
    log = Path(process.stdout.readline().strip()) / "01-one.txt"
    while not (log.exists() and log.read_text(encoding="utf-8").endswith("\n")):
        assert process.poll() is None
        time.sleep(0.05)
    process.terminate()
    assert process.wait() == 128 + signal.SIGTERM
    assert _summary(tmp_path)["the call"] == "CUT OFF by SIGTERM"
    child = Path("/proc", log.read_text(encoding="utf-8").strip(), "stat")
    assert not child.exists() or child.read_text(encoding="utf-8").rsplit(")")[1].split()[0] == "Z"


@pytest.fixture
def checked(capsys):
    """A function that compares small cases behind the shim: (what is wrong, what was said)."""
    from gpu_cases import SMALL
    from gpu_kernels import check
    from gpu_references import references

    expected = references(SMALL)

    def checked(change=lambda expected: None):
        change(expected)
        with operations.running_on(shim_gpu()):
            watch = SimpleNamespace(launched=[], doing="")
            wrong = [line for name in SMALL for line in check(name, expected, watch, np.array)]
        return wrong, capsys.readouterr().out

    return checked


def test_the_small_cases_are_right(checked):
    wrong, said = checked()
    assert wrong == []
    for operation in ("conv, few channels: dx", "pooling: dx", "loss: dlogits", "update: velocity"):
        assert f"  {operation} " in said


def test_a_wrong_value_is_named_with_its_place(checked):
    def change(expected):
        expected["conv, batch of odd maps/dweight"][3, 0, 2, 1] += 0.5

    wrong, said = checked(change)
    (line,) = wrong
    assert line.startswith("conv, batch of odd maps: dweight (7, 6, 3, 3) off by ")
    assert ", 1 wrong, first (3, 0, 2, 1): " in line
    assert f"  {line}\n" in said


def test_gradients_are_zero_where_float32_may_decide_otherwise():
    from gpu_cases import CLOSE, near_ties, near_zero

    x = np.array([[5, -3, CLOSE / 2, 1], [2, -1, 1, 1 + CLOSE / 2]])[None, None]
    one, none = np.ones((1, 1, 1, 1)), np.zeros(1)
    expected = [[False, False, True, False], [False, False, False, False]]
    assert near_zero(x, one, none)()[0, 0].tolist() == expected
    assert near_ties(x, one, none)()[0, 0].tolist() == [[False, True]]
    assert near_ties(x - 10, one, none)()[0, 0].tolist() == [[False, False]]  # all four are zero
    assert near_ties(0 * x, one, none)()[0, 0].tolist() == [[True, True]]
