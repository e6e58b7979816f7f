"""Volumes: seamless and equal to one image at a time, resumed, and finished when a worker dies."""

import json
import os
import shutil
import signal
import time

import numpy as np
import pytest

from tinyunet import UNet, load_network, predict_tiled, save_weights
from tinyunet.exchange import volume as volumes
from tinyunet.exchange.ome_zarr import create_volume, open_volume
from tinyunet.exchange.volume import MARKS, predict_volume
from tinyunet.images import normalise

zarr = pytest.importorskip("zarr", minversion="3", reason="zarr 3 is not installed")
pytest.importorskip("dask", reason="dask is not installed")

AXES = [{"name": n, "type": "space"} for n in "zyx"]


def _ome(path, array, axes, version="0.5", chunks=None):
    group = zarr.open_group(path, mode="w", zarr_format=3 if version == "0.5" else 2)
    image = {
        "axes": [{"name": a} for a in axes],
        "datasets": [
            {
                "path": "full",
                "coordinateTransformations": [{"type": "scale", "scale": [2.0] * len(axes)}],
            }
        ],
    }
    if version == "0.5":
        group.attrs["ome"] = {"version": version, "multiscales": [image]}
    else:
        group.attrs["multiscales"] = [{"version": version, **image}]
    stored = group.create_array(
        "full", shape=array.shape, dtype=array.dtype, chunks=chunks or array.shape
    )
    stored[...] = array
    return path


@pytest.fixture
def weights(tmp_path):
    net = UNet(depth=3, base_channels=3, seed=2, device="cpu")
    net.normalisation = "image"
    save_weights(tmp_path / "net.safetensors", net)
    return tmp_path / "net.safetensors"


def _expected(weights, image, tile):
    net, _ = load_network(weights, "cpu")
    return predict_tiled(net, image, tile)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_a_volume_equals_its_planes_one_by_one(weights, tmp_path, rng, version):
    stack = rng.integers(0, 4000, (3, 70, 101)).astype("uint16")
    source = _ome(tmp_path / "in.zarr", stack, "zyx", version, (1, 32, 40))
    seen = []
    told = predict_volume(
        weights, source, tmp_path / "out.zarr", 84, progress=lambda *p: seen.append(p)
    )
    assert told["computed"] == told["blocks"] == len(seen) == 3 * 2 * 3
    assert seen[-1] == (18, 18)
    out = open_volume(tmp_path / "out.zarr")
    assert out.axes == "zyx"
    assert out.scales == (2.0, 2.0, 2.0)
    for k, image in enumerate(stack):
        np.testing.assert_array_equal(out.array[k], _expected(weights, image, 84)[1])


def test_time_channels_and_classes(tmp_path, rng):
    net = UNet(2, 3, depth=2, base_channels=3, seed=2, device="cpu")
    save_weights(tmp_path / "net.safetensors", net)
    stack = rng.random((2, 2, 3, 40, 36)).astype("float32")  # t, c, z, y, x
    source = _ome(tmp_path / "in.zarr", stack, "tczyx")
    predict_volume(tmp_path / "net.safetensors", source, tmp_path / "out.zarr", 34)
    out = open_volume(tmp_path / "out.zarr")
    assert (out.axes, out.array.shape, out.array.dtype) == ("tzyx", (2, 3, 40, 36), "uint8")
    p = predict_tiled(net, stack[1, :, 2], 34)
    np.testing.assert_array_equal(out.array[1, 2], p.argmax(axis=0))


