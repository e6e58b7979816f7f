"""`tinyunet.load` and `tinyunet.predict`: from a run to probabilities.

Lesson: lessons/10-overlap-tile.md.
"""

from typing import Any

from tinyunet.api.inputs import FileName, Images, as_pages
from tinyunet.arrays import Device
from tinyunet.inference.normalise import Normalise
from tinyunet.inference.predict import predict_tiled
from tinyunet.nn.unet import UNet
from tinyunet.training.checkpoint import find_weights, load_network


def load(path: FileName, device: str | Device = "auto", dtype: str = "float32") -> UNet:
    """Load a trained network.

    Parameters
    ----------
    path : path
        A run folder (its best weights, or its last if nothing was held out) or a safetensors file.
    device : str or Device, optional
        Where it is to live: "auto", "cpu", "gpu" or "gpu:1".
    dtype : {"float32", "float64"}, optional
        What it computes in.

    Returns
    -------
    UNet
        Knows how images must be normalised (`UNet.normalisation`), which `predict` does.

    Raises
    ------
    FileNotFoundError
        If there is no such folder or file.
    ValueError
        If the file is damaged or of another kind.
    """
    return load_network(find_weights(path), device, dtype)[0]


def predict(
    model: UNet | FileName,
    images: Images,
    *,
    tile: int | tuple[int, int] | None = None,
    average: int = 1,
    normalise: Normalise = "trained",
    device: str | Device = "auto",
    progress: bool = False,
) -> Any:
    """Predict the class probabilities of images of any size.

    Parameters
    ----------
    model : UNet or path
        A network, a run folder or a file of weights.
    images : array, sequence of arrays or path
        One image (H, W), (C, H, W) or (H, W, C); or a stack, list, file or folder of images.
    tile : int or (rows, columns), optional
        Input pixels of a tile; None chooses by the free memory.
    average : int, optional
        1 to 8, the mean over so many turned and flipped versions.
    normalise : {"trained", "image"} or (mean, std) or None, optional
        "trained" does what was done to the images of the training.
    device : str or Device, optional
        Where a `model` that is to be loaded shall live.
    progress : bool, optional
        Whether there is a bar on stderr.

    Returns
    -------
    array, shape (n_classes, H, W), or list of such arrays
        For one image, or for several; float32.

    Raises
    ------
    ValueError
        Naming the argument, for what does not fit.
    OSError
        For files that cannot be read.
    """
    net = model if isinstance(model, UNet) else load(model, device)
    single, pages = as_pages(images, net.in_channels)
    bar = True if progress else None
    answers = [
        predict_tiled(net, page, tile, average, normalise=normalise, progress=bar) for page in pages
    ]
    return answers[0] if single else answers
