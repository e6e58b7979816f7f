"""`tinyunet.load`, `predict` and `predict_cells`: from a run to probabilities, and to cells.

Lesson: lessons/10-overlap-tile.md.
"""

from typing import Any

from tinyunet.api.inputs import FileName, Images, as_pages
from tinyunet.arrays import Device
from tinyunet.inference.normalise import Normalise
from tinyunet.inference.predict import predict_tiled
from tinyunet.inference.recipe import Recipe
from tinyunet.networks import find_model
from tinyunet.nn.unet import UNet
from tinyunet.training.checkpoint import load_network


def load(path: FileName, device: str | Device = "auto", dtype: str = "float32") -> UNet:
    """Load a trained network.

    Parameters
    ----------
    path : path
        A run folder (its best weights, or its last if nothing was held out), a safetensors file,
        or the name of a network that comes with the package.
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
    return load_network(find_model(path).weights, device, dtype)[0]


def predict(
    model: UNet | FileName,
    images: Images,
    *,
    tile: int | tuple[int, int] | None = None,
    average: int | None = None,
    normalise: Normalise = "trained",
    device: str | Device = "auto",
    progress: bool = False,
) -> Any:
    """Predict the class probabilities of images of any size.

    Parameters
    ----------
    model : UNet or path
        A network, a run folder, a file of weights, or the name of a network of the package.
    images : array, sequence of arrays or path
        One image (H, W), (C, H, W) or (H, W, C); or a stack, list, file or folder of images.
    tile : int or (rows, columns), optional
        Input pixels of a tile; None chooses by the free memory.
    average : int, optional
        1 to 8, the mean over so many turned and flipped versions; None takes 1, or what the card of
        a network of the package says.
    normalise : {"trained", "image", "compressed", "none"} or (mean, std) or None, optional
        "trained" does what was done to the images of the training; the others as
        `inference.predict_tiled` has them.
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
    if average is None:
        average = 1 if isinstance(model, UNet) else find_model(model).average
    single, pages = as_pages(images, net.in_channels)
    bar = True if progress else None
    answers = [
        predict_tiled(net, page, tile, average, normalise=normalise, progress=bar) for page in pages
    ]
    return answers[0] if single else answers


def predict_cells(
    model: UNet | FileName,
    images: Images,
    *,
    tile: int | tuple[int, int] | None = None,
    average: int | None = None,
    device: str | Device = "auto",
    progress: bool = False,
    **settings: Any,
) -> Any:
    """Find the cells in images of any size.

    Parameters
    ----------
    model : UNet or path
        As in `predict`.
    images : array, sequence of arrays or path
        As in `predict`.
    tile, average, device, progress
        As in `predict`.
    **settings
        Of the function that makes cells of probabilities, such as ``threshold`` and ``min_size``
        of `tinyunet.inference.postprocess.probabilities_to_cells`; without them the network's own:
        what its run chose on the slices that it held out, or its card says.

    Returns
    -------
    array, shape (H, W), int32, or list of such arrays
        For one image, or for several: cells 1 to n, 0 on background.

    Raises
    ------
    ValueError
        As `predict` does, and for settings that the function does not take.
    OSError
        For files that cannot be read.
    """
    recipe = Recipe() if isinstance(model, UNet) else find_model(model).recipe
    recipe = recipe.changed(**settings)
    answers = predict(model, images, tile=tile, average=average, device=device, progress=progress)
    return (
        [recipe.cells(p) for p in answers] if isinstance(answers, list) else recipe.cells(answers)
    )
