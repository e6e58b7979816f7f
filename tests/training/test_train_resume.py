"""A run that is killed and resumed ends with the weights and the log of one that never was.

The kills are real: `python -m tinyunet train` in a process of its own, SIGKILL. The fast test kills
at chosen moments (in the middle of a checkpoint, before and after its renaming); the slow one, run
with `pytest -m slow`, thirty times at random ones.
"""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from runs import FLAGS, snapshot, tiny, tiny_dataset, write_stacks

from tinyunet.training.checkpoint import load_checkpoint, save_checkpoint
from tinyunet.training.graceful_shutdown import graceful_shutdown
from tinyunet.training.log import read_log
from tinyunet.training.loop import train
from tinyunet.training.run_folder import RunFolder, check_folder

# The command line, but its process kills itself at the `count`-th call of what `where` names.
KILL_AT = """
import os, signal, sys
from pathlib import Path
import safetensors.numpy
import tinyunet.training.checkpoint as checkpoint
import tinyunet.training.log as log
from tinyunet.cli import main

where, left = sys.argv[1], int(sys.argv[2])

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def dying(function, before=False, halve=False):
    def call(*arguments, **options):
        global left
        left -= 1
        if left == 0 and before:
            die()
        result = function(*arguments, **options)
        if left == 0:
            if halve:  # half of the file is on the disk
                path = Path(arguments[1])
                path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
            die()
        return result
    return call

if where == "half":
    safetensors.numpy.save_file = dying(safetensors.numpy.save_file, halve=True)
elif where == "before":
    os.replace = dying(os.replace, before=True)
elif where == "after":
    os.replace = dying(os.replace)
elif where == "log":
    log.Log.add = dying(log.Log.add)
sys.exit(main(sys.argv[3:]))
"""


def arguments(folder, run):
    return ["train", str(folder / "images.tif"), str(folder / "labels.tif"), "--out", str(run)]


def state(run):
    """All that a run leaves behind, as bytes: equal runs must be equal in every one."""
    names = ("last.safetensors", "best.safetensors", "log.csv", "settings.json", "curves.png")
    return {name: (run / name).read_bytes() for name in names}


def ended_well(process):
    assert process.returncode == 0, process.stderr


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_stacks(folder)
    return folder


@pytest.fixture(scope="module")
def whole(data):
    """What the run that nobody interrupts leaves behind, and how long it takes."""
    begun = time.perf_counter()
    run = data / "whole"
    ended_well(_tinyunet([*arguments(data, run), *FLAGS]))
    return state(run), time.perf_counter() - begun


def _tinyunet(argv, before=("-m", "tinyunet")):
    command = [sys.executable, *before, *argv]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def test_killed_while_writing_and_resumed(data, whole, tmp_path):
    run = tmp_path / "run"
    for where, count in (("half", 3), ("before", 2), ("after", 3)):
        argv = [*arguments(data, run), *FLAGS, "--resume"]
        killed = _tinyunet([where, str(count), *argv], before=("-c", KILL_AT))
        assert killed.returncode == -signal.SIGKILL, (where, count, killed.stderr)
        assert (run / "last.safetensors").exists()
        load_checkpoint(run / "last.safetensors")  # whole, whatever happened
        if where in ("half", "before"):
            assert list(run.glob(".*.tmp"))
    ended_well(_tinyunet([*arguments(data, run), "--resume", "--device", "cpu"]))
    assert state(run) == whole[0]
    assert not list(run.glob(".*.tmp"))


@pytest.mark.slow
@pytest.mark.parametrize("where", ["half", "before", "after", "log"])
def test_killed_at_every_write(data, whole, tmp_path, where):
    """Each process dies at its second, third, fourth or first write, until one comes to its end."""
    run, count, kills = tmp_path / "run", 0, 0
    while True:
        count += 1
        argv = [*arguments(data, run), *FLAGS, "--resume"]
        process = _tinyunet([where, str(count % 4 + 1), *argv], before=("-c", KILL_AT))
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL, process.stderr
        kills += 1
        assert kills < 30
    assert kills >= 2
    assert state(run) == whole[0]
    print(f"{kills} kills: equal")


