"""What the numbers in a label image mean: classes, or objects with a number each.

Membranes come as 0/255 or 0/1, several classes as 0, 1, 2 …, cells as one number an object
(instances). A wrong guess here trains a network on nonsense without a word, the all-black masks
of many a forum thread, so the rule is strict: what does not fit is refused and the values found
are listed.

Lesson: lessons/11-training.md.
"""

from collections.abc import Sequence

import numpy as np

from tinyunet.arrays import Array
from tinyunet.images._text import few
from tinyunet.images.names import FileName

IGNORED = -1  # a pixel without ground truth
KINDS = ("auto", "classes", "instances")


def decode_labels(
    pages: Sequence[Array],
    path: FileName,
    n_classes: int = 2,
    kind: str = "classes",
    ignore: int | None = None,
) -> list[Array]:
    """Turn stored label values into class numbers or object numbers.

    Parameters
    ----------
    pages : sequence of Array
        (H, W) each, of any real dtype. Programs choose the dtype by what a page holds, so pages
        of one dtype are read alike: 0/255 in some and 0/1 in others of 1 bit is one mask.
    path : str or Path
        For messages.
    n_classes : int
        Number of classes.
    kind : str
        "classes" (0 to n_classes − 1, or 0/255 and 0/65535 for two) or "instances" (0 is
        background, every other number one object).
    ignore : int, optional
        The value of pixels without ground truth.

    Returns
    -------
    list of Array
        (H, W) int32, `IGNORED` at those pixels.

    Raises
    ------
    ValueError
        For values that fit neither, and where all pixels are of one class.
    """
    if kind not in KINDS[1:]:
        raise ValueError(f'kind is {kind!r}: wanted "classes" or "instances"')
    if n_classes < 2:
        raise ValueError(f"{n_classes} classes: wanted 2 or more")
    values: dict[np.dtype, Array] = {}
    for page in pages:
        found = np.union1d(values.get(page.dtype, page[:0].ravel()), _unique(page))
        values[page.dtype] = found if ignore is None else found[found != ignore]
    everything = sorted({value for found in values.values() for value in found.tolist()})
    if not everything:
        raise ValueError(f"{path}: every pixel has the value {ignore} that means no ground truth")
    if kind == "classes":
        tops = {dtype: _top(found, n_classes) for dtype, found in values.items() if len(found)}
        _check_classes(everything, tops, values, path, n_classes)
    else:
        _check_instances(everything, path)
        tops = {}
    return [_decode(page, tops.get(page.dtype) or 1, ignore) for page in pages]


def _unique(page: Array) -> Array:
    """Its values; by counting where that is quicker than sorting."""
    if page.dtype in (np.uint8, np.uint16):
        return np.flatnonzero(np.bincount(page.ravel())).astype(page.dtype)
    return np.unique(page)


def _decode(page: Array, top: int, ignore: int | None) -> Array:
    out = (page == top if top > 1 else page).astype(np.int32)
    if ignore is not None:
        out[page == ignore] = IGNORED
    return out


def _top(values: Array, n_classes: int) -> int | None:
    """The value that stands for class 1 (1, 255 or 65535), None where the values do not fit."""
    top = values[-1].item()
    if n_classes == 2 and top in (255, 65535) and set(values.tolist()) <= {0, top}:
        return top
    fits = values[0] >= 0 and top < n_classes and (values == np.floor(values)).all()
    return 1 if fits else None


def _check_classes(
    everything: list, tops: dict, values: dict, path: FileName, n_classes: int
) -> None:
    if None in tops.values():
        raise ValueError(f"{path}: {_wrong_classes(everything, n_classes)}")
    classes = {value / top for dtype, top in tops.items() for value in values[dtype].tolist()}
    if len(classes) == 1:
        raise ValueError(
            f"{path}: every pixel has the label {few(everything)}: wanted at least two classes to "
            "tell apart"
        )


def _wrong_classes(values: list, n_classes: int) -> str:
    """What the values found look like, what was wanted, and the way out."""
    wanted = "0/1 or 0/255" if n_classes == 2 else f"0 to {n_classes - 1}"
    found = (
        f"labels have {len(values)} values ({_listed(values)}): wanted {wanted} for {n_classes} "
    )
    found += "classes"
    if values == list(range(len(values))):
        return (
            f"{found}; give --classes {len(values)} if they are classes, --instances if each "
            "number is one object"
        )
    if values[-1] == 255 and values[:-1] == list(range(n_classes)):
        return f"{found}; if 255 means no ground truth, give --ignore 255"
    if values[0] == 0 and values[-1] == 255 and len(values) > 2:
        return f"{found}; values between come from resizing or JPEG: threshold the masks"
    return f"{found}; if each number is one object, give --instances"


def _check_instances(values: list, path: FileName) -> None:
    if values[0] < 0 or values[-1] > 2**31 - 1 or any(value != int(value) for value in values):
        raise ValueError(
            f"{path}: labels have {len(values)} values ({_listed(values)}): wanted whole numbers "
            "from 0 (background), one an object"
        )
    if values[-1] == 0:
        raise ValueError(f"{path}: no object in any labelled frame: every pixel is 0")


def _listed(values: Sequence) -> str:
    """Sorted values as text, the middle left out where there are many: "0, 1, 2, …, 255"."""
    return few(f"{v:g}" if isinstance(v, float) else int(v) for v in values)
