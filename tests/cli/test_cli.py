"""Every command on tiny data: the files are there and right, results go to stdout."""

import argparse
import json
import os
import runpy
import signal
import subprocess
import sys
import threading
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile
from runs import FLAGS, snapshot, tiny, tiny_arrays, tiny_dataset, write_stacks

import tinyunet
from tinyunet._machine import usable_cores
from tinyunet._text import size_text
from tinyunet.backends import equality
from tinyunet.cli import build_parser, common, demo_command, main, train_command
from tinyunet.images import StackWriter, normalise, read_segmentation
from tinyunet.inference.postprocess import probabilities_to_cells
from tinyunet.inference.predict import predict_tiled
from tinyunet.metrics import detection_table, iou, isbi2012, parted_pairs, seg
from tinyunet.nn import gradcheck_table as checks
from tinyunet.nn.memory import training_memory
from tinyunet.training.checkpoint import load_checkpoint, load_network
from tinyunet.training.log import read_log
from tinyunet.training.loop import train
from tinyunet.training.observer import TrainingResult
from tinyunet.training.recipe_file import read_recipe
from tinyunet.training.settings import Settings
from tinyunet.training.settings_file import read_settings
from tinyunet.weight_map import find_instances, separate_touching, weight_map


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Stacks, and a run trained through the command line."""
    folder = tmp_path_factory.mktemp("cli")
    images, labels = write_stacks(folder)
    run = folder / "run"
    assert main(["train", str(images), str(labels), "--out", str(run), *FLAGS]) == 0
    return SimpleNamespace(folder=folder, images=images, labels=labels, run=run)


def tinyunet_(*arguments):
    return main([str(argument) for argument in arguments])


def test_train_writes_what_the_function_writes(made, tmp_path):
    train(tiny_dataset(), tiny(), tmp_path / "run", "cpu")
    files = {path.name: content for path, content in snapshot(made.run).items()}
    picture = files.pop("curves.png")
    assert picture.startswith(b"\x89PNG")
    for name in ("log.csv", "best.safetensors", "last.safetensors"):
        assert files[name] == (tmp_path / "run" / name).read_bytes()


def test_train_says_what_it_found_and_how_it_ended(made, tmp_path, capsys):
    argv = ["train", made.images, made.labels, "--out", tmp_path / "run", *FLAGS, "--steps", 6]
    assert tinyunet_(*argv) == 0
    out, err = capsys.readouterr()
    found = err.splitlines()
    assert found[0] == "images: 4 slices of 30×34, uint8, 1 channel"
    assert found[1].startswith("labels: 2 classes (class 0 ")
    assert found[2] == "training on 3 slices, validating on 1"
    assert found[3] == "network: depth 2, base 2, 434 parameters; tile 34 → 18"
    memory = size_text(training_memory(34, 1, 2, 2, 2))
    assert found[4].startswith(f"device: cpu; a step needs about {memory} of memory")
    log = read_log(tmp_path / "run/log.csv")
    lines = out.splitlines()
    assert lines[0] == f"6 steps in {tmp_path / 'run'}, the last loss {log['loss'][-1]:.4f}"
    best = log["val_loss"].index(min(value for value in log["val_loss"] if value is not None))
    loss, rate = log["val_loss"][best], 100 * log["val_pixel_error_rate"][best]
    assert lines[1] == (
        f"best validation: loss {loss:.4f}, {rate:.2f} % of the pixels wrong, at step {best + 1}"
    )
    assert lines[2].startswith("time: ")
    assert lines[3] == f"report: {tmp_path / 'run' / 'report.html'}"
    assert lines[4] == f"next: tinyunet predict {tmp_path / 'run'} IMAGES --out probabilities.tif"
    assert len(lines) == 5


def test_train_json(made, tmp_path, capsys):
    run = tmp_path / "a" / "run"
    argv = ["train", made.images, made.labels, "--out", run, *FLAGS, "--steps", 2, "--json"]
    assert tinyunet_(*argv) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["steps"] == 2
    assert result["run"] == str(run)
    assert result["interrupted"] is None
    assert result["loss"] == read_log(run / "log.csv")["loss"][-1]
    assert set(result) == {
        *("steps", "loss", "best", "last", "seconds", "waited", "interrupted", "run"),
    }
    assert set(result["best"]) == {"step", "loss", "pixel_error_rate", "predicted"}


def test_train_options_reach_the_settings(tmp_path):
    def settings(*flags):
        argv = ["train", "i", "l", "--out", str(tmp_path / "no"), *flags]
        return Settings(**train_command.said(build_parser().parse_args(argv)))

    assert settings() == Settings()
    assert settings(*FLAGS) == tiny()
    flags = "--w0 3 --sigma 4 --border 1 --no-elastic --no-rotation --no-grey --no-weight-map"
    parts = dict.fromkeys(("elastic", "rotation", "intensity", "weight_map"), False)
    assert settings(*flags.replace("grey", "intensity").split()) == settings(*flags.split())
    assert settings(*flags.split()) == Settings(w0=3.0, sigma=4.0, border=1, **parts)


def test_resume_takes_the_settings_of_the_run(made, tmp_path):
    run = tmp_path / "run"
    argv = ["train", made.images, made.labels, "--out", run]
    assert tinyunet_(*argv, *FLAGS, "--steps", 4, "--no-grey") == 0
    assert tinyunet_(*argv, "--resume", "--steps", 8, "--device", "cpu") == 0
    assert load_checkpoint(run / "last.safetensors")[1]["step"] == 8
    assert read_log(run / "log.csv")["step"] == list(range(1, 9))


def test_a_sequence_of_cells(tmp_path, capsys):
    from badfiles import sequence

    images, _ = sequence(tmp_path)
    assert tinyunet_("train", images, "--out", tmp_path / "r", *FLAGS[:-10], "--device", "cpu") == 0
    err = capsys.readouterr().err
    assert "labels: 2 objects in 2 frames" in err
    assert "without truth: 1 frame" in err


@pytest.mark.parametrize("weights", [None, "last", "best"])
def test_predict(made, tmp_path, capsys, weights):
    out = tmp_path / "p.tif"
    which = [] if weights is None else ["--weights", weights]
    assert tinyunet_("predict", made.run, made.images, "--out", out, "--device", "cpu", *which) == 0
    assert capsys.readouterr().out == f"{out}: 4 slices\n"
    net, _ = load_network(made.run / f"{weights or 'best'}.safetensors", "cpu")
    expected = [predict_tiled(net, image)[1] for image in tiny_arrays()[0]]
    p = tifffile.imread(out)
    assert p.dtype == np.float32
    np.testing.assert_allclose(p, expected, rtol=1e-5, atol=1e-6)
    assert [path.name for path in tmp_path.iterdir()] == ["p.tif"]


def test_predict_options(made, tmp_path, capsys):
    weights = made.run / "last.safetensors"
    argv = ["predict", weights, made.images, "--out", tmp_path / "p.TIFF", "--device", "cpu"]
    assert tinyunet_(*argv, "--slices", "1:3", "--tile", 26, "--average", 8) == 0
    net, _ = load_network(weights, "cpu")
    expected = [predict_tiled(net, i, 26, 8)[1] for i in tiny_arrays()[0][1:3]]
    np.testing.assert_allclose(tifffile.imread(tmp_path / "p.TIFF"), expected, rtol=1e-6)
    assert capsys.readouterr().out.endswith("p.TIFF: 2 slices\n")


def test_predict_cells(made, tmp_path, capsys):
    cells = tmp_path / "cells"
    argv = ["predict", made.run, made.images, "--out", tmp_path / "p.tif", "--device", "cpu"]
    flags = ["--cells", cells, "--threshold", 0.25, "--min-size", 3, "--grow", 2]
    flags += ["--slices", "2:4"]
    assert tinyunet_(*argv, *flags) == 0
    found = read_segmentation(cells)
    assert sorted(found) == [2, 3]
    p = tifffile.imread(tmp_path / "p.tif")
    for frame, page in zip(found.values(), p, strict=True):
        made_here = probabilities_to_cells(page, threshold=0.25, min_size=3, grow=2, border=2)
        assert np.array_equal(frame, made_here)
        assert not np.array_equal(frame, probabilities_to_cells(page, min_size=3, grow=2))
    count = sum(int(frame.max()) for frame in found.values())
    assert f"{cells}: {count} cells in 2 frames" in capsys.readouterr().out


def test_sigterm_during_predict_leaves_nothing_half_written(made, tmp_path, monkeypatch, capsys):
    """At the second page of the probabilities: by then a page of the cells is written, too."""
    real, pages = StackWriter.append, []

    def append(writer, array):
        real(writer, array)
        pages.append(array)
        if len(pages) == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    out, cells = tmp_path / "p.tif", tmp_path / "cells"
    argv = ["predict", made.run, made.images, "--out", out, "--cells", cells, "--device", "cpu"]
    argv += ["--overwrite"]
    out.write_bytes(b"an earlier result")
    monkeypatch.setattr(StackWriter, "append", append)
    handler = signal.getsignal(signal.SIGTERM)
    assert tinyunet_(*argv) == 143
    assert signal.getsignal(signal.SIGTERM) is handler
    assert capsys.readouterr().err.splitlines()[-1] == "tinyunet: terminated"
    assert len(pages) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["p.tif"]
    assert out.read_bytes() == b"an earlier result"
    monkeypatch.setattr(StackWriter, "append", real)
    assert tinyunet_(*argv) == 0
    assert sorted(read_segmentation(cells)) == [0, 1, 2, 3]
    assert len(tifffile.imread(out)) == 4
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cells", "p.tif"]


def test_cells_go_into_a_folder_that_is_there_and_empty(made, tmp_path, monkeypatch):
    (tmp_path / "cells").mkdir()
    monkeypatch.chdir(tmp_path)
    argv = ["predict", made.run, made.images, "--out", "p.tif", "--cells", "cells"]
    assert tinyunet_(*argv, "--device", "cpu", "--slices", "3:4") == 0
    assert [path.name for path in (tmp_path / "cells").iterdir()] == ["mask003.tif"]
    assert not list(tmp_path.glob(".*"))


def test_commands_run_in_other_threads_too(made, capsys):
    codes = []
    thread = threading.Thread(target=lambda: codes.append(tinyunet_("info", made.run)))
    thread.start()
    thread.join()
    assert codes == [0]


def test_predict_three_classes(tmp_path):
    images, labels = tiny_arrays()
    classes = (labels > 0).astype(np.uint8)
    classes[:, :4] = 2
    for name, array in (("i.tif", images), ("l.tif", classes)):
        tifffile.imwrite(tmp_path / name, array, photometric="minisblack")
    pair = tmp_path / "i.tif", tmp_path / "l.tif"
    run = tmp_path / "run"
    flags = [*FLAGS, "--classes", 3, "--steps", 3]
    assert tinyunet_("train", *pair, "--out", run, *flags) == 0
    out = tmp_path / "p.tif"
    assert tinyunet_("predict", run, pair[0], "--out", out, "--device", "cpu") == 0
    net, _ = load_network(run / "best.safetensors", "cpu")
    assert net.n_classes == 3
    p = tifffile.imread(out)
    assert p.dtype == np.uint8
    assert np.array_equal(p[1], predict_tiled(net, images[1]).argmax(axis=0))


def predictions():
    rng = np.random.default_rng(4)
    labels = tiny_arrays()[1]
    return np.clip(labels / 255 * 0.6 + rng.uniform(0, 0.4, labels.shape), 0, 1).astype(np.float32)


def test_evaluate(made, tmp_path, capsys):
    tifffile.imwrite(tmp_path / "p.tif", predictions(), photometric="minisblack")
    assert tinyunet_("evaluate", tmp_path / "p.tif", made.labels, "--json") == 0
    result = json.loads(capsys.readouterr().out)
    truth = tiny_arrays()[1] > 0
    expected = isbi2012(truth, predictions())
    for name, value in expected.items():
        assert result[name] == pytest.approx(value, rel=1e-12)
    assert result["pixel_error_rate"] == pytest.approx(((predictions() > 0.5) != truth).mean())
    assert [part["pixel_error_rate"] for part in result["slices"]] == pytest.approx(
        ((predictions() > 0.5) != truth).mean(axis=(1, 2)).tolist()
    )
    assert tinyunet_("evaluate", tmp_path / "p.tif", made.labels) == 0
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 80
    row = next(line for line in shown.splitlines() if line.startswith("3 "))
    last = result["slices"][3]
    assert row.split()[1:3] == [f"{last['pixel_error']:.4f}", f"{last['rand_error']:.4f}"]
    assert f"{'pixel error rate at 0.5 ↓':<28}{result['pixel_error_rate']:>12.6f}" in shown
    for name in ("v_rand_thinned", "v_info", "warping_error"):
        assert f"{result[name]:.6f}" in shown


def test_evaluate_at_a_threshold_of_ones_own_and_of_a_run(made, tmp_path, capsys):
    tifffile.imwrite(tmp_path / "p.tif", predictions(), photometric="minisblack")
    argv = ["evaluate", tmp_path / "p.tif", made.labels]
    truth = tiny_arrays()[1] > 0
    assert tinyunet_(*argv, "--threshold", "0.35", "--json") == 0
    result = json.loads(capsys.readouterr().out)["at_threshold"]
    mask = predictions().astype(float) > 0.35
    f_score = 2 * (mask & truth).sum() / (mask.sum() + truth.sum())
    wrong = (mask != truth).mean()
    assert result == {
        "threshold": 0.35,
        "pixel_error_rate": pytest.approx(wrong),
        "f_score": pytest.approx(f_score),
    }
    assert tinyunet_(*argv, "--run", made.run) == 0
    said = capsys.readouterr()
    chosen = read_recipe(made.run).threshold
    assert (
        f"threshold {chosen:g}: best F-score on 1 held-out slice (postprocessing.json)" in said.err
    )
    mask = predictions().astype(float) > chosen
    words = f"{'pixel error rate there ↓':<28}{(mask != truth).mean():>12.6f}{chosen:>6g}"
    assert words in said.out
    assert tinyunet_(*argv, "--run", made.run, "--threshold", "1.5") == 2
    assert "--threshold 1.5 is not in [0, 1)" in capsys.readouterr().err


def test_evaluate_slices(made, tmp_path, capsys):
    some = predictions()[1:3]
    for name, array in (("all.tif", predictions()), ("some.tif", some)):
        tifffile.imwrite(tmp_path / name, array, photometric="minisblack")
    shown = []
    for name in ("all.tif", "some.tif"):
        assert tinyunet_("evaluate", tmp_path / name, made.labels, "--slices", "1:3", "--json") == 0
        shown.append(json.loads(capsys.readouterr().out))
    assert shown[0] == shown[1]
    assert len(shown[0]["slices"]) == 2


def test_evaluate_cells(tmp_path, capsys):
    rng = np.random.default_rng(0)
    frames = {}
    for kind, numbers in (("man_seg", (0, 2)), ("mask", (0, 1, 2))):
        (tmp_path / kind).mkdir()
        for t in numbers:
            cells = np.kron(rng.integers(0, 4, (4, 5)), np.ones((6, 6))).astype(np.uint16)
            frames[kind, t] = cells
            tifffile.imwrite(tmp_path / kind / f"{kind}{t:03d}.tif", cells)
    argv = ["evaluate", tmp_path / "mask", tmp_path / "man_seg"]
    assert tinyunet_(*argv, "--json") == 0
    result = json.loads(capsys.readouterr().out)
    pair = [[frames[kind, t] for t in (0, 2)] for kind in ("man_seg", "mask")]
    assert result == {
        "seg": pytest.approx(seg(*pair)),
        "iou": pytest.approx(iou(*pair)),
        "detection": detection_table(*pair),
        "parted": parted_pairs(*pair)[0],
        "touching": parted_pairs(*pair)[1],
        "frames": 2,
        "objects": sum(len(np.unique(f)) - (0 in f) for f in pair[0]),
    }
    assert tinyunet_(*argv) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"SEG {result['seg']:.4f}\nIoU {result['iou']:.4f}\n")
    assert result["touching"] > result["parted"] >= 0
    assert f"touching pairs parted: {result['parted']} of {result['touching']}\n" in out
    assert max(map(len, out.splitlines())) <= 80
    (half,) = (line.split() for line in out.splitlines() if line.startswith("0.5 "))
    first = result["detection"][0]
    assert half[1:5] == [str(first[k]) for k in ("tp", "fp", "fn")] + [f"{first['f1']:.4f}"]
    assert tinyunet_(*argv, "--slices", "2:3", "--json") == 0
    assert json.loads(capsys.readouterr().out)["frames"] == 1


def test_info(capsys):
    assert tinyunet_("info", "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert result["version"] == tinyunet.__version__
    assert (result["parameters"], result["tile"], result["output"]) == (31030658, 572, 388)
    assert result["cpu_cores"] == usable_cores()
    assert len(result["layers"]) == 31
    assert result["forward_flops"] == sum(layer["flops"] for layer in result["layers"])
    assert tinyunet_("info") == 0
    out = capsys.readouterr().out
    assert out.startswith(f"tinyunet {tinyunet.__version__}, numpy {np.__version__}, ")
    assert "tile 572 → 388: 31,030,658 parameters, " in out
    assert f"{'down1.conv1':<14}{'64 × 570 × 570':>18}{640:>12}" in out


def test_info_tells_how_far_a_run_is(made, tmp_path, capsys):
    assert tinyunet_("info", made.run, "--json") == 0
    run = json.loads(capsys.readouterr().out)["run"]
    log = read_log(made.run / "log.csv")
    assert (run["steps_done"], run["steps"], run["loss"]) == (12, 12, log["loss"][-1])
    assert run["best"]["loss"] == min(v for v in log["val_loss"] if v is not None)
    assert run["data"]["found"][0] == "images: 4 slices of 30×34, uint8, 1 channel"
    assert [start["after_step"] for start in run["starts"]] == [0]
    assert run["settings"]["lr"] == 0.01
    assert tinyunet_("info", made.run) == 0
    out = capsys.readouterr().out
    assert f"run {made.run}: 12 of 12 steps\n" in out
    assert f"best validation: {100 * run['best']['pixel_error_rate']:.2f} % of the pixels" in out
    assert "images: 4 slices of 30×34, uint8, 1 channel\n" in out
    assert all(len(line) <= 80 for line in out.splitlines()[2:] if str(made.run) not in line)
    stopped = tmp_path / "stopped"
    train(tiny_dataset(), tiny(), stopped, "cpu", seconds=0)
    assert tinyunet_("info", stopped) == 0
    assert "1 of 12 steps, not at its end: go on with `tinyunet train … --resume`" in (
        capsys.readouterr().out
    )


def test_report(made, tmp_path, capsys):
    assert tinyunet_("report", made.run) == 0
    assert capsys.readouterr().out == f"{made.run / 'report.html'}\n"
    assert tinyunet_("report", made.run, "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert result["report"] == str(made.run / "report.html")
    assert (result["steps_done"], result["steps"]) == (12, 12)
    assert result["scores"]["slices"][0]["name"] == "3"


def test_a_share_of_the_slices_is_held_out(made, tmp_path, capsys):
    without_val = [*FLAGS[: FLAGS.index("--val")], *FLAGS[FLAGS.index("--val") + 2 :]]
    argv = ["train", made.images, made.labels, *without_val, "--steps", 1]
    assert tinyunet_(*argv, "--out", tmp_path / "run", "--val", "50%") == 0
    assert "training on 2 slices, validating on 2" in capsys.readouterr().err
    assert read_settings(tmp_path / "run")[0].val == (2, 4)
    assert tinyunet_(*argv, "--out", tmp_path / "none") == 0
    assert "nothing is held out, so nobody will know" in capsys.readouterr().err
    assert not (tmp_path / "none" / "scores.json").exists()


def test_resuming_says_where(made, tmp_path, capsys):
    run = tmp_path / "run"
    argv = ["train", made.images, made.labels, "--out", run, "--device", "cpu"]
    assert tinyunet_(*argv, *FLAGS, "--steps", 4) == 0
    assert "going on" not in capsys.readouterr().err
    assert tinyunet_(*argv, "--resume", "--steps", 8) == 0
    assert "going on after step 4 of 8\n" in capsys.readouterr().err
    assert tinyunet_(*argv, "--resume") == 0  # the run knows that there are 8 now
    assert read_log(run / "log.csv")["step"][-1] == 8


def test_progress_in_a_log_file_is_a_line_at_a_time(made, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("tinyunet._progress.LINE_EVERY", 0.0)
    argv = ["train", made.images, made.labels, "--out", tmp_path / "run", *FLAGS, "--steps", 2]
    assert tinyunet_(*argv) == 0
    lines = capsys.readouterr().err.splitlines()
    assert "\r" not in "".join(lines)
    steps = [line for line in lines if line.startswith("step ")]
    log = read_log(tmp_path / "run" / "log.csv")
    assert steps[0].startswith(f"step 1 of 2, loss {log['loss'][0]:.4f}, 50 %, ")
    assert steps[-1].startswith("step 2 of 2, loss ")
    assert steps[-1].endswith(" 100 %, 0 s left")


def test_info_of_a_run(made, capsys):
    for path in (made.run, made.run / "last.safetensors"):
        assert tinyunet_("info", path, "--json") == 0
        result = json.loads(capsys.readouterr().out)
        assert (result["parameters"], result["tile"], result["output"]) == (434, 34, 18)
        assert (result["depth"], result["base_channels"]) == (2, 2)
    assert tinyunet_("info", made.run, "--tile", 50, "--json") == 0
    assert json.loads(capsys.readouterr().out)["output"] == 34
    assert tinyunet_("info", "--depth", 2, "--base", 3, "--tile", 18, "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["depth"], result["base_channels"], result["output"]) == (2, 3, 2)


@pytest.mark.parametrize(("error", "code"), [(1e-9, 0), (checks.LIMIT, 1)])
def test_gradcheck(monkeypatch, capsys, error, code):
    rows = [
        {"device": "cpu", "what": "relu", "gradient": "x", "error": 1e-10},
        {"device": "cpu", "what": "conv2d", "gradient": "bias", "error": error},
    ]
    kernels = [rows[0] | {"limit": equality.LIMIT}]
    monkeypatch.setattr(checks, "all_checks", lambda device: rows if device == "cpu" else [])
    monkeypatch.setattr(
        equality, "all_kernel_checks", lambda device: kernels if device == "cpu" else []
    )
    assert tinyunet_("gradcheck") == code
    out = capsys.readouterr().out
    assert ("WRONG" in out) == bool(code)
    last = "2 gradients, all within 1e-07; 1 row of kernels, all within 2e-05"
    assert out.splitlines()[-1] == ("1 of 3 are off by more than their limit" if code else last)
    assert all(len(line) <= 80 for line in out.splitlines())
    assert tinyunet_("gradcheck", "--json") == code
    assert json.loads(capsys.readouterr().out) == {
        "passed": not code,
        "checks": [row | {"limit": 1e-7} for row in rows],
        "kernels": kernels,
    }


def test_augment(made, tmp_path, capsys):
    argv = ["augment", made.images, made.labels, "--out", tmp_path / "a.png", "--samples", 2]
    argv += ["--overwrite"]
    assert tinyunet_(*argv, "--slice", 1, "--seed", 5) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'a.png'}\n"
    first = (tmp_path / "a.png").read_bytes()
    assert first.startswith(b"\x89PNG")
    assert tinyunet_(*argv, "--slice", 1, "--seed", 5) == 0
    assert (tmp_path / "a.png").read_bytes() == first
    for other in (["--slice", 2, "--seed", 5], ["--slice", 1, "--seed", 6]):
        assert tinyunet_(*argv, *other) == 0
        assert (tmp_path / "a.png").read_bytes() != first
    assert tinyunet_(*argv, "--slice", 1, "--seed", 5, "--no-elastic") == 0
    assert (tmp_path / "a.png").read_bytes() != first


def test_weightmap(made, tmp_path, capsys):
    out = tmp_path / "w.tif"
    flags = ["--w0", 7, "--sigma", 3, "--border", 1]
    assert tinyunet_("weightmap", made.labels, "--out", out, *flags) == 0
    assert capsys.readouterr().out == f"{out}\n"
    maps = tifffile.imread(out)
    assert maps.dtype == np.float32
    for page, label in zip(maps, tiny_arrays()[1], strict=True):
        cells = separate_touching(find_instances((label > 0).astype(int)), 1)
        np.testing.assert_allclose(page, weight_map(cells, 7.0, 3.0, instances=True))
    for name in ("w.png", "W.PNG"):
        assert tinyunet_("weightmap", made.labels, "--out", tmp_path / name, "--slice", 3) == 0
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")


def weight_maps(folder, labels):
    out = folder / "weights.tif"
    assert tinyunet_("weightmap", labels, "--out", out, "--overwrite") == 0
    return tifffile.imread(out)


def test_weightmap_decides_for_all_pages_whether_numbers_are_objects(tmp_path):
    """An object in two pieces is one object, where another page or the files' name says so."""
    pages = np.zeros((2, 30, 34), np.uint16)
    pages[0, 4:12, 4:12] = pages[0, 4:12, 14:22] = 1
    pages[1, 4:12, 4:12] = 7
    pages[1, 4:12, 14:22] = 8
    apart, together = (weight_map(pages[0], 10.0, 5.0, instances=i) for i in (False, True))
    assert np.abs(apart - together).max() > 1
    tifffile.imwrite(tmp_path / "l.tif", pages, photometric="minisblack")
    np.testing.assert_allclose(weight_maps(tmp_path, tmp_path / "l.tif")[0], together)
    tifffile.imwrite(tmp_path / "m.tif", pages[:1], photometric="minisblack")
    np.testing.assert_allclose(weight_maps(tmp_path, tmp_path / "m.tif"), apart)
    (tmp_path / "SEG").mkdir()
    tifffile.imwrite(tmp_path / "SEG" / "man_seg000.tif", pages[0])
    np.testing.assert_allclose(weight_maps(tmp_path, tmp_path / "SEG"), together)


