"""Apply one transform to an image with its labels and weights, each resampled exactly once.

`apply_transform` evaluates any window of the output frame, so a training tile costs a tile and not
an image, however large the image is. It has two bodies that agree, `plain=True` (plain.py) and the
compiled pass (kernel.py).

Paper: section 3.1. Lesson: lessons/09-elastic-deformation.md.
"""

from typing import NamedTuple

import numpy as np

from tinyunet.augment import kernel
from tinyunet.augment.field import source_coordinates, spline
from tinyunet.augment.plain import sample_cubic, sample_linear, sample_nearest
from tinyunet.augment.transform import Transform, pair

# Read by the kernel as they are: what images and label maps on disk are made of. Every dtype here
# compiles a kernel of its own, so all others travel through the last one of their list and back.
IMAGE_DTYPES = ("uint8", "float32", "float64")
LABEL_DTYPES = ("uint8", "int64")
WEIGHT_DTYPES = ("float32", "float64")


class Sample(NamedTuple):
    """One transformed sample; what was not given is None."""

    image: np.ndarray | None
    labels: np.ndarray | None
    weights: np.ndarray | None
    transform: Transform


def apply_transform(
    transform,
    image=None,
    labels=None,
    weights=None,
    *,
    origin=(0, 0),
    size=None,
    label_size=None,
    parallel=False,
    plain=False,
):
    """Resample a window of the transform's output frame.

    image: (H, W) or (C, H, W), any real dtype; bicubic, then gain and offset; whole numbers are
    rounded to the nearest and clipped to their dtype. labels: same forms, integers or booleans;
    nearest neighbour. weights: same forms, floating point; linear. All of one height and width.
    origin: the window's first pixel (row, column) in the output frame, also outside of it; size:
    (rows, columns), by default the frame's. label_size: size of the label and weight window in the
    middle of the image's window (388 of 572), by default all of it. parallel: share the rows among
    numba's threads, otherwise the calling thread works alone. plain: take the NumPy body.

    Returns a `Sample` of new arrays in the dtypes that came. Raises ValueError for arrays that do
    not fit together, for windows that do not fit, and for NaN or infinity in what was sampled;
    TypeError for a dtype that its kind of resampling cannot hold.
    """
    given = {"image": image, "labels": labels, "weights": weights}
    given = {name: _array(value, name) for name, value in given.items() if value is not None}
    _same_extent(given)
    origin = pair(origin, "origin", kind=int)
    size = transform.size if size is None else pair(size, "size", kind=int, low=1)
    label_size = size if label_size is None else pair(label_size, "label_size", kind=int, low=1)
    inner = _inner_offset(size, label_size)
    body = _plain_pass if plain else _compiled_pass
    outs = body(transform, given, origin, size, inner, label_size, parallel)
    for name, out in outs.items():
        if out.dtype.kind == "f" and not np.isfinite(out).all():
            raise ValueError(f"{name} holds NaN or infinity where the transform looks: clean first")
        given[name] = out.reshape(given[name].shape[:-2] + out.shape[1:]).astype(
            given[name].dtype, copy=False
        )
    return Sample(given.get("image"), given.get("labels"), given.get("weights"), transform)


def _plain_pass(transform, given, origin, size, inner, label_size, parallel):
    """The three arrays through plain.py; `parallel` means nothing here."""
    points = source_coordinates(transform, origin, size)
    rows, columns = (slice(inner[k], inner[k] + label_size[k]) for k in (0, 1))
    outs = {}
    for name, array in given.items():
        stack = _stack(array)
        if name == "image":
            values = transform.gain * sample_cubic(stack, points) + transform.offset
            outs[name] = _to_dtype(values, stack.dtype)
        elif name == "labels":
            outs[name] = sample_nearest(stack, points[:, rows, columns])
        else:
            values = sample_linear(stack, points[:, rows, columns])
            outs[name] = values.astype(stack.dtype)
    return outs


