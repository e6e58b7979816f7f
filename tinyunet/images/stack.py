"""A stack of slices read one at a time: a TIFF file of many pages, a picture, or a folder of them.

Prediction needs one slice after the other of a stack that may be longer than the memory; training
needs all of a small one. Both begin here: `open_stack` looks at every header, refuses what is no
stack of slices of the wanted channels, and reads pixels only when a page is asked for.

Shapes: a page is (H, W), or (C, H, W) with channels. Lesson: lessons/11-training.md.
"""

import os
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from tinyunet._text import plural
from tinyunet.arrays import Array
from tinyunet.images import limits
from tinyunet.images._axes import Plane, planes_of_slices
from tinyunet.images._formats import Source, image_files, open_source
from tinyunet.images._page import Page, check_finite, check_kind, say_what_is_taken, shown
from tinyunet.images._text import dtypes_text, few, sizes_text
from tinyunet.images.names import FileName, stem

MOST_CHANNELS = 64  # of an image: what asks for more has been mistaken for channels


@dataclass(frozen=True)
class _Slice:
    """Where a slice's pixels are: its planes, each (page, sample) with None for all samples."""

    name: str
    source: Source
    planes: list[Plane]

    @property
    def header(self) -> Page:
        """Of its first plane."""
        return self.source.pages[self.planes[0][0]]

    @property
    def where(self) -> str:
        """File and page, for messages."""
        many = len(self.source.pages) > 1
        return f"{self.source.path}, page {self.planes[0][0]}" if many else self.source.path