def test_weightmap_of_a_mask_of_16_bits_parts_its_cells(tmp_path):
    mask = np.zeros((30, 34), np.uint16)
    mask[4:12, 4:12] = mask[4:12, 14:22] = 65535
    tifffile.imwrite(tmp_path / "m.tif", mask)
    np.testing.assert_allclose(
        weight_maps(tmp_path, tmp_path / "m.tif"), weight_map(mask > 0, 10.0, 5.0)
    )


def test_a_lost_cell_is_noted_where_warnings_are_errors(tmp_path, capsys):
    """`python -W error -m tinyunet`: our own warnings are notes and stop no command."""
    pair = np.zeros((1, 6, 6), np.uint8)
    pair[0, 2, 2:4] = 20, 21
    tifffile.imwrite(tmp_path / "cells.tif", pair)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        argv = ["weightmap", tmp_path / "cells.tif", "--out", tmp_path / "w.tif"]
        assert tinyunet_(*argv) == 0
    noted = capsys.readouterr().err
    assert noted.startswith("tinyunet: warning: separate_touching: 1 cells are too small")
    assert noted.count("\n") == 1


def test_evaluate_takes_a_mask_of_ones_for_a_mask(made, tmp_path, capsys):
    """Stored as 0 and 1 in 8 bits, not as probabilities of 0 and 1/255."""
    perfect = (tiny_arrays()[1] > 0).astype(np.uint8)
    for name, top in (("ones.tif", 1), ("full.tif", 255)):
        tifffile.imwrite(tmp_path / name, perfect * np.uint8(top), photometric="minisblack")
        assert tinyunet_("evaluate", tmp_path / name, made.labels, "--json") == 0
        result = json.loads(capsys.readouterr().out)
        assert result["pixel_error_rate"] == result["pixel_error"] == result["rand_error"] == 0