@pytest.mark.slow
def test_thirty_kills_at_random_moments(data, whole, tmp_path):
    """Each run is killed again and again until it ends; then the next, until 30 were killed."""
    rng, kills, runs, in_writing = random.Random(1), 0, 0, 0
    while kills < 30:
        run, tries = tmp_path / f"run{runs}", 0
        while True:
            argv = [sys.executable, "-m", "tinyunet", *arguments(data, run), *FLAGS, "--resume"]
            process = subprocess.Popen(argv, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            killed = tries < 6 and _kill(process, run, whole[1], rng)
            if not killed:
                assert process.wait(300) == 0
                break
            process.wait()
            kills, tries = kills + 1, tries + 1
            in_writing += bool(list(run.glob(".*.tmp")))
        assert state(run) == whole[0], f"run {runs} after {kills} kills"
        assert not list(run.glob(".*.tmp"))
        runs += 1
    print(f"{kills} kills in {runs} runs, {in_writing} of them in the middle of a file: all equal")


def _kill(process, run, duration, rng):
    """Kill at a random moment: any, or soon after a checkpoint began; False if it ended before."""
    last, begun = run / "last.safetensors", time.perf_counter()
    if rng.random() < 0.5:
        until, seen = begun + rng.uniform(0, 1.2 * duration), None
    else:
        until, seen = begun + 10 * duration, _written(last)
    while time.perf_counter() < until and process.poll() is None:
        if seen is not None and (_written(last) != seen or list(run.glob(".last*.tmp"))):
            if rng.random() < 0.5:
                time.sleep(rng.uniform(0, 0.05))
            break
        time.sleep(0.0005)
    if process.poll() is not None:
        return False
    process.kill()
    return True


def _written(path):
    return path.stat().st_mtime_ns if path.exists() else 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_run_with_a_checkpoint(data, whole, tmp_path, number, code):
    run = tmp_path / "run"
    argv = [*arguments(data, run), *FLAGS, "--checkpoint-every", "100"]
    process = subprocess.Popen(
        [sys.executable, "-c", SIGNALLED, str(int(number)), *argv, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    out, err = process.communicate(timeout=300)
    assert process.returncode == code, err
    assert "Traceback" not in err
    result = json.loads(out)
    assert result["steps"] == 4
    assert result["interrupted"] == number
    assert load_checkpoint(run / "last.safetensors")[1]["step"] == 4
    assert read_log(run / "log.csv")["step"] == [1, 2, 3, 4]
    again = train_here(run, data, "--checkpoint-every", "100")
    assert again == 0
    mine = load_checkpoint(run / "last.safetensors")
    for name in ("log.csv", "best.safetensors"):
        assert (run / name).read_bytes() == whole[0][name]
    theirs = load_checkpoint(data / "whole" / "last.safetensors")
    assert mine[1] == theirs[1]
    assert all(np.array_equal(mine[0][name], value) for name, value in theirs[0].items())


# the process signals itself in the middle of its fourth step; the first call only compiles
SIGNALLED = """
import os, sys
import tinyunet.training.step as module
from tinyunet.cli import main
real, calls = module.training_gradients, []
def gradients(*tile):
    calls.append(0)
    if len(calls) == 5:
        os.kill(os.getpid(), int(sys.argv[1]))
    return real(*tile)
module.training_gradients = gradients
sys.exit(main(sys.argv[2:]))
"""


def train_here(run, data, *flags):
    from tinyunet.cli import main

    return main([*arguments(data, run), "--resume", "--device", "cpu", *flags])


def test_two_signals_end_the_run_at_once():
    seen = []

    def twice():
        with graceful_shutdown() as stop:
            seen.append(stop.signal)
            os.kill(os.getpid(), signal.SIGINT)
            seen.append(stop.signal)
            os.kill(os.getpid(), signal.SIGINT)
            seen.append("still here")

    with pytest.raises(KeyboardInterrupt):
        twice()
    assert seen == [None, signal.SIGINT]


def test_the_handlers_of_before_come_back():
    def mine(*_):
        pass

    numbers = signal.SIGINT, signal.SIGTERM
    before = [signal.signal(number, mine) for number in numbers]
    try:
        with graceful_shutdown():
            assert mine not in [signal.getsignal(number) for number in numbers]
        assert [signal.getsignal(number) for number in numbers] == [mine, mine]
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def test_stopped_by_the_clock_and_resumed(tmp_path):
    """`seconds` ends a run like its last step: validated, saved, to be gone on with."""
    dataset = tiny_dataset()
    train(dataset, tiny(), tmp_path / "whole", "cpu")
    first = train(dataset, tiny(), tmp_path / "run", "cpu", seconds=0)
    assert (first.steps, first.interrupted) == (1, None)
    assert (
        read_log(tmp_path / "run" / "log.csv")["val_pixel_error_rate"][0]
        == first.last.pixel_error_rate
    )
    second = train(dataset, tiny(), tmp_path / "run", "cpu", resume=True)
    assert second.steps == 12
    whole, resumed = (
        load_checkpoint(tmp_path / n / "last.safetensors")[0] for n in ("whole", "run")
    )
    assert all(np.array_equal(whole[name], resumed[name]) for name in whole)


def test_more_steps_are_allowed(tmp_path):
    dataset = tiny_dataset()
    train(dataset, tiny(val=None), tmp_path / "whole", "cpu")
    train(dataset, tiny(val=None, steps=5), tmp_path / "run", "cpu")
    result = train(dataset, tiny(val=None), tmp_path / "run", "cpu", resume=True)
    assert result.steps == 12
    for name in ("last.safetensors", "log.csv"):
        one, other = (tmp_path / run / name for run in ("whole", "run"))
        assert one.read_bytes() == other.read_bytes()


def test_fewer_steps_than_were_done_are_refused(tmp_path):
    dataset = tiny_dataset()
    train(dataset, tiny(val=None, steps=3), tmp_path / "run", "cpu")
    before = snapshot(tmp_path)
    with pytest.raises(ValueError, match="^steps 2: the run has done 3; wanted that many or more$"):
        train(dataset, tiny(val=None, steps=2), tmp_path / "run", "cpu", resume=True)
    assert snapshot(tmp_path) == before


def test_a_falling_rate_is_resumed_exactly_and_only_with_its_own_steps(tmp_path):
    dataset, settings = tiny_dataset(), tiny(val=None, decay=0.7)
    train(dataset, settings, tmp_path / "whole", "cpu")
    first = train(dataset, settings, tmp_path / "run", "cpu", seconds=0)  # stops after one step
    assert first.steps == 1
    with pytest.raises(ValueError, match="steps: 13, not 12"):
        train(dataset, tiny(val=None, decay=0.7, steps=13), tmp_path / "run", "cpu", resume=True)
    train(dataset, settings, tmp_path / "run", "cpu", resume=True)
    whole, resumed = (tmp_path / name / "last.safetensors" for name in ("whole", "run"))
    assert whole.read_bytes() == resumed.read_bytes()
    train(dataset, tiny(val=None), tmp_path / "constant", "cpu")
    constant = load_checkpoint(tmp_path / "constant" / "last.safetensors")[0]
    falling = load_checkpoint(whole)[0]
    assert not np.array_equal(constant["params/out.bias"], falling["params/out.bias"])


def test_a_finished_run_resumed_stays_as_it_is(tmp_path):
    dataset = tiny_dataset()
    first = train(dataset, tiny(), tmp_path / "run", "cpu")
    before = snapshot(tmp_path)
    second = train(dataset, tiny(), tmp_path / "run", "cpu", resume=True)
    assert snapshot(tmp_path) == before
    for name in ("steps", "loss", "best", "last"):
        assert getattr(second, name) == getattr(first, name)
    assert second.waited == 0


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"lr": 0.02}, "lr: 0.02, not 0.01"),
        ({"seed": 8}, "seed: 8, not 7"),
        ({"val": None}, r"val: None, not \[3, 4\]"),
        ({"depth": 1, "tile": 34}, "depth: 1, not 2"),
        ({"intensity": False, "tile": 18}, "tile: 18, not 34; intensity: False, not True"),
        ({"checkpoint_every": 4}, "checkpoint_every: 4, not 3"),
    ],
)
def test_other_settings_are_refused(tmp_path, changes, named):
    dataset = tiny_dataset()
    train(dataset, tiny(steps=1), tmp_path / "run", "cpu")
    before = snapshot(tmp_path)
    with pytest.raises(ValueError, match=f"run: cannot be resumed so: {named}$"):
        train(dataset, tiny(**changes), tmp_path / "run", "cpu", resume=True)
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("part", ["images", "labels", "valid", "count", "kind"])
def test_other_data_are_refused(tmp_path, part):
    train(tiny_dataset(), tiny(steps=1), tmp_path / "run", "cpu")
    other = tiny_dataset(count=5) if part == "count" else tiny_dataset()
    if part == "images":
        other.images[2][0, 5, 5] += 1e-6
    elif part == "labels":
        other.labels[3][5, 5] ^= 1
    elif part == "valid":
        other.valid[0] = np.ones((30, 34), bool)
    elif part == "kind":
        other.kind = "instances"
    with pytest.raises(ValueError, match="so: the images or labels are not those that it was sta"):
        train(other, tiny(steps=1), tmp_path / "run", "cpu", resume=True)


