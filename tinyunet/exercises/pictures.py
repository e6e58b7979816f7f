"""Checks of exercises 08, 09 and 10: the weight map, the deformed image, the tiles.

Lessons: `lessons/08-weight-map.md`, `lessons/09-elastic-deformation.md`,
`lessons/10-overlap-tile.md`.
"""

import numpy as np

from tinyunet import geometry, tiling
from tinyunet.augment.plain import sample_linear, sample_nearest
from tinyunet.exercises.diagnose import compare
from tinyunet.exercises.learner import Wrong, results
from tinyunet.weights import naive as weights_naive
from tinyunet.weights.equation2 import class_weights

WEIGHT_TOLERANCE = 1e-5  # the oracle rounds to float32


def _three_cells():
    cells = np.zeros((9, 12), np.int64)
    cells[1:4, 1:5] = 1
    cells[5:8, 2:6] = 2
    cells[2:7, 8:11] = 7
    return cells


def check_weight_map(learner):
    """Exercise 08: `weight_map(cells, w0, sigma)` by brute force."""
    weight_map = learner.function("weight_map")
    cells = _three_cells()
    yield "w_c, the class weights (w0 = 0: no border term)"
    _compare_weights(weight_map, cells, 0.0, 5.0)
    yield "equation 2 with three cells, w0 = 10 and sigma = 2"
    _compare_weights(weight_map, cells, 10.0, 2.0)
    yield "the paper's sigma of 5 pixels"
    _compare_weights(weight_map, cells, 10.0, 5.0)
    yield "awkward images: one cell alone, no cell, cells only"
    _compare_weights(weight_map, (cells == 1).astype(np.int64), 10.0, 3.0)
    _compare_weights(weight_map, np.zeros((3, 4), np.int64), 10.0, 3.0)
    _compare_weights(weight_map, np.full((2, 3), 4), 10.0, 3.0)


def _compare_weights(weight_map, cells, w0, sigma):
    want = weights_naive.weight_map(cells, w0, sigma).astype(np.float64)
    base = weights_naive.weight_map(cells, 0.0, sigma).astype(np.float64)
    inside = cells != 0
    d1, d2 = weights_naive.two_nearest_distances(cells)
    background, foreground = class_weights(cells)

    def border(exponent):
        with np.errstate(over="ignore", invalid="ignore"):
            return base + np.where(inside, 0.0, w0 * np.exp(exponent))

    finite1, finite2 = (np.where(np.isfinite(d), d, 1e6) for d in (d1, d2))
    both = finite1 + finite2
    swapped = np.where(inside, background, foreground) - base
    compare("weight map", weight_map(cells, w0, sigma), want, (
        (base, "your border term is missing (or 0 everywhere): w0 · exp(−(d1 + d2)² / (2σ²))"),
        (border(-(both**2) / sigma**2), "your border term divides by σ²: it is 2σ²"),
        (border(-(both**2) / (2 * sigma)), "your border term divides by 2σ: it is 2σ²"),
        (border(-(finite1**2 + finite2**2) / (2 * sigma**2)),
         "you square d1 and d2 one by one: equation 2 squares their sum"),
        (border(-both / (2 * sigma**2)), "your d1 + d2 is not squared"),
        (border(-((2 * finite1) ** 2) / (2 * sigma**2)),
         "your d2 equals d1: the second distance is to another *cell*, not to another pixel of "
         "the nearest one"),
        (lambda: border(-((finite1 + _second_pixel(cells)) ** 2) / (2 * sigma**2)),
         "your d2 goes to the second nearest *pixel*, mostly of the same cell: it must go to the "
         "second nearest cell"),
        (border(-(finite1**2) / (2 * sigma**2)), "your border term takes d1 alone: d1 + d2"),
        (base + w0 * np.exp(-(both**2) / (2 * sigma**2)),
         "your border term stands inside the cells as well: it belongs to the background"),
        (want - base + 1.0, "your w_c is missing: n / (2 n_c), cells and background balanced"),
        (want - base + 2 * base, "your w_c is n / n_c: with two classes n / (2 n_c), so that its "
         "mean is 1"),
        (want + swapped, "your w_c are swapped: the rarer class weighs more"),
        (lambda: _multiplied(want, base), "your border term is multiplied by w_c: equation 2 adds"),
    ), tolerance=WEIGHT_TOLERANCE)  # fmt: skip


