"""Apply one transform to an image with its labels and weight map, each resampled exactly once.

`apply_transform` evaluates any window of the output frame, so a training tile costs a tile and not
an image, however large the image is. It has two bodies that agree, `plain=True` (reference.py) and
the compiled pass (kernel.py).

Paper: section 3.1. Lesson: lessons/09-elastic-deformation.md.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from tinyunet._machine import usable_cores
from tinyunet.arrays import Array, as_array
from tinyunet.augment import kernel
from tinyunet.augment.field import source_coordinates, spline
from tinyunet.augment.reference import sample_cubic, sample_linear, sample_nearest
from tinyunet.augment.transform import Transform, whole_pair

# Read by the kernel as they are: what images and label maps on disk are made of. Every dtype here
# compiles a kernel of its own, so all others travel through the last one of their list and back.
IMAGE_DTYPES = ("uint8", "float32", "float64")
LABEL_DTYPES = ("uint8", "int64")
WEIGHT_DTYPES = ("float32", "float64")

Size = tuple[int, int]


class Sample(NamedTuple):
    """One transformed sample; what was not given is None."""

    image: Array | None
    labels: Array | None
    weight_map: Array | None
    transform: Transform


def apply_transform(
    transform: Transform,
    image: object = None,
    labels: object = None,
    weight_map: object = None,
    *,
    origin: int | Size = (0, 0),
    size: int | Size | None = None,
    label_size: int | Size | None = None,
    parallel: bool = False,
    plain: bool = False,
) -> Sample:
    """Resample a window of the transform's output frame.

    Parameters
    ----------
    transform : Transform
        What is applied.
    image : array_like, optional
        (H, W) or (C, H, W), any real dtype; bicubic, in float64, then gain and offset; whole
        numbers are rounded to the nearest and clipped to their dtype.
    labels : array_like, optional
        The same forms, integers or booleans; nearest neighbour.
    weight_map : array_like, optional
        The same forms, floating point; linear.
    origin : (int, int)
        The window's first pixel (row, column) in the output frame, also outside of it.
    size : (int, int), optional
        Rows and columns of the window, by default the frame's.
    label_size : (int, int), optional
        Size of the label and weight window in the middle of the image's window (388 of 572), by
        default all of it.
    parallel : bool
        Share the rows among threads, one for each usable core; otherwise the calling thread works
        alone. The result is the same to the last bit. Safe from several threads and after a fork.
    plain : bool
        Take the NumPy body.

    Returns
    -------
    Sample
        New arrays in the dtypes that came.

    Raises
    ------
    ValueError
        For arrays that do not fit together, windows that do not fit, masked arrays, and NaN,
        infinity or an overflow in what was sampled.
    TypeError
        For a dtype that its kind of resampling cannot hold.
    """
    arrays = {"image": image, "labels": labels, "weight_map": weight_map}
    given = {name: _array(value, name) for name, value in arrays.items() if value is not None}
    _same_extent(given)
    origin = whole_pair(origin, "origin")
    size = transform.size if size is None else whole_pair(size, "size", low=1)
    label_size = size if label_size is None else whole_pair(label_size, "label_size", low=1)
    inner = _inner_offset(size, label_size)
    with np.errstate(over="ignore", invalid="ignore"):  # what comes of it is refused below
        if plain:
            outs = _plain_pass(transform, given, origin, size, inner, label_size)
        else:
            threads = usable_cores() if parallel else 1
            outs = _compiled_pass(transform, given, origin, size, inner, label_size, threads)
    for name, out in outs.items():
        if out.dtype.kind == "f" and not np.isfinite(out).all():
            raise ValueError(f"{name} holds NaN or infinity where the transform looks: clean first")
        given[name] = out.reshape(given[name].shape[:-2] + out.shape[1:]).astype(
            given[name].dtype, copy=False
        )
    return Sample(given.get("image"), given.get("labels"), given.get("weight_map"), transform)


def _plain_pass(
    transform: Transform,
    given: dict[str, Array],
    origin: Size,
    size: Size,
    inner: Size,
    label_size: Size,
) -> dict[str, Array]:
    """The three arrays through reference.py."""
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


def _compiled_pass(
    transform: Transform,
    given: dict[str, Array],
    origin: Size,
    size: Size,
    inner: Size,
    label_size: Size,
    threads: int,
) -> dict[str, Array]:
    """The three arrays through one pass of kernel.py."""
    extent = next(iter(given.values())).shape[-2:]
    none = {"image": np.float32, "labels": np.uint8, "weight_map": np.float32}
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
    intensity = (transform.gain, transform.offset, *limits, whole)
    displacement = spline(transform, origin, size)

    def rows(start: int, end: int) -> None:
        points = np.empty((4, size[1]))  # a thread's own
        kernel.warp_rows(start, end, arrays, outs, inner, displacement, place, intensity, points)

    _share(rows, size[0], threads)
    done = dict(zip(none, outs, strict=True))
    return {
        name: _to_dtype(done[name], array.dtype) if name == "image" else done[name]
        for name, array in given.items()
    }


def _share(work: Callable[[int, int], None], rows: int, threads: int) -> None:
    """Do `work(start, end)` for all rows, in as many pieces as there are threads.

    The threads live as long as the call (starting one takes some 50 µs, a 512×512 image 10 ms), so
    that a child of fork finds nothing that died, and callers never wait for each other.
    """
    threads = min(threads, rows)
    if threads == 1:
        work(0, rows)
        return
    cuts = [rows * k // threads for k in range(threads + 1)]
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(work, start, end) for start, end in pairwise(cuts)]:
            done.result()


def _array(value: object, name: str) -> Array:
    """The argument as an array of two or three axes and of a kind its resampling can hold."""
    array = as_array(value, name)
    kinds = {"image": "buif", "labels": "bui", "weight_map": "f"}[name]
    if array.dtype.kind not in kinds:
        wanted = {"image": "real numbers", "labels": "integers or booleans", "weight_map": "floats"}
        raise TypeError(f"{name} must hold {wanted[name]}, got dtype {array.dtype}")
    if array.ndim not in (2, 3) or 0 in array.shape:
        raise ValueError(f"{name} must be (H, W) or (C, H, W) with pixels, got shape {array.shape}")
    return array


def _same_extent(given: dict[str, Array]) -> None:
    """At least one array, and all of one height and width."""
    if not given:
        raise ValueError("nothing to transform: give image, labels or weight_map")
    if len({array.shape[-2:] for array in given.values()}) > 1:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in given.items())
        raise ValueError(f"image, labels and weight_map must share height and width, got {shapes}")


def _inner_offset(size: Size, label_size: Size) -> Size:
    """(rows, columns) from the window's first pixel to the label window in its middle."""
    spare = (size[0] - label_size[0], size[1] - label_size[1])
    if min(spare) < 0 or spare[0] % 2 or spare[1] % 2:
        raise ValueError(
            f"label_size {label_size} does not fit in the middle of size {size}: "
            "give one that is smaller by an even number of pixels, or equal"
        )
    return spare[0] // 2, spare[1] // 2


def _stack(array: Array) -> Array:
    """(H, W) → (1, H, W), contiguous and in the machine's byte order."""
    native = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
    return native.reshape(-1, *array.shape[-2:])


def _to_dtype(values: Array, dtype: np.dtype) -> Array:
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
