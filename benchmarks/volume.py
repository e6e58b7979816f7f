"""A volume through `predict_volume` against its planes one by one: equal bits, time, workers.

    python benchmarks/volume.py --size 4096 --planes 16 --workers 1 2

The volume is written once (random cells of noise, chunks of 512); each plane is predicted by
`predict_tiled` and compared bit for bit with what came out of the blocks, then the times are
printed: one process, then a local cluster of so many single-threaded workers. What more workers
would do is told by the plan: blocks are independent and equally large.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from tinyunet import UNet, predict_tiled, save_weights
from tinyunet.exchange.ome_zarr import open_volume
from tinyunet.exchange.volume import predict_volume


def write_volume(path, size, planes):
    """Write smooth noise, a plane at a time, as an OME-Zarr image; return its path."""
    import zarr
    from scipy.ndimage import uniform_filter

    group = zarr.open_group(path, mode="w", zarr_format=3)
    axes = [{"name": axis, "type": "space"} for axis in "zyx"]
    group.attrs["ome"] = {
        "version": "0.5", "multiscales": [{"axes": axes, "datasets": [{"path": "0"}]}],
    }  # fmt: skip
    array = group.create_array(
        "0", shape=(planes, size, size), dtype="uint16", chunks=(1, 512, 512)
    )
    for k in range(planes):
        noise = np.random.default_rng(k).random((size, size), dtype=np.float32)
        array[k] = (60000 * uniform_filter(noise, 5)).astype("uint16")
    return path


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--planes", type=int, default=16)
    parser.add_argument("--base", type=int, default=8)
    parser.add_argument("--tile", type=int, default=572)
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        net = UNet(base_channels=options.base, seed=1, device="cpu")
        net.normalisation = "image"  # as a training leaves it: planes of mean 0 and deviation 1
        save_weights(folder / "net.safetensors", net)
        source = write_volume(folder / "in.zarr", options.size, options.planes)
        begun = time.perf_counter()
        told = predict_volume(folder / "net.safetensors", source, folder / "0.zarr", options.tile)
        print(f"{told['blocks']} blocks, about {told['bytes'] / 2**20:.0f} MiB a worker")
        print(f"one process:          {time.perf_counter() - begun:8.1f} s")
        first, volume = open_volume(folder / "0.zarr").array, open_volume(source).array
        begun = time.perf_counter()
        for k in range(options.planes):
            wanted = predict_tiled(net, volume[k], options.tile, normalise="image")[1]
            assert (first[k] == wanted).all(), f"plane {k} differs"
        print(f"planes one by one:    {time.perf_counter() - begun:8.1f} s, equal bit for bit")
        for workers in options.workers:
            seconds = on_a_cluster(folder, source, options.tile, workers)
            other = open_volume(folder / f"{workers}.zarr").array
            same = all((first[k] == other[k]).all() for k in range(options.planes))
            print(f"{workers} worker(s):          {seconds:8.1f} s, equal: {same}")


def on_a_cluster(folder, source, tile, workers):
    """Predict on a local cluster; return the seconds without its start."""
    import distributed

    with distributed.LocalCluster(
        n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster:
        begun = time.perf_counter()
        predict_volume(
            folder / "net.safetensors",
            source,
            folder / f"{workers}.zarr",
            tile,
            scheduler=cluster.scheduler_address,
        )
        return time.perf_counter() - begun


if __name__ == "__main__":
    main()
