"""The training loop: it learns, it logs, it keeps the best, and it is what the formula says."""

import math
import threading

import numpy as np
import pytest
from runs import snapshot, tiny, tiny_dataset

from tinyunet import nn
from tinyunet.geometry import margin
from tinyunet.images.split import fingerprint, split
from tinyunet.nn.unet import UNet
from tinyunet.training import loop as training
from tinyunet.training import step as stepping
from tinyunet.training.checkpoint import load_checkpoint, load_network, strip_prefix
from tinyunet.training.failures import DivergedError
from tinyunet.training.log import read_log
from tinyunet.training.loop import train
from tinyunet.training.observer import Observer
from tinyunet.training.plan import make_plan
from tinyunet.training.run_folder import RunFolder
from tinyunet.training.step import training_gradients
from tinyunet.training.tiles import TrainingSlice, draw_tile, prepare_slices
from tinyunet.training.validation import Validation, validate, validation_tile

PLAIN = {"elastic": False, "rotation": False, "intensity": False, "weight_map": False, "dropout": 0}


def params(path):
    return strip_prefix(load_checkpoint(path)[0], "params/")


def same(one, other):
    return sorted(one) == sorted(other) and all(np.array_equal(one[n], other[n]) for n in one)


class Noting(Observer):
    """Notes down all that it is told."""

    def __init__(self):
        self.told = []

    def begin(self, step, steps):
        self.told.append(("begin", step, steps))

    def step(self, step, loss):
        self.told.append(("step", step, loss))

    def validated(self, validation, probabilities):
        self.told.append(("validated", validation, probabilities.shape))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run of 12 steps: (folder, result, what its observer was told)."""
    folder, observer = tmp_path_factory.mktemp("finished") / "run", Noting()
    result = train(tiny_dataset(), tiny(), folder, "cpu", observer=observer)
    return folder, result, observer.told


def test_it_learns(tmp_path):
    settings = tiny(steps=120, base_channels=4, lr=0.05, val_every=40, checkpoint_every=60, **PLAIN)
    result = train(tiny_dataset(), settings, tmp_path / "run", "cpu")
    loss = read_log(tmp_path / "run" / "log.csv")["loss"]
    assert np.mean(loss[-20:]) < 0.5 * np.mean(loss[:5])
    labels = tiny_dataset().labels[3]
    assert result.best.pixel_error_rate < 0.5 * min(labels.mean(), 1 - labels.mean())


def test_what_the_run_leaves_behind(finished):
    folder, result, told = finished
    assert sorted(p.name for p in folder.iterdir()) == [
        ".lock",
        "best.safetensors",
        "history.json",
        "last.safetensors",
        "log.csv",
        "settings.json",
    ]
    log = read_log(folder / "log.csv")
    assert log["step"] == list(range(1, 13))
    assert all(math.isfinite(loss) for loss in log["loss"])
    validated = [step for step, loss in zip(log["step"], log["val_loss"], strict=True) if loss]
    assert validated == [5, 10, 12]  # every 5 steps, and the last
    rates = log["val_pixel_error_rate"]
    assert [v is None for v in rates] == [v is None for v in log["val_loss"]]
    expected = [("begin", 0, 12)]
    for step, loss, val_loss, rate in zip(*log.values(), strict=True):
        expected.append(("step", step, loss))
        if val_loss is not None:
            expected.append(("validated", (step, val_loss, rate), (2, 30, 34)))
    told = [
        (what, (v.step, v.loss, v.pixel_error_rate), shape)
        if what == "validated"
        else (what, v, shape)
        for what, v, shape in told
    ]
    assert told == expected
    assert (result.steps, result.interrupted) == (12, None)
    assert result.loss == log["loss"][-1]
    assert (result.last.step, result.last.loss) == (12, log["val_loss"][-1])
    assert result.last.pixel_error_rate == rates[-1]
    assert sum(result.last.predicted) == pytest.approx(1)
    assert result.seconds > 0
    assert 0 <= result.waited < 1


def test_the_best_is_the_best_of_the_log(finished, tmp_path):
    folder, result, _ = finished
    log = read_log(folder / "log.csv")
    scores = {s: v for s, v in zip(log["step"], log["val_loss"], strict=True) if v is not None}
    best = min(scores, key=scores.get)
    rate = log["val_pixel_error_rate"][best - 1]
    found = result.best
    assert (found.step, found.loss, found.pixel_error_rate) == (best, scores[best], rate)
    meta = load_checkpoint(folder / "best.safetensors")[1]
    assert (meta["step"], meta["val_pixel_error_rate"], meta["tile"]) == (best, rate, 34)
    assert meta["normalisation"] == "image"
    train(tiny_dataset(), tiny(steps=best), tmp_path / "run", "cpu")
    assert same(params(folder / "best.safetensors"), params(tmp_path / "run/last.safetensors"))


def test_the_best_is_replaced_only_by_a_better_one(tmp_path, monkeypatch):
    scores = [
        Validation(*row) for row in ((1, 1.0, 0.1), (2, 0.9, 0.5), (3, 0.8, 0.25), (4, 0.8, 0.2))
    ]
    rest = iter(scores)
    monkeypatch.setattr(training, "validate", lambda *_: (next(rest), None))
    result = train(tiny_dataset(), tiny(steps=4, val_every=1), tmp_path / "run", "cpu")
    assert (result.best, result.last) == (scores[2], scores[3])
    assert load_checkpoint(tmp_path / "run/best.safetensors")[1]["step"] == 3


def test_the_loop_is_what_the_formula_says(finished):
    """The same steps by hand: tile, forward, loss, backward, v ← μ·v + g, p ← p − rate·v."""
    folder, _, _ = finished
    settings = tiny()
    slices = prepare_slices(tiny_dataset().subset([0, 1, 2]), settings)
    net = UNet(1, 2, 2, 2, 0.25, 7, device="cpu")
    velocity = {name: np.zeros_like(p) for name, p in net.params.items()}
    losses = []
    for step in range(1, 13):
        x, labels, weights = draw_tile(slices, settings, step)
        logits, cache = net.forward(x, train=True)
        loss, loss_cache = nn.softmax_cross_entropy(logits, labels, weights)
        losses.append(float(loss))
        for name, g in net.backward(nn.softmax_cross_entropy_backward(loss_cache), cache).items():
            velocity[name] = 0.9 * velocity[name] + g
            net.params[name][...] -= 0.01 * velocity[name]
    tensors, meta = load_checkpoint(folder / "last.safetensors")
    np.testing.assert_allclose(read_log(folder / "log.csv")["loss"], losses, rtol=1e-5)
    for name, p in net.params.items():
        np.testing.assert_allclose(tensors[f"params/{name}"], p, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(
            tensors[f"velocity/{name}"], velocity[name], rtol=1e-3, atol=1e-5
        )
    assert meta["rng"] == net.rng.bit_generator.state
    assert (meta["step"], meta["tile"]) == (12, 34)


def test_the_same_settings_give_the_same_files(finished, tmp_path):
    folder, _, _ = finished
    train(tiny_dataset(), tiny(), tmp_path / "run", "cpu")
    files = [snapshot(run) for run in (folder, tmp_path / "run")]
    files = [{p.name: f for p, f in part.items() if p.name != "history.json"} for part in files]
    assert files[0] == files[1]


@pytest.mark.parametrize("changes", [{"seed": 8}, {"lr": 0.02}, {"momentum": 0.5}, {"dropout": 0}])
def test_other_settings_give_other_weights(finished, tmp_path, changes):
    train(tiny_dataset(), tiny(**changes), tmp_path / "run", "cpu")
    assert not same(
        params(finished[0] / "last.safetensors"), params(tmp_path / "run/last.safetensors")
    )


def test_validation_changes_nothing_but_the_log(tmp_path):
    """Neither the generator nor the weights may notice that somebody looked."""
    for name, every in (("often", 1), ("once", 99)):
        train(tiny_dataset(), tiny(val_every=every), tmp_path / name, "cpu")
    often, once = (params(tmp_path / name / "last.safetensors") for name in ("often", "once"))
    assert same(often, once)


def test_without_validation(tmp_path):
    result = train(tiny_dataset(), tiny(val=None, steps=2), tmp_path / "run", "cpu")
    assert not (tmp_path / "run" / "best.safetensors").exists()
    assert (result.best, result.last) == (None, None)
    assert read_log(tmp_path / "run/log.csv")["val_loss"] == [None, None]


def test_checkpoints_at_intervals_and_at_the_end(tmp_path, monkeypatch):
    saved = []
    real = training.save_checkpoint

    def save(path, tensors, meta):
        saved.append((path.name, meta["step"], meta["log_size"]))
        real(path, tensors, meta)

    monkeypatch.setattr(training, "save_checkpoint", save)
    train(tiny_dataset(), tiny(steps=7, val=None), tmp_path / "run", "cpu")
    assert [row[:2] for row in saved] == [("last.safetensors", step) for step in (0, 3, 6, 7)]
    lines = (tmp_path / "run/log.csv").read_bytes().splitlines(keepends=True)
    assert [row[2] for row in saved] == [sum(map(len, lines[: step + 1])) for step in (0, 3, 6, 7)]


def test_seconds_end_the_run(tmp_path, monkeypatch):
    clock = iter(range(10**6))
    monkeypatch.setattr(training.time, "perf_counter", lambda: next(clock))
    result = train(tiny_dataset(), tiny(steps=10**6), tmp_path / "run", "cpu", seconds=30)
    assert 1 < result.steps < 30
    assert result.seconds > 30
    log = read_log(tmp_path / "run/log.csv")
    assert (
        log["step"][-1]
        == result.steps
        == load_checkpoint(tmp_path / "run/last.safetensors")[1]["step"]
    )
    assert log["val_pixel_error_rate"][-1] is not None


def test_the_share_of_waiting(tmp_path, monkeypatch):
    class Slow(training.TileFeed):
        def next_tile(self):
            tile = super().next_tile()
            self.waited = 5.0
            return tile

    ticks = iter([100.0, 120.0])
    monkeypatch.setattr(training, "TileFeed", Slow)

    class Clock:
        perf_counter = staticmethod(lambda: next(ticks, 120.0))

    monkeypatch.setattr(training, "time", Clock)
    result = train(tiny_dataset(), tiny(steps=1), tmp_path / "run", "cpu")
    assert (result.seconds, result.waited) == (20.0, 0.25)


def test_slices_without_truth_are_left_out(tmp_path):
    dataset = tiny_dataset(count=6)
    dataset.labels[0] = dataset.labels[4] = None
    train(dataset, tiny(val=(3, 5)), tmp_path / "some", "cpu")
    train(dataset.subset([1, 2, 5, 3]), tiny(val=(3, 4)), tmp_path / "only", "cpu")
    logs = [(tmp_path / name / "log.csv").read_text() for name in ("some", "only")]
    assert logs[0] == logs[1]


def test_in_another_thread(tmp_path):
    """Only the main thread may ask for signals; a run in any other goes without."""
    results = []
    thread = threading.Thread(
        target=lambda: results.append(train(tiny_dataset(), tiny(steps=1), tmp_path / "r", "cpu"))
    )
    thread.start()
    thread.join()
    assert results[0].steps == 1


# Splitting


def test_split():
    dataset = tiny_dataset(count=5)
    parts = split(dataset, tiny(val=(1, 3)))
    assert [part.names for part in parts] == [["0", "3", "4"], ["1", "2"]]
    parts = split(dataset, tiny(val=None))
    assert [part.names for part in parts] == [["0", "1", "2", "3", "4"], []]
    assert split(dataset, tiny(val=(4, 5)))[1].names == ["4"]


def test_split_refuses():
    dataset = tiny_dataset()
    with pytest.raises(
        ValueError, match=r"^validation range 3:5 is outside the 4 slices \(0 to 3\)$"
    ):
        split(dataset, tiny(val=(3, 5)))
    with pytest.raises(ValueError, match="^no labelled slice is left to train on$"):
        split(dataset, tiny(val=(0, 4)))
    dataset.labels[2] = dataset.labels[3] = None
    with pytest.raises(ValueError, match="^none of the slices 2 to 3 set aside has labels$"):
        split(dataset, tiny(val=(2, 4)))
    dataset.images[1] = np.zeros((3, 30, 34), np.float32)
    with pytest.raises(ValueError, match="^images have 1 and 3 channels: wanted one number$"):
        split(dataset, tiny())


@pytest.mark.parametrize("classes", [1, 257])
def test_classes_that_no_network_tells_apart(classes):
    dataset = tiny_dataset()
    dataset.n_classes = classes
    with pytest.raises(ValueError, match=f"^{classes} classes: a network tells 2 to 256 apart$"):
        split(dataset, tiny())
    dataset.n_classes = 256
    assert len(split(dataset, tiny())[0]) == 3


def test_the_fingerprint_sees_everything():
    def changed(change):
        dataset = tiny_dataset()
        change(dataset)
        return fingerprint(dataset)

    prints = [
        changed(lambda d: None),
        changed(lambda d: d.images[0].__setitem__((0, 0, 0), 9)),
        changed(lambda d: d.labels[3].__setitem__((0, 0), 7)),
        changed(lambda d: d.labels.__setitem__(1, None)),
        changed(lambda d: d.valid.__setitem__(1, np.ones((30, 34), bool))),
        changed(lambda d: d.images.__setitem__(0, d.images[0].reshape(1, 34, 30))),
        changed(lambda d: d.images.__setitem__(0, d.images[0].view(np.int32))),
        changed(lambda d: setattr(d, "kind", "instances")),
        changed(lambda d: setattr(d, "n_classes", 3)),
        changed(lambda d: [part.pop() for part in (d.images, d.labels, d.valid, d.names)]),
    ]
    assert len(set(prints)) == len(prints)
    assert all(len(text) == 64 for text in prints)
    assert changed(lambda d: None) == prints[0]
    assert changed(lambda d: d.names.__setitem__(0, "renamed")) == prints[0]
    assert changed(lambda d: d.images.__setitem__(0, np.asfortranarray(d.images[0]))) == prints[0]


def test_a_precision_of_gpus_is_refused_on_the_cpu(tmp_path):
    message = "^precision 'tf32' needs a GPU: this run is on the CPU$"
    with pytest.raises(ValueError, match=message):
        train(tiny_dataset(), tiny(precision="tf32"), tmp_path / "run", "cpu")
    assert not (tmp_path / "run").exists()


# Validation


def by_hand(net, item):
    """Loss and wrong pixels of one slice: padded by NumPy, predicted in one piece."""
    border = margin(net.depth)
    height, width = item.classes.shape
    padded = np.pad(item.image, ((0, 0), (border, border), (border, border)), mode="reflect")
    p = net.predict_proba(padded[None])[0]
    assert p.shape[1:] == (height, width)
    loss = wrong = known = 0
    for y in range(height):
        for x in range(width):
            weight = 1.0 if item.weight_map is None else float(item.weight_map[y, x])
            loss -= weight * math.log(p[item.classes[y, x], y, x])
            if weight > 0:
                known += 1
                wrong += int(p[:, y, x].argmax() != item.classes[y, x])
    return loss / (height * width), wrong, known


@pytest.mark.parametrize("weighted", [True, False])
def test_validate_by_hand(weighted):
    settings = tiny(weight_map=weighted)
    dataset = tiny_dataset(count=3)
    dataset.valid[1] = np.random.default_rng(0).random((30, 34)) < 0.7
    slices = prepare_slices(dataset, settings)
    net = UNet(1, 2, 2, 2, seed=3, device="cpu")
    rows = [by_hand(net, item) for item in slices]
    found, probabilities = validate(net, slices, settings, 7)
    assert found.step == 7
    assert found.loss == pytest.approx(np.mean([row[0] for row in rows]), rel=1e-5)
    assert found.pixel_error_rate == sum(row[1] for row in rows) / sum(row[2] for row in rows)
    assert 0 < found.pixel_error_rate < 1
    assert probabilities.shape == (2, 30, 34)
    assert sum(row[2] for row in rows) < 3 * 30 * 34


def test_pixels_without_truth_count_neither_way():
    net = UNet(1, 2, 2, 2, seed=3, device="cpu")
    image = np.random.default_rng(1).standard_normal((1, 30, 34)).astype(np.float32)
    nothing = TrainingSlice(image, np.zeros((30, 34), "u1"), np.zeros((30, 34), "f4"), "")
    assert validate(net, [nothing], tiny())[0] == Validation(0, 0.0, 0.0, (0.0, 0.0))


def test_a_probability_of_zero_is_no_infinite_loss(monkeypatch):
    p = np.zeros((2, 30, 34), np.float32)
    p[0] = 1
    monkeypatch.setattr("tinyunet.training.validation.predict_tiled", lambda *_, **__: p)
    net = UNet(1, 2, 2, 2, device="cpu")
    item = TrainingSlice(np.zeros((1, 30, 34), "f4"), np.ones((30, 34), "u1"), None, "")
    found, _ = validate(net, [item], tiny())
    assert found.loss == pytest.approx(-math.log(np.finfo(np.float32).tiny), rel=1e-6)
    assert found.pixel_error_rate == 1.0
    assert found.predicted == (1.0, 0.0)
    assert found.collapsed


@pytest.mark.parametrize(
    ("shape", "tile", "expected"),
    [
        ((30, 34), 34, 34),  # in one piece it would take 50, more than 1.25 · 34
        ((30, 34), 40, 50),  # exactly 1.25 times
        ((34, 30), 40, 50),
        ((35, 30), 40, 40),
        ((10, 2), 34, 26),
    ],
)
def test_validation_tile(shape, tile, expected):
    assert validation_tile(shape, tiny(tile=tile)) == expected


def test_training_gradients():
    settings = tiny()
    tile = draw_tile(prepare_slices(tiny_dataset(), settings), settings, 1)
    net = UNet(1, 2, 2, 2, dropout=0, device="cpu")
    loss, grads = training_gradients(net, *tile)
    assert sorted(grads) == sorted(net.params)
    net.params["out.bias"][0] += 1e-2
    higher, _ = training_gradients(net, *tile)
    net.params["out.bias"][0] -= 2e-2
    lower, _ = training_gradients(net, *tile)
    assert (higher - lower) / 2e-2 == pytest.approx(grads["out.bias"][0], rel=1e-2)
    unweighted, _ = training_gradients(net, tile[0], tile[1], None)
    assert unweighted != loss


def test_the_gradients_of_a_step_empty_its_cache_on_the_way(monkeypatch):
    """Each map is let go as soon as its layer is done: by then half of the memory is free again."""
    caches, forward = [], UNet.forward

    def kept(net, x, train=False):
        logits, cache = forward(net, x, train)
        caches.append(cache)
        return logits, cache

    monkeypatch.setattr(UNet, "forward", kept)
    settings = tiny()
    tile = draw_tile(prepare_slices(tiny_dataset(), settings), settings, 1)
    training_gradients(UNet(1, 2, 2, 2, device="cpu"), *tile)
    assert caches == [{}]


def test_drop_out_is_on_in_training():
    settings = tiny()
    tile = draw_tile(prepare_slices(tiny_dataset(), settings), settings, 1)
    net = UNet(1, 2, 2, 2, dropout=0.5, device="cpu")
    assert training_gradients(net, *tile)[0] != training_gradients(net, *tile)[0]


# When the loss is no number any more


def test_a_rate_beyond_all_reason_is_named(tmp_path):
    settings = tiny(lr=1e30, val=None)
    with np.errstate(all="ignore"), pytest.raises(DivergedError) as error:
        train(tiny_dataset(), settings, tmp_path / "run", "cpu")
    text = str(error.value)
    assert "\n" not in text
    assert text.startswith("the loss became nan at step 2 (learning rate 1e+30, momentum 0.9)")
    assert f"the last good checkpoint is {tmp_path / 'run' / 'last.safetensors'}; gradient" in text
    listed = text.partition("gradient norms: ")[2].split(", ")
    names = [
        name
        for name in UNet(depth=2, base_channels=2, device="cpu").params
        if name.endswith("weight")
    ]
    assert [row.split()[0] for row in listed] == names
    assert all(row.split()[1] for row in listed)
    assert load_checkpoint(tmp_path / "run/last.safetensors")[1]["step"] == 0
    assert read_log(tmp_path / "run/log.csv")["step"] == [1]


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_the_step_at_which_it_happens_is_the_last(tmp_path, monkeypatch, bad):
    calls = []
    real = stepping.training_gradients

    def gradients(net, *tile):
        loss, grads = real(net, *tile)
        calls.append(
            {name: float(np.sqrt((g.astype(float) ** 2).sum())) for name, g in grads.items()}
        )
        return (bad, grads) if len(calls) == 5 else (loss, grads)

    monkeypatch.setattr(stepping, "training_gradients", gradients)
    monkeypatch.setattr(training, "training_gradients", gradients)
    with pytest.raises(DivergedError, match=f"^the loss became {bad} at step 5 ") as error:
        train(tiny_dataset(), tiny(), tmp_path / "run", "cpu")
    for name, norm in calls[5].items():  # computed once more, for the message
        if name.endswith("weight"):
            assert f"{name} {norm:.3g}" in str(error.value)
    assert load_checkpoint(tmp_path / "run/last.safetensors")[1]["step"] == 3
    monkeypatch.setattr(stepping, "training_gradients", real)
    assert train(tiny_dataset(), tiny(), tmp_path / "run", "cpu", resume=True).steps == 12


@pytest.mark.parametrize(("step", "kept"), [(3, 0), (5, 3), (12, 9)])
def test_infinite_weights_never_reach_a_checkpoint(tmp_path, monkeypatch, step, kept):
    """The loss of a step may be finite and the weights after it not: a checkpoint is due then."""
    real, calls = training.SGD.step, []

    def sgd_step(self, grads):
        real(self, grads)
        calls.append(0)
        if len(calls) == step:
            self.params["up1.conv2.bias"][1] = np.inf

    monkeypatch.setattr(training.SGD, "step", sgd_step)
    message = (
        rf"^the weights became NaN or infinite at step {step} \(.*; not finite: up1.conv2.bias$"
    )
    with pytest.raises(DivergedError, match=message):
        train(tiny_dataset(), tiny(), tmp_path / "run", "cpu")
    assert load_checkpoint(tmp_path / "run/last.safetensors")[1]["step"] == kept
    if (tmp_path / "run/best.safetensors").exists():
        load_network(tmp_path / "run/best.safetensors", "cpu")


def test_the_observer_may_compile_before_a_weight_map_is_made(tmp_path, monkeypatch):
    order, real = [], training.prepare_slices

    def noted(dataset, settings):
        order.append("weight maps")
        return real(dataset, settings)

    class Noted(Observer):
        def begin(self, step, steps):
            order.append((step, steps))

    monkeypatch.setattr(training, "prepare_slices", noted)
    for steps in (1, 2):
        plan = make_plan(tiny_dataset(), tiny(steps=steps, val=None), "cpu")
        with RunFolder(tmp_path / "run", resume=True) as folder:
            training.run_plan(plan, folder, Noted())
    assert order == [(0, 1), "weight maps", "weight maps", (1, 2), "weight maps", "weight maps"]
