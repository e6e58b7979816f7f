"""Draw random transforms, and the two functions that draw and apply in one call.

All randomness of the augmentation is in `draw_transform`; what it returns is plain numbers.

Paper: section 3.1, which names shift, rotation, elastic deformation (3×3 grid, 10 pixels) and
"gray value variations" (here: intensity), and gives no range but that one. Ours are the defaults
below; `max_zoom`, which the paper does not have, is off unless it is asked for.
Lesson: lessons/09-elastic-deformation.md.
"""

import math
from typing import Any

import numpy as np

from tinyunet.arrays import Array, as_array
from tinyunet.augment.resample import Sample, apply_transform
from tinyunet.augment.transform import QUARTER, Transform, finite, pair, whole_pair

One = float | tuple[float, float]  # one number for rows and columns, or two
Whole = int | tuple[int, int]


def draw_transform(
    rng: np.random.Generator,
    image_size: Whole,
    size: Whole | None = None,
    *,
    elastic: bool = True,
    grid: Whole = 3,
    sigma: float = 10.0,
    spacing: One | None = None,
    rotation: bool = True,
    max_angle: float = 180.0,
    quarter_turns: bool = False,
    flips: bool = True,
    shift: bool = True,
    max_shift: One | None = None,
    centre: One | None = None,
    intensity: bool = True,
    contrast: float = 0.2,
    brightness: float = 0.1,
    intensity_range: tuple[float, float] = (0.0, 1.0),
    max_zoom: float = 1.0,
) -> Transform:
    """Draw one transform.

    Parameters
    ----------
    rng : numpy.random.Generator
        Every number but the zoom is drawn from it whether it is used or not: parts that are off
        leave the others as they were.
    image_size : (int, int)
        Rows and columns of the source.
    size : (int, int), optional
        Rows and columns of the output frame, by default the image's own.
    elastic : bool
        Vectors on a grid from a Gaussian.
    grid : int or (int, int)
        Control points along each side, at least 2.
    sigma : float
        Of the Gaussian, in pixels per component.
    spacing : float or (float, float), optional
        Of the control points, as in `Transform`.
    rotation : bool
        By an angle uniform in ±max_angle.
    max_angle : float
        Degrees.
    quarter_turns : bool
        Without `rotation`, draw 0, 90, 180 or 270 degrees.
    flips : bool
        Upside down and left-right, each for one sample in two.
    shift : bool
        The frame's middle lands uniformly within ±max_shift of the image's middle.
    max_shift : float or (float, float), optional
        Pixels. None means half the image where `size` is given, so that a tile may lie anywhere and
        every pixel is drawn equally often, and otherwise a tenth of the image.
    centre : (float, float), optional
        Row and column of the source for the frame's middle; then no shift is drawn.
    intensity : bool
        v ↦ k·(v − m) + m + b·s with k uniform in 1 ± contrast and b in ± brightness, where the
        range has its middle at m and the length s.
    contrast, brightness : float
        See `intensity`.
    intensity_range : (float, float)
        The lowest and the highest intensity.
    max_zoom : float
        At least 1: things become larger or smaller by a factor from 1/max_zoom to max_zoom, its
        logarithm uniform; 1 leaves their size.

    Returns
    -------
    Transform
        Plain numbers. With neither `elastic` nor `rotation` nor zoom, its middle is moved to the
        nearest place where pixels fall on pixels (by at most half a pixel), so that the result is
        an exact copy and no interpolation.

    Raises
    ------
    ValueError
        Naming the argument.
    TypeError
        For another kind of rng.

    References
    ----------
    Ronneberger, Fischer, Brox (2015), section 3.1.
    """
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng must be a numpy.random.Generator, got {type(rng).__name__}")
    image_size = whole_pair(image_size, "image_size", low=1)
    if max_shift is None:
        part = 0.1 if size is None else 0.5
        max_shift = (image_size[0] * part, image_size[1] * part)
    max_shift = pair(max_shift, "max_shift", low=0)
    size = image_size if size is None else whole_pair(size, "size", low=1)
    grid = whole_pair(grid, "grid", low=2)
    sigma = finite(sigma, "sigma", low=0)
    max_angle = finite(max_angle, "max_angle", low=0)
    contrast = finite(contrast, "contrast", low=0)
    brightness = finite(brightness, "brightness", low=0)
    lowest, highest = pair(intensity_range, "intensity_range")
    max_zoom = finite(max_zoom, "max_zoom", low=1)
    if highest <= lowest:
        raise ValueError(f"intensity_range must be (lowest, highest), got {intensity_range!r}")

    moved = rng.uniform(-1.0, 1.0, size=2) * max_shift
    angle = rng.uniform(-1.0, 1.0) * max_angle
    quarter = 90.0 * rng.integers(4)
    flipped = tuple(rng.integers(2, size=2).tolist())
    stretched, brightened = rng.uniform(-1.0, 1.0, size=2) * (contrast, brightness)
    vectors = rng.normal(size=(2, *grid)) * sigma
    zoom = max_zoom ** rng.uniform(-1.0, 1.0) if max_zoom > 1 else 1.0

    if centre is None:
        middle = ((image_size[0] - 1) / 2, (image_size[1] - 1) / 2)
        centre = (middle[0] + moved[0], middle[1] + moved[1]) if shift else middle
    gain, offset = 1.0, 0.0
    if intensity:
        gain = 1.0 + stretched
        offset = (lowest + highest) / 2 * (1.0 - gain) + brightened * (highest - lowest)
    numbers = {
        "size": size,
        "centre": centre,
        "angle": angle if rotation else quarter if quarter_turns else 0.0,
        "flip": flipped if flips else (False, False),
        "displacement": vectors if elastic else None,
        "spacing": spacing,
        "gain": gain,
        "offset": offset,
        "zoom": zoom,
    }
    transform = Transform.from_dict(numbers)
    return transform if elastic or rotation or max_zoom > 1 else on_pixels(transform)


