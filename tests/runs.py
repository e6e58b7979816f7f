"""Tiny data, tiny runs, a look at a folder before and after: for the tests of training."""

import numpy as np
import tifffile

from tinyunet.images import Dataset, normalise
from tinyunet.training.settings import Settings

# 12 steps of a network of 434 parameters: a run of a second
TINY = {
    "depth": 2,
    "base_channels": 2,
    "dropout": 0.25,
    "tile": 34,
    "steps": 12,
    "lr": 0.01,
    "momentum": 0.9,
    "momentum_warmup": 0,
    "decay": 0.0,
    "val": (3, 4),
    "val_every": 5,
    "checkpoint_every": 3,
    "seed": 7,
}
FLAGS = [
    *("--depth", "2", "--base", "2", "--dropout", "0.25", "--tile", "34", "--steps", "12"),
    *("--lr", "0.01", "--momentum", "0.9", "--momentum-warmup", "0", "--decay", "0"),
    *("--val", "3:4", "--val-every", "5"),
    *("--checkpoint-every", "3", "--seed", "7", "--device", "cpu"),
]


def tiny(**changes):
    """The settings of a tiny run."""
    return Settings(**{**TINY, **changes})


def tiny_arrays(count=4, size=(30, 34), seed=0):
    """Bright blobs on a dark ground: (images, labels), uint8 stacks, labels 0/255."""
    rng = np.random.default_rng(seed)
    smooth = rng.standard_normal((count, *size))
    for axis in (1, 2):
        for _ in range(3):
            smooth = smooth + np.roll(smooth, 1, axis) + np.roll(smooth, -1, axis)
    labels = (smooth > 0).astype(np.uint8) * 255
    images = 60 + (labels // 3) + rng.integers(0, 60, labels.shape)
    return images.astype(np.uint8), labels


def tiny_dataset(**options):
    """The same as a `Dataset`."""
    images, labels = tiny_arrays(**options)
    return Dataset(
        images=[normalise(image)[None] for image in images],
        labels=[(label > 0).astype(np.int32) for label in labels],
        valid=[None] * len(images),
        names=[str(i) for i in range(len(images))],
        dtype="uint8",
    )


def write_stacks(folder, **options):
    """Write images.tif and labels.tif into `folder`; return their paths."""
    paths = folder / "images.tif", folder / "labels.tif"
    for path, array in zip(paths, tiny_arrays(**options), strict=True):
        tifffile.imwrite(path, array, photometric="minisblack")
    return paths


def snapshot(*folders):
    """{path: its bytes, None for a folder} of all that lies in `folders`, but for run locks."""
    found = {}
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.name != ".lock":
                found[path] = path.read_bytes() if path.is_file() else None
    return found