def test_a_run_that_is_started_again_does_what_is_left(weights, tmp_path, rng, monkeypatch):
    stack = rng.integers(0, 255, (2, 70, 70)).astype("uint8")
    source = _ome(tmp_path / "in.zarr", stack, "zyx")
    real, calls = volumes.predict_block, []

    def dies(job, block):
        calls.append(block)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return real(job, block)

    monkeypatch.setattr(volumes, "predict_block", dies)
    with pytest.raises(KeyboardInterrupt):
        predict_volume(weights, source, tmp_path / "out.zarr", 84)
    monkeypatch.undo()
    told = predict_volume(weights, source, tmp_path / "out.zarr", 84)
    assert (told["blocks"], told["computed"]) == (8, 5)
    out = open_volume(tmp_path / "out.zarr").array
    for k, image in enumerate(stack):
        np.testing.assert_array_equal(out[k], _expected(weights, image, 84)[1])
    assert predict_volume(weights, source, tmp_path / "out.zarr", 84)["computed"] == 0
    with pytest.raises(ValueError, match=r"holds something else \(another tile\)"):
        predict_volume(weights, source, tmp_path / "out.zarr", 92)


def _slowly():
    """Let this process take a fifth of a second longer for a block, so that there is a middle."""
    real = volumes.predict_block

    def predict_block(job, block):
        time.sleep(0.2)
        return real(job, block)

    volumes.predict_block = predict_block


def test_a_worker_killed_in_the_middle_costs_no_block_that_was_written(weights, tmp_path, rng):
    """Of two processes, the one that has computed more is killed after 5 of 12 blocks."""
    distributed = pytest.importorskip("distributed", reason="distributed is not installed")
    stack = rng.integers(0, 255, (2, 70, 101)).astype("uint8")
    source = _ome(tmp_path / "in.zarr", stack, "zyx")
    marks, written, killed = tmp_path / "out.zarr" / MARKS, {}, []
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        processes = client.run(os.getpid)
        client.run(_slowly)

        def kill(done, _):
            if done == 5:
                held = {address: len(keys) for address, keys in client.has_what().items()}
                written.update((m.name, m.stat().st_mtime_ns) for m in marks.glob("?-*-*"))
                killed.append(max(held, key=held.get))
                assert held[killed[0]] > 1
                os.kill(processes[killed[0]], signal.SIGKILL)

        address = cluster.scheduler_address
        told = predict_volume(
            weights, source, tmp_path / "out.zarr", 84, scheduler=address, progress=kill
        )
        assert processes[killed[0]] not in client.run(os.getpid).values()
    assert told["computed"] == told["blocks"] == 12
    assert 5 <= len(written) < 12
    assert {name: (marks / name).stat().st_mtime_ns for name in written} == written
    print(f"\nkilled {killed[0]}, with {len(written)} of 12 blocks written: none written again")
    out = open_volume(tmp_path / "out.zarr").array
    for k, image in enumerate(stack):
        np.testing.assert_array_equal(out[k], _expected(weights, image, 84)[1])


def test_what_does_not_fit_is_said_in_one_line(weights, tmp_path, rng):
    image = rng.integers(0, 255, (2, 70, 70)).astype("uint8")
    (tmp_path / "empty.zarr").mkdir()
    zarr.open_group(tmp_path / "group.zarr", mode="w")
    zarr.create_array(tmp_path / "four.zarr", shape=(1, 1, 4, 4), dtype="u1")
    odd = _ome(tmp_path / "odd.zarr", image, "zxy")
    two = _ome(tmp_path / "two.zarr", image, "cyx")
    good = _ome(tmp_path / "good.zarr", image, "zyx")
    for source, message in (
        (tmp_path / "none.zarr", "no such volume"),
        (tmp_path / "empty.zarr", "not a Zarr array or group"),
        (tmp_path / "group.zarr", r"without OME-Zarr's description"),
        (tmp_path / "four.zarr", "an array of 4 axes without a description"),
        (odd, "axes z, x, y: wanted some of t, c, z, y, x"),
        (two, "2 channels, the network takes 1"),
    ):
        with pytest.raises((ValueError, FileNotFoundError), match=message):
            predict_volume(weights, source, tmp_path / "out.zarr", 84)
    with pytest.raises(ValueError, match="tile 85 does not fit depth 3"):
        predict_volume(weights, good, tmp_path / "out.zarr", 85)
    assert not (tmp_path / "out.zarr").exists()
    pytest.importorskip("distributed")
    with pytest.raises(OSError, match="no dask scheduler answers there"):
        predict_volume(weights, good, tmp_path / "out.zarr", 84, scheduler="tcp://127.0.0.1:9")
    assert not (tmp_path / "out.zarr").exists()


