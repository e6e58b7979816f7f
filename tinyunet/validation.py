"""How good is the network on slices it does not learn from? Asked every so many steps of a run.

Lesson: lessons/11-training.md.
"""

import numpy as np

from tinyunet import geometry
from tinyunet.predict import predict_tiled


def validation_tile(shape, settings):
    """Return the tile that an image of `shape` (H, W) is validated with: in one piece if that fits.

    A forward pass keeps less than a training step, hence the quarter more. Not chosen by the free
    memory, as prediction does: rounding differs from tile to tile, and a log must be repeatable.
    """
    whole = geometry.input_size(max(shape), settings.depth)
    return whole if whole <= 1.25 * settings.tile else settings.tile


def validate(net, slices, settings):
    """Return (loss, wrong): mean weighted cross-entropy and fraction of wrong pixels of `slices`.

    Each slice is predicted at its full size, its border mirrored. Pixels of weight zero (those
    without truth) do not count as right or wrong; all pixels count in the mean of the loss, as
    they do in training.
    """
    loss = wrong = counted = pixels = 0
    for item in slices:
        tile = validation_tile(item.classes.shape, settings)
        p = predict_tiled(net, item.image, tile)  # (K, H, W)
        p_label = np.take_along_axis(p, item.classes[None].astype(np.int64), axis=0)[0]
        weights = np.ones(item.classes.shape, np.float32) if item.weights is None else item.weights
        log_p = np.log(np.maximum(p_label, np.finfo(np.float32).tiny))
        loss -= float((weights * log_p).sum(dtype=np.float64))
        known = weights > 0
        wrong += int(((p.argmax(axis=0) != item.classes) & known).sum())
        counted += int(known.sum())
        pixels += known.size
    return loss / pixels, wrong / max(counted, 1)