def on_pixels(transform: Transform) -> Transform:
    """Move a flip, quarter turn or shift by at most ½ pixel so that it only copies.

    Parameters
    ----------
    transform : Transform
        Without displacement and zoom, its angle a multiple of 90°. Its source points are whole
        numbers everywhere if they are at one pixel.

    Returns
    -------
    Transform
        The same with another centre.

    Raises
    ------
    ValueError
        For a transform that interpolates whatever its centre.
    """
    moves = transform.angle % 360.0 in QUARTER and transform.zoom == 1.0
    if not moves or transform.displacement is not None:
        raise ValueError("transform must be a flip, quarter turn or shift to fall on whole pixels")
    middle = [(n - 1) / 2 for n in transform.size]
    start = transform.matrix @ middle
    centre = [c - s for c, s in zip(transform.centre, start, strict=True)]  # source of pixel (0, 0)
    numbers = transform.to_dict()
    numbers["centre"] = [math.floor(c + 0.5) + s for c, s in zip(centre, start, strict=True)]
    return Transform.from_dict(numbers)


def elastic_deform(
    image: object,
    labels: object = None,
    weight_map: object = None,
    *,
    rng: np.random.Generator,
    grid: Whole = 3,
    sigma: float = 10.0,
    spacing: One | None = None,
    parallel: bool = False,
    plain: bool = False,
) -> Array | tuple[Array, ...]:
    """Deform an image elastically as in section 3.1, and nothing else.

    Parameters
    ----------
    image, labels, weight_map : array_like
        As in `apply_transform`.
    rng : numpy.random.Generator
        The same state gives the same deformation.
    grid : int or (int, int)
        Control points along each side, at least 2.
    sigma : float
        Of the vectors, in pixels per component.
    spacing : float or (float, float), optional
        Of the control points, as in `Transform`.
    parallel, plain : bool
        As in `apply_transform`.

    Returns
    -------
    Array or tuple of Array
        The image, or, where labels or a weight map are given too, a tuple of all that was given,
        in the order above.

    Raises
    ------
    ValueError, TypeError
        As `draw_transform` and `apply_transform` do.
    """
    transform = draw_transform(
        rng,
        _size_of(image),
        grid=grid,
        sigma=sigma,
        spacing=spacing,
        rotation=False,
        flips=False,
        shift=False,
        intensity=False,
    )
    sample = apply_transform(transform, image, labels, weight_map, parallel=parallel, plain=plain)
    given = tuple(array for array in sample[:3] if array is not None)
    return given if len(given) > 1 else given[0]


def random_transform(
    image: object,
    labels: object = None,
    weight_map: object = None,
    *,
    rng: np.random.Generator,
    size: Whole | None = None,
    label_size: Whole | None = None,
    parallel: bool = False,
    plain: bool = False,
    **parts: Any,
) -> Sample:
    """Draw one transform and apply it to an image with its labels and weight map.

    Parameters
    ----------
    image, labels, weight_map : array_like
        As in `apply_transform`; each is resampled once.
    rng : numpy.random.Generator
        The same state gives the same sample.
    size : (int, int), optional
        None deforms the whole image; (572, 572), with label_size (388, 388), makes one training
        tile of the mirrored, deformed world around a random point, at the cost of a tile.
    label_size : (int, int), optional
        As in `apply_transform`.
    parallel, plain : bool
        As in `apply_transform`.
    **parts : dict
        The switches and ranges of `draw_transform` (elastic=False, max_angle=15, …);
        intensity_range is by default 0 to 1 for floats and booleans and the whole range of an
        integer dtype (so give it for 12-bit images in uint16).

    Returns
    -------
    Sample
        Image, labels, weight map and transform: new arrays in the dtypes that came.

    Raises
    ------
    ValueError, TypeError
        As `draw_transform` and `apply_transform` do.
    """
    dtype = as_array(image, "image").dtype
    if dtype.kind in "ui":
        parts.setdefault("intensity_range", (np.iinfo(dtype).min, np.iinfo(dtype).max))
    transform = draw_transform(rng, _size_of(image), size, **parts)
    return apply_transform(
        transform, image, labels, weight_map, label_size=label_size, parallel=parallel, plain=plain
    )


def _size_of(image: Any) -> tuple[int, int]:
    """Rows and columns of an image; ValueError for what has none."""
    shape = as_array(image, "image").shape
    if len(shape) not in (2, 3) or 0 in shape:
        raise ValueError(f"image must be (H, W) or (C, H, W) with pixels, got shape {shape}")
    return shape[-2], shape[-1]