def test_chunks_that_were_never_written_are_named(weights, tmp_path):
    group = zarr.open_group(tmp_path / "in.zarr", mode="w", zarr_format=3)
    group.attrs["ome"] = {"multiscales": [{"axes": AXES, "datasets": [{"path": "0"}]}]}
    array = group.create_array("0", shape=(1, 64, 64), dtype="u1", chunks=(1, 32, 32))
    array[0, :32, :32] = 7
    with pytest.warns(UserWarning, match="3 of 4 chunks were never written and read as 0"):
        open_volume(tmp_path / "in.zarr")


def test_statistics_are_kept_with_the_output(weights, tmp_path, rng):
    stack = rng.integers(0, 255, (1, 70, 70)).astype("uint8")
    source = _ome(tmp_path / "in.zarr", stack, "zyx")
    predict_volume(weights, source, tmp_path / "out.zarr", 84)
    mean, std = json.loads((tmp_path / "out.zarr" / MARKS / "plane-0.json").read_text())
    assert mean == pytest.approx(stack.mean())
    assert std == pytest.approx(stack.std())
    new = create_volume(tmp_path / "x.zarr", open_volume(source), "uint8", (200, 50), {})
    assert new.chunks == (1, 70, 50)


def test_nothing_is_kept_of_an_earlier_prediction(weights, tmp_path, rng):
    """The files may have changed in between, under the same names."""
    source = _ome(tmp_path / "in.zarr", rng.random((1, 40, 52), dtype=np.float32), "zyx")
    predict_volume(weights, source, tmp_path / "first.zarr", 84)
    net = UNet(depth=3, base_channels=3, seed=5, device="cpu")
    net.normalisation = "image"
    save_weights(weights, net)
    image = rng.random((60, 44), dtype=np.float32)
    shutil.rmtree(source)
    _ome(tmp_path / "in.zarr", image[None], "zyx")
    predict_volume(weights, source, tmp_path / "second.zarr", 84)
    plane = open_volume(tmp_path / "second.zarr").array[0]
    np.testing.assert_array_equal(plane, predict_tiled(net, image, 84)[1])


def test_a_large_mean_costs_no_digits(weights, tmp_path, rng):
    image = 1e8 + rng.standard_normal((40, 52))
    source = _ome(tmp_path / "in.zarr", image[None], "zyx")
    predict_volume(weights, source, tmp_path / "out.zarr", 84)
    plane = open_volume(tmp_path / "out.zarr").array[0]
    net, _ = load_network(weights, "cpu")
    expected = predict_tiled(net, normalise(image), 84, normalise=None)[1]
    np.testing.assert_array_equal(plane, expected)


def test_planes_go_to_the_network_as_its_training_took_them(tmp_path, rng):
    net = UNet(depth=2, base_channels=3, seed=2, device="cpu")  # of unknown normalisation
    save_weights(tmp_path / "net.safetensors", net)
    stack = rng.random((1, 40, 52)).astype("float32")
    array = zarr.create_array(tmp_path / "in.zarr", shape=stack.shape, dtype="float32")
    array[...] = stack
    predict_volume(tmp_path / "net.safetensors", tmp_path / "in.zarr", tmp_path / "out.zarr", 34)
    plane = zarr.open_group(tmp_path / "out.zarr", mode="r")["0"][0]
    np.testing.assert_array_equal(plane, predict_tiled(net, stack[0], 34, normalise=None)[1])
