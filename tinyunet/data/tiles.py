"""One training tile from an image: a random place, mirrored beyond the border, one of 8 poses.

A valid network turns an input tile into a smaller output, so the labels of a tile are those of its
middle (572 → 388: 92 pixels of context on each side). What lies beyond the image is mirrored, as
in the paper's figure 2. The poses are exact (flips and quarter turns move pixels, they never
interpolate); the paper's full recipe with elastic deformation is in tinyunet/augment.

Shapes: image (C, H, W), maps (H, W). Lesson: lessons/11-training.md.
"""

import numpy as np


def mirror_indices(n, start, stop):
    """Which pixel of a row of `n` stands at each place from `start` to `stop` − 1.

    Inside, 0 ≤ place < n, it is the pixel itself; beyond, the row is reflected without repeating
    its edge, … 2 1 0 1 2 …, again and again as far as needed. Returns int64 of shape
    (stop − start,). A row of one pixel repeats it. Raises ValueError for n < 1 or stop < start.
    """
    if n < 1:
        raise ValueError(f"n is {n}: wanted a row of at least one pixel")
    if stop < start:
        raise ValueError(f"stop is {stop}, before start {start}")
    period = max(2 * (n - 1), 1)  # there and back, the turning points once each
    place = np.arange(start, stop) % period
    return np.minimum(place, period - place) if n > 1 else np.zeros(stop - start, np.int64)


def mirrored(array, top, left, height, width):
    """The window of `height`×`width` at (top, left) of an array (…, H, W), mirrored outside it."""
    rows = mirror_indices(array.shape[-2], top, top + height)
    columns = mirror_indices(array.shape[-1], left, left + width)
    return array[..., rows[:, None], columns]


def random_tile(image, labels, tile_in, tile_out, rng, maps=()):
    """Draw a tile and its labels at a random place and in one of the square's eight poses.

    Parameters: `image` (C, H, W); `labels` (H, W); `tile_in` and `tile_out`, the network's input
    and output size in pixels; `rng`, a numpy Generator; `maps`, further arrays (H, W) that follow
    the labels (weights, valid pixels). Returns (image tile (C, tile_in, tile_in), labels tile
    (tile_out, tile_out), *map tiles), contiguous copies in the inputs' dtypes.
    The output window lies inside the image; in an image smaller than the window it covers all of
    the image. Raises ValueError for sizes that don't match.
    """
    height, width = image.shape[-2:]
    for array in (labels, *maps):
        if array.shape != (height, width):
            raise ValueError(f"labels or map is {array.shape}: wanted {(height, width)}")
    margin, odd = divmod(tile_in - tile_out, 2)
    if odd or margin < 0 or tile_out < 1:
        raise ValueError(
            f"tile_in {tile_in} and tile_out {tile_out} do not fit: wanted an even margin around "
            "the output"
        )
    top, left = (_random_start(n, tile_out, rng) for n in (height, width))
    turns, flip = int(rng.integers(4)), bool(rng.integers(2))
    tile = mirrored(image, top - margin, left - margin, tile_in, tile_in)
    outs = [mirrored(array, top, left, tile_out, tile_out) for array in (labels, *maps)]
    return tuple(pose(array, turns, flip) for array in (tile, *outs))


def _random_start(n, tile, rng):
    return int(rng.integers(min(0, n - tile), max(0, n - tile) + 1))


def pose(array, turns, flip):
    """An array (…, H, W) turned `turns` quarters anticlockwise, then flipped left to right."""
    array = np.rot90(array, turns, axes=(-2, -1))
    return np.ascontiguousarray(array[..., ::-1] if flip else array)
