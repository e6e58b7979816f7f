"""Training on a GPU, real or stand-in: the loop, losses read late, the checkpoint."""

import numpy as np
import pytest
from gpu import on_gpu
from numpy.testing import assert_allclose, assert_array_equal
from runs import tiny, tiny_dataset

from tinyunet.backends.cuda.graph_step import GraphStep
from tinyunet.training import loop as training
from tinyunet.training import tiles as feed
from tinyunet.training.checkpoint import load_checkpoint
from tinyunet.training.failures import DivergedError
from tinyunet.training.log import read_log
from tinyunet.training.loop import train
from tinyunet.training.observer import Observer

pytestmark = on_gpu


@pytest.fixture
def events(monkeypatch):
    """What happens in which order: ("start", step), ("read", step), ("save", step)."""
    happened, real_step, real_save = [], GraphStep.step, training.save_checkpoint

    class Noted:
        def __init__(self, loss, step):
            self.loss, self.step = loss, step

        def __float__(self):
            happened.append(("read", self.step))
            return float(self.loss)

    def step(self, *batch):
        happened.append(("start", self._steps + 1))
        return Noted(real_step(self, *batch), self._steps)

    def save(path, tensors, meta):
        happened.append(("save", meta["step"]))
        real_save(path, tensors, meta)

    monkeypatch.setattr(GraphStep, "step", step)
    monkeypatch.setattr(training, "save_checkpoint", save)
    return happened


def test_a_run_on_the_gpu_is_the_run_on_the_cpu(tmp_path):
    told = []

    class Noting(Observer):
        def step(self, step, loss):
            told.append((step, loss))

    for device in ("cpu", "gpu"):
        result = train(tiny_dataset(), tiny(), tmp_path / device, device, observer=Noting())
        assert result.steps == 12
    logs = [read_log(tmp_path / device / "log.csv") for device in ("cpu", "gpu")]
    assert logs[0]["step"] == logs[1]["step"]
    assert_allclose(logs[1]["loss"], logs[0]["loss"], rtol=1e-3)
    assert [v is None for v in logs[0]["val_loss"]] == [v is None for v in logs[1]["val_loss"]]
    assert_allclose(
        [v for v in logs[1]["val_loss"] if v is not None],
        [v for v in logs[0]["val_loss"] if v is not None],
        rtol=1e-3,
    )
    assert told[12:] == list(zip(logs[1]["step"], logs[1]["loss"], strict=True))
    tensors = [load_checkpoint(tmp_path / d / "last.safetensors")[0] for d in ("cpu", "gpu")]
    for name, expected in tensors[0].items():
        assert_allclose(tensors[1][name], expected, atol=1e-4, err_msg=name)


def test_a_loss_is_read_while_the_next_step_runs(events, tmp_path):
    settings = tiny(steps=7, val=None, checkpoint_every=4)
    train(tiny_dataset(), settings, tmp_path / "run", "gpu")
    assert events == [
        ("save", 0),
        *(("start", 1), ("start", 2), ("read", 1), ("start", 3), ("read", 2), ("start", 4)),
        *(("read", 3), ("read", 4), ("save", 4)),  # a checkpoint holds only what was looked at
        *(("start", 5), ("start", 6), ("read", 5), ("start", 7), ("read", 6), ("read", 7)),
        ("save", 7),
    ]


def test_a_loss_is_read_before_a_validation(events, tmp_path):
    train(tiny_dataset(), tiny(steps=3, val_every=2), tmp_path / "run", "gpu")
    assert events == [
        ("save", 0),
        *(("start", 1), ("start", 2), ("read", 1), ("read", 2)),
        *(("start", 3), ("read", 3), ("save", 3)),
    ]


def test_a_resumed_run_ends_as_one_that_never_stopped(tmp_path):
    train(tiny_dataset(), tiny(), tmp_path / "whole", "gpu")
    train(tiny_dataset(), tiny(steps=5), tmp_path / "run", "gpu")
    train(tiny_dataset(), tiny(), tmp_path / "run", "gpu", resume=True)
    whole, resumed = (load_checkpoint(tmp_path / d / "last.safetensors") for d in ("whole", "run"))
    for name, tensor in whole[0].items():
        assert_array_equal(resumed[0][name], tensor)
    assert resumed[1]["rng"] == whole[1]["rng"]
    assert resumed[1]["loss"] == whole[1]["loss"]
    train(tiny_dataset(), tiny(), tmp_path / "again", "gpu")
    logs = [(tmp_path / name / "log.csv").read_bytes() for name in ("whole", "again")]
    assert logs[0] == logs[1]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_loss_that_is_no_number_is_named_though_read_late(tmp_path, monkeypatch, bad):
    real = GraphStep.step

    def step(self, *batch):
        loss = real(self, *batch)
        return bad if self._steps == 5 else loss

    monkeypatch.setattr(GraphStep, "step", step)
    with pytest.raises(DivergedError, match=f"^the loss became {bad} at step 5 ") as error:
        train(tiny_dataset(), tiny(val=None, checkpoint_every=4), tmp_path / "run", "gpu")
    assert "gradient norms: down1.conv1.weight " in str(error.value)
    assert load_checkpoint(tmp_path / "run/last.safetensors")[1]["step"] == 4
    assert read_log(tmp_path / "run/log.csv")["step"] == [1, 2, 3, 4]


def test_a_checkpoint_does_not_outrun_a_loss_that_is_no_number(tmp_path, monkeypatch):
    real = GraphStep.step

    def step(self, *batch):
        loss = real(self, *batch)
        return np.nan if self._steps == 3 else loss

    monkeypatch.setattr(GraphStep, "step", step)
    with pytest.raises(DivergedError, match="^the loss became nan at step 3 "):
        train(tiny_dataset(), tiny(val=None, checkpoint_every=4), tmp_path / "run", "gpu")
    assert load_checkpoint(tmp_path / "run/last.safetensors")[1]["step"] == 0


@pytest.mark.parametrize(("processors", "threads"), [(1, 1), (2, 1), (4, 3), (9, 8), (64, 8)])
def test_tiles_are_drawn_by_the_other_processors(monkeypatch, processors, threads):
    monkeypatch.setattr(feed, "usable_cores", lambda: processors)
    assert feed.workers_beside_a_gpu() == threads


@pytest.mark.parametrize(("device", "expected"), [("cpu", (1, 2)), ("gpu", (5, 10))])
def test_a_gpu_gets_more_threads(tmp_path, monkeypatch, device, expected):
    asked = []

    class Noting(training.TileFeed):
        def __init__(self, slices, settings, start, workers, ahead):
            asked.append((workers, ahead))
            super().__init__(slices, settings, start, workers, ahead)

    monkeypatch.setattr(training, "TileFeed", Noting)
    monkeypatch.setattr(training, "workers_beside_a_gpu", lambda: 5)
    train(tiny_dataset(), tiny(steps=1), tmp_path / "run", device)
    assert asked == [expected]
