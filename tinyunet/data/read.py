"""Images and their labels from files: stacks, folders, Cell Tracking Challenge sequences.

Lesson: lessons/11-training.md.
"""

from pathlib import Path

import numpy as np

from tinyunet.data import ctc
from tinyunet.data.dataset import Dataset, normalise
from tinyunet.data.labels import IGNORED, KINDS, decode_labels
from tinyunet.data.stack import open_stack, read_all


def read_images(path, in_channels=1):
    """All slices of a stack or folder as stored, a list of (H, W) or (C, H, W) arrays.

    Accepts what `open_stack` accepts and raises what it raises.
    """
    return read_all(open_stack(path, in_channels))


def read_labels(path, n_classes=2, kind="auto", ignore=None):
    """All label slices of a stack or folder, a list of (H, W) int32.

    Class numbers 0 to n_classes − 1 (0/255 becomes 0/1), or object numbers where `kind` is
    "instances"; "auto" takes man_seg and mask files for objects and all else for classes. Pixels
    with the value `ignore` become −1. Raises what `open_stack` and `decode_labels` raise.
    """
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r}: wanted one of {', '.join(KINDS)}")
    path = Path(path)
    truth = _numbered(path)
    if kind == "auto":
        kind = "classes" if truth is None else "instances"
    stack = open_stack(path, labels=True) if truth is None else _frames(truth, labels=True)
    return decode_labels(read_all(stack), path, n_classes, kind, ignore)


def read_segmentation(path):
    """{frame number: (H, W) int32 object numbers} of a folder of man_seg or mask files.

    Raises ValueError where the folder holds neither.
    """
    truth = _numbered(Path(path))
    if truth is None:
        raise ValueError(f"{path}: wanted a folder with man_seg000.tif … or mask000.tif …")
    pages = read_all(_frames(truth, labels=True))
    return {number: page.astype(np.int32) for number, page in zip(truth, pages, strict=True)}


def read_pair(images, labels=None, *, in_channels=1, n_classes=2, kind="auto", ignore=None):
    """Images with their labels as a `Dataset`; every image is normalised by itself.

    `images` and `labels` are two stacks, two folders whose files have matching names, or a Cell
    Tracking sequence (`01`) and its truth (`01_GT`, `01_GT/SEG`, `01_ST` …; without `labels` the
    gold truth beside the sequence is taken, else the silver; with the data set's own folder, all
    of its sequences). Frames without truth stay in the data set with labels None.
    Raises FileNotFoundError or ValueError, one line that names the file, what it holds and what
    is wanted.
    """
    images = Path(images)
    if labels is None and images.is_dir():
        parts = ctc.sequences(images)
        if parts:
            read = [read_pair(p, in_channels=in_channels, ignore=ignore) for p in parts]
            return _joined(read, [p.name for p in parts])
        labels = ctc.find_truth(images)
    elif labels is None:
        raise ValueError(f"{images}: labels are missing: wanted a stack or folder of labels")
    labels = Path(labels)
    if not labels.exists():
        raise FileNotFoundError(f"{labels}: no such file or folder")
    truth = ctc.truth_folder(labels) if labels.is_dir() else None
    if truth is not None and images.is_dir():
        labels = truth
        frames = ctc.numbered_files(images, ctc.FRAME)
        stack = _frames(frames, in_channels) if frames else open_stack(images, in_channels)
        places, label_stack = _match_frames(images, list(frames), truth)
        kind = "instances" if kind == "auto" else kind
    else:
        stack, label_stack = open_stack(images, in_channels), open_stack(labels, labels=True)
        places = _match(images, labels, stack, label_stack)
        kind = "classes" if kind == "auto" else kind
    for place, name, size in zip(places, label_stack.names, label_stack.sizes, strict=True):
        if size != stack.sizes[place]:
            raise ValueError(
                f"{labels}: slice {name} is {size[0]}×{size[1]}, its image "
                f"{stack.names[place]} is {stack.sizes[place][0]}×{stack.sizes[place][1]}: wanted "
                "the same size"
            )
    decoded = decode_labels(read_all(label_stack), labels, n_classes, kind, ignore)
    n_classes = 2 if kind == "instances" else n_classes
    return _dataset(stack, dict(zip(places, decoded, strict=True)), kind, n_classes)


def _dataset(stack, truth, kind, n_classes):
    """A `Dataset` of all slices; `truth` maps slice numbers to labels."""
    images, labels, valid = [], [], []
    for i, page in enumerate(read_all(stack)):
        image = normalise(page, f"{stack.path}: slice {stack.names[i]}")
        images.append(image if image.ndim == 3 else image[None])
        found = truth.get(i)
        ignored = None if found is None else found == IGNORED
        labels.append(None if found is None else np.where(ignored, 0, found).astype(np.int32))
        valid.append(~ignored if ignored is not None and ignored.any() else None)
    return Dataset(images, labels, valid, stack.names, kind, n_classes, str(stack.dtype))


def _match(images, labels, stack, label_stack):
    """The slice number of each label: by name between folders, by order otherwise."""
    if len(stack) != len(label_stack):
        raise ValueError(
            f"{labels}: has {len(label_stack)} slices, {images} has {len(stack)}: wanted one label "
            "a slice"
        )
    if images.is_dir() and labels.is_dir():
        for name in label_stack.names:
            if name not in stack.names:
                raise ValueError(
                    f"{labels}: {name} has no image of that name in {images}: wanted matching names"
                )
        return [stack.names.index(name) for name in label_stack.names]
    return list(range(len(stack)))


def _match_frames(images, numbers, truth):
    """The slice number of each man_seg file, and their stack."""
    files = ctc.numbered_files(truth, ctc.TRUTH)
    if not numbers:
        raise ValueError(f"{images}: holds no frames t000.tif …, but {truth} holds man_seg files")
    for number, file in files.items():
        if number not in numbers:
            raise ValueError(f"{file}: there is no frame {number} in {images}")
    return [numbers.index(number) for number in files], _frames(files, labels=True)


def _frames(files, in_channels=1, labels=False):
    """A `Stack` of numbered files, which may lie beside others in their folder."""
    return open_stack(list(files.values()), in_channels, labels)


def _numbered(path):
    """{number: file} where `path` is a folder of man_seg or mask files, else None."""
    if not path.is_dir():
        return None
    truth = ctc.truth_folder(path)
    return ctc.numbered_files(truth or path, ctc.TRUTH if truth else ctc.RESULT) or None


def _joined(parts, names):
    """Several sequences as one data set; slices are named 01/t000 …"""
    out = Dataset([], [], [], [], parts[0].kind, parts[0].n_classes, parts[0].dtype)
    for part, name in zip(parts, names, strict=True):
        out.images += part.images
        out.labels += part.labels
        out.valid += part.valid
        out.names += [f"{name}/{slice_name}" for slice_name in part.names]
    return out