class Stack:
    """Slices in order, read when they are asked for; made by `open_stack`.

    Parameters
    ----------
    path : str or Path
        File or folder.
    slices : list
        Where the pixels of each are.
    in_channels : int
        Channels of a slice.
    labels : bool
        True for class or object numbers.
    named : bool
        True where the names are those of files and not numbers of pages.

    Attributes
    ----------
    names : list of str
        Names of the slices.
    sizes : list of tuple
        (H, W) of each slice.
    shape : tuple or None
        (Z, H, W), or (Z, C, H, W) with channels; None where slices differ in size.
    dtype : numpy.dtype
        The smallest that holds the numbers of all slices; those of one slice may be smaller.
    """

    def __init__(
        self, path: FileName, slices: list[_Slice], in_channels: int, labels: bool, named: bool
    ) -> None:
        self.path, self.in_channels, self.labels = str(path), in_channels, labels
        self._slices, self.named = slices, named
        self.names = [one.name for one in slices]
        self.sizes = [one.header.size for one in slices]
        self.dtypes = [_dtype(one.header, labels) for one in slices]
        self.dtype = np.result_type(*set(self.dtypes))
        one_size = len(set(self.sizes)) == 1
        channels = (in_channels,) if in_channels > 1 else ()
        self.shape = (len(slices), *channels, *self.sizes[0]) if one_size else None

    def __len__(self) -> int:
        return len(self._slices)

    def __repr__(self) -> str:
        return (
            f"Stack({self.path!r}: {plural(len(self), 'slice')} of {sizes_text(self.sizes)}, "
            f"{few(self.names)}; {dtypes_text(self.dtypes)}, {plural(self.in_channels, 'channel')})"
        )

    def page(self, index: int) -> Array:
        """The pixels of a slice as shown; do not write into them.

        Parameters
        ----------
        index : int
            Number of the slice, from 0.

        Returns
        -------
        Array
            (H, W) or (C, H, W).

        Raises
        ------
        IndexError
            Beyond the stack.
        ValueError
            For damaged pixels, NaN or infinity, channels that differ where grey is wanted.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"{self.path}: slice {index} asked, has 0 to {len(self) - 1}")
        one = self._slices[index]
        planes = [self._plane(one, *plane) for plane in one.planes]
        pixels = planes[0] if len(planes) == 1 else np.stack(planes)
        check_finite(pixels, f"{self.path}: slice {one.name}")
        return pixels

    def _plane(self, one: _Slice, page: int, sample: int | None) -> Array:
        pixels = one.source.read(page)
        if sample is not None:
            pixels = pixels[..., sample]
        channels = self.in_channels if len(one.planes) == 1 else 1
        return shown(pixels, one.source.pages[page], channels, self.labels, one.where)

    def may_refuse(self, index: int) -> bool:
        """Tell whether the pixels of a slice, not only its header, decide if it is read.

        Parameters
        ----------
        index : int
            Number of the slice.

        Returns
        -------
        bool
            True for floats, which may be NaN, and for colours, which may be grey or transparent.
        """
        one = self._slices[index].header
        return one.dtype.kind == "f" or one.alpha or one.perhaps_grey(self.in_channels)

    def subset(self, indices: Iterable[int]) -> "Stack":
        """Some of the slices.

        Parameters
        ----------
        indices : iterable of int
            Their numbers, in the order wanted.

        Returns
        -------
        Stack
            Of the same files.
        """
        slices = [self._slices[i] for i in indices]
        return Stack(self.path, slices, self.in_channels, self.labels, self.named)

    @property
    def nbytes(self) -> int:
        """Bytes of all pages together once decoded."""
        each = zip(self.sizes, self.dtypes, strict=True)
        return sum(prod(size) * dtype.itemsize for size, dtype in each) * self.in_channels


def _dtype(page: Page, labels: bool) -> np.dtype:
    """The dtype of a page as shown."""
    looked_up = page.palette is not None and not (labels and not page.grey_table)
    return np.dtype(np.uint8) if looked_up else page.dtype


def open_stack(
    path: FileName | Sequence[FileName],
    in_channels: int = 1,
    labels: bool = False,
    one_bit: bool = False,
) -> Stack:
    """Open a TIFF stack, a single picture or a folder of slices; reads headers only.

    Parameters
    ----------
    path : str, Path or list of them
        A file, a folder, or files of one slice each.
    in_channels : int
        1 for grey (the default), 3 for colour, or the number of channels of a microscope.
    labels : bool
        True for class or object numbers: a mask of one bit is taken too, a palette's places are
        the numbers, and JPEG is refused.
    one_bit : bool
        True to take a mask of one bit as an image.

    Returns
    -------
    Stack
        Its slices. In a folder every file is one, in natural order (t2 before t10).

    Raises
    ------
    FileNotFoundError
        If there is nothing of that name.
    ValueError
        With what the file holds and what is wanted; for an empty list.

    Notes
    -----
    What a file shows is what is read (page.py). Warnings tell where that is a decision, what was
    left out of a folder, and where a file holds fewer slices than it speaks of. Only where a colour
    picture might be a grey one are the pixels of the first such picture looked at.
    """
    if not 1 <= in_channels <= MOST_CHANNELS:
        raise ValueError(
            f"an image of {in_channels} channels: wanted 1 (grey), 3 (colour), or up to "
            f"{MOST_CHANNELS}"
        )
    if not isinstance(path, str | os.PathLike):
        if not (files := list(path)):
            raise ValueError("path must name at least one file, got an empty list")
        path = Path(files[0]).parent
    elif not Path(path).exists():
        raise FileNotFoundError(f"{path}: no such file or folder")
    else:
        files = list(image_files(path)) if Path(path).is_dir() else []
    named = bool(files)
    if files:
        slices = [_only_slice(file, in_channels, labels) for file in files]
    else:
        source = open_source(path)
        planes = planes_of_slices(source, in_channels, labels, alone=True)
        named = source.names is not None
        names = source.names or [str(i) for i in range(len(planes))]
        slices = [_Slice(name, source, p) for name, p in zip(names, planes, strict=True)]
        if source.warning:
            warnings.warn(source.warning, stacklevel=2)
    for one in slices:
        for page, sample in one.planes:
            if sample is None:
                channels = in_channels if len(one.planes) == 1 else 1
                check_kind(one.where, one.source.pages[page], channels, labels, one_bit)
    stack = Stack(path, slices, in_channels, labels, named)
    say_what_is_taken(str(path), stack.names, [one.header for one in slices], labels)
    for i, one in enumerate(slices):
        if one.planes[0][1] is None and one.header.perhaps_grey(in_channels):
            stack.page(i)
            break
    return stack


def read_all(stack: Stack) -> list[Array]:
    """All pages of a stack.

    Parameters
    ----------
    stack : Stack
        An open stack.

    Returns
    -------
    list of Array
        Arrays of their own, none mapped to a file.

    Raises
    ------
    ValueError
        Beyond `limits.READ_BYTES`, and for damaged pixels.
    """
    limits.check_read(stack.path, len(stack), stack.nbytes)
    return [np.array(stack.page(i)) for i in range(len(stack))]


def _only_slice(file: FileName, in_channels: int, labels: bool) -> _Slice:
    """The one slice of a file in a folder."""
    source = open_source(file)
    planes = planes_of_slices(source, in_channels, labels, alone=False)
    if len(planes) > 1:
        raise ValueError(f"{file}: holds {len(planes)} pages; in a folder every file is one slice")
    return _Slice(stem(file), source, planes[0])
