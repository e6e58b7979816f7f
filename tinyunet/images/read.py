"""Images and their labels from files: stacks, folders, Cell Tracking Challenge sequences.

Lesson: lessons/11-training.md.
"""

from collections.abc import Collection
from pathlib import Path

from tinyunet._text import plural
from tinyunet.arrays import Array
from tinyunet.images import ctc, limits
from tinyunet.images._formats import warn_of_others
from tinyunet.images._text import dtypes_text
from tinyunet.images.dataset import Dataset
from tinyunet.images.instances import check_labels, find_instances
from tinyunet.images.labels import IGNORED, KINDS, decode_labels
from tinyunet.images.names import FileName, match
from tinyunet.images.normalise import normalise
from tinyunet.images.stack import Stack, open_stack, read_all


def read_images(path: FileName, in_channels: int = 1) -> list[Array]:
    """All slices of a stack or folder.

    Parameters
    ----------
    path : str or Path
        What `open_stack` accepts.
    in_channels : int
        1 for grey, 3 for colour.

    Returns
    -------
    list of Array
        (H, W) or (C, H, W) each, not normalised.

    Raises
    ------
    FileNotFoundError, ValueError
        As `open_stack`.
    """
    return read_all(open_stack(path, in_channels))


def read_labels(
    path: FileName, n_classes: int = 2, kind: str = "auto", ignore: int | None = None
) -> list[Array]:
    """All label slices of a stack or folder.

    Parameters
    ----------
    path : str or Path
        What `open_stack` accepts, or a folder of man_seg files.
    n_classes : int
        Number of classes.
    kind : str
        "classes", "instances" (each number is one object), or "auto": man_seg files hold objects,
        all else classes.
    ignore : int, optional
        The value of pixels without ground truth, which become −1.

    Returns
    -------
    list of Array
        (H, W) int32: class numbers 0 to n_classes − 1 (0/255 becomes 0/1), or object numbers.

    Raises
    ------
    FileNotFoundError, ValueError
        As `open_stack` and `decode_labels`.
    """
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r}: wanted one of {', '.join(KINDS)}")
    stack, numbers = open_labels(path)
    if kind == "auto":
        kind = "classes" if numbers is None else "instances"
    return decode_labels(read_all(stack), path, n_classes, kind, ignore)


def open_labels(path: FileName) -> tuple[Stack, list[int] | None]:
    """Open labels, without a look at what their numbers mean.

    Parameters
    ----------
    path : str or Path
        A stack, a folder, or a folder of man_seg files (or with such a folder SEG in it).

    Returns
    -------
    tuple
        The `Stack`, and the frame number of each slice, None unless they are man_seg files.

    Raises
    ------
    FileNotFoundError, ValueError
        As `open_stack`.
    """
    folder = ctc.truth_folder(path)
    if folder is None:
        return open_stack(path, labels=True), None
    files = ctc.numbered_files(folder, ctc.TRUTH)
    return _frames(files, labels=True), list(files)


def open_result(path: FileName, frames: bool = True) -> tuple[Stack, list[int] | None]:
    """Open a segmentation: object numbers of the frames of a sequence, or of slices.

    Parameters
    ----------
    path : str or Path
        A folder of mask000.tif … as `predict --cells` writes it, or of man_seg files.
    frames : bool
        False takes any other stack or folder, too.

    Returns
    -------
    tuple
        The `Stack`, and the frame number of each slice, None for those others.

    Raises
    ------
    FileNotFoundError, ValueError
        As `open_stack`, and where `frames` are wanted and there are none.
    """
    folder = ctc.truth_folder(path) or Path(path)
    for prefix in (ctc.TRUTH, ctc.RESULT):
        files = ctc.numbered_files(folder, prefix) if folder.is_dir() else {}
        if files:
            return _frames(files, labels=True), list(files)
    if frames and folder.exists():
        raise ValueError(
            f"{path}: wanted a folder with mask000.tif … as predict --cells writes it, or with "
            "man_seg000.tif …"
        )
    return open_stack(path, labels=True), None


def read_segmentation(path: FileName) -> dict[int, Array]:
    """Object numbers of a folder of man_seg or mask files.

    Parameters
    ----------
    path : str or Path
        The folder, or one with the man_seg files in SEG.

    Returns
    -------
    dict
        {frame number: (H, W) int32}. A frame with a number beyond 2**31 - 1 is numbered anew.

    Raises
    ------
    FileNotFoundError, ValueError
        As `open_result`, and for fractions and negative numbers.
    """
    stack, numbers = open_result(path)
    found = {}
    for number, page in zip(numbers or [], read_all(stack), strict=True):
        checked = check_labels(page, f"{path}: frame {number}")
        found[number] = find_instances(checked, instances=True)
    return found


