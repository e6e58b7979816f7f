"""Draw random transforms, and the two functions that draw and apply in one call.

All randomness of the augmentation is in `draw_transform`; what it returns is plain numbers.

Paper: section 3.1, which names shift, rotation, elastic deformation (3×3 grid, 10 pixels) and
grey-value variation, and gives no range but that one. Ours are the defaults below. Lesson:
lessons/09-elastic-deformation.md.
"""

import math

import numpy as np

from tinyunet.augment.resample import apply_transform
from tinyunet.augment.transform import QUARTER, Transform, finite, pair


def draw_transform(
    rng,
    image_size,
    size=None,
    *,
    elastic=True,
    grid=3,
    sigma=10.0,
    spacing=None,
    rotation=True,
    max_angle=180.0,
    quarter_turns=False,
    flips=True,
    shift=True,
    max_shift=None,
    centre=None,
    grey=True,
    contrast=0.2,
    brightness=0.1,
    grey_range=(0.0, 1.0),
):
    """Draw one `Transform`.

    rng: a numpy Generator. image_size: (H, W) of the source. size: (rows, columns) of the output
    frame, by default the image's own.

    elastic: vectors on a grid of `grid` control points (one number or two, at least 2) from a
        Gaussian of `sigma` pixels per component; `spacing` as in `Transform`.
    rotation: angle uniform in ±max_angle degrees. Without it, quarter_turns draws 0, 90, 180, 270.
    flips: upside down and left-right, each for one sample in two.
    shift: the frame's middle lands uniformly within ±max_shift pixels (one number or two) of the
        image's middle. None means half the image where `size` is given, so that a tile may lie
        anywhere and every pixel is drawn equally often, and otherwise a tenth of the image.
    centre: (row, column) of the source for the frame's middle; then no shift is drawn.
    grey: v ↦ k·(v − m) + m + b·s with k uniform in 1 ± contrast and b in ± brightness, where
        grey_range = (lowest, highest) grey value has its middle at m and the length s.

    With neither elastic nor rotation, the middle is moved to the nearest place where pixels fall on
    pixels (by at most half a pixel), so that the result is an exact copy and no interpolation.

    Every number is drawn whether it is used or not: parts that are turned off leave the others
    as they were. Raises ValueError naming the argument, and TypeError for another kind of rng.
    """
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng must be a numpy.random.Generator, got {type(rng).__name__}")
    image_size = pair(image_size, "image_size", kind=int, low=1)
    if max_shift is None:
        part = 0.1 if size is None else 0.5
        max_shift = (image_size[0] * part, image_size[1] * part)
    max_shift = pair(max_shift, "max_shift", low=0)
    size = image_size if size is None else pair(size, "size", kind=int, low=1)
    grid = pair(grid, "grid", kind=int, low=2)
    sigma = finite(sigma, "sigma", low=0)
    max_angle = finite(max_angle, "max_angle", low=0)
    contrast = finite(contrast, "contrast", low=0)
    brightness = finite(brightness, "brightness", low=0)
    lowest, highest = pair(grey_range, "grey_range")
    if highest <= lowest:
        raise ValueError(f"grey_range must be (lowest, highest), got {grey_range!r}")

    moved = rng.uniform(-1.0, 1.0, size=2) * max_shift
    turned = rng.uniform(-1.0, 1.0) * max_angle
    quarter = 90.0 * rng.integers(4)
    flipped = tuple(rng.integers(2, size=2).tolist())
    stretched, brightened = rng.uniform(-1.0, 1.0, size=2) * (contrast, brightness)
    vectors = rng.normal(size=(2, *grid)) * sigma

    if centre is None:
        middle = ((image_size[0] - 1) / 2, (image_size[1] - 1) / 2)
        centre = (middle[0] + moved[0], middle[1] + moved[1]) if shift else middle
    gain = 1.0 + stretched if grey else 1.0
    offset = (
        (lowest + highest) / 2 * (1.0 - gain) + brightened * (highest - lowest) if grey else 0.0
    )
    transform = Transform(
        size=size,
        centre=centre,
        angle=turned if rotation else quarter if quarter_turns else 0.0,
        flip=flipped if flips else (False, False),
        displacement=vectors if elastic else None,
        spacing=spacing,
        gain=gain,
        offset=offset,
    )
    return transform if elastic or rotation else on_pixels(transform)


def on_pixels(transform):
    """The transform, a flip or quarter turn, moved by at most ½ pixel so that it only copies.

    With such a matrix the source points are whole numbers everywhere if they are at one pixel.
    """
    if transform.angle % 360.0 not in QUARTER or transform.displacement is not None:
        raise ValueError("transform must be a flip, quarter turn or shift to fall on whole pixels")
    middle = [(n - 1) / 2 for n in transform.size]
    start = transform.matrix @ middle
    centre = [c - s for c, s in zip(transform.centre, start, strict=True)]  # source of pixel (0, 0)
    numbers = transform.to_dict()
    numbers["centre"] = [math.floor(c + 0.5) + s for c, s in zip(centre, start, strict=True)]
    return Transform.from_dict(numbers)


def elastic_deform(
    image,
    labels=None,
    weights=None,
    *,
    rng,
    grid=3,
    sigma=10.0,
    spacing=None,
    parallel=False,
    plain=False,
):
    """Deform an image elastically as in section 3.1, and nothing else.

    Arrays as in `apply_transform`; grid, sigma (pixels) and spacing (pixels) as in
    `draw_transform`. The same generator state gives the same deformation. Returns the image, or,
    where labels or weights are given too, a tuple of all that was given, in the order above.
    """
    transform = draw_transform(
        rng,
        np.shape(image)[-2:],
        grid=grid,
        sigma=sigma,
        spacing=spacing,
        rotation=False,
        flips=False,
        shift=False,
        grey=False,
    )
    sample = apply_transform(transform, image, labels, weights, parallel=parallel, plain=plain)
    given = tuple(array for array in sample[:3] if array is not None)
    return given if len(given) > 1 else sample.image


def random_transform(
    image,
    labels=None,
    weights=None,
    *,
    rng,
    size=None,
    label_size=None,
    parallel=False,
    plain=False,
    **parts,
):
    """Draw one transform and apply it to an image with its labels and weights, in one resampling.

    Arrays, label_size, parallel and plain as in `apply_transform`. size: None deforms the whole
    image; (572, 572), with label_size (388, 388), makes one training tile of the mirrored,
    deformed world around a random point, at the cost of a tile. parts: the switches and ranges of
    `draw_transform` (elastic=False, max_angle=15, …); grey_range is by default 0 to 1 for floats
    and booleans and the whole range of an integer dtype (so give it for 12-bit images in uint16).

    Returns a `Sample` (image, labels, weights, transform) of new arrays in the dtypes that came.
    Errors as in the two functions.
    """
    dtype = np.asarray(image).dtype
    if dtype.kind in "ui":
        parts.setdefault("grey_range", (np.iinfo(dtype).min, np.iinfo(dtype).max))
    transform = draw_transform(rng, np.shape(image)[-2:], size, **parts)
    return apply_transform(
        transform, image, labels, weights, label_size=label_size, parallel=parallel, plain=plain
    )
