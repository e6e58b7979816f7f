"""What the numbers in a label image mean: classes, or objects with a number each.

Membranes come as 0/255 or 0/1, several classes as 0, 1, 2 …, cells as one number an object
(instances). A wrong guess here trains a network on nonsense without a word, the all-black masks
of many a forum thread, so the rule is strict: what does not fit is refused and the values found
are listed.

Lesson: lessons/11-training.md.
"""

import numpy as np

IGNORED = -1  # a pixel without truth
SHOWN = 8  # at most so many values are listed in a message
KINDS = ("auto", "classes", "instances")


def decode_labels(pages, path, n_classes=2, kind="classes", ignore=None):
    """Turn stored label values into class numbers or object numbers.

    Parameters: `pages`, list of (H, W) arrays of any real dtype; `path`, for messages;
    `n_classes`; `kind`, "classes" (0 to n_classes − 1, or 0/255 and 0/65535 for two) or
    "instances" (0 is background, every other number one object); `ignore`, the value of pixels
    without truth. Returns a list of (H, W) int32, `IGNORED` at those pixels.
    Raises ValueError for values that fit neither, and where all pixels are of one class.
    """
    if kind not in KINDS[1:]:
        raise ValueError(f'kind is {kind!r}: wanted "classes" or "instances"')
    if n_classes < 2:
        raise ValueError(f"n_classes is {n_classes}: wanted 2 or more")
    values = np.unique(np.concatenate([np.unique(page) for page in pages]))
    if ignore is not None:
        values = values[values != ignore]
    if len(values) == 0:
        raise ValueError(f"{path}: every pixel has the value {ignore} that means no truth")
    check = _check_classes if kind == "classes" else _check_instances
    top = check(values, path, n_classes)
    return [_decode(page, top, ignore) for page in pages]


def _decode(page, top, ignore):
    out = (page / top if top > 1 else page).astype(np.int32)
    if ignore is not None:
        out[page == ignore] = IGNORED
    return out


def _check_classes(values, path, n_classes):
    """The value that stands for class 1 (1, 255 or 65535)."""
    top = 1
    if n_classes == 2 and values[-1] in (255, 65535) and set(values.tolist()) <= {0, values[-1]}:
        top = values[-1].item()
    elif values[0] < 0 or values[-1] >= n_classes or (values != np.floor(values)).any():
        raise ValueError(f"{path}: {_wrong_classes(values, n_classes)}")
    if len(values) == 1:
        raise ValueError(
            f"{path}: every pixel has the label {values[0]}: wanted at least two classes to tell "
            "apart"
        )
    return top


def _wrong_classes(values, n_classes):
    """What the values found look like, what was wanted, and the way out."""
    wanted = "0/1 or 0/255" if n_classes == 2 else f"0 to {n_classes - 1}"
    wanted = f"wanted {wanted} for {n_classes} classes"
    found = f"labels have {len(values)} values ({listed(values)})"
    if np.array_equal(values, np.arange(len(values))):
        return f"{found}: {wanted}; pass n_classes={len(values)}, or instances if they are objects"
    if values[0] == 0 and values[-1] == 255 and len(values) > 2:
        return f"{found}: {wanted}; grey edges come from resizing or JPEG: threshold the masks"
    return f"{found}: {wanted}; if each number is one object, pass instances"


def _check_instances(values, path, n_classes):
    """1: object numbers are taken as they stand."""
    if values[0] < 0 or values[-1] > 2**31 - 1 or (values != np.floor(values)).any():
        raise ValueError(
            f"{path}: labels have {len(values)} values ({listed(values)}): wanted whole numbers "
            "from 0 (background), one an object"
        )
    if values[-1] == 0:
        raise ValueError(f"{path}: no object in any labelled frame: every pixel is 0")
    return 1


def listed(values):
    """Sorted values as text, the middle left out where there are many: "0, 1, 2, …, 255"."""
    texts = [f"{v:g}" if isinstance(v, float) else str(v) for v in np.asarray(values).tolist()]
    if len(texts) > SHOWN:
        texts = [*texts[: SHOWN - 2], "…", texts[-1]]
    return ", ".join(texts)
