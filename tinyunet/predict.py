"""Overlap-tile prediction: an image of any size through a network that eats its border.

Lesson: `lessons/10-overlap-tile.md`. Paper: section 2 and figure 2; section 4 for the averaging.

Shapes: image (H, W) or (C, H, W) → probabilities (n_classes, H, W) float32. The arithmetic of the
tiles stands in `tiling.py`. What is guaranteed, whatever the tile: each output pixel is computed
from its full context, is written once (once for each averaged version), and equals the whole
image in one pass up to the rounding of float32 sums.
"""

import numpy as np

from tinyunet.geometry import margin
from tinyunet.tiling import choose_tile, plan_axis, read_window

LARGEST_AVERAGE = 8


def predict_tiled(net, image, tile=None, average=1, *, normalise=None, out=None, progress=None):
    """Class probabilities of a whole image, tile by tile.

    net: a `UNet`. image: (H, W) or (C, H, W), C = net.in_channels, any real dtype and any size of
        at least 1×1; may be a memory map, of which no more than a tile is held in memory.
    tile: input pixels of a tile, a number or (rows, columns), of sizes that fit net.depth (572 at
        depth 5); None chooses the largest that half of the free memory holds.
    average: 1 to 8, mean of the probabilities over so many rotated and flipped versions of the
        image, in the order of `turned`: 1 the image itself, 4 its rotations by 90 degrees, 8 all
        of them and their mirror images, 7 as many as the paper averages (it does not say which).
    normalise: None takes the grey values as they are; "image" subtracts the image's mean and
        divides by its standard deviation, as training does; (mean, std) uses these, numbers or
        one a channel.
    out: float32 or float64 array (n_classes, H, W) to write into, such as a memory map.
    progress: function(done, total), called after every tile; True draws a bar.
    Returns `out`, or a new float32 array. Raises ValueError, naming the argument, for what does
    not fit, and for grey values that are NaN or infinite.
    """
    image = _check_image(net, image)
    height, width = image.shape[1:]
    average = _check_average(average)
    tile = choose_tile(net, height, width) if tile is None else _check_tile(tile)
    mean, std = _check_normalise(normalise, image)
    out = _check_out(out, (net.n_classes, height, width))
    jobs = [
        (version, rows, columns)
        for version in range(average)
        for rows in plan_axis(_turned_shape(image, version)[0], tile[0], net.depth)
        for columns in plan_axis(_turned_shape(image, version)[1], tile[1], net.depth)
    ]
    with _Progress(progress, len(jobs), "tiles") as report:
        for done, (version, (top, rows, tall), (left, columns, wide)) in enumerate(jobs, 1):
            # Turning makes views: the same memory read, and written, in another order.
            border = margin(net.depth)
            window = read_window(turned(image, version), top - border, left - border, tall, wide)
            window = _normalised(window, mean, std, net.dtype)
            probabilities = net.predict_proba(window[None])[0, :, :rows, :columns]
            place = turned(out, version)[:, top : top + rows, left : left + columns]
            if version == 0:
                place[...] = probabilities / average
            else:
                place += probabilities / average  # probabilities, never logits, are averaged
            report(done)
    return out


def predict_pages(net, pages, tile=None, average=1, *, normalise=None):
    """Yield the probabilities (n_classes, H, W) of each of `pages`, one page in memory at a time.

    pages: any iterable of images as `predict_tiled` takes them, such as a generator that reads a
    file. normalise="image" takes each page's own mean and standard deviation.
    """
    for page in pages:
        yield predict_tiled(net, page, tile, average, normalise=normalise)


def predict_stack(net, pages, write, tile=None, average=1, *, normalise=None, progress=None):
    """Predict a stack of any length page by page: read one, predict it, hand it to `write`.

    pages: iterable of images. write: function(index, probabilities), called once a page in order.
    progress: function(done, total) after every page, total None where `pages` has no length; True
    draws a bar. Returns the number of pages. The rest is as in `predict_tiled`.
    """
    total = len(pages) if hasattr(pages, "__len__") else None
    count = 0
    with _Progress(progress, total, "pages") as report:
        for probabilities in predict_pages(net, pages, tile, average, normalise=normalise):
            write(count, probabilities)
            count += 1
            report(count)
    return count