def _compiled_pass(transform, given, origin, size, inner, label_size, parallel):
    """The three arrays through one pass of kernel.py."""
    extent = next(iter(given.values())).shape[-2:]
    none = {"image": np.float32, "labels": np.uint8, "weights": np.float32}
    stacks = {
        name: _stack(given[name]) if name in given else np.empty((0, *extent), dtype)
        for name, dtype in none.items()
    }
    native = (IMAGE_DTYPES, LABEL_DTYPES, WEIGHT_DTYPES)
    if stacks["labels"].dtype == bool:
        stacks["labels"] = stacks["labels"].view(np.uint8)
    arrays = tuple(
        stack if stack.dtype in dtypes else stack.astype(dtypes[-1])
        for stack, dtypes in zip(stacks.values(), native, strict=True)
    )
    outs = tuple(
        np.empty((array.shape[0], *window), array.dtype)
        for array, window in zip(arrays, (size, label_size, label_size), strict=True)
    )
    first = tuple(origin[k] - (transform.size[k] - 1) / 2 for k in (0, 1))
    place = (*(float(m) for m in transform.matrix.ravel()), *transform.centre, *first)
    whole = arrays[0].dtype.kind == "u"
    limits = (0.0, float(np.iinfo(arrays[0].dtype).max)) if whole else (0.0, 0.0)
    grey = (transform.gain, transform.offset, *limits, whole)
    warp = kernel.warp_parallel if parallel else kernel.warp_serial
    warp(arrays, outs, inner, spline(transform, origin, size), place, grey)
    done = dict(zip(none, outs, strict=True))
    return {
        name: _to_dtype(done[name], array.dtype) if name == "image" else done[name]
        for name, array in given.items()
    }


def _array(value, name):
    """The argument as an array of two or three axes and of a kind its resampling can hold."""
    array = np.asarray(value)
    kinds = {"image": "buif", "labels": "bui", "weights": "f"}[name]
    if array.dtype.kind not in kinds:
        wanted = {"image": "real numbers", "labels": "integers or booleans", "weights": "floats"}
        raise TypeError(f"{name} must hold {wanted[name]}, got dtype {array.dtype}")
    if array.ndim not in (2, 3) or 0 in array.shape:
        raise ValueError(f"{name} must be (H, W) or (C, H, W) with pixels, got shape {array.shape}")
    return array


def _same_extent(given):
    """At least one array, and all of one height and width."""
    if not given:
        raise ValueError("nothing to transform: give image, labels or weights")
    if len({array.shape[-2:] for array in given.values()}) > 1:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in given.items())
        raise ValueError(f"image, labels and weights must share height and width, got {shapes}")


def _inner_offset(size, label_size):
    """(rows, columns) from the window's first pixel to the label window in its middle."""
    spare = (size[0] - label_size[0], size[1] - label_size[1])
    if min(spare) < 0 or spare[0] % 2 or spare[1] % 2:
        raise ValueError(
            f"label_size {label_size} does not fit in the middle of size {size}: "
            "give one that is smaller by an even number of pixels, or equal"
        )
    return spare[0] // 2, spare[1] // 2


def _stack(array):
    """(H, W) → (1, H, W), contiguous and in the machine's byte order."""
    native = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
    return native.reshape(-1, *array.shape[-2:])


def _to_dtype(values, dtype):
    """float64 → dtype: whole numbers are rounded half to even and clipped, booleans at a half."""
    if dtype.kind == "f" or values.dtype == dtype:
        return values.astype(dtype, copy=False)
    if dtype.kind == "b":
        return values >= 0.5
    limits = np.iinfo(dtype)
    rounded = np.rint(values)
    # The largest 64-bit integers have no float64 of their own and would round up, out of range.
    highest = float(limits.max) if dtype.itemsize < 8 else np.nextafter(float(limits.max), 0.0)
    return np.where(
        rounded >= limits.max, limits.max, np.clip(rounded, limits.min, highest).astype(dtype)
    )
