"""Files that are whole or not there: writing, damage, full disks, read-only folders."""

import ctypes
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from runs import FLAGS, snapshot, write_stacks
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from tinyunet import _files
from tinyunet._files import atomic_write
from tinyunet.inference.predict import predict_tiled
from tinyunet.nn.unet import UNet
from tinyunet.training.checkpoint import (
    architecture,
    load_checkpoint,
    load_network,
    save_checkpoint,
    save_weights,
    strip_prefix,
)
from tinyunet.training.tensor_file import checksum


@pytest.fixture
def net():
    net = UNet(2, 3, depth=2, base_channels=3, dropout=0.25, seed=5, device="cpu")
    rng = np.random.default_rng(0)
    for name, bias in net.params.items():
        if name.endswith("bias"):
            bias[...] = rng.standard_normal(bias.shape)
    return net


def state(net, **meta):
    tensors = {f"params/{name}": p for name, p in net.params.items()}
    tensors |= {f"velocity/{name}": 2 * p for name, p in net.params.items()}
    return tensors, {"architecture": architecture(net), **meta}


def test_what_is_saved_is_loaded(net, tmp_path):
    meta = {"step": 3, "loss": 0.1 + 0.2, "none": None, "rng": net.rng.bit_generator.state}
    tensors, meta = state(net, **meta)
    save_checkpoint(tmp_path / "c.safetensors", tensors, meta)
    loaded, loaded_meta = load_checkpoint(tmp_path / "c.safetensors")
    assert loaded_meta == meta
    assert sorted(loaded) == sorted(tensors)
    for name, value in tensors.items():
        assert loaded[name].dtype == value.dtype
        assert np.array_equal(loaded[name], value)
    assert [p.name for p in tmp_path.iterdir()] == ["c.safetensors"]


def test_equal_contents_give_equal_files(net, tmp_path):
    """Also when the tensors come in another order or are no contiguous arrays."""
    tensors, meta = state(net, step=3, a=1, b=2)
    save_checkpoint(tmp_path / "one", tensors, meta)
    name = "params/down1.conv1.weight"
    other = dict(reversed(tensors.items()))
    other[name] = np.asfortranarray(other[name])
    assert not other[name].flags.c_contiguous
    save_checkpoint(tmp_path / "other", other, dict(reversed(meta.items())))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


def test_other_programs_can_read_the_weights(net, tmp_path):
    save_weights(tmp_path / "w.safetensors", net, step=3)
    tensors = load_file(tmp_path / "w.safetensors")
    assert sorted(tensors) == sorted(f"params/{name}" for name in net.params)
    assert np.array_equal(tensors["params/out.bias"], net.params["out.bias"])


def test_a_network_comes_back(net, tmp_path):
    net.normalisation = "image"
    save_weights(tmp_path / "w.safetensors", net, step=3)
    loaded, meta = load_network(tmp_path / "w.safetensors", "cpu")
    assert meta == {"step": 3, "architecture": architecture(net), "normalisation": "image"}
    assert loaded.normalisation == "image"
    assert architecture(loaded) == {
        "in_channels": 2,
        "n_classes": 3,
        "depth": 2,
        "base_channels": 3,
        "dropout": 0.25,
    }
    x = np.random.default_rng(1).standard_normal((1, 2, 18, 20)).astype(np.float32)
    assert np.array_equal(loaded.predict_proba(x), net.predict_proba(x))
    double, _ = load_network(tmp_path / "w.safetensors", "cpu", "float64")
    assert {p.dtype for p in double.params.values()} == {np.dtype("float64")}
    assert np.array_equal(double.params["out.weight"], net.params["out.weight"])


def test_strip_prefix():
    parts = {"params/a": 1, "velocity/a": 2, "x/params/b": 3}
    assert strip_prefix(parts, "params/") == {"a": 1}


def test_the_checksum_sees_everything():
    base = {"a": np.arange(6.0), "b": np.zeros(2, np.float32)}
    sums = {
        checksum(base, {"step": 1}),
        checksum(base, {"step": 2}),
        checksum({**base, "a": base["a"].reshape(2, 3)}, {"step": 1}),
        checksum({**base, "a": base["a"] + np.spacing(8.0)}, {"step": 1}),
        checksum({**base, "b": np.zeros(2, np.int32)}, {"step": 1}),
        checksum({"a": base["a"], "c": base["b"]}, {"step": 1}),
        checksum({"a": base["a"]}, {"step": 1}),
        checksum({**base, "a": base["a"].astype(">f8")}, {"step": 1}),
    }
    assert len(sums) == 8
    assert all(len(digest) == 64 for digest in sums)
    assert checksum(dict(reversed(base.items())), {"step": 1}) in sums