def _second_pixel(cells):
    """Distance of every pixel to the second nearest cell pixel, of whichever cell."""
    pixels = np.argwhere(cells != 0)
    if len(pixels) < 2:
        return np.full(cells.shape, 1e6)
    points = np.argwhere(np.ones(cells.shape, bool))
    distances = np.sqrt(((points[:, None] - pixels) ** 2).sum(axis=2))
    return np.sort(distances, axis=1)[:, 1].reshape(cells.shape)


def _multiplied(want, base):
    return base * (1 + (want - base))


def check_displaced(learner):
    """Exercise 09: `displaced(image, displacement)`, linear, mirrored at the border."""
    displaced = learner.function("displaced")
    rng = np.random.default_rng(9)
    image = rng.standard_normal((5, 7))
    still = np.zeros((2, 5, 7))
    yield "no displacement changes nothing"
    compare("image", displaced(image, still), image)
    yield "a shift by whole pixels, one row down"
    shift = still.copy()
    shift[0, :-1] = 1.0
    _compare_displaced(displaced, image, shift)
    yield "fractions of a pixel inside the image"
    inner = still.copy()
    inner[:, 1:-1, 1:-1] = rng.uniform(-0.95, 0.95, (2, 3, 5))
    _compare_displaced(displaced, image, inner)
    yield "beyond the border: mirrored, the edge pixel not repeated"
    _compare_displaced(displaced, image, rng.uniform(-2.5, 2.5, still.shape))
    yield "far beyond it: mirrored again and again"
    _compare_displaced(displaced, image, rng.uniform(-40, 40, still.shape))


def _compare_displaced(displaced, image, displacement):
    points = displacement + np.indices(image.shape)

    def read(points, image=image):
        return sample_linear(image[None], points)[0]

    def read_padded(mode):
        padded = np.pad(image, 60, mode=mode)
        return read(points + 60, padded)

    whole = np.trunc(points)
    limit = np.array(image.shape)[:, None, None] - 1
    typical = (
        (lambda: read(np.indices(image.shape) - displacement),
         "your displacement has the wrong sign: output pixel (i, j) reads the source at "
         "(i, j) + displacement"),
        (lambda: read(displacement[::-1] + np.indices(image.shape)),
         "rows and columns are swapped: displacement[0] moves along rows (down), [1] along "
         "columns"),
        (lambda: sample_nearest(image[None], points)[0],
         "you read the nearest pixel: that is for labels, an image is interpolated"),
        (lambda: read(np.floor(points)),
         "you drop the fraction of the source point: four pixels share the value"),
        (lambda: read_padded("edge"), "you repeat the edge beyond the border: the lesson mirrors"),
        (lambda: read(np.clip(points, 0, limit)),
         "you clip points at the border: the lesson mirrors the image there"),
        (lambda: read_padded("symmetric"),
         "your mirror repeats the edge pixel: −1 reads 1, not 0 (NumPy calls it \"reflect\")"),
        (lambda: read_padded("wrap"), "your image wraps around: −1 reads 1, as in a mirror"),
        (lambda: read_padded("constant"), "you read 0 beyond the border: the lesson mirrors"),
        (lambda: _read_swapped_shares(image, points),
         "your shares are swapped: a point close to a pixel takes most of *that* pixel"),
        (lambda: _read_truncated(image, points, whole),
         "you round negative coordinates towards 0: floor goes down, int() does not"),
    )  # fmt: skip
    compare("image", displaced(image, displacement), sample_linear(image[None], points)[0], typical)


def _read_swapped_shares(image, points):
    cell = np.floor(points)
    return sample_linear(image[None], cell + 1 - (points - cell))[0]


