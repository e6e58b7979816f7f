"""How good is the network on slices it does not learn from? Asked every so many steps of a run.

Lesson: lessons/11-training.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinyunet import geometry
from tinyunet.arrays import Array
from tinyunet.inference.predict import predict_tiled
from tinyunet.nn.unet import UNet
from tinyunet.training.settings import Settings
from tinyunet.training.tiles import TrainingSlice


@dataclass(frozen=True)
class Validation:
    """What a validation found.

    Attributes
    ----------
    step : int
        After which step.
    loss : float
        Mean weighted cross-entropy over all pixels, as in training.
    pixel_error_rate : float
        Fraction of the pixels with ground truth whose most probable class is not theirs. (The
        challenge's "pixel error" is another score: one minus the best F-score over thresholds.)
    predicted : tuple of float
        For each class, the fraction of those pixels that were taken for it.
    """

    step: int
    loss: float
    pixel_error_rate: float
    predicted: tuple[float, ...] = ()

    @property
    def collapsed(self) -> bool:
        """Whether every pixel was taken for one and the same class, and not rightly so."""
        return max(self.predicted, default=0) == 1.0 and self.pixel_error_rate > 0


def validation_tile(shape: tuple[int, int], settings: Settings) -> int:
    """Choose the tile that an image is validated with: in one piece if that fits.

    A forward pass keeps less than a training step, hence the quarter more. Not chosen by the free
    memory, as prediction does: rounding differs from tile to tile, and a log must be repeatable.

    Parameters
    ----------
    shape : tuple of int
        (H, W) of the image.
    settings : Settings
        Of the run.

    Returns
    -------
    int
        Input pixels along a side.
    """
    whole = geometry.input_size(max(shape), settings.depth)
    return whole if whole <= 1.25 * settings.tile else settings.tile


def validate(
    net: UNet, slices: Sequence[TrainingSlice], settings: Settings, step: int = 0
) -> tuple[Validation, Array]:
    """Predict slices at their full size, borders mirrored, and compare with their ground truth.

    Pixels of weight zero (those without ground truth) do not count as right or wrong; all pixels
    count in the mean of the loss, as they do in training.

    Parameters
    ----------
    net : UNet
        The network.
    slices : sequence of TrainingSlice
        One at least.
    settings : Settings
        Of the run.
    step : int
        After which step this is.

    Returns
    -------
    validation : Validation
        The scores.
    probabilities : array, shape (n_classes, H, W), float32
        Of the first slice, to be looked at.

    Raises
    ------
    FloatingPointError
        If the network's answer is NaN.
    """
    loss, wrong, pixels = 0.0, 0, 0
    predicted = np.zeros(net.n_classes, np.int64)
    pictures: list[Array] = []
    for item in slices:
        tile = validation_tile(item.classes.shape, settings)
        p = predict_tiled(net, item.image, tile, normalise=None)  # (K, H, W)
        pictures = pictures or [p]
        p_label = np.take_along_axis(p, item.classes[None].astype(np.int64), axis=0)[0]
        weights = item.weight_map
        weights = np.ones(item.classes.shape, np.float32) if weights is None else weights
        log_p = np.log(np.maximum(p_label, np.finfo(np.float32).tiny))
        loss -= float((weights * log_p).sum(dtype=np.float64))
        known, answer = weights > 0, p.argmax(axis=0)
        wrong += int(((answer != item.classes) & known).sum())
        predicted += np.bincount(answer[known], minlength=net.n_classes)
        pixels += known.size
    counted = max(int(predicted.sum()), 1)
    shares = tuple((predicted / counted).tolist())
    return Validation(step, loss / pixels, wrong / counted, shares), pictures[0]