def test_every_flipped_byte_is_noticed(net, tmp_path):
    """Wherever it falls: in the header, the metadata or the values."""
    path = tmp_path / "c.safetensors"
    save_checkpoint(path, *state(net, step=3))
    content = path.read_bytes()
    rng = np.random.default_rng(2)
    for place in [0, 8, *rng.integers(0, len(content), 150), len(content) - 1]:
        damaged = bytearray(content)
        damaged[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(bytes(damaged))
        try:
            tensors, meta = load_checkpoint(path)
        except ValueError as error:
            assert str(error).startswith(f"{path}: ")  # noqa: PT017 (most are errors, not all)
        else:  # an unused letter of JSON: blanks, or the order of the keys
            assert checksum(tensors, meta) == checksum(*state(net, step=3))


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 100, -1000, -1])
def test_every_cut_is_noticed(net, tmp_path, size):
    path = tmp_path / "c.safetensors"
    save_checkpoint(path, *state(net))
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(ValueError, match="c.safetensors: not a whole safetensors file"):
        load_checkpoint(path)


def test_missing_and_folder(tmp_path):
    for path in (tmp_path / "gone", tmp_path):
        with pytest.raises(FileNotFoundError, match=f"{path.name}: no such checkpoint"):
            load_checkpoint(path)


def test_a_dtype_that_numpy_does_not_know(tmp_path):
    header = json.dumps({"a": {"dtype": "F8_E4M3", "shape": [1], "data_offsets": [0, 1]}}).encode()
    path = tmp_path / "w.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"\0")
    with pytest.raises(ValueError, match="w.safetensors: not a whole safetensors file"):
        load_checkpoint(path)


@pytest.mark.parametrize("kind", ["params", "velocity"])
@pytest.mark.parametrize("fault", ["extra", "missing", "shape", "nan", "inf", "dtype"])
def test_tensors_must_be_those_of_the_architecture(net, tmp_path, kind, fault):
    tensors, meta = state(net)
    name = f"{kind}/out.bias"
    wrong = {
        "missing": None,
        "shape": np.zeros(2, np.float32),
        "nan": np.array([0, np.nan, 0], np.float32),
        "inf": np.array([0, 0, -np.inf], np.float32),
        "dtype": np.zeros(3, np.int64),
    }
    if fault == "extra":
        tensors[f"{kind}/more"] = np.zeros(1, np.float32)
        message = rf"{kind}/more is \(1,\), its architecture has no such tensor$"
    elif fault == "missing":
        del tensors[name]
        message = rf"{name} is missing, its architecture has \(3,\)$"
    else:
        tensors[name] = wrong[fault]
        message = f"{name} holds NaN, infinity or no floats$"
        if fault == "shape":
            message = rf"{name} is \(2,\), its architecture has \(3,\)$"
    save_checkpoint(tmp_path / "c", tensors, meta)
    with pytest.raises(ValueError, match=f"c: {message}"):
        load_checkpoint(tmp_path / "c")


def test_other_tensors_are_refused(net, tmp_path):
    tensors, meta = state(net)
    save_checkpoint(tmp_path / "c", {**tensors, "z": np.zeros(1), "code/a": np.zeros(1)}, meta)
    with pytest.raises(ValueError, match="c: holds tensors that no checkpoint has: code, z$"):
        load_checkpoint(tmp_path / "c")


def test_a_file_of_another_program_is_refused(tmp_path):
    save_file({"a": np.zeros(2)}, tmp_path / "a", {"format": "np"})
    with pytest.raises(
        ValueError, match="a: a safetensors file, but not one that tinyunet wrote, "
    ):
        load_checkpoint(tmp_path / "a")


@pytest.mark.parametrize("prefix", ["", "params/"])
def test_weights_of_our_names_by_another_program_are_taken(net, tmp_path, prefix):
    save_file(
        {prefix + name: p for name, p in net.params.items()}, tmp_path / "w", {"format": "pt"}
    )
    loaded, meta = load_network(tmp_path / "w", "cpu")
    assert meta["architecture"] == {**architecture(net), "dropout": 0.0}
    assert loaded.normalisation is None
    assert all(np.array_equal(loaded.params[name], p) for name, p in net.params.items())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"down2.conv1.weight": None}, "down2.conv1.weight is missing, its architecture has"),
        ({"out.bias": np.zeros(4, np.float32)}, r"out.bias is \(4,\), its architecture has \(3,\)"),
        ({"running_mean": np.zeros(3, np.float32)}, "running_mean is .* no such tensor"),
        ({"out.weight": np.zeros(3, np.float32)}, "not one that tinyunet wrote, and not of its"),
        ({"down99.conv1.bias": np.zeros(3, np.float32)}, "depth 99 is more than 30"),
        ({"out.bias": np.zeros(3, np.int32)}, "out.bias holds NaN, infinity or no floats"),
    ],
)
def test_weights_of_another_program_must_fit(net, tmp_path, change, message):
    tensors = {**net.params, **change}
    save_file({k: v for k, v in tensors.items() if v is not None}, tmp_path / "w")
    with pytest.raises(ValueError, match=f"w: .*{message}"):
        load_network(tmp_path / "w", "cpu")


