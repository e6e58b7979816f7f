"""Every command refuses what is wrong: exit code 2, one line, nothing made, nothing overwritten.

A row is (name, arguments, message): `arguments(f)` makes what is needed in `f.new` and returns the
command line; `f.good` holds good files that must stay as they are.
"""

import json
import pickle
import re
import shutil
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile
from badfiles import BAD_IMAGES, BAD_PAIRS, COLOURS, MASK, MASKS, STACK, sequence, write_tiff
from runs import FLAGS, snapshot, tiny, tiny_arrays, write_stacks
from safetensors.numpy import load_file, save, save_file

from tinyunet.arrays import gpu_problem
from tinyunet.cli import main
from tinyunet.images import open_stack
from tinyunet.training.checkpoint import load_checkpoint, save_checkpoint
from tinyunet.training.run_folder import RunFolder


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """Good stacks and a finished run."""
    folder = tmp_path_factory.mktemp("good")
    images, labels = write_stacks(folder)
    run = folder / "run"
    assert main(["train", str(images), str(labels), "--out", str(run), *FLAGS]) == 0
    p = (tiny_arrays()[1] / 255).astype(np.float32) * 0.8 + 0.1
    tifffile.imwrite(folder / "p.tif", p, photometric="minisblack")
    return SimpleNamespace(folder=folder, images=images, labels=labels, run=run, p=folder / "p.tif")


