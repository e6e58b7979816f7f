"""One step: `step(tile) -> loss`, with and without kernels, and what comes before the first."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from runs import tiny, tiny_dataset

import tinyunet
from tinyunet.nn.sgd import SGD
from tinyunet.nn.unet import UNet
from tinyunet.training import warm_up as warming
from tinyunet.training.plan import make_plan
from tinyunet.training.step import DirectStep, make_step, training_gradients
from tinyunet.training.tiles import Tile, draw_tile, prepare_slices

TESTS = Path(__file__).resolve().parents[1]


@pytest.fixture
def tile():
    settings = tiny()
    return draw_tile(prepare_slices(tiny_dataset(), settings), settings, 1)


def network():
    net = UNet(1, 2, 2, 2, dropout=0, seed=3, device="cpu")
    return net, SGD(net.params, 0.05, 0.9)


def test_a_step_is_gradients_and_the_optimisers_step(tile):
    net, optimiser = network()
    step = make_step(net, optimiser, 34)
    assert isinstance(step, DirectStep)
    assert step.in_flight == 0
    by_hand, its_optimiser = network()
    for _ in range(3):
        loss, gradients = training_gradients(by_hand, *tile)
        its_optimiser.step(gradients)
        assert step(tile) == float(loss)
    assert all(np.array_equal(net.params[n], p) for n, p in by_hand.params.items())


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_loss_that_is_not_finite_leaves_the_parameters_as_they_are(tile, bad):
    net, optimiser = network()
    before = {name: p.copy() for name, p in net.params.items()}
    x = tile.x.copy()
    x[0, 0, 9, 9] = bad
    with np.errstate(all="ignore"):
        assert not np.isfinite(make_step(net, optimiser, 34)(Tile(x, *tile[1:])))
    assert all(np.array_equal(net.params[n], p) for n, p in before.items())
    assert not any(v.any() for v in optimiser.velocity.values())


def test_warming_up_changes_nothing_and_needs_no_validation(monkeypatch):
    plan = make_plan(tiny_dataset(), tiny(), "cpu")
    before = [image.copy() for image in plan.dataset.images]
    names = [name for name, _ in warming.tasks(plan)]
    assert names[-3:] == ["weight map and tiles", "a step", "prediction"]
    assert len(set(names)) == len(names) > 3
    assert warming.warm_up(plan) > 0
    assert all(np.array_equal(a, b) for a, b in zip(plan.dataset.images, before, strict=True))
    objects = tiny_dataset()
    objects.kind = "instances"
    objects.valid[0] = np.ones((30, 34), bool)
    assert warming.warm_up(make_plan(objects, tiny(val=None), "cpu")) > 0
    monkeypatch.setattr(warming, "find_spec", lambda name: None)
    assert [name for name, _ in warming.tasks(plan)] == names[-3:]


@pytest.mark.slow
def test_nothing_is_compiled_once_it_is_warm(tmp_path):
    """In a process that has nothing on disk: all that a run compiles, it compiles beforehand."""
    program = """
from runs import tiny, tiny_dataset
from tinyunet import _numba
from tinyunet.training.plan import make_plan
from tinyunet.training.tiles import draw_tile, prepare_slices
from tinyunet.training.step import DirectStep
from tinyunet.training.validation import validate
from tinyunet.training.warm_up import warm_up
from tinyunet.nn.sgd import SGD
from tinyunet.nn.unet import UNet
settings = tiny(depth=3, base_channels=16, tile=60)
plan = make_plan(tiny_dataset(), settings, "cpu")
warmed, later = [], []
warm_up(plan, lambda done, total, name: warmed.append(name))
with _numba._telling(later.append):
    slices = prepare_slices(plan.training, settings)
    net = UNet(*plan.shape, 0.25, 0, device="cpu")
    DirectStep(net, SGD(net.params, 0.01))(draw_tile(slices, settings, 1))
    validate(net, slices, settings)
print(len(warmed), [kernel.__name__ for kernel in later])
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        env={
            **os.environ,
            "NUMBA_CACHE_DIR": str(tmp_path),
            "PYTHONPATH": os.pathsep.join(map(str, (TESTS.parent, TESTS))),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    count, compiled = done.stdout.split(" ", 1)
    assert int(count) > 3
    assert compiled == "[]\n"


PROGRAM = """
import sys
# an editable installation would find the missing folder elsewhere
sys.meta_path = [finder for finder in sys.meta_path if "editable" not in repr(finder).lower()]
sys.path.insert(0, {tests!r})
from runs import tiny, tiny_dataset
import tinyunet, tinyunet.training.loop as loop
result = loop.train(tiny_dataset(), tiny(steps=60, lr=0.05, dropout=0), "run")
net = tinyunet.load("run")
p = tinyunet.predict(net, tiny_dataset().images[3][0])
print(tinyunet.__file__, p.shape, [m for m in sys.modules if m.startswith("tinyunet.backends")])
print(result.steps, result.best.pixel_error_rate)
from tinyunet.cli import main
assert main(["train", "no.tif", "no.tif", "--out", "other"]) == 2
assert main(["report", "run"]) == 0
"""


def test_training_needs_no_kernels(tmp_path):
    """A copy of the package without the backends' folder trains, validates and predicts."""
    package = Path(tinyunet.__file__).parent
    for file in package.rglob("*"):
        relative = file.relative_to(package.parent)
        if file.is_file() and "backends" not in relative.parts and file.suffix != ".pyc":
            (tmp_path / relative).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / relative).write_bytes(file.read_bytes())
    program = PROGRAM.format(tests=str(TESTS))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    where, how_good, report = done.stdout.splitlines()
    assert report == "run/report.html"
    assert done.stderr.splitlines()[-1] == "tinyunet: error: no.tif: no such file or folder"
    assert where == f"{tmp_path / 'tinyunet' / '__init__.py'} (2, 30, 34) []"
    steps, rate = how_good.split()
    assert steps == "60"
    labels = tiny_dataset().labels[3]
    assert float(rate) < 0.7 * min(labels.mean(), 1 - labels.mean())