def turned(array, version):
    """View of (..., H, W) as one of the square's eight symmetries, `version` 0 to 7.

    0 to 3: turned by 0, 90, 180, 270 degrees counter-clockwise; 4 to 7: the same after swapping
    left and right.
    """
    if version >= 4:
        array = array[..., ::-1]
    return np.rot90(array, version % 4, axes=(-2, -1))


def mean_and_std(image, rows=1024):
    """Mean and standard deviation over all pixels and channels of (C, H, W), some rows at a time.

    Returns two floats; an image of one grey value gets 1 as its deviation. The numbers are those
    of `tinyunet.data.normalise`, but no more than `rows` rows are in memory. Blocks are merged by
    their means and squared deviations, which loses no digits to a large mean.
    """
    count, mean, squares = 0, 0.0, 0.0
    for top in range(0, image.shape[1], rows):
        block = np.asarray(image[:, top : top + rows], np.float64)
        share = block.size / (count + block.size)
        shift = block.mean() - mean
        squares += ((block - block.mean()) ** 2).sum() + shift**2 * count * share
        mean += shift * share
        count += block.size
    std = np.sqrt(squares / count)
    return float(mean), float(std) if std > 0 else 1.0


def _normalised(window, mean, std, dtype):
    window = window.astype(dtype)
    if not np.all(np.isfinite(window)):
        raise ValueError("image must hold finite grey values, got NaN or infinity")
    if mean is not None:
        window -= mean[:, None, None].astype(dtype)
        window /= std[:, None, None].astype(dtype)
    return window


def _turned_shape(image, version):
    height, width = image.shape[1:]
    return (width, height) if version % 2 else (height, width)


def _check_image(net, image):
    image = np.asanyarray(image)
    if image.dtype.kind not in "buif":
        raise ValueError(f"image must hold real numbers, got dtype {image.dtype}")
    if image.ndim == 2:
        image = image[None]
    if image.ndim != 3 or image.size == 0:
        raise ValueError(f"image must be (H, W) or (C, H, W) and not empty, got {image.shape}")
    if image.shape[0] != net.in_channels:
        raise ValueError(
            f"image {image.shape} has {image.shape[0]} channels, the network takes "
            f"{net.in_channels} (for a stack of images see predict_stack)"
        )
    return image


def _check_average(average):
    whole = isinstance(average, (int, np.integer)) and not isinstance(average, bool)
    if not whole or not 1 <= average <= LARGEST_AVERAGE:
        raise ValueError(f"average must be a whole number from 1 to 8, got {average!r}")
    return int(average)


def _check_tile(tile):
    pair = tile if isinstance(tile, (tuple, list)) else (tile, tile)
    if len(pair) != 2 or not all(isinstance(size, (int, np.integer)) for size in pair):
        raise ValueError(f"tile must be a whole number or (rows, columns), got {tile!r}")
    return int(pair[0]), int(pair[1])


def _check_normalise(normalise, image):
    if normalise is None:
        return None, None
    if isinstance(normalise, str):
        if normalise != "image":
            raise ValueError(f"normalise must be None, 'image' or (mean, std), got {normalise!r}")
        normalise = mean_and_std(image)
    try:
        mean, std = (np.broadcast_to(np.asarray(v, float), image.shape[:1]) for v in normalise)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"normalise must be None, 'image' or (mean, std), numbers or one for each of "
            f"{image.shape[0]} channels, got {normalise!r}"
        ) from error
    if not (np.all(np.isfinite(mean)) and np.all(np.isfinite(std)) and np.all(std > 0)):
        raise ValueError(f"normalise needs a finite mean and a std > 0, got {normalise!r}")
    return mean, std


def _check_out(out, shape):
    if out is None:
        return np.empty(shape, np.float32)
    if getattr(out, "shape", None) != shape or out.dtype not in (np.float32, np.float64):
        raise ValueError(
            f"out must be a float32 or float64 array of shape {shape}, got "
            f"{getattr(out, 'dtype', type(out).__name__)} {getattr(out, 'shape', '')}"
        )
    return out


class _Progress:
    """Calls progress(done, total), or moves a bar where `progress` is True."""

    def __init__(self, progress, total, unit):
        self.progress, self.total, self.bar = progress, total, None
        if progress is True:
            from tqdm import tqdm

            self.bar = tqdm(total=total, unit=f" {unit}")

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        if self.bar is not None:
            self.bar.close()

    def __call__(self, done):
        if self.bar is not None:
            self.bar.update(done - self.bar.n)
        elif self.progress:
            self.progress(done, self.total)