@pytest.fixture
def f(good, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return SimpleNamespace(good=good, new=tmp_path)


def check_refused(arguments, f, message, capsys, early=True):
    """Run the command; it must refuse with `message` and leave everything as it was."""
    argv = [str(argument) for argument in arguments(f)]
    before = snapshot(f.good.folder, f.new)
    capsys.readouterr()
    assert main(argv) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err
    lines = err.splitlines()
    assert [line for line in lines if line.startswith("tinyunet: error: ")] == lines[-1:], err
    if early:
        assert len(lines) == 1, err
    text = lines[-1].removeprefix("tinyunet: error: ")
    assert re.search(message, text), text
    after = snapshot(f.good.folder, f.new)
    assert sorted(after) == sorted(before)
    assert after == before


def train(*flags, images=None, labels=None, out=None):
    """A builder of `train` on good files, with `flags` after the usual ones."""

    def arguments(f):
        run = f.new / "run" if out is None else out(f)
        pair = [images or f.good.images, labels or f.good.labels]
        return ["train", *pair, "--out", run, *FLAGS, *flags]

    return arguments


def command(name, *arguments):
    """A builder; arguments that are functions of `f` are called."""
    return lambda f: [name, *(a(f) if callable(a) else a for a in arguments)]


def images(f):
    return f.good.images


def labels(f):
    return f.good.labels


def run(f):
    return f.good.run


def p(f):
    return f.good.p


def new(name):
    return lambda f: f.new / name


def made(name, content=b""):
    """A file made on the spot."""

    def build(f):
        (f.new / name).write_bytes(content)
        return f.new / name

    return build


def folder(name, *inside):
    def build(f):
        (f.new / name).mkdir(parents=True)
        for file in inside:
            (f.new / name / file).write_bytes(b"x")
        return f.new / name

    return build


def stack(array, name="made.tif", **options):
    return lambda f: write_tiff(f.new / name, array, **options)


def copied_run(change=lambda folder: None):
    """A copy of the finished run, changed."""

    def build(f):
        shutil.copytree(f.good.run, f.new / "copy")
        change(f.new / "copy")
        return f.new / "copy"

    return build


def weights(change):
    """A copy of the best weights, changed by change(tensors, meta), its checksum right."""

    def build(f):
        tensors, meta = load_checkpoint(f.good.run / "best.safetensors")
        change(tensors, meta)
        save_checkpoint(f.new / "w.safetensors", tensors, meta)
        return f.new / "w.safetensors"

    return build


def weight_bytes(change):
    def build(f):
        content = change(bytearray((f.good.run / "best.safetensors").read_bytes()))
        (f.new / "w.safetensors").write_bytes(bytes(content))
        return f.new / "w.safetensors"

    return build


def header(change):
    """A file of the same tensors whose header is change(header)."""

    def build(f):
        content = load_file(f.good.run / "best.safetensors")
        save_file(content, f.new / "w.safetensors", change)
        return f.new / "w.safetensors"

    return build


def predict(weights=run, images=images, out="p.tif", *flags):
    out = new(out) if isinstance(out, str) else out
    return command("predict", weights, images, "--out", out, "--device", "cpu", *flags)


def _other_run(*flags):
    """A change to a run: its last checkpoint becomes that of another run, with these flags."""

    def change(folder):
        other = folder.with_name("other")
        images, labels = write_stacks(folder.parent)
        assert main(["train", str(images), str(labels), "--out", str(other), *FLAGS, *flags]) == 0
        (folder / "last.safetensors").write_bytes((other / "last.safetensors").read_bytes())

    return change


def _last(content):
    """A change to a run: its last checkpoint becomes a file of these bytes."""
    return lambda folder: (folder / "last.safetensors").write_bytes(content)


def _told(**values):
    """A change to a run: its last checkpoint tells other numbers, its checksum right."""

    def change(folder):
        tensors, meta = load_checkpoint(folder / "last.safetensors")
        save_checkpoint(folder / "last.safetensors", tensors, {**meta, **values})

    return change


def _set(dictionary, key, value):
    dictionary[key] = value


def _flip(content):
    content[-5] ^= 64
    return content


def _resumed(change=lambda folder: None, *flags):
    """Resume a changed copy of the run with all the flags that it was started with."""
    return train("--resume", *flags, out=copied_run(change))


def _other_data(f):
    other = f.new / "other"
    other.mkdir()
    pair = write_stacks(other, seed=1)
    return ["train", *pair, "--out", copied_run()(f), *FLAGS, "--resume"]


def _settings(text):
    return lambda folder: (folder / "settings.json").write_text(text)


def _setting(**changes):
    """A change to a run: its settings, with some of them otherwise."""
    return _settings(json.dumps({"settings": tiny().to_dict() | changes, "data": ""}))


GENERAL = [
    ("no command", command("--device"), "unrecognized"),
    ("unknown command", command("segment"), "invalid choice: 'segment' .*; did you mean predict"),
    ("a command's near miss", command("trian"), "invalid choice: 'trian' .*; did you mean train?"),
    ("nothing like it", command("xyz"), r"'completion'\) \(see `tinyunet --help`\)$"),
]

TRAIN = [
    ("steps 0", train("--steps", 0), "^steps 0 is not at least 1$"),
    ("steps -3", train("--steps", -3), "^steps -3 is not at least 1$"),
    ("steps half", train("--steps", 1.5), "argument --steps: invalid int value: '1.5'"),
    ("rate 0", train("--lr", 0), "^learning rate 0.0 is not a positive number$"),
    ("rate below 0", train("--lr", -1), "^learning rate -1.0 is not a positive number$"),
    ("rate NaN", train("--lr", "nan"), "^learning rate nan is not a positive number$"),
    ("rate inf", train("--lr", "inf"), "^learning rate inf is not a positive number$"),
    ("rate word", train("--lr", "fast"), "argument --lr: invalid float value: 'fast'"),
    ("momentum 1", train("--momentum", 1), r"^momentum 1.0 is not in \[0, 1\)$"),
    ("momentum below 0", train("--momentum", -0.1), r"^momentum -0.1 is not in \[0, 1\)$"),
    ("tile odd", train("--tile", 35), "^tile 35 does not fit depth 2: the nearest sizes are 34 an"),
    ("tile small", train("--tile", 16), "^tile 16 does not fit depth 2: the nearest size is 18$"),
    ("tile 0", train("--tile", 0), "^tile 0 does not fit depth 2"),
    ("tile below 0", train("--tile", -34), "^tile -34 does not fit depth 2"),
    (
        "tile beyond memory",
        train("--tile", 10**6 + 2),
        "^a step needs about .* TB of memory, this machine has",
    ),
    ("depth 0", train("--depth", 0), "^depth 0 is not a whole number of at least 1$"),
    ("depth beyond all", train("--depth", 10**9), "^depth 1000000000 is more than 30$"),
    ("tile of another depth", train("--depth", 5), "^tile 34 does not fit depth 5: the nearest"),
    ("base 0", train("--base", 0), "^base_channels 0 is not at least 1$"),
    (
        "base beyond memory",
        train("--base", 10**7),
        "^a step needs about .* choose a smaller tile, base or depth",
    ),
    ("base beyond all", train("--base", 10**30), "^a step needs about "),
    ("dropout 1", train("--dropout", 1), r"^dropout 1.0 is not in \[0, 1\)$"),
    ("dropout NaN", train("--dropout", "nan"), r"^dropout nan is not in \[0, 1\)$"),
    ("seed below 0", train("--seed", -1), "^seed -1 is negative"),
    ("w0 below 0", train("--w0", -1), "^w0 -1.0 is not a number of at least 0$"),
    ("w0 inf", train("--w0", "inf"), "^w0 inf is not a number of at least 0$"),
    ("sigma 0", train("--sigma", 0), "^sigma 0.0 is not a positive number$"),
    ("border below 0", train("--border", -1), "^border -1 is not at least 0$"),
    ("validation backwards", train("--val", "3:1"), "the range 3:1 is empty"),
    ("validation of nothing", train("--val", "3:3"), "the range 3:3 is empty"),
    ("validation word", train("--val", "last"), "'last' is not a range of slices like 20:24"),
    ("validation below 0", train("--val=-1:3"), "'-1:3' is not a range of slices like 20:24"),
    ("validation open", train("--val", "2:"), "'2:' is not a range of slices like 20:24"),
    ("validation outside", train("--val", "3:5"), r"range 3:5 is outside the 4 slices \(0 to 3\)"),
    ("validation on all", train("--val", "0:4"), "no labelled slice is left to train on"),
    ("val_every 0", train("--val-every", 0), "^val_every 0 is not at least 1$"),
    (
        "checkpoint_every 0",
        train("--checkpoint-every", 0),
        "^checkpoint_every 0 is not at least 1$",
    ),
    ("classes 1", train("--classes", 1), "1 classes: wanted 2 or more"),
    ("classes 3, masks", train("--classes", 3), r"labels have 2 values \(0, 255\): wanted 0 to 2"),
    ("classes 300", train("--classes", 300), "300 classes: a network tells 2 to 256 apart"),
    ("classes beyond all", train("--classes", 2**40), "classes: a network tells 2 to 256 apart"),
    (
        "channels 0",
        train("--channels", 0),
        r"of 0 channels: wanted 1 \(grey\), 3 \(colour\), or up",
    ),
    ("channels 2", train("--channels", 2), "is grey: wanted 2 channels"),
    (
        "classes of objects",
        train("--classes", 3, "--instances"),
        "--classes and --instances: the labels are one or the other",
    ),
    ("channels 3, grey", train("--channels", 3), "is grey: wanted 3 channels"),
    ("ignore all", train("--ignore", 255, "--ignore", 0), "every pixel has|at least two classes"),
    ("device word", train("--device", "tpu"), "^device 'tpu' is not one of 'auto', 'cpu', 'gpu'"),
    ("threads 0", train("--threads", 0), "^--threads 0: wanted 1 to"),
    ("threads many", train("--threads", 99999), "^--threads 99999: wanted 1 to"),
    ("precision word", train("--precision", "int8"), "invalid choice: 'int8'"),
    ("unknown option", train("--epochs", 3), "unrecognized arguments: --epochs 3"),
    ("no out", command("train", images, labels), "arguments are required: --out"),
    ("no labels", command("train", images, "--out", new("run")), "labels are missing"),
    ("nothing", command("train"), "arguments are required: IMAGES, --out"),
    ("out of no name", train(out=lambda f: ""), "^the name of the run folder is empty$"),
    ("validation on 150 %", train("--val", "150%"), "'150%' is not a share like 20%"),
    ("validation on 0 %", train("--val", "0%"), "'0%' is not a share like 20%"),
    ("validation on x %", train("--val", "x%"), "'x%' is not a share like 20%"),
    ("validation on 90 %", train("--val", "90%"), "90 % of 4 labelled slices leave none to train"),
    ("an option of others", train("--epochs", 3), "--epochs 3; did you mean --steps. .see `tiny"),
    ("a near miss", train("--learnin-rate", 3), "--learnin-rate 3; did you mean --lr. .see"),
    ("images missing", train(images="gone.tif"), "^gone.tif: no such file or folder$"),
    ("labels missing", train(labels="gone.tif"), "^gone.tif: no such file or folder$"),
    ("out is a file", train(out=made("run")), "run: is a file, but a run needs a folder"),
    (
        "out in a file",
        train(out=lambda f: made("x")(f) / "run"),
        "x: is a file: run cannot be made",
    ),
    ("out holds a run", train(out=run), "run: holds a run already .settings.json.: give --resume"),
    ("out holds a log", train(out=folder("run", "log.csv")), r"holds a run already \(log.csv\)"),
    ("out holds weights", train(out=folder("r", "last.safetensors")), "holds a run already .last"),
]

TRAIN_LATE = [  # what was found is said before these
    ("a GPU's precision", train("--precision", "bf16"), "^precision 'bf16' needs a GPU"),
    (
        "resumed with another rate and seed",
        _resumed(lambda folder: None, "--lr", 0.02, "--seed", 8),
        "cannot be resumed so: lr: 0.02, not 0.01; seed: 8, not 7$",
    ),
    (
        "resumed without elastic",
        _resumed(lambda folder: None, "--no-elastic"),
        "cannot be resumed so: elastic: False, not True$",
    ),
    ("resumed with other data", _other_data, "resumed so: the images or labels are not those that"),
    (
        "resumed from weights only",
        _resumed(
            lambda folder: shutil.copy(folder / "best.safetensors", folder / "last.safetensors")
        ),
        "last.safetensors: holds weights only, no state of training to go on from .missing: rng",
    ),
    (
        "resumed from a truncated checkpoint",
        _resumed(lambda folder: _truncate(folder / "last.safetensors", 900)),
        "last.safetensors: not a whole safetensors file",
    ),
    (
        "resumed from a damaged checkpoint",
        _resumed(lambda folder: _flip_file(folder / "last.safetensors")),
        "last.safetensors: fails its checksum: the file was damaged after it was written",
    ),
    (
        "resumed from another run's checkpoint",
        _resumed(_other_run("--seed", "8")),
        "copy/last.safetensors: not a checkpoint of this run: at its step, 12, log.csv does not te",
    ),
    (
        "resumed from the first checkpoint of a longer run",
        _resumed(_other_run("--seed", "8", "--steps", "3")),
        "last.safetensors: not a checkpoint of this run: at its step, 3, log.csv does not tell its",
    ),
    (
        "resumed from another run's checkpoint of another architecture",
        _resumed(_other_run("--base", "3", "--steps", "6")),
        "copy/last.safetensors: not a checkpoint of this run: at its step, 6, log.csv does not tel",
    ),
    (
        "resumed from a checkpoint of another step",
        _resumed(_told(step=11)),
        "last.safetensors: not a checkpoint of this run: at its step, 11, log.csv does not tell",
    ),
    (
        "resumed from a checkpoint of step 0 with a log of 12",
        _resumed(_told(step=0, loss=None)),
        "last.safetensors: not a checkpoint of this run: at its step, 0, log.csv does not tell its",
    ),
    (
        "resumed from a checkpoint of words",
        _resumed(_told(log_size="all", step="last")),
        "last.safetensors: not a checkpoint of this run: at its step, 'last', log.csv does not",
    ),
    (
        "resumed from a checkpoint without a log",
        _resumed(_told(log_size=0)),
        "last.safetensors: not a checkpoint of this run: at its step, 12, log.csv does not tell",
    ),
    (
        "resumed from text called last.safetensors",
        _resumed(_last(b"my notes")),
        "copy/last.safetensors: not a whole safetensors file",
    ),
    (
        "resumed from another program's last.safetensors",
        _resumed(_last(save({"weight": np.zeros((2, 2), np.float32)}))),
        "copy/last.safetensors: a safetensors file, but not one that tinyunet wrote",
    ),
    (
        "resumed from a pickle called last.safetensors",
        _resumed(_last(pickle.dumps({"params/out.bias": [0.0, 1.0]}))),
        "copy/last.safetensors: not a whole safetensors file",
    ),
    (
        "resumed with a log cut short",
        _resumed(lambda folder: _truncate(folder / "log.csv", 60)),
        "log.csv: shorter than when the checkpoint was written",
    ),
    (
        "resumed without the log",
        _resumed(lambda folder: (folder / "log.csv").unlink()),
        "log.csv: No such file or directory",
    ),
]

RESUME_EARLY = [
    (
        "last checkpoint gone",
        _resumed(lambda folder: (folder / "last.safetensors").unlink()),
        "copy: its last.safetensors is gone: cannot be resumed",
    ),
    (
        "settings gone",
        _resumed(lambda folder: (folder / "settings.json").unlink()),
        "copy: holds last.safetensors but no settings.json: cannot be resumed",
    ),
    ("settings empty", _resumed(_settings("")), "settings.json: damaged"),
    ("settings a list", _resumed(_settings("[1]")), "settings.json: damaged"),
    ("settings a list inside", _resumed(_settings('{"settings": [1], "data": ""}')), "damaged"),
    (
        "settings unknown",
        _resumed(_setting(epochs=3)),
        "settings.json: damaged .holds a setting that there is not: epochs.$",
    ),
    (
        "settings impossible",
        _resumed(_setting(steps=0)),
        "settings.json: damaged .steps 0 is not at least 1",
    ),
    (
        "settings of infinite depth",
        _resumed(_setting(depth=float("inf"))),
        "settings.json: damaged .depth inf is not a whole number.$",
    ),
    (
        "settings of an infinite tile",
        _resumed(_setting(tile=float("inf"))),
        "settings.json: damaged .tile inf is not a whole number.$",
    ),
    (
        "settings of NaN steps",
        _resumed(_setting(steps=float("nan"))),
        "settings.json: damaged .steps nan is not a whole number.$",
    ),
    (
        "settings of half a channel",
        _resumed(_setting(base_channels=1.5)),
        "settings.json: damaged .base_channels 1.5 is not a whole number.$",
    ),
    (
        "settings of a word",
        _resumed(_setting(elastic="no")),
        "settings.json: damaged .elastic 'no' is not True or False.$",
    ),
    (
        "settings of two lines",
        _resumed(_setting(**{"a\nb\x1b": 1})),
        "settings.json: damaged .holds a setting that there is not: a b.$",
    ),
    (
        "settings of no text",
        _resumed(lambda folder: (folder / "settings.json").write_bytes(b"\xff\xfe{}")),
        "settings.json: damaged .'utf-8' codec can't decode",
    ),
    (
        "settings of too many digits",
        _resumed(_settings('{"settings": {"seed": ' + "1" * 5000 + '}, "data": ""}')),
        "settings.json: damaged .Exceeds the limit",
    ),
    (
        "a foreign file called last.safetensors, no run",
        train("--resume", out=folder("r", "last.safetensors")),
        "r: holds last.safetensors but no settings.json: cannot be resumed$",
    ),
    (
        "settings nested",
        _resumed(_settings("[" * 100_000)),
        "settings.json: damaged",
    ),
    ("resumed a file", train("--resume", out=made("r")), "r: is a file, but a run needs a folder"),
]


def _truncate(path, size):
    with open(path, "r+b") as file:
        file.truncate(size)


def _flip_file(path):
    path.write_bytes(bytes(_flip(bytearray(path.read_bytes()))))


WEIGHTS = [
    ("missing", new("gone"), "gone: no such run folder or file of weights"),
    ("an empty folder", folder("empty"), "empty: holds no best.safetensors or last.safetensors"),
    ("an empty file", made("w.safetensors"), "w.safetensors: not a whole safetensors file"),
    (
        "a pickle",
        made("w.safetensors", pickle.dumps({"down1.conv1.weight": [1.0, 2.0]})),
        "w.safetensors: not a whole safetensors file",
    ),
    ("an image", images, "images.tif: not a whole safetensors file"),
    (
        "truncated",
        weight_bytes(lambda b: b[:-100]),
        "not a whole safetensors file .*incomplete|not a",
    ),
    ("truncated in the header", weight_bytes(lambda b: b[:40]), "not a whole safetensors file"),
    ("longer", weight_bytes(lambda b: b + b"more"), "not a whole safetensors file"),
    (
        "header of 2^60 bytes",
        made("w.safetensors", b"\0" * 7 + b"\x10{}"),
        "not a whole safetensors",
    ),
    ("one bit flipped", weight_bytes(_flip), "w.safetensors: fails its checksum"),
    (
        "of another program",
        made("w.safetensors", save({"weight": np.zeros((2, 2), np.float32)})),
        "a safetensors file, but not one that tinyunet wrote",
    ),
    (
        "numbers beyond float32",
        weights(lambda t, m: _set(t, "params/out.bias", np.array([0, 1e300]))),
        "w.safetensors: out.bias holds 1e.300, which is too large for float32$",
    ),
    ("header a word", header({"tinyunet": "x"}), "its metadata are damaged"),
    ("header a list", header({"tinyunet": "[]"}), "its metadata are damaged"),
    ("header nested", header({"tinyunet": "[" * 100_000}), "its metadata are damaged"),
    (
        "header of too many digits",
        header({"tinyunet": '{"format": "tinyunet-1", "sha256": "", "meta": ' + "1" * 5000 + "}"}),
        "w.safetensors: its metadata are damaged .Exceeds the limit",
    ),
    (
        "a tensor of two lines",
        weights(lambda t, m: _set(t, "ex\n\x1btra", np.zeros(3))),
        "w.safetensors: holds tensors that no checkpoint has: ex tra$",
    ),
    (
        "a parameter of two lines",
        weights(lambda t, m: _set(t, "params/a\u2028b", np.zeros(3))),
        r"w.safetensors: params/a b is \(3,\), its architecture has no such tensor$",
    ),
    (
        "meta a list",
        header({"tinyunet": json.dumps({"format": "tinyunet-1", "sha256": "", "meta": []})}),
        "its metadata are damaged",
    ),
    (
        "of a later format",
        header(
            {
                "tinyunet": json.dumps(
                    {"format": "tinyunet-9", "sha256": "", "meta": {"architecture": {}}}
                )
            }
        ),
        "its format is 'tinyunet-9': wanted 'tinyunet-1'",
    ),
    (
        "an extra tensor",
        weights(lambda t, m: _set(t, "extra", np.zeros(3))),
        "holds tensors that no checkpoint has: extra",
    ),
    (
        "an extra parameter",
        weights(lambda t, m: _set(t, "params/down9.conv1.weight", np.zeros(3))),
        r"params/down9.conv1.weight is \(3,\), its architecture has no such tensor",
    ),
    (
        "a parameter too few",
        weights(lambda t, m: t.pop("params/out.bias")),
        r"params/out.bias is missing, its architecture has \(2,\)",
    ),
    (
        "another architecture",
        weights(lambda t, m: _set(m["architecture"], "base", 3)),
        r"params/down1.conv1.bias is \(2,\), its architecture has \(3,\)",
    ),
    (
        "architecture of 2^60 channels",
        weights(lambda t, m: _set(m["architecture"], "base", 2**60)),
        "its architecture has",
    ),
    (
        "depth beyond all",
        weights(lambda t, m: _set(m["architecture"], "depth", 10**12)),
        "its architecture is damaged .depth 1000000000000 is more than 30",
    ),
    (
        "architecture of words",
        weights(lambda t, m: _set(m["architecture"], "depth", "two")),
        "its architecture is damaged",
    ),
    (
        "architecture with a key too many",
        weights(lambda t, m: _set(m["architecture"], "layers", 3)),
        "layers",
    ),
    ("no architecture", weights(lambda t, m: _set(m, "architecture", None)), "architecture is dam"),
    (
        "NaN",
        weights(lambda t, m: _set(t, "params/out.bias", np.full(2, np.nan, np.float32))),
        "params/out.bias holds NaN, infinity or no floats",
    ),
    (
        "whole numbers",
        weights(lambda t, m: _set(t, "params/out.bias", np.zeros(2, np.int32))),
        "params/out.bias holds NaN, infinity or no floats",
    ),
]

PREDICT = [
    ("no out", command("predict", run, images), "nothing to write: give --out, or one of --masks"),
    ("images missing", predict(images=new("gone.tif")), "gone.tif: no such file or folder"),
    (
        "out is a folder",
        predict(run, images, folder("x.tif")),
        "x.tif: is a folder, but the result",
    ),
    ("out nothing", predict(run, images, lambda f: ""), "the name of the folder is empty"),
    ("out of another kind", predict(run, images, "p.png"), "p.png: must end in .tif or .tiff, or"),
    (
        "out is a full folder",
        predict(run, images, folder("x", "mask000.tif")),
        "x: is not empty: name a new folder, or give --overwrite",
    ),
    (
        "out and cells the same",
        predict(run, images, "p", "--cells", new("p")),
        "--out and --cells are both .*p: name two places",
    ),
    (
        "out in no folder",
        predict(run, images, "no/p.tif"),
        "no: no such folder to write p.tif into",
    ),
    ("out is there", predict(run, images, made("p.tif")), "p.tif: exists already: name a new file"),
    (
        "masks in a full folder",
        command("predict", run, images, "--masks", folder("m", "0.png")),
        "m: is not empty: name a new folder, or give --overwrite",
    ),
    (
        "overlays in a file",
        command("predict", run, images, "--overlays", new("o.png"), "--overwrite"),
        "o.png: must be a folder, without an ending",
    ),
    (
        "out twice",
        predict(run, images, "p.tif", "--probabilities", new("q.tif")),
        "--out and --probabilities are the same here",
    ),
    (
        "a network's name misspelt",
        command("predict", "nuclie", images, "--out", new("cells")),
        "nuclie: no such run folder or file of weights",
    ),
    (
        "classes file missing",
        predict(run, images, "p.tif", "--classes-file", new("classes.csv")),
        "classes.csv: No such file",
    ),
    ("out in a file", predict(run, images, lambda f: made("x")(f) / "p.tif"), "x: no such folder"),
    ("out is the input", predict(run, images, images), "images.tif: is an input of this command"),
    ("tile odd", predict(run, images, "p.tif", "--tile", 35), "35 does not fit depth 2"),
    ("tile 0", predict(run, images, "p.tif", "--tile", 0), "0 does not fit depth 2"),
    ("average 0", predict(run, images, "p.tif", "--average", 0), "--average 0 is not 1 to 8"),
    ("average 9", predict(run, images, "p.tif", "--average", 9), "--average 9 is not 1 to 8"),
    (
        "slices outside",
        predict(run, images, "p.tif", "--slices", "2:5"),
        "slices 2:5 asked, .* has 4",
    ),
    (
        "slices backwards",
        predict(run, images, "p.tif", "--slices", "2:1"),
        "the range 2:1 is empty",
    ),
    ("weights word", predict(run, images, "p.tif", "--weights", "good"), "invalid choice: 'good'"),
    (
        "no best weights",
        predict(
            copied_run(lambda folder: (folder / "best.safetensors").unlink()),
            images,
            "p.tif",
            *("--weights", "best"),
        ),
        "copy: holds no best.safetensors",
    ),
    (
        "cells in a file",
        predict(run, images, "p.tif", "--cells", made("cells")),
        "cells: is a file: name a new folder",
    ),
    (
        "cells in a full folder",
        predict(run, images, "p.tif", "--cells", folder("cells", "mask000.tif")),
        "cells: is not empty: name a new folder, or give --overwrite",
    ),
    (
        "cells in no folder",
        predict(run, images, "p.tif", "--cells", new("no/cells")),
        "no: no such folder to make cells in",
    ),
    (
        "min-size below 0",
        predict(run, images, "p.tif", "--cells", new("cells"), "--min-size", -1),
        "--min-size -1 is not at least 0",
    ),
    (
        "threshold of 1",
        predict(run, images, "p.tif", "--cells", new("cells"), "--threshold", 1),
        r"--threshold 1.0 is not in \[0, 1\)",
    ),
    (
        "threshold not a number",
        predict(run, images, "p.tif", "--cells", new("cells"), "--threshold", "nan"),
        r"--threshold nan is not in \[0, 1\)",
    ),
    (
        "border below 0",
        predict(run, images, "p.tif", "--cells", new("cells"), "--border", -1),
        "--border -1 is not at least 0",
    ),
    (
        "grow below 0",
        predict(run, images, "p.tif", "--cells", new("cells"), "--grow", -1),
        "--grow -1 is not at least 0",
    ),
    (
        "device word",
        predict(run, images, "p.tif", "--device", "gpu:x"),
        "device 'gpu:x' is not one",
    ),
    ("threads 0", predict(run, images, "p.tif", "--threads", 0), "--threads 0: wanted 1 to"),
]

PREDICT += [
    (
        "NaN in the last slice",
        predict(images=stack(np.where(np.arange(5)[:, None, None] < 4, STACK, np.nan))),
        "slice 4: 768 of 768 pixels are NaN or infinite",
    ),
]


def evaluate(prediction=p, ground_truth=labels, *flags):
    return command("evaluate", prediction, ground_truth, *flags)


def _cells(name, kind="mask", frames=(0, 1), array=MASK):
    def build(f):
        (f.new / name).mkdir(parents=True)
        for t in frames:
            write_tiff(f.new / name / f"{kind}{t:03d}.tif", array)
        return f.new / name

    return build


EVALUATE = [
    ("nothing", command("evaluate"), "arguments are required: PREDICTION, LABELS"),
    ("prediction missing", evaluate(new("gone.tif")), "gone.tif: no such file or folder"),
    ("labels missing", evaluate(p, new("gone.tif")), "gone.tif: no such file or folder"),
    ("an empty folder", evaluate(p, folder("empty")), "holds no TIFF, PNG or JPEG file"),
    ("fewer slices", evaluate(p, stack(MASKS[:3])), "p.tif has 4 slices and .*made.tif 3"),
    ("other size", evaluate(p, stack(MASKS[:4])), "differ in size: .* is 24×32, 0 of .* is 30×34"),
    (
        "slices outside",
        evaluate(p, labels, "--slices", "0:9"),
        "slices 0:9 asked, .*labels.tif has 4",
    ),
    ("slices word", evaluate(p, labels, "--slices", "some"), "'some' is not a range of slices"),
    (
        "beyond 1",
        evaluate(stack(np.full((4, 30, 34), 1.5, "f4") * np.eye(30, 34, dtype="f4"))),
        "prediction must be probabilities in 0..1, uint8, or a mask .*, got 0 to 1.5",
    ),
    (
        "below 0",
        evaluate(stack(np.full((4, 30, 34), -0.5, "f4"))),
        "made.tif: prediction must be probabilities in 0..1, uint8, or .*, got -0.5 to -0.5",
    ),
    ("16 bit", evaluate(stack(np.full((4, 30, 34), 700, "u2"))), "are no probabilities: wan"),
    (
        "three classes",
        evaluate(p, stack((np.arange(4080).reshape(4, 30, 34) % 3).astype("u1"))),
        r"labels have 3 values \(0, 1, 2\)",
    ),
    (
        "labels of one class",
        evaluate(p, stack(np.zeros((4, 30, 34), np.uint8))),
        "every pixel has the label 0: wanted at least two classes",
    ),
    (
        "colour",
        evaluate(stack(COLOURS, photometric="rgb")),
        "image of 3 channels",
    ),
    (
        "cells against probabilities",
        evaluate(p, _cells("truth", "man_seg")),
        "p.tif: wanted a folder with mask000.tif … as predict --cells writes it, or with man_seg",
    ),
    (
        "a frame without result",
        evaluate(_cells("result", frames=(0,)), _cells("truth", "man_seg")),
        r"result: frame 1 has a ground truth but no prediction \(1 such frames\)",
    ),
    (
        "frames of other size",
        evaluate(_cells("result", array=MASK[:20]), _cells("truth", "man_seg")),
        "20, 32|20×32",
    ),
    (
        "no frame in the range",
        evaluate(_cells("result"), _cells("truth", "man_seg"), "--slices", "5:7"),
        "truth: no annotated frame among the slices asked",
    ),
]

INFO = [
    ("missing", command("info", new("gone")), "gone: no such run folder or file of weights"),
    ("an image", command("info", images), "images.tif: not a whole safetensors file"),
    ("an empty folder", command("info", folder("empty")), "empty: holds no best.safetensors"),
    (
        "tile that does not fit",
        command("info", "--tile", 570),
        "570 does not fit depth 5: .*556 and",
    ),
    ("tile 0", command("info", "--tile", 0), "^tile 0 does not fit depth 5"),
    ("tile that does not fit RUN", command("info", run, "--tile", 35), "35 does not fit depth 2"),
    ("depth 0", command("info", "--depth", 0), "depth 0 is not a whole number of at least 1"),
    ("depth 31", command("info", "--depth", 31), "^depth 31 is more than 30$"),
    ("depth beyond all", command("info", "--depth", 10**9), "^depth 1000000000 is more than 30$"),
    ("base 0", command("info", "--base", 0), "^--base 0 is not at least 1$"),
    (
        "a damaged tile",
        command("info", weights(lambda t, m: _set(m, "tile", "large"))),
        "w.safetensors: its tile is damaged: 'large'$",
    ),
    (
        "a tile of another depth",
        command("info", weights(lambda t, m: _set(m, "tile", 35))),
        "35 does",
    ),
]

OTHERS = [
    ("report of nothing", command("report", new("gone")), "gone: no run folder$"),
    ("report of an empty folder", command("report", folder("empty")), "empty: no run folder$"),
    ("report of a file", command("report", made("x")), "x: is a file, but a run needs a folder$"),
    ("demo 0 steps", command("demo", "--steps", 0), "^steps 0 is not at least 1$"),
    ("gradcheck x", command("gradcheck", "x"), "unrecognized arguments: x"),
    ("demo 0 seconds", command("demo", "--seconds", 0), "--seconds 0 is not a positive number"),
    ("demo -1 seconds", command("demo", "--seconds", -1), "--seconds -1 is not a positive number"),
    (
        "demo NaN seconds",
        command("demo", "--seconds", "nan"),
        "--seconds nan is not a positive num",
    ),
    (
        "demo inf seconds",
        command("demo", "--seconds", "inf"),
        "--seconds inf is not a positive num",
    ),
    ("demo out a file", command("demo", "--out", made("x")), "x: is a file, but a run needs a fol"),
    ("demo out a run", command("demo", "--out", run), "run: holds a run already"),
    ("demo device", command("demo", "--device", "tpu"), "device 'tpu' is not one of"),
    ("download other", command("download", "isbi2013"), "invalid choice: 'isbi2013'"),
    (
        "download into a file",
        command("download", "isbi2012", "--out", made("x")),
        "x: is a file: wanted a folder",
    ),
    (
        "download again",
        command("download", "isbi2012", "--out", folder("x", "train-labels.tif")),
        "train-labels.tif: is there already; remove it or choose another folder",
    ),
]

CHECK = [
    ("no exercises here", command("check"), "no exercises here: `tinyunet check --start` writes"),
    (
        "no exercise here",
        command("check", "01"),
        "no 01_conv2d_loops.py here: `tinyunet check --st",
    ),
    ("no exercises there", command("check", "--exercises", new("no")), "no: no such folder"),
    ("unknown exercise", command("check", "99", "--exercises", folder("e")), "99"),
    (
        "a file that is not there",
        command("check", new("02_conv2d_backward.py")),
        "02_conv2d_backward",
    ),
    ("a file of no exercise", command("check", made("mine.py", b"x = 1")), "mine"),
    ("a file as folder", command("check", "--exercises", made("x")), "x: no such folder"),
    ("a file to start in", command("check", "--start", made("x")), "x: File exists"),
    ("no time", command("check", "01", "--time-limit", "-2"), "--time-limit -2 is not a number"),
    ("two exercises", command("check", "01", "02"), "unrecognized arguments: 02"),
]


def augment(*flags, out="sheet.png", image=images, truth=labels):
    out = new(out) if isinstance(out, str) else out
    return command("augment", image, truth, "--out", out, *flags)


def weightmap(*flags, out="map.png", truth=labels):
    out = new(out) if isinstance(out, str) else out
    return command("weightmap", truth, "--out", out, *flags)


PICTURES = [
    ("augment, no out", command("augment", images, labels), "arguments are required: --out"),
    ("augment to .jpg", augment(out="sheet.jpg"), "sheet.jpg: must end in .png"),
    ("augment to no folder", augment(out="no/x.png"), "no: no such folder to write x.png into"),
    ("augment to a folder", augment(out=folder("x.png")), "x.png: is a folder"),
    ("augment 0 samples", augment("--samples", 0), "--samples 0 is not 1 to 8"),
    ("augment 9 samples", augment("--samples", 9), "--samples 9 is not 1 to 8"),
    ("augment slice 4", augment("--slice", 4), "--slice 4: .*images.tif has slices 0 to 3"),
    ("augment slice -1", augment("--slice", -1), "--slice -1: .*images.tif has slices 0 to 3"),
    ("augment seed -1", augment("--seed", -1), "^--seed -1 is not at least 0$"),
    (
        "augment an image by itself",
        augment(truth=stack(np.random.default_rng(0).integers(0, 99, (4, 30, 34), "u1"))),
        "labels have 99 values .*: wanted 0/1 or 0/255",
    ),
    ("augment, no labels", augment(truth=new("gone.tif")), "gone.tif: no such file or folder"),
    (
        "augment a frame without truth",
        lambda f: augment("--slice", 1, image=_sequence(0), truth=_sequence(1))(f),
        "--slice 1: this frame has no labels",
    ),
    ("weightmap, no out", command("weightmap", labels), "arguments are required: --out"),
    ("weightmap to .txt", weightmap(out="map.txt"), "map.txt: must end in .png or .tif or .tiff"),
    ("weightmap to no folder", weightmap(out="no/m.tif"), "no: no such folder to write m.tif into"),
    ("weightmap to its input", weightmap(out=labels), "labels.tif: is an input of this command"),
    ("weightmap slice 4", weightmap("--slice", 4), "--slice 4: .*labels.tif has slices 0 to 3"),
    ("weightmap w0 NaN", weightmap("--w0", "nan"), "w0 must be a finite number >= 0, got nan"),
    ("weightmap sigma 0", weightmap("--sigma", 0), "sigma must be a finite number > 0, got 0.0"),
    (
        "weightmap border -1",
        weightmap("--border", -1),
        "width must be a whole number of pixels >= 0",
    ),
    (
        "weightmap of an image",
        weightmap(truth=stack(np.random.default_rng(0).integers(0, 99, (4, 24, 32), "u1"))),
        "labels look like an image: many values, each in many single pixels; give --instances",
    ),
    ("weightmap, none", weightmap(truth=new("gone.tif")), "gone.tif: no such file or folder"),
    ("weightmap, fractions", weightmap(truth=stack(MASKS * np.float32(0.5))), r"values \(0, 0.5\)"),
    ("weightmap, below 0", weightmap(truth=stack(MASKS.astype("i2") - 2)), r"values \(-2, -1\)"),
    (
        "weightmap, colour",
        weightmap(truth=stack(COLOURS, photometric="rgb")),
        "has 3 channels that differ: wanted labels as one number a pixel",
    ),
]


def _sequence(which):
    """The images (0) or the truth (1) of a sequence made at the first call."""

    def build(f):
        if which == 0:
            return sequence(f.new)[0]
        return f.new / "01_GT"

    return build


def rows(*tables):
    return [
        pytest.param(arguments, message, id=name)
        for table in tables
        for name, arguments, message in table
    ]


EARLY = rows(GENERAL, TRAIN, RESUME_EARLY, PREDICT, EVALUATE, INFO, OTHERS, CHECK, PICTURES)
LATE = rows(TRAIN_LATE)


@pytest.mark.parametrize(("arguments", "message"), EARLY)
def test_refused_in_the_first_second(arguments, message, f, capsys):
    check_refused(arguments, f, message, capsys)


@pytest.mark.parametrize(("arguments", "message"), LATE)
def test_refused_before_anything_is_made(arguments, message, f, capsys):
    check_refused(arguments, f, message, capsys, early=False)


@pytest.mark.parametrize(("build", "message"), [pytest.param(b, m, id=n) for n, b, m in WEIGHTS])
def test_wrong_weights(build, message, f, capsys):
    check_refused(predict(build), f, message, capsys)


@pytest.mark.parametrize(("build", "message"), [pytest.param(b, m, id=n) for n, b, m in BAD_IMAGES])
def test_wrong_images(build, message, f, capsys):
    file = build(f.new)
    check_refused(predict(images=lambda f: file), f, message, capsys, early=False)
    check_refused(train(images=file, labels=fitting_labels(file, f)), f, message, capsys)
    check_refused(evaluate(lambda f: file), f, f"{message}|they must be as many", capsys)


def fitting_labels(file, f):
    """Labels of the images' number and size, so that nothing but the images is wrong."""
    try:
        stack = open_stack(file)
    except (ValueError, OSError):
        return f.good.labels  # refused before the labels matter
    made = [np.arange(height * width).reshape(height, width) % 2 for height, width in stack.sizes]
    return write_tiff(f.new / "fitting.tif", np.stack(made).astype(np.uint8))


@pytest.mark.parametrize(("build", "message"), [pytest.param(b, m, id=n) for n, b, m in BAD_PAIRS])
def test_wrong_pairs(build, message, f, capsys):
    pair = [path for path in build(f.new) if path is not None]
    check_refused(command("train", *pair, "--out", new("run"), *FLAGS), f, message, capsys)
    if len(pair) == 2:
        check_refused(command("augment", *pair, "--out", new("x.png")), f, message, capsys)


@pytest.mark.skipif(gpu_problem() is None, reason="this machine has a GPU")
def test_a_gpu_that_is_not_there(f, capsys):
    check_refused(train("--device", "gpu"), f, "^device 'gpu' cannot be used: ", capsys)


def test_the_c_library_keeps_quiet_too(f):
    """libtiff writes to the terminal by itself, past Python and past the checks above."""
    rows = {name: build for name, build, _ in BAD_IMAGES}
    for name in ("damaged LZW", "damaged Zstandard", "float64 by PackBits"):
        (f.new / name).mkdir()
        argv = ["predict", f.good.run, rows[name](f.new / name), "--out", "p.tif"]
        command = [sys.executable, "-m", "tinyunet", *map(str, argv), "--device", "cpu"]
        process = subprocess.run(command, capture_output=True, text=True)
        assert process.returncode == 2
        said = [line for line in process.stderr.splitlines() if line and "pages" not in line]
        assert len(said) == 1, process.stderr
        assert said[0].startswith("tinyunet: error: ")


def test_a_folder_that_another_run_writes_into(f, capsys):
    with RunFolder(f.new / "run") as folder:
        folder.write_settings(tiny(), "data")
        message = r"run: another run \(process \d+\) is writing into this folder"
        check_refused(train("--resume"), f, message, capsys, early=False)


def test_the_table_is_long():
    assert len(EARLY) + len(LATE) + len(WEIGHTS) + len(BAD_IMAGES) + len(BAD_PAIRS) >= 200
