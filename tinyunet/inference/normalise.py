"""Images prepared for the network as those of its training were.

Lesson: lessons/10-overlap-tile.md.
"""

from typing import Any, TypeAlias

import numpy as np

from tinyunet.arrays import Array
from tinyunet.images.normalise import AS_THEY_ARE, NORMALISATIONS, compress, mean_and_std
from tinyunet.nn.unet import UNet

Normalise: TypeAlias = str | tuple[Any, Any] | None

_NOT_FINITE = "image must hold finite values, got NaN or infinity"


def prepare_normalisation(net: UNet, normalise: Normalise, image: Array) -> tuple[Array, Any, Any]:
    """Find the numbers that an image is normalised with, and compress it if that comes first.

    Parameters
    ----------
    net : UNet
        Knows how the images of its training were prepared.
    normalise : {"trained", "image", "compressed", "none"} or (mean, std) or None
        As in `predict_tiled`.
    image : array, shape (C, H, W)
        The image.

    Returns
    -------
    image : array, shape (C, H, W)
        The same, or, where it has to be compressed, a new one.
    mean, std : array, shape (C,), or None
        None where values are taken as they are.

    Raises
    ------
    ValueError
        For what is none of these, and for an image of NaN or infinity where it gives mean and std.
    """
    accepted = "normalise must be None, 'trained', 'image', 'compressed', 'none' or (mean, std)"
    if isinstance(normalise, str):
        if normalise not in ("trained", *NORMALISATIONS):
            raise ValueError(f"{accepted}, got {normalise!r}")
        if normalise == "trained":
            normalise = net.normalisation
        if normalise == "compressed":
            image = compress(image)
        normalise = None if normalise in AS_THEY_ARE else mean_and_std(image)
        if normalise is not None and not np.all(np.isfinite(normalise)):
            raise ValueError(_NOT_FINITE)  # for so are mean and deviation only where the pixels are
    if normalise is None:
        return image, None, None
    try:
        mean, std = (np.broadcast_to(np.asarray(v, float), image.shape[:1]) for v in normalise)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{accepted}, numbers or one for each of {image.shape[0]} channels, got {normalise!r}"
        ) from error
    if not (np.all(np.isfinite(mean)) and np.all(np.isfinite(std)) and np.all(std > 0)):
        raise ValueError(f"normalise needs a finite mean and a std > 0, got {normalise!r}")
    return image, mean, std


def normalise_window(window: Array, mean: Any, std: Any, dtype: np.dtype) -> Array:
    """Normalise a piece of an image.

    Parameters
    ----------
    window : array, shape (C, H, W)
        The piece.
    mean, std : array, shape (C,), or None
        As `prepare_normalisation` returns them.
    dtype : numpy.dtype
        Of the network.

    Returns
    -------
    array, shape (C, H, W)
        A copy, of that dtype; subtracted and divided in float64.

    Raises
    ------
    ValueError
        For NaN and infinity.
    """
    if mean is not None:  # in float64, as training does: float32 may not tell 10⁸ and 10⁸ + 1 apart
        window = (window.astype(np.float64) - mean[:, None, None]) / std[:, None, None]
    window = window.astype(dtype)
    if not np.all(np.isfinite(window)):
        raise ValueError(_NOT_FINITE)
    return window
