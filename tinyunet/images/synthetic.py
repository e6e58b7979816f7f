"""Synthetic pictures with exact truth: membranes as in electron microscopy, and touching cells.

For the demo and the tests, which must run without any download. The membranes are made hard in
the way real ones are: organelles inside the cells are as dark as membranes, the light is uneven
and some membranes are faint, so that no intensity tells the two apart and a network must look at
shapes.

Shapes: images (n, size, size) uint8, labels the same. Lesson: lessons/11-training.md.
"""

from collections.abc import Callable

import numpy as np

from tinyunet.arrays import Array


def synthetic_membranes(
    n: int, size: int = 256, seed: int | np.random.Generator = 0
) -> tuple[Array, Array]:
    """Sections of packed cells with thin dark borders.

    Parameters
    ----------
    n : int
        Number of images.
    size : int
        Side in pixels, at least 32.
    seed : int or Generator
        The same seed gives the same pictures.

    Returns
    -------
    images, labels : Array
        (n, size, size) uint8; labels are 1 inside a cell, 0 on a membrane, as in ISBI 2012.
    """
    return _pictures(_membrane_image, n, size, seed)


def synthetic_cells(
    n: int, size: int = 256, seed: int | np.random.Generator = 0
) -> tuple[Array, Array]:
    """Bright touching cells on a dark ground, as in fluorescence microscopy.

    Parameters
    ----------
    n : int
        Number of images.
    size : int
        Side in pixels, at least 32.
    seed : int or Generator
        The same seed gives the same pictures.

    Returns
    -------
    images, labels : Array
        (n, size, size), uint8 and uint16; labels are 0 on the background, then one number a cell;
        touching cells have no gap between them.
    """
    return _pictures(_cell_image, n, size, seed)


def _pictures(
    draw: Callable[[int, np.random.Generator], tuple[Array, Array]],
    n: int,
    size: int,
    seed: int | np.random.Generator,
) -> tuple[Array, Array]:
    if n < 1:
        raise ValueError(f"n is {n}: wanted at least one image")
    if size < 32:
        raise ValueError(f"size is {size}: wanted at least 32 pixels")
    rng = np.random.default_rng(seed)
    images, labels = zip(*(draw(size, rng) for _ in range(n)), strict=True)
    return np.stack(images), np.stack(labels)


def _smooth(size: int, sigma: float, rng: np.random.Generator) -> Array:
    """Smooth noise of mean 0 and standard deviation 1, with details of about `sigma` pixels."""
    from scipy import ndimage

    # drawn on a coarse grid and enlarged: a wide filter over all pixels would take much longer
    coarse = int(np.ceil(size / sigma)) + 4
    field = ndimage.zoom(rng.standard_normal((coarse, coarse)), sigma, order=3)
    # centred on the middle of the grid, away from its borders
    start = (len(field) - size) // 2
    field = field[start : start + size, start : start + size]
    return (field - field.mean()) / field.std()


def _to_uint8(image: Array) -> Array:
    return np.clip(np.rint(255 * image), 0, 255).astype(np.uint8)