def read_pair(
    images: FileName,
    labels: FileName | None = None,
    *,
    in_channels: int = 1,
    n_classes: int = 2,
    kind: str = "auto",
    ignore: int | None = None,
) -> Dataset:
    """Images with their labels; every image is normalised by itself.

    Parameters
    ----------
    images : str or Path
        A stack, a folder, a Cell Tracking sequence (`01`), or a data set's folder with such.
    labels : str or Path, optional
        A stack, a folder whose files have the images' names, or the ground truth of a sequence
        (`01_GT`, `01_GT/SEG`, `01_ST` …). Without it the gold truth beside the sequence is taken,
        else the silver.
    in_channels : int
        Channels of the images.
    n_classes, kind, ignore
        As in `read_labels`.

    Returns
    -------
    Dataset
        Frames without ground truth stay in it, with labels None.

    Raises
    ------
    FileNotFoundError, ValueError
        One line that names the file, what it holds and what is wanted.
    """
    images = Path(images)
    if not images.exists():
        raise FileNotFoundError(f"{images}: no such file or folder")
    if labels is None and images.is_dir():
        parts = ctc.sequences(images)
        if parts:
            read = [
                read_pair(
                    part, in_channels=in_channels, n_classes=n_classes, kind=kind, ignore=ignore
                )
                for part in parts
            ]
            return _joined(read, [p.name for p in parts])
        labels = ctc.find_truth(images)
    elif labels is None:
        raise ValueError(f"{images}: labels are missing: wanted a stack or folder of labels")
    label_stack, numbers = open_labels(labels)
    if kind == "auto":
        kind = "classes" if numbers is None else "instances"
    if numbers is not None and images.is_dir():
        frames = ctc.numbered_files(images, ctc.FRAME)
        places = _match_frames(images, frames, label_stack, numbers)
        stack = _frames(frames, in_channels)
        warn_of_others(images, frames.values())
    else:
        stack = open_stack(images, in_channels)
        if len(stack) != len(label_stack):
            raise ValueError(
                f"{labels}: has {plural(len(label_stack), 'slice')}, {images} has {len(stack)}: "
                "wanted one label a slice"
            )
        places = match(label_stack, stack)
    _check_sizes(label_stack, stack, places)
    decoded = decode_labels(read_all(label_stack), labels, n_classes, kind, ignore)
    truth = dict(zip(places, decoded, strict=True))
    return _dataset(stack, truth, kind, 2 if kind == "instances" else n_classes)


def _check_sizes(label_stack: Stack, stack: Stack, places: list[int]) -> None:
    for place, name, size in zip(places, label_stack.names, label_stack.sizes, strict=True):
        if size != stack.sizes[place]:
            raise ValueError(
                f"{label_stack.path}: slice {name} is {size[0]}×{size[1]}, its image "
                f"{stack.names[place]} is {stack.sizes[place][0]}×{stack.sizes[place][1]}: wanted "
                "the same size"
            )


def _dataset(stack: Stack, truth: dict[int, Array], kind: str, n_classes: int) -> Dataset:
    """A `Dataset` of all slices; `truth` maps slice numbers to labels."""
    images: list[Array] = []
    labels: list[Array | None] = []
    valid: list[Array | None] = []
    limits.check_read(stack.path, len(stack), stack.nbytes)
    for i, name in enumerate(stack.names):
        image = normalise(stack.page(i), f"{stack.path}: slice {name}")
        images.append(image if image.ndim == 3 else image[None])
        found, there = truth.get(i), None
        if found is not None and found.min() == IGNORED:
            there = found != IGNORED
            found[~there] = 0
        labels.append(found)
        valid.append(there)
    dtype = dtypes_text(stack.dtypes)
    return Dataset(images, labels, valid, stack.names, kind, n_classes, dtype)


def _match_frames(
    images: Path, frames: dict[int, Path], truth: Stack, numbers: list[int]
) -> list[int]:
    """The slice number of each man_seg file."""
    if not frames:
        raise ValueError(
            f"{images}: holds no frames t000.tif …, but {truth.path} holds man_seg files"
        )
    place = {number: i for i, number in enumerate(frames)}
    for number, name in zip(numbers, truth.names, strict=True):
        if number not in place:
            raise ValueError(f"{truth.path}: {name}: there is no frame {number} in {images}")
    return [place[number] for number in numbers]


def _frames(files: dict[int, Path], in_channels: int = 1, labels: bool = False) -> Stack:
    """A `Stack` of numbered files, which may lie beside others in their folder."""
    return open_stack(list(files.values()), in_channels, labels)


def _joined(parts: Collection[Dataset], names: Collection[str]) -> Dataset:
    """Several sequences as one data set; slices are named 01/t000 …"""
    first, *_ = parts
    out = Dataset([], [], [], [], first.kind, first.n_classes, first.dtype)
    for part, name in zip(parts, names, strict=True):
        out.images += part.images
        out.labels += part.labels
        out.valid += part.valid
        out.names += [f"{name}/{slice_name}" for slice_name in part.names]
    return out
