"""Overlap-tile prediction: an image of any size through a network that eats its border.

Lesson: `lessons/10-overlap-tile.md`. Paper: section 2 and figure 2; section 4 for the averaging.

Shapes: image (H, W) or (C, H, W) → probabilities (n_classes, H, W) float32. The arithmetic of the
tiles stands in `tiling.py`. What is guaranteed, whatever the tile: each output pixel is computed
from its full context, is written once (once for each averaged version), and equals the whole
image in one pass up to the rounding of float32 sums.
"""

from collections.abc import Callable, Iterable, Iterator, Sized

import numpy as np

from tinyunet._progress import Report, Reporter
from tinyunet.arrays import Array
from tinyunet.geometry import margin
from tinyunet.inference._arguments import Tile, check_average, check_image, check_out, check_tile
from tinyunet.inference.normalise import (
    Normalise,
    mean_and_std,
    normalise_window,
    prepare_normalisation,
)
from tinyunet.inference.tiling import choose_tile, plan_axis, read_window
from tinyunet.nn.unet import UNet

__all__ = ["dihedral", "mean_and_std", "predict_pages", "predict_stack", "predict_tiled"]


def predict_tiled(
    net: UNet,
    image: Array,
    tile: Tile = None,
    average: int = 1,
    *,
    normalise: Normalise = "trained",
    out: Array | None = None,
    progress: Report = None,
) -> Array:
    """Predict the class probabilities of a whole image, tile by tile.

    Parameters
    ----------
    net : UNet
        The network.
    image : array, shape (H, W) or (C, H, W)
        C = net.in_channels, any real dtype and any size of at least 1×1; may be a memory map, of
        which no more than a tile is held in memory.
    tile : int or (rows, columns), optional
        Input pixels of a tile, of sizes that fit net.depth (572 at depth 5); None chooses the
        largest that half of the free memory holds.
    average : int, optional
        1 to 8, mean of the probabilities over so many rotated and flipped versions of the image, in
        the order of `dihedral`: 1 the image itself, 4 its rotations by 90 degrees, 8 all of them
        and their mirror images, 7 as many as the paper averages (it does not say which).
    normalise : {"trained", "image", "compressed", "none"} or (mean, std) or None, optional
        "trained" prepares the image as ``net.normalisation`` says that those of the training were;
        "image" subtracts the image's mean and divides by its standard deviation; "compressed" does
        so after `images.compress`, for which the whole image is in memory; (mean, std) uses
        these, numbers or one a channel; None and "none" take the values as they are.
    out : array, shape (n_classes, H, W), float32 or float64, optional
        To write into, such as a memory map; must not share memory with `image`.
    progress : callable or bool, optional
        Called as progress(done, total) after every tile; True draws a bar.

    Returns
    -------
    array, shape (n_classes, H, W)
        `out`, or a new float32 array.

    Raises
    ------
    ValueError
        Naming the argument, for what does not fit, and for values that are NaN or infinite.
    FloatingPointError
        Where the network's answer is NaN, for its parameters or the image's values are too large.
    """
    image = check_image(net, image)
    height, width = image.shape[1:]
    average = check_average(average)
    tile = choose_tile(net, height, width) if tile is None else check_tile(tile)
    out = check_out(out, (net.n_classes, height, width), image)
    image, mean, std = prepare_normalisation(net, normalise, image)
    jobs = [
        (version, rows, columns)
        for version in range(average)
        for rows in plan_axis(_dihedral_shape(image, version)[0], tile[0], net.depth)
        for columns in plan_axis(_dihedral_shape(image, version)[1], tile[1], net.depth)
    ]
    with Reporter(progress, len(jobs), "tile") as report:
        for done, (version, (top, rows, tall), (left, columns, wide)) in enumerate(jobs, 1):
            # Turning makes views: the same memory read, and written, in another order.
            border = margin(net.depth)
            window = read_window(dihedral(image, version), top - border, left - border, tall, wide)
            window = normalise_window(window, mean, std, net.dtype)
            probabilities = net.predict_proba(window[None])[0, :, :rows, :columns]
            _check_finite(probabilities)
            place = dihedral(out, version)[:, top : top + rows, left : left + columns]
            if version == 0:
                place[...] = probabilities / average
            else:
                place += probabilities / average  # probabilities, never logits, are averaged
            report(done)
    return out


def predict_pages(
    net: UNet,
    pages: Iterable[Array],
    tile: Tile = None,
    average: int = 1,
    *,
    normalise: Normalise = "trained",
) -> Iterator[Array]:
    """Yield the probabilities of each of several images, one in memory at a time.

    Parameters
    ----------
    net : UNet
        The network.
    pages : iterable of arrays
        Images as `predict_tiled` takes them, such as a generator that reads a file.
    tile, average, normalise
        As in `predict_tiled`; "image" takes each page's own mean and standard deviation.

    Yields
    ------
    array, shape (n_classes, H, W)
        Of each page, in order.
    """
    for page in pages:
        yield predict_tiled(net, page, tile, average, normalise=normalise)


def predict_stack(
    net: UNet,
    pages: Iterable[Array],
    write: Callable[[int, Array], None],
    tile: Tile = None,
    average: int = 1,
    *,
    normalise: Normalise = "trained",
    progress: Report = None,
) -> int:
    """Predict a stack of any length page by page: read one, predict it, hand it on.

    Parameters
    ----------
    net : UNet
        The network.
    pages : iterable of arrays
        Images as `predict_tiled` takes them.
    write : callable
        Called as write(index, probabilities), once a page in order.
    tile, average, normalise
        As in `predict_tiled`; "image" takes each page's own mean and standard deviation.
    progress : callable or bool, optional
        Called as progress(done, total) after every page, total None where `pages` has no length;
        True draws a bar, which also moves within a page.

    Returns
    -------
    int
        The number of pages.
    """
    total = len(pages) if isinstance(pages, Sized) else None
    count = 0
    with Reporter(progress, total, "page") as report:
        for page in pages:
            probabilities = predict_tiled(
                net, page, tile, average, normalise=normalise, progress=report.within
            )
            write(count, probabilities)
            count += 1
            report(count)
    return count


def dihedral(array: Array, version: int) -> Array:
    """Show an array as one of the square's eight symmetries (the dihedral group of order 8).

    Parameters
    ----------
    array : array, shape (..., H, W)
        An image.
    version : int
        0 to 3: turned by 0, 90, 180, 270 degrees counter-clockwise; 4 to 7: the same after swapping
        left and right.

    Returns
    -------
    array, shape (..., H, W) or (..., W, H)
        A view.
    """
    if version >= 4:
        array = array[..., ::-1]
    return np.rot90(array, version % 4, axes=(-2, -1))


def _check_finite(probabilities: Array) -> None:
    if not np.all(np.isfinite(probabilities)):
        raise FloatingPointError(
            "the network's answer is NaN: its parameters or the image's values are so large that "
            f"{probabilities.dtype} overflows"
        )


def _dihedral_shape(image: Array, version: int) -> tuple[int, int]:
    height, width = image.shape[1:]
    return (width, height) if version % 2 else (height, width)