def _distance_to_border(size: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Distance (pixels) of each pixel to the nearest border between cells, and its cell.

    Cells are the regions nearest to random seeds, measured in warped and stretched coordinates so
    that borders curve, with neighbouring seeds joined here and there so that sizes are uneven.
    """
    from scipy import ndimage
    from scipy.spatial import cKDTree

    rows, columns = np.mgrid[:size, :size].astype(np.float64)
    rows = rows + 5 * _smooth(size, 24, rng) + 1.2 * _smooth(size, 8, rng)
    columns = columns + 5 * _smooth(size, 24, rng) + 1.2 * _smooth(size, 8, rng)
    spacing = 26.0
    seeds = rng.uniform(-2 * spacing, size + 2 * spacing, (int((size / spacing + 4) ** 2), 2))
    # a stretch in a random direction: cells are longer than wide
    angle, stretch = rng.uniform(0, np.pi), rng.uniform(1.0, 1.6)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    shape = turn @ np.diag([stretch**0.5, stretch**-0.5]) @ turn.T
    seeds, points = seeds @ shape, np.stack([rows, columns], -1).reshape(-1, 2) @ shape

    group = np.arange(len(seeds))
    nearest_seeds = cKDTree(seeds).query(seeds, k=2)[1][:, 1]
    joined = rng.random(len(seeds)) < 0.45
    group[joined] = group[nearest_seeds[joined]]

    cell = group[cKDTree(seeds).query(points)[1]].reshape(size, size)
    # pixels on either side of a border; the border itself runs half a pixel beside them
    border = np.zeros((size, size), bool)
    for one, other in ((np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1])):
        differs = cell[one] != cell[other]
        border[one] |= differs
        border[other] |= differs
    return ndimage.distance_transform_edt(~border) + 0.5, cell


def _membrane_image(size: int, rng: np.random.Generator) -> tuple[Array, Array]:
    from scipy import ndimage

    gap, cell = _distance_to_border(size, rng)
    half_width = 1.8 + 0.35 * _smooth(size, 20, rng).clip(-2, 2)
    labels = (gap > half_width).astype(np.uint8)

    intensity = 0.66 + 0.085 * rng.standard_normal(cell.max() + 1)[cell]  # cells differ in stain
    intensity = intensity + 0.03 * _smooth(size, 3, rng) + 0.03 * _smooth(size, 6, rng)
    intensity = _organelles(intensity, gap, rng)
    # membranes cut aslant are fainter
    contrast = (0.95 + 0.15 * _smooth(size, 16, rng)).clip(0.6, 1.1)
    profile = np.exp(-0.7 * (gap / half_width).clip(0, 3) ** 4)
    intensity = intensity + (0.3 - intensity) * (contrast * profile).clip(0, 1)

    intensity = ndimage.gaussian_filter(intensity, 0.8)
    light = 1 + 0.22 * _smooth(size, size / 2, rng).clip(-2, 2)
    grain = 0.05 * ndimage.gaussian_filter(rng.standard_normal((size, size)), 0.5)
    return _to_uint8(intensity * light + grain), labels


def _organelles(intensity: Array, gap: Array, rng: np.random.Generator) -> Array:
    """Mitochondria (dark, striped ellipses) and vesicles (small dark discs), off the borders."""
    size = len(intensity)
    intensity = intensity.copy()
    rows, columns = np.mgrid[:size, :size]
    area = size * size / 256**2
    for _ in range(rng.poisson(45 * area)):
        y, x = rng.integers(size, size=2)
        long, short, angle = rng.uniform(6, 13), rng.uniform(3.5, 6), rng.uniform(0, np.pi)
        # only a window around it: the whole picture for each organelle would be slow
        near = (slice(max(y - 14, 0), y + 15), slice(max(x - 14, 0), x + 15))
        dy, dx = rows[near] - y, columns[near] - x
        u = (np.cos(angle) * dy + np.sin(angle) * dx) / long
        v = (np.cos(angle) * dx - np.sin(angle) * dy) / short
        inside = ((u * u + v * v) < 1) & (gap[near] > 4)
        stripes = 0.34 + 0.06 * np.sin(long * u * 1.9 + rng.uniform(0, 6))
        intensity[near] = np.where(inside, stripes, intensity[near])
    for _ in range(rng.poisson(120 * area)):
        y, x, radius = *rng.integers(size, size=2), rng.uniform(1.2, 2.6)
        near = (slice(max(y - 3, 0), y + 4), slice(max(x - 3, 0), x + 4))
        inside = (rows[near] - y) ** 2 + (columns[near] - x) ** 2 < radius**2
        intensity[near] = np.where(
            inside & (gap[near] > 4), rng.uniform(0.25, 0.45), intensity[near]
        )
    return intensity


def _cell_image(size: int, rng: np.random.Generator) -> tuple[Array, Array]:
    from scipy import ndimage

    rows, columns = np.mgrid[:size, :size]
    best, labels = np.ones((size, size)), np.zeros((size, size), np.uint16)
    count = max(int(rng.uniform(28, 40) * size * size / 256**2), 2)
    centres: list[tuple[float, float]] = []
    for number in range(1, count + 1):
        y, x = _place(centres, size, rng)
        centres.append((y, x))
        radius = rng.uniform(9, 16)
        angle = np.arctan2(rows - y, columns - x)
        outline = radius * (1 + 0.2 * np.cos(2 * (angle - rng.uniform(0, np.pi))))
        outline += 0.05 * radius * np.cos(3 * (angle - rng.uniform(0, np.pi)))
        # a pixel belongs to the cell of which it is, in relative terms, nearest to the middle
        relative = np.hypot(rows - y, columns - x) / outline
        nearer = relative < best
        best[nearer], labels[nearer] = relative[nearer], number
    labels = _whole_cells(labels)

    shine = rng.uniform(0.35, 0.9, labels.max() + 1)
    shine[0] = 0
    intensity = shine[labels] * (1 - 0.35 * best**2) * (1 + 0.12 * _smooth(size, 4, rng))
    intensity = ndimage.gaussian_filter(intensity, 1.3) + 0.06 + 0.03 * _smooth(size, size / 2, rng)
    return _to_uint8(intensity + 0.03 * rng.standard_normal((size, size))), labels


def _place(
    centres: list[tuple[float, float]], size: int, rng: np.random.Generator
) -> tuple[float, float]:
    """A new centre: often beside an existing cell, never within 14 pixels of one if avoidable."""
    for _ in range(30):
        y, x = rng.uniform(0, size, 2)
        if centres and rng.random() < 0.7:
            angle, beside = rng.uniform(0, 2 * np.pi), centres[rng.integers(len(centres))]
            y, x = beside[0] + 19 * np.cos(angle), beside[1] + 19 * np.sin(angle)
        inside = 0 <= y < size and 0 <= x < size
        if inside and all(np.hypot(y - cy, x - cx) > 14 for cy, cx in centres):
            break
    return np.clip(y, 0, size - 1), np.clip(x, 0, size - 1)


def _whole_cells(labels: Array) -> Array:
    """Each cell's largest 4-connected piece of at least 20 pixels, numbered from 1."""
    from scipy import ndimage

    out = np.zeros_like(labels)
    for number in range(1, labels.max() + 1):
        pieces, count = ndimage.label(labels == number)
        sizes = np.bincount(pieces.ravel(), minlength=count + 1)[1:]
        if count and sizes.max() >= 20:
            out[pieces == 1 + sizes.argmax()] = out.max() + 1
    return out