def test_demo(tmp_path, monkeypatch, capsys):
    """The real demo, but for its size: three small images and a network of a few parameters."""
    monkeypatch.setattr(demo_command, "IMAGES", 3)
    monkeypatch.setattr(demo_command, "VALIDATION", 1)
    monkeypatch.setattr(demo_command, "HELD_OUT", 2)
    monkeypatch.setattr(demo_command, "SIZE", 48)
    small = tiny(val=(3, 4), weight_map=False, elastic=False, steps=10**6)
    monkeypatch.setattr(demo_command, "SETTINGS", small)
    out = tmp_path / "demo"
    argv = ["demo", "--out", out, "--seconds", 0.2, "--device", "cpu"]
    code = tinyunet_(*argv, "--json")
    result = json.loads(capsys.readouterr().out)
    assert code == (0 if result["times_better"] > 1 else 1)
    assert result["steps"] >= 1
    assert result["pixel_error_rate"] == result["scores"]["pixel_error_rate"]
    ratio = result["threshold_pixel_error_rate"] / result["pixel_error_rate"]
    assert result["times_better"] == pytest.approx(ratio)
    for picture in ("curves.png", "result.png"):
        assert str(out / picture) in result["pictures"]
        assert (out / picture).read_bytes().startswith(b"\x89PNG")
    report = (out / "report.html").read_text(encoding="utf-8")
    assert result["report"] == str(out / "report.html")
    assert "How it learned" in report