@pytest.mark.parametrize("state", [None, 3, {}, {"bit_generator": "PCG64", "state": {}}])
def test_a_damaged_state_of_the_generator(tmp_path, state):
    run = tmp_path / "run"
    train(tiny_dataset(), tiny(steps=1), run, "cpu")
    tensors, meta = load_checkpoint(run / "last.safetensors")
    save_checkpoint(run / "last.safetensors", tensors, {**meta, "rng": state})
    with pytest.raises(ValueError, match="last.safetensors: state of the generator is damaged"):
        train(tiny_dataset(), tiny(steps=2), run, "cpu", resume=True)


def test_resume_with_an_empty_folder_starts(tmp_path):
    run = tmp_path / "a" / "run"
    assert check_folder(run, resume=True) is False
    assert train(tiny_dataset(), tiny(steps=1), run, "cpu", resume=True).steps == 1
    assert check_folder(run, resume=True) is True


def test_a_second_run_is_refused(tmp_path):
    run = tmp_path / "run"
    train(tiny_dataset(), tiny(steps=1), run, "cpu")
    before = snapshot(tmp_path)
    with pytest.raises(FileExistsError, match=r"run: holds a run already .*: give --resume to go"):
        train(tiny_dataset(), tiny(steps=1), run, "cpu")
    with RunFolder(run, resume=True), pytest.raises(BlockingIOError, match="another run .process"):
        train(tiny_dataset(), tiny(steps=1), run, "cpu", resume=True)
    assert snapshot(tmp_path) == before


