"""Print what six augmented steps compute, as digests: equal in every environment of one processor.

    python tests/digest.py            # in one environment after the other: the lines must be equal

Tiles, losses, weights, a prediction and its scores. They depend on the processor, whose widest
vectors decide in which order a row is added; not on the versions of Python, NumPy, SciPy and numba,
nor on the number of threads. `.ci/run` compares its two environments.
"""

import hashlib

import numpy as np

from tinyunet import UNet, metrics, predict_tiled
from tinyunet.images import Dataset, normalise, synthetic_membranes
from tinyunet.nn.sgd import SGD
from tinyunet.training.settings import Settings
from tinyunet.training.step import DirectStep
from tinyunet.training.tiles import draw_tile, prepare_slices


def digests(seed=0):
    """Return {what: the start of its SHA-256}."""
    images, labels = synthetic_membranes(3, size=160, seed=seed)
    dataset = Dataset(
        [normalise(image)[None] for image in images],
        [truth.astype(np.int32) for truth in labels],
        [None] * 3,
        ["0", "1", "2"],
    )
    settings = Settings(depth=3, base_channels=8, tile=108, steps=6, lr=0.01, seed=seed)
    slices = prepare_slices(dataset.subset([0, 1]), settings)
    tiles = [draw_tile(slices, settings, step) for step in range(1, 7)]
    net = UNet(1, 2, 3, 8, 0.5, seed, device="cpu")
    step = DirectStep(net, SGD(net.params, settings.lr, settings.momentum))
    losses = [step(tile) for tile in tiles]
    probability = predict_tiled(net, dataset.images[2][0], 108)[1]
    low, high = probability.min(), probability.max()  # after six steps all is on one side of 0.5
    scores = metrics.isbi2012(labels[2][None], ((probability - low) / (high - low))[None])
    return {
        "images": _digest(images),
        "tiles": _digest(*(part for tile in tiles for part in tile)),
        "losses": _digest(np.array(losses)),
        "weights": _digest(*net.params.values()),
        "prediction": _digest(probability),
        "scores": _digest(repr(scores).encode()),
    }


def _digest(*parts):
    found = hashlib.sha256()
    for part in parts:
        found.update(part if isinstance(part, bytes) else np.ascontiguousarray(part).tobytes())
    return found.hexdigest()[:16]


if __name__ == "__main__":
    for name, value in digests().items():
        print(f"{name:10} {value}")