@pytest.mark.parametrize(("rate", "code"), [(0.1, 0), (0.3, 1)])
def test_the_demo_says_plainly_whether_it_learned(tmp_path, monkeypatch, capsys, rate, code):
    """A network that is no better than a threshold is no success, whatever the reason."""
    monkeypatch.setattr(demo_command, "SIZE", 48)
    monkeypatch.setattr(demo_command, "SETTINGS", tiny(val=(20, 22), weight_map=False, steps=2))
    real = demo_command._judge

    def judge(*arguments):
        summary = real(*arguments)
        return summary | {
            "pixel_error_rate": rate,
            "threshold_pixel_error_rate": 0.2,
            "times_better": 0.2 / rate,
        }

    monkeypatch.setattr(demo_command, "_judge", judge)
    out = tmp_path / "the demo"
    assert tinyunet_("demo", "--out", out, "--device", "cpu") == code
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("2 steps in ")
    assert lines[1] == "misclassified pixels on 4 images that it never saw:"
    assert lines[2].startswith("   20.00 %  the best threshold on the brightness (")
    if code:
        assert lines[3] == "   30.00 %  the U-Net"
        assert "This is no better than the threshold" in lines[-2]
        assert lines[-1] == f"  tinyunet demo --seconds 600 --out '{out}'-longer"
    else:
        assert lines[3] == "   10.00 %  the U-Net, 2.0 times fewer"
        assert lines[-1] == "  tinyunet train IMAGES LABELS --out RUN --val 20%"