def _read_truncated(image, points, whole):
    """Linear interpolation with cells found by truncation: wrong left of and above 0 only."""
    total = 0.0
    down, right = points - whole
    for a, row_share in ((0, 1 - down), (1, down)):
        for b, column_share in ((0, 1 - right), (1, right)):
            corner = whole + np.array([a, b])[:, None, None]
            total = total + row_share * column_share * sample_nearest(image[None], corner)[0]
    return total


def check_tiles(learner):
    """Exercise 10: `mirror(index, size)` and `tiles(size, tile, depth)`."""
    mirror, tiles = learner.function("mirror"), learner.function("tiles")
    yield "mirror: an image of five pixels, read from −4 to 8"
    _compare_mirror(mirror, np.arange(-4, 9), 5)
    yield "mirror: far outside, an image of two pixels, of three"
    for size in (2, 3, 5):
        _compare_mirror(mirror, np.arange(-23, 24), size)
    yield "tiles: one that is large enough by itself"
    _check_plan(tiles, 4, 20, 2)
    yield "tiles: many, a whole number of them and a rest"
    for size in (8, 30, 31, 100):
        _check_plan(tiles, size, 28, 2)
    yield "tiles: the phase of the pooling (388 at depth 5 lies 384 apart)"
    _check_plan(tiles, 1000, 572, 5)
    _check_plan(tiles, 57, 60, 3)


def _compare_mirror(mirror, indices, size):
    got = np.array([_whole_number(mirror(int(index), size)) for index in indices])
    period = indices % (2 * size)
    once = np.where(indices < 0, -indices, indices)
    compare(f"mirror of {size} pixels, from {indices[0]} on,", got, tiling.mirror(indices, size), (
        (np.minimum(period, 2 * size - 1 - period), "your mirror repeats the edge pixel: −1 reads "
         "1 and not 0; the period is 2 · (size − 1)"),
        (np.clip(indices, 0, size - 1), "your mirror repeats the edge for ever: −2 reads 2"),
        (indices % size, "your image wraps around: −1 reads 1, as in a mirror"),
        (np.where(once >= size, 2 * (size - 1) - once, once), "your mirror works once: far outside "
         "the mirror image is mirrored again, with a period of 2 · (size − 1)"),
        (once, "your mirror works at the left only: size reads size − 2"),
    ))  # fmt: skip


def _whole_number(value):
    if not isinstance(value, int | np.integer):
        raise Wrong(f"mirror must return a whole number, yours returns {type(value).__name__}")
    return int(value)


def _check_plan(tiles, size, tile, depth):
    """Any plan will do that covers each pixel once, fits the tile and keeps the phase."""
    case = f"tiles({size}, {tile}, {depth})"
    plan = tiles(size, tile, depth)
    if not isinstance(plan, list):
        raise Wrong(f"{case} must return a list of (start, count), yours returns {plan!r}")
    inside, s = geometry.output_size(tile, depth), geometry.scale(depth)
    expected = 0
    for entry in plan:
        start, count = results("tiles", entry, ("start", "count"))
        if start > expected:
            hint = ""
            if start % tile == 0:
                hint = f": you lay tiles by what they read ({tile}), not by what they predict"
            raise Wrong(f"{case} leaves a gap: nothing predicts pixel {expected}{hint}")
        if start < expected:
            raise Wrong(f"{case} predicts pixel {start} twice: tiles read overlapping windows, but "
                        "what they predict lies side by side")  # fmt: skip
        if count < 1:
            raise Wrong(f"{case} has a tile of {count} pixels, at {start}")
        if count > inside:
            raise Wrong(f"{case} asks {count} pixels of one tile: {tile} input pixels predict "
                        f"{inside}, the rest is the margin (lesson 10)")  # fmt: skip
        if start % s:
            raise Wrong(f"{case} has a tile at {start}, no multiple of {s}: its poolings take "
                        "other pairs of pixels than the whole image's: a seam shows")  # fmt: skip
        expected = start + count
    if expected < size:
        raise Wrong(f"{case} ends at pixel {expected}: the last {size - expected} are missing")
    if expected > size:
        raise Wrong(f"{case} goes on to pixel {expected}, the image ends at {size}")
    return plan
