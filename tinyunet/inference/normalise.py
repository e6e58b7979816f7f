"""Images prepared for the network as those of its training were.

Lesson: lessons/10-overlap-tile.md.
"""

from typing import Any, TypeAlias

import numpy as np

from tinyunet.arrays import Array
from tinyunet.images.normalise import AS_THEY_ARE, NORMALISATIONS, compress, mean_and_std
from tinyunet.nn.unet import UNet

Normalise: TypeAlias = str | tuple[Any, Any] | None


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
            raise ValueError("image must hold finite values, got NaN or infinity")
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
        A copy, of that dtype. The mean is subtracted in float64, as training does: float32 would
        lose the digits that an image of large values differs by.

    Raises
    ------
    ValueError
        For NaN and infinity.
    """
    with np.errstate(over="ignore"):  # what the dtype cannot hold is refused below
        if mean is not None:
            window = window.astype(np.float64)
            window -= mean[:, None, None]
            window /= std[:, None, None]
        window = window.astype(dtype)
    if not np.all(np.isfinite(window)):
        raise ValueError("image must hold finite values, got NaN or infinity")
    return window
