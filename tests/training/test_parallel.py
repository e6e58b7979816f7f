"""Several ranks: the means of one process, the same run after a resume, one line when one fails."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from ranks_in_threads import run_ranks
from runs import FLAGS, tiny, tiny_dataset, write_stacks

from tinyunet.nn.sgd import SGD
from tinyunet.nn.unet import UNet
from tinyunet.training.checkpoint import load_checkpoint
from tinyunet.training.follow import decide, follow
from tinyunet.training.log import read_log
from tinyunet.training.loop import run_plan, train
from tinyunet.training.parallel import find_ranks
from tinyunet.training.plan import make_plan
from tinyunet.training.ranks import SINGLE
from tinyunet.training.run_folder import RunFolder
from tinyunet.training.step import training_gradients
from tinyunet.training.tiles import draw_tile, prepare_slices


def train_ranks(size, run, resume=False, **changes):
    """Train with so many ranks; return how each ended."""
    settings = tiny(ranks=size, **changes)

    def work(ranks):
        if ranks.rank:
            return follow(tiny_dataset(), {}, "cpu", ranks)
        with RunFolder(run, resume) as folder:
            return run_plan(make_plan(tiny_dataset(), settings, "cpu"), folder, ranks=ranks)

    return run_ranks(size, work)


def files(run):
    names = ("last.safetensors", "best.safetensors", "log.csv", "settings.json")
    return {name: (run / name).read_bytes() for name in names}


@pytest.mark.parametrize("size", [2, 3])
def test_ranks_do_what_one_process_does_that_averages_their_gradients(tmp_path, size):
    ended = train_ranks(size, tmp_path / "run", val=None, momentum_warmup=7)
    assert ended[0].steps == 12
    assert ended[1:] == [None] * (size - 1)
    settings = tiny(momentum_warmup=7)
    slices = prepare_slices(tiny_dataset(), settings)
    net = UNet(1, 2, 2, 2, settings.dropout, settings.seed, device="cpu")
    sgd, losses, generator = SGD(net.params, settings.lr, settings.momentum), [], net.rng
    for step in range(1, settings.steps + 1):
        sgd.momentum, found = settings.momentum_at(step), []
        for rank in range(size):
            seeds = settings.seed, step, rank, 1
            net.rng = np.random.default_rng(seeds) if rank else generator
            found.append(training_gradients(net, *draw_tile(slices, settings, step, rank)))
        losses.append(sum(float(loss) for loss, _ in found) / size)
        sgd.step({name: sum(g[name] for _, g in found) / size for name in net.params})
    assert read_log(tmp_path / "run" / "log.csv")["loss"] == losses
    tensors, _ = load_checkpoint(tmp_path / "run" / "last.safetensors")
    for name, value in net.params.items():
        assert tensors[f"params/{name}"].tobytes() == value.tobytes(), name


def test_a_resumed_run_of_two_ranks_ends_with_the_same_bytes(tmp_path):
    train_ranks(2, tmp_path / "whole")
    train_ranks(2, tmp_path / "run", steps=5)
    train_ranks(2, tmp_path / "run", resume=True)
    assert files(tmp_path / "run") == files(tmp_path / "whole")


def test_another_number_of_ranks_is_another_run(tmp_path):
    train_ranks(2, tmp_path / "run", steps=2)
    with pytest.raises(ValueError, match="cannot be resumed so: ranks: 1, not 2"):
        train(tiny_dataset(), tiny(), tmp_path / "run", "cpu", resume=True)
    with pytest.raises(ValueError, match="ranks 2 is not the number of processes, 1"):
        train(tiny_dataset(), tiny(ranks=2), tmp_path / "new", "cpu")


def test_each_rank_draws_another_tile_and_rank_0_that_of_a_single_process():
    settings = tiny()
    slices = prepare_slices(tiny_dataset(), settings)
    tiles = [draw_tile(slices, settings, 4, rank).x for rank in range(3)]
    assert (tiles[0] == draw_tile(slices, settings, 4).x).all()
    assert not any((a == b).all() for a, b in ((tiles[0], tiles[1]), (tiles[1], tiles[2])))


def test_means_are_the_sums_in_the_order_of_the_ranks():
    """In float32, 1e8 + 1 − 1e8 is 0, and 1e8 − 1e8 + 1 is 1."""
    mine = np.array([[1e8, 1, 2], [1, 2, 3], [-1e8, 5, 7]], np.float32)
    ends = run_ranks(3, lambda ranks: ranks.mean(0, {"w": mine[ranks.rank]})[1]["w"].tolist())
    want = ((mine[0] + mine[1]) + mine[2]) / np.float32(3)
    assert ends == [want.tolist()] * 3
    assert want[0] == 0


def test_a_loss_that_is_no_number_ends_all_ranks(tmp_path):
    with np.errstate(all="ignore"):
        ended = train_ranks(2, tmp_path / "run", lr=1e30, val=None)
    assert "at step" in str(ended[0])
    assert "nan" in str(ended[0]) or "inf" in str(ended[0])
    assert ended[1].code == 2


@pytest.mark.parametrize(
    ("said", "seed", "message"),
    [
        ({"lr": 0.5}, 0, "rank 1 was given other settings than rank 0"),
        ({}, 1, "rank 1 was given other images or labels than rank 0"),
    ],
)
def test_ranks_with_other_settings_or_data_end_with_one_line(tmp_path, said, seed, message):
    def work(ranks):
        if ranks.rank:
            return follow(tiny_dataset(seed=seed), said, "cpu", ranks)
        with RunFolder(tmp_path / "run") as folder:
            return run_plan(make_plan(tiny_dataset(), tiny(ranks=2), "cpu"), folder, ranks=ranks)

    ended = run_ranks(2, work)
    assert str(ended[0]) == message
    assert ended[1].code == 2
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("failing", [0, 1, 2])
def test_whoever_fails_speaks_and_nobody_waits(failing):
    def work(ranks):
        ranks.share(1)
        if ranks.rank == failing:
            raise OSError("no space left")
        return ranks.share(2)

    ended = run_ranks(3, work)
    told = "no space left" if failing == 0 else f"rank {failing}: no space left"
    assert str(ended[failing]) == told
    assert [e.code for r, e in enumerate(ended) if r != failing] == [2, 2]


def test_who_has_finished_hears_of_a_failure_too():
    def work(ranks):
        if ranks.rank == 0:
            raise OSError("the last checkpoint could not be written")

    ended = run_ranks(2, work)
    assert str(ended[0]) == "the last checkpoint could not be written"
    assert ended[1].code == 2


def test_all_ranks_end_with_one_step_whoever_was_asked():
    asked = [(False, None), (False, 15), (True, None)]
    ends = run_ranks(3, lambda ranks: decide(*asked[ranks.rank], ranks))
    assert ends == [(True, 15)] * 3
    assert decide(False, 2, SINGLE) == (False, 2)
    assert decide(True, None, SINGLE) == (True, None)


def test_what_rank_0_knows_reaches_the_others():
    def work(ranks):
        array = np.full((2, 3), float(ranks.rank))
        ranks.copy([array])
        return ranks.tell({"steps": 3, "val": None} if ranks.rank == 0 else None), array.sum()

    assert run_ranks(2, work) == [({"steps": 3, "val": None}, 0)] * 2


def test_one_process_asks_nobody(monkeypatch):
    for name in ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MPI_LOCALNRANKS"):
        monkeypatch.delenv(name, raising=False)
    assert find_ranks() is SINGLE
    monkeypatch.setenv("PMI_SIZE", "1")
    assert find_ranks() is SINGLE


def test_without_mpi4py_it_is_named(monkeypatch):
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "4")
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    with pytest.raises(ImportError, match=r'started as 4 processes.*pip install "tinyunet\[para'):
        find_ranks()


# --- with mpirun ---------------------------------------------------------------------------------


@pytest.fixture
def mpirun():
    pytest.importorskip("mpi4py", reason="mpi4py is not installed")
    if (path := shutil.which("mpirun")) is None:
        pytest.skip("no mpirun")
    more = (
        "--allow-run-as-root --oversubscribe --bind-to none" if "Open MPI" in _version(path) else ""
    )
    quiet = {"OMPI_MCA_mpi_yield_when_idle": "1", "NUMBA_NUM_THREADS": "1"}

    def call(*arguments):
        program = [sys.executable, "-m", "tinyunet", *map(str, arguments)]
        command = [path, *more.split(), "-n", "2", *program]
        environment = {**os.environ, **quiet}
        return subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)

    return call


def _version(path):
    return subprocess.run([path, "--version"], capture_output=True, text=True).stdout


def test_mpirun_trains_resumes_and_fails_in_one_line(mpirun, tmp_path):
    images, labels = write_stacks(tmp_path)
    data = "train", images, labels, "--out"
    for run, more in (("whole", []), ("run", ["--steps", "5"])):
        ended = mpirun(*data, tmp_path / run, *FLAGS, *more)
        assert ended.returncode == 0, ended.stderr
    ended = mpirun(*data, tmp_path / "run", "--resume", "--steps", "12", "--device", "cpu")
    assert ended.returncode == 0, ended.stderr
    assert files(tmp_path / "run") == files(tmp_path / "whole")
    assert ended.stdout.count("12 steps in") == 1  # one rank speaks
    ended = mpirun("train", images, tmp_path / "none.tif", "--out", tmp_path / "new", *FLAGS)
    assert ended.returncode == 2
    assert ended.stderr.count("tinyunet: error") == 1
    train_ranks(2, tmp_path / "threads")  # the stand-in of the other tests does the same
    assert files(tmp_path / "threads") == files(tmp_path / "whole")