def test_a_demo_that_was_stopped_shows_no_result(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(demo_command, "SIZE", 48)
    stopped = TrainingResult(3, 0.5, None, None, 1.0, 0.0, signal.SIGINT)
    monkeypatch.setattr("tinyunet.training.loop.run_plan", lambda *_, **__: stopped)
    assert tinyunet_("demo", "--out", tmp_path / "demo", "--device", "cpu") == 130
    assert capsys.readouterr().out == ""
    assert not (tmp_path / "demo").exists()


def test_threads_are_set_where_they_are_asked_for(made, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr("tinyunet.backends.cpu.threads.set_threads", asked.append)
    argv = ["predict", made.run, made.images, "--out", tmp_path / "p.tif", "--device", "cpu"]
    assert tinyunet_(*argv, "--slices", "0:1") == 0
    assert asked == []
    assert tinyunet_(*argv, "--slices", "0:1", "--threads", 1, "--overwrite") == 0
    assert asked == [1]


def test_a_folder_without_permission_is_refused_before_the_work(
    made, tmp_path, monkeypatch, capsys
):
    """By the system's word: the tests may run as root, whom no permission stops."""
    monkeypatch.setattr(common.os, "access", lambda path, mode: (path, mode) != (tmp_path, os.W_OK))
    argv = ["predict", made.run, made.images, "--out", tmp_path / "p.tif", "--device", "cpu"]
    assert tinyunet_(*argv) == 2
    expected = f"tinyunet: error: {tmp_path}: no permission to write p.tif into it\n"
    assert capsys.readouterr().err == expected


def test_the_best_threshold():
    images = [np.array([[10, 20], [200, 210]]), np.array([[15, 220], [205, 30]])]
    truth = [image > 100 for image in images]
    wrong, threshold = demo_command.best_threshold(images, truth)
    assert wrong == 0
    assert 30 <= threshold < 200
    wrong, _ = demo_command.best_threshold(images, [~t for t in truth])
    assert wrong == 0
    truth[0][0, 0] = True
    assert demo_command.best_threshold(images, truth)[0] == 1 / 8


def test_the_demo_holds_images_back(monkeypatch):
    monkeypatch.setattr(demo_command, "SIZE", 64)
    dataset, images, labels = demo_command.demo_data()
    assert (len(dataset), len(images), len(labels)) == (22, 4, 4)
    assert demo_command.SETTINGS.val == (20, 22)
    seen = [normalise(image) for image in images]
    assert not any(np.array_equal(a, b[0]) for a in seen for b in dataset.images)
    again = demo_command.demo_data()
    assert np.array_equal(again[1], images)


def test_download(tmp_path, monkeypatch, capsys):
    from tinyunet.images import download

    def fetch(out, report):
        report("licence")
        return {"train-volume.tif": f"{out}/train-volume.tif"}

    monkeypatch.setattr(download, "download_isbi2012", fetch)
    assert tinyunet_("download", "isbi2012", "--out", "x") == 0
    assert capsys.readouterr() == ("x/train-volume.tif\n", "licence\n")


def test_threads_are_counted_against_the_cores_that_the_process_may_use(monkeypatch):
    monkeypatch.setattr(common, "usable_cores", lambda: 1)
    with pytest.raises(ValueError, match="^--threads 2: wanted 1 to 1, the cores that this proc"):
        common.use_threads(argparse.Namespace(threads=2))


def test_threads_need_the_kernels(monkeypatch):
    monkeypatch.setattr(common, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="^--threads 1: is about the kernels, .* missing"):
        common.use_threads(argparse.Namespace(threads=1))


def test_json_has_no_nan(capsys):
    common.as_json({"a": float("nan"), "b": [1.5, (float("nan"), "x")], "c": None})
    assert json.loads(capsys.readouterr().out) == {"a": None, "b": [1.5, [None, "x"]], "c": None}


def test_slice_range():
    assert common.slice_range("0:1") == (0, 1)
    assert common.slice_range("20:24") == (20, 24)


def test_help_and_version(capsys):
    for argv, text in ((["--help"], "download"), (["train", "--help"], "--checkpoint-every")):
        with pytest.raises(SystemExit) as end:
            main(argv)
        assert end.value.code == 0
        assert text in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"tinyunet {tinyunet.__version__}\n"


def test_ctrl_c_outside_training(monkeypatch, capsys):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr("tinyunet.cli.net_commands.info", interrupted)
    assert main(["info"]) == 130
    assert capsys.readouterr().err == "tinyunet: interrupted\n"


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("two\n  lines"), "two lines"),
        (ValueError(), "ValueError"),
        (OverflowError("too large"), "too large"),
        (MemoryError("no room"), "out of memory: no room; a smaller --tile needs less"),
        (PermissionError(13, "Permission denied", "/x/y"), "/x/y: Permission denied"),
        (OSError("plain"), "plain"),
    ],
)
def test_errors_are_one_line(monkeypatch, capsys, error, line):
    def fail(_):
        raise error

    monkeypatch.setattr("tinyunet.cli.net_commands.info", fail)
    assert main(["info"]) == 2
    assert capsys.readouterr() == ("", f"tinyunet: error: {line}\n")


