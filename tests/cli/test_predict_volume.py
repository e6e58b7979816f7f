"""`tinyunet predict RUN VOLUME.zarr`, as typed."""

import json

import numpy as np
import pytest

from tinyunet import UNet, predict_tiled, save_weights
from tinyunet.cli import main

zarr = pytest.importorskip("zarr", minversion="3", reason="zarr 3 is not installed")
pytest.importorskip("dask", reason="dask is not installed")


@pytest.fixture
def net():
    return UNet(depth=2, base_channels=3, seed=7, device="cpu")


@pytest.fixture
def place(net, tmp_path, monkeypatch, rng):
    """A folder with weights, a volume of 2 × 40 × 52 in chunks of 20, and a damaged one."""
    monkeypatch.chdir(tmp_path)
    net.normalisation = "image"
    save_weights("net.safetensors", net, tile=34)
    stack = rng.integers(0, 4000, (2, 40, 52)).astype("uint16")
    for name in ("good.zarr", "damaged.zarr"):
        array = zarr.create_array(name, shape=stack.shape, dtype="uint16", chunks=(1, 20, 20))
        array[...] = stack
    (tmp_path / "damaged.zarr" / "c" / "1" / "0" / "0").write_bytes(b"no chunk")
    axes = [{"name": axis} for axis in "zxy"]
    group = zarr.open_group("odd.zarr", mode="w")
    group.attrs["ome"] = {"multiscales": [{"axes": axes, "datasets": [{"path": "0"}]}]}
    group.create_array("0", shape=(1, 4, 4), dtype="u1")
    np.save("image.npy", stack[0])
    return tmp_path


ARGUMENTS = ["predict", "net.safetensors", "good.zarr", "--tile", "34", "--device", "cpu"]


def test_a_volume_becomes_a_volume_and_is_gone_on_with(place, net, capsys):
    assert main([*ARGUMENTS, "--out", "out.zarr"]) == 0
    assert capsys.readouterr().out.startswith("out.zarr: 18 blocks in ")
    out, stack = zarr.open_group("out.zarr", mode="r")["0"][...], zarr.open_array("good.zarr")[...]
    for plane, image in zip(out, stack, strict=True):
        assert (plane == predict_tiled(net, image, 34, normalise="image")[1]).all()
    assert main([*ARGUMENTS, "--out", "out.zarr", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["blocks"], told["computed"], told["out"]) == (18, 0, "out.zarr")


def test_a_scheduler_computes_the_same(place, net):
    distributed = pytest.importorskip("distributed", reason="distributed is not installed")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
    ) as cluster:
        at = cluster.scheduler_address
        assert main([*ARGUMENTS, "--out", "far.zarr", "--scheduler", at]) == 0
    assert main([*ARGUMENTS, "--out", "near.zarr"]) == 0
    far, near = (zarr.open_group(n, mode="r")["0"][...] for n in ("far.zarr", "near.zarr"))
    assert (far == near).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"good.zarr": "none.zarr"}, "none.zarr: no such volume"),
        ({"good.zarr": "odd.zarr"}, "axes z, x, y: wanted some of t, c, z, y, x"),
        ({"good.zarr": "damaged.zarr"}, "damaged.zarr: a chunk of plane (1,) cannot be read"),
        ({"out.zarr": "out.tif"}, "out.tif: must end in .zarr"),
        ({"out.zarr": "good.zarr"}, "good.zarr: is an input of this command"),
        ({"out.zarr": "none/out.zarr"}, "none: no such folder to make out.zarr in"),
        ({"34": "35"}, "35 does not fit depth 2"),
        ({"cpu": "cpu --average 8"}, "--average does not go with a volume"),
        ({"cpu": "cpu --cells cells"}, "--cells does not go with a volume"),
        ({"cpu": "cpu --slices 0:1"}, "--slices does not go with a volume"),
        ({"cpu": "cpu --min-size 3"}, "--min-size does not go with a volume"),
        ({"cpu": "cpu --scheduler tcp://127.0.0.1:9"}, "no dask scheduler answers there"),
        ({"cpu": "cpu --scheduler nonsense://x"}, "nonsense://x: no dask scheduler answers there"),
        ({"good.zarr": "image.npy", "cpu": "cpu --scheduler tcp://h:1"}, "image.npy is none"),
    ],
)
def test_what_does_not_go_gets_one_line(place, capsys, changes, message):
    typed = " ".join([*ARGUMENTS, "--out", "out.zarr"])
    for old, new in changes.items():
        typed = typed.replace(old, new)
    assert main(typed.split()) == 2
    error = capsys.readouterr().err
    assert error.startswith("tinyunet: error: ")
    assert message in error
    assert error.count("\n") == 1


def test_the_extra_is_named_where_it_is_missing(place, capsys, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "zarr", None)
    assert main([*ARGUMENTS, "--out", "out.zarr"]) == 2
    assert 'pip install "tinyunet[exchange]"' in capsys.readouterr().err


def test_chunks_that_are_missing_are_a_warning(place, capsys):
    (place / "good.zarr" / "c" / "0" / "1" / "1").unlink()
    assert main([*ARGUMENTS, "--out", "out.zarr"]) == 0
    told = capsys.readouterr().err
    assert told.count("1 of 12 chunks were never written and read as 0") == 1