def as_version_one(run):
    """Turn the files of a run into what version 1.0 would have written."""
    settings = json.loads((run / "settings.json").read_text())
    old = {"base_channels": "base", "lr": "rate", "intensity": "grey"}
    settings["settings"] = {old.get(n, n): v for n, v in settings["settings"].items()}
    (run / "settings.json").write_text(json.dumps(settings, indent=2) + "\n")
    log = (run / "log.csv").read_text().replace("val_pixel_error_rate", "val_wrong")
    (run / "log.csv").write_text(log)
    tensors, meta = load_checkpoint(run / "last.safetensors")
    best, last = meta.pop("best"), meta.pop("last")
    del meta["normalisation"]
    meta["architecture"]["base"] = meta["architecture"].pop("base_channels")
    meta["log_size"] = len(log)
    meta |= {"best_step": best["step"], "best_loss": best["loss"]}
    meta |= {"best_wrong": best["pixel_error_rate"]}
    meta |= {"val_loss": last["loss"], "val_wrong": last["pixel_error_rate"]}
    save_checkpoint(run / "last.safetensors", tensors, meta)


def test_a_run_of_version_one_goes_on(tmp_path):
    """Settings, log and checkpoint had other names there; the numbers are the same."""
    dataset = tiny_dataset()
    train(dataset, tiny(), tmp_path / "whole", "cpu")
    train(dataset, tiny(steps=6), tmp_path / "run", "cpu")
    as_version_one(tmp_path / "run")
    result = train(dataset, tiny(), tmp_path / "run", "cpu", resume=True)
    assert result.steps == 12
    logs = [read_log(tmp_path / name / "log.csv") for name in ("whole", "run")]
    assert logs[0]["loss"] == logs[1]["loss"]
    ends = [load_checkpoint(tmp_path / n / "last.safetensors") for n in ("whole", "run")]
    assert all(np.array_equal(ends[1][0][name], value) for name, value in ends[0][0].items())
    assert ends[0][1]["rng"] == ends[1][1]["rng"]
    assert (tmp_path / "run" / "log.csv").read_text().startswith("step,loss,val_loss,val_wrong\n")