def test_warnings_are_one_line(monkeypatch, capsys):
    import warnings

    def warn(_):
        warnings.warn("cells were removed", stacklevel=1)
        warnings.warn("overflow encountered in matmul", RuntimeWarning, stacklevel=1)

    monkeypatch.setattr("tinyunet.cli.net_commands.info", warn)
    assert main(["info"]) == 0
    assert capsys.readouterr() == ("", "tinyunet: warning: cells were removed\n")


def test_python_m_tinyunet_is_the_command(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["tinyunet", "info", "--tile", "570"])
    with pytest.raises(SystemExit) as left:
        runpy.run_module("tinyunet", run_name="__main__")
    assert left.value.code == 2
    assert capsys.readouterr().err.startswith("tinyunet: error: ")


def test_a_reader_that_left_is_no_error_and_nothing_more_is_written_to_it(monkeypatch, capfd):
    """What is still in the buffer goes nowhere when Python ends, instead of failing once more."""
    turned = []
    monkeypatch.setattr(os, "dup2", lambda *handles: turned.append(handles))

    def leave(_):
        raise BrokenPipeError

    monkeypatch.setattr("tinyunet.cli.net_commands.info", leave)
    assert tinyunet_("info") == 141
    ((nowhere, stdout),) = turned
    assert stdout == sys.stdout.fileno()
    assert os.path.samestat(os.fstat(nowhere), os.stat(os.devnull))
    os.close(nowhere)
    assert capfd.readouterr().err == ""


def test_a_reader_that_left(tmp_path):
    """`tinyunet info | head -0` ends without a word."""
    command = f"{sys.executable} -m tinyunet info | true; exit ${{PIPESTATUS[0]}}"
    process = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert process.returncode in (0, 141)
    assert process.stderr == ""


def test_json_keeps_all_digits_and_tells_sums_of_tenths_as_meant(capsys):
    from tinyunet.cli.common import as_json

    values = [0.1 + 0.2, sum([0.1] * 10), 1 / 3, 1.7046590513653226, -0.8999999999999999, 1e-20]
    as_json({"values": [*values, float("nan")]})
    told = json.loads(capsys.readouterr().out)["values"]
    assert told == [0.3, 1.0, 1 / 3, 1.7046590513653226, -0.9, 1e-20, None]


def test_info_keeps_a_command_in_one_line(monkeypatch, capsys):
    problem = (
        "nothing that computes is here; install it with `pip install 'a-package[extra]'` or so"
    )
    monkeypatch.setattr(tinyunet.arrays, "gpu_problem", lambda: problem)
    monkeypatch.setattr(tinyunet.cli.net_commands, "_gpus", list)
    assert tinyunet_("info") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2] == "  `pip install 'a-package[extra]'` or so"