def test_big_endian_arrays_are_written_as_all_others(net, tmp_path):
    tensors, meta = state(net, step=1)
    save_checkpoint(tmp_path / "little", tensors, meta)
    big = {name: value.astype(value.dtype.newbyteorder(">")) for name, value in tensors.items()}
    save_checkpoint(tmp_path / "big", big, meta)
    assert (tmp_path / "big").read_bytes() == (tmp_path / "little").read_bytes()
    assert load_checkpoint(tmp_path / "big")[1] == meta


def test_weights_that_are_too_large_are_refused_and_large_ones_warned_of(net, tmp_path):
    tensors, meta = state(net)
    tensors["params/out.bias"] = np.array([0, -1e300, 1.0])
    save_checkpoint(tmp_path / "w", tensors, meta)
    with pytest.raises(
        ValueError, match="w: out.bias holds 1e.300, which is too large for float32"
    ):
        load_network(tmp_path / "w", "cpu")
    with pytest.warns(UserWarning, match="w: out.bias holds 1e.300: predictions may overflow"):
        load_network(tmp_path / "w", "cpu", "float64")
    tensors["params/down1.conv1.weight"] = np.full((3, 2, 3, 3), 1e38, np.float32)
    tensors["params/out.bias"] = np.zeros(3, np.float32)
    save_checkpoint(tmp_path / "w", tensors, meta)
    with pytest.warns(UserWarning, match="w: down1.conv1.weight holds 1e.38: predictions may over"):
        loaded, _ = load_network(tmp_path / "w", "cpu")
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError, match="answer is NaN"):
        predict_tiled(loaded, np.ones((2, 20, 20)))


def test_a_file_of_version_one_comes_back(net, tmp_path):
    """There, base_channels was called base, and nothing was said of the normalisation."""
    built = architecture(net)
    built["base"] = built.pop("base_channels")
    tensors, _ = state(net)
    save_checkpoint(tmp_path / "w", tensors, {"architecture": built, "tile": 20})
    loaded, _ = load_network(tmp_path / "w", "cpu")
    assert loaded.base_channels == 3
    assert loaded.normalisation == "image"  # the only one that its training knew
    save_checkpoint(tmp_path / "w", tensors, {"architecture": built})  # by `save_weights`
    assert load_network(tmp_path / "w", "cpu")[0].normalisation is None


def test_an_unknown_normalisation_is_refused(net, tmp_path):
    tensors, meta = state(net, normalisation="magic")
    save_checkpoint(tmp_path / "w", tensors, meta)
    with pytest.raises(ValueError, match="w: its normalisation is magic: unknown"):
        load_network(tmp_path / "w", "cpu")


def test_an_earlier_file_stays_until_the_new_one_is_whole(net, tmp_path, monkeypatch):
    """Whatever fails, at whatever stage: the old file is there, and nothing beside it."""
    path = tmp_path / "c.safetensors"
    save_checkpoint(path, *state(net, step=1))
    before = snapshot(tmp_path)
    for stage in ("fsync", "chmod", "replace"):

        def fail(*_):
            assert path.exists()
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(_files.os, stage, fail)
            with pytest.raises(OSError, match="No space left on device"):
                save_checkpoint(path, *state(net, step=2))
        assert snapshot(tmp_path) == before
    save_checkpoint(path, *state(net, step=2))
    assert load_checkpoint(path)[1]["step"] == 2
    assert list(snapshot(tmp_path)) == [path]


def test_a_full_disk_met_by_the_safetensors_library_is_an_error_of_the_disk(
    net, tmp_path, monkeypatch
):
    path = tmp_path / "c.safetensors"
    save_checkpoint(path, *state(net, step=1))
    before = snapshot(tmp_path)

    def fail(_tensors, temporary, _header):
        temporary.write_bytes(b"half")
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("safetensors.numpy.save_file", fail)
    message = "c.safetensors: could not be written: I/O error: No space left on device"
    with pytest.raises(OSError, match=message):
        save_checkpoint(path, *state(net, step=2))
    assert snapshot(tmp_path) == before