@pytest.mark.parametrize("scores", [{"best": 3}, {"best": {"step": 1}}, {"last": {"a": 1}}])
def test_damaged_scores_are_named(tmp_path, scores):
    run = tmp_path / "run"
    train(tiny_dataset(), tiny(steps=1), run, "cpu")
    tensors, meta = load_checkpoint(run / "last.safetensors")
    save_checkpoint(run / "last.safetensors", tensors, meta | scores)
    with pytest.raises(ValueError, match="last.safetensors: its scores are damaged"):
        train(tiny_dataset(), tiny(steps=2), run, "cpu", resume=True)


def test_another_number_of_threads_changes_nothing(data, tmp_path):
    """Started with one thread, stopped, gone on with two: the same bytes as with two all along."""
    if (os.cpu_count() or 1) < 2:
        pytest.skip("one processor: there is no other number of threads")
    wide = ["--depth", "2", "--base", "16", "--tile", "68", "--device", "cpu", "--decay", "0"]

    def state_of(run, *parts):
        for threads, steps in parts:
            argv = [*arguments(data, run), *wide, "--resume"]
            ended_well(_tinyunet([*argv, "--threads", str(threads), "--steps", str(steps)]))
        return {name: (run / name).read_bytes() for name in ("last.safetensors", "log.csv")}

    whole = state_of(tmp_path / "two", (2, 6))
    assert state_of(tmp_path / "one then two", (1, 3), (2, 6)) == whole


WITH_THREADS = """
import sys
sys.path.insert(0, sys.argv[1])
from runs import tiny, tiny_dataset
from tinyunet.backends.cpu import threads
from tinyunet.training.loop import train

threads.LITTLE = 2**14  # more is shared out than would be worth it
threads.set_threads(int(sys.argv[3]))
wide = {"depth": 3, "base_channels": 8, "tile": 68, "val_every": 4, "checkpoint_every": 4}
train(tiny_dataset(), tiny(**wide, steps=int(sys.argv[4])), sys.argv[2], "cpu", resume=True)
"""


@pytest.mark.slow
def test_resumed_with_one_two_and_three_threads(tmp_path):
    """(threads, up to step) of each process of a run: `-s` shows the digests, one for all."""
    rows = {}
    for parts in (
        ((1, 12),),
        ((2, 12),),
        ((3, 12),),
        ((1, 4), (3, 8), (2, 12)),
        ((3, 4), (2, 8), (1, 12)),
    ):
        run = tmp_path / "-".join(f"{n}x{steps}" for n, steps in parts)
        for n, steps in parts:
            arguments = [str(Path(__file__).resolve().parents[1]), str(run), str(n), str(steps)]
            ended_well(_tinyunet(arguments, before=("-c", WITH_THREADS)))
        left = [run / name for name in ("last.safetensors", "best.safetensors", "log.csv")]
        rows[run.name] = {f.name: hashlib.sha256(f.read_bytes()).hexdigest()[:16] for f in left}
        print(f"\n{run.name:14}", *rows[run.name].values(), end="")
    assert len({tuple(row.values()) for row in rows.values()}) == 1, rows