def test_the_new_file_is_on_the_disk_before_it_takes_the_name(net, tmp_path, monkeypatch):
    done = []
    real = {name: getattr(os, name) for name in ("fsync", "replace")}

    def fsync(handle):
        done.append("flush")
        real["fsync"](handle)

    def replace(one, other):
        done.append("rename")
        assert one.parent.parent == other.parent == tmp_path  # a rename within one file system
        assert load_checkpoint(one)[1]["step"] == 2
        real["replace"](one, other)

    monkeypatch.setattr(_files.os, "fsync", fsync)
    monkeypatch.setattr(_files.os, "replace", replace)
    save_checkpoint(tmp_path / "c", *state(net, step=2))
    assert done == ["flush", "rename", "flush"]  # the file, its name, the folder's entry


def test_an_exception_of_the_caller_leaves_nothing(tmp_path):
    def write():
        with atomic_write(tmp_path / "x") as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    assert snapshot(tmp_path) == {}


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o027, 0o640)])
def test_permissions_are_those_of_any_new_file(tmp_path, mask, mode):
    before = os.umask(mask)
    try:
        with atomic_write(tmp_path / "x") as temporary:
            temporary.write_text("1")
        save_weights(tmp_path / "w", UNet(depth=1, base_channels=1, device="cpu"))
        assert os.umask(mask) == mask  # asked for, not changed
    finally:
        os.umask(before)
    assert {(tmp_path / name).stat().st_mode & 0o777 for name in "xw"} == {mode}


# A process that may write no file of more than `sys.argv[1]` bytes: what a full disk does to a
# write, but for the error's number. The limit is set once the first checkpoint is written.
SMALL_DISK = """
import resource, sys
from tinyunet.cli import main
from tinyunet.training.loop import _Run
real = getattr(_Run, sys.argv.pop(2))
def limited(*arguments):
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
    return real(*arguments)
setattr(_Run, real.__name__, limited)
sys.exit(main(sys.argv[2:]))
"""


def _process(argv, **options):
    return subprocess.run(argv, capture_output=True, text=True, timeout=300, **options)


def last_line(process):
    assert process.returncode == 2, process.stderr
    assert "Traceback" not in process.stderr
    return process.stderr.splitlines()[-1]


@pytest.mark.parametrize(("limit", "file"), [(3000, "last.safetensors"), (60, "log.csv")])
def test_a_full_disk_keeps_the_last_good_checkpoint(tmp_path, limit, file):
    images, labels = write_stacks(tmp_path)
    run = tmp_path / "run"
    argv = ["train", str(images), str(labels), "--out", str(run), *FLAGS, "--val-every", "100"]
    process = _process([sys.executable, "-c", SMALL_DISK, str(limit), "_start_step", *argv])
    line = last_line(process)
    assert line.startswith("tinyunet: error: ")
    assert file in line
    assert "could not be written" in line
    assert load_checkpoint(run / "last.safetensors")[1]["step"] == 0
    assert not list(run.glob(".*.tmp"))


def test_a_disk_that_is_full_at_once_is_told_with_the_file(tmp_path):
    images, labels = write_stacks(tmp_path)
    run = tmp_path / "run"
    argv = ["train", str(images), str(labels), "--out", str(run), *FLAGS]
    process = _process([sys.executable, "-c", SMALL_DISK, "60", "start_or_resume", *argv])
    line = last_line(process)
    assert line.startswith(f"tinyunet: error: {run / 'settings.json'}: could not be written: ")
    assert not list(run.glob(".*.tmp"))


def _without_root_rights():
    """Give up root's right to write where the permissions forbid it, for good."""
    drop_from_bounding_set, may_override_permissions = 24, 1
    if os.geteuid() == 0 and ctypes.CDLL(None).prctl(
        drop_from_bounding_set, may_override_permissions, 0, 0, 0
    ):
        raise OSError("this right cannot be given up")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="root's rights are Linux's")
def test_a_read_only_folder(tmp_path):
    images, labels = write_stacks(tmp_path)
    folder = tmp_path / "locked"
    folder.mkdir()
    folder.chmod(0o555)
    rights = {"preexec_fn": _without_root_rights}
    check = _process([sys.executable, "-c", f"open({str(folder / 'x')!r}, 'w')"], **rights)
    if check.returncode == 0:
        pytest.skip("this process writes into read-only folders")
    run = folder / "run"
    argv = [sys.executable, "-m", "tinyunet", "train", str(images), str(labels), *FLAGS, "--out"]
    for out in (run, folder):
        line = last_line(_process([*argv, str(out)], **rights))
        assert line.startswith(f"tinyunet: error: {out}")
        assert "Permission denied" in line
        assert snapshot(folder) == {}
