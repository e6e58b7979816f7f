"""A stack of slices read one at a time: a TIFF file of many pages, or a folder of PNG and TIFF.

Prediction needs one slice after the other of a stack that may be longer than the memory; training
needs all of a small one. Both begin here: `open_stack` looks at every header, refuses what is no
stack of grey (or, where asked, colour) slices, and reads pixels only when a page is asked for.

Shapes: a page is (H, W), or (C, H, W) for colour. Lesson: lessons/11-training.md.
"""

import re
import stat
from itertools import pairwise
from math import prod
from pathlib import Path

import numpy as np

from tinyunet.data import limits
from tinyunet.data.png import SIGNATURE, PngSource
from tinyunet.data.tiff import TiffSource
from tinyunet.data.tiffnotes import described_axes

SUFFIXES = {".png": "PNG", ".tif": "TIFF", ".tiff": "TIFF"}
MARKS = {
    SIGNATURE: "PNG",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
    b"\xff\xd8\xff": "JPEG",
    b"GIF8": "GIF",
    b"BM": "BMP",
    b"\x93NUMPY": "NumPy",
    b"PK\x03\x04": "zip",
    b"\x1f\x8b": "gzip",
    b"\x89HDF": "HDF5",
    b"%PDF": "PDF",
}


class Stack:
    """Slices in order. `len(stack)`, `.shape`, `.dtype`, `.names`, `.sizes`, `.page(i)`.

    `.shape` is (Z, H, W), or (Z, C, H, W) for colour, and None where the slices of a folder
    differ in size; `.sizes` is a list of (H, W). Uncompressed TIFF pages are memory-mapped.
    """

    def __init__(self, path, slices, in_channels):
        self.path, self.in_channels = str(path), in_channels
        self._slices = slices  # (source, page number) of each slice
        self.names = [name for name, _, _ in slices]
        pages = [source.pages[i] for _, source, i in slices]
        self.sizes = [(page.height, page.width) for page in pages]
        self.dtype = pages[0].dtype
        one_size = len(set(self.sizes)) == 1
        colour = (in_channels,) if in_channels > 1 else ()
        self.shape = (len(slices), *colour, *self.sizes[0]) if one_size else None

    def __len__(self):
        return len(self._slices)

    def page(self, index):
        """Slice `index` as (H, W) or (C, H, W), the stored numbers; do not write into it.

        Raises IndexError beyond the stack, ValueError for damaged pixels, NaN or infinity.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"{self.path}: slice {index} asked, has 0 to {len(self) - 1}")
        name, source, i = self._slices[index]
        pixels = source.read(i)
        if pixels.dtype.kind == "f":
            bad = pixels.size - int(np.isfinite(pixels).sum())
            if bad:
                raise ValueError(
                    f"{self.path}: slice {name}: {bad} of {pixels.size} pixels are NaN or "
                    "infinite: wanted finite numbers"
                )
        return np.moveaxis(pixels, -1, 0) if pixels.ndim == 3 else pixels

    @property
    def nbytes(self):
        """Bytes of all pages together once decoded."""
        pixels = sum(height * width for height, width in self.sizes)
        return pixels * self.in_channels * self.dtype.itemsize


def open_stack(path, in_channels=1, labels=False):
    """Open a TIFF stack, a single PNG or a folder of slices; reads headers only.

    Parameters: `path`, a file, a folder or a list of files of one slice each; `in_channels`, 1
    for grey (the default) or 3 for colour; `labels=True` allows what only label images are: one
    bit a pixel, or a palette (its places are the numbers).
    In a folder every .png, .tif and .tiff is a slice, in natural order (t2 before t10); hidden
    files and all others are passed over. Returns a `Stack`.
    Raises FileNotFoundError, or ValueError with what the file holds and what is wanted.
    """
    if in_channels not in (1, 3):
        raise ValueError(f"in_channels is {in_channels}: wanted 1 (grey) or 3 (colour)")
    if isinstance(path, (list, tuple)):
        path, files = Path(path[0]).parent, path
    else:
        path = Path(path)
        if not path.exists():
            raise FileNotFoundError(f"{path}: no such file or folder")
        files = image_files(path) if path.is_dir() else []
    slices = []
    for file in files:
        source = open_source(file)
        if len(source.pages) > 1:
            raise ValueError(
                f"{file}: holds {len(source.pages)} pages; in a folder every file is one slice"
            )
        slices.append((Path(file).stem, source, 0))
    if not files:
        source = open_source(path)
        slices = [(str(i), source, i) for i in range(len(source.pages))]
    for _, source, i in slices:
        where = f"{source.path}, page {i}" if len(source.pages) > 1 else source.path
        _check_kind(where, source.pages[i], in_channels, labels)
    _check_alike(path, slices)
    return Stack(path, slices, in_channels)


def read_all(stack):
    """All pages of a `Stack` as a list of arrays of their own. ValueError beyond the limit."""
    if stack.nbytes > limits.MAX_READ_BYTES:
        raise ValueError(
            f"{stack.path}: {len(stack)} slices are {stack.nbytes} bytes, more than the "
            f"{limits.MAX_READ_BYTES} that are read at once: train on a part of the stack"
        )
    return [np.array(stack.page(i)) for i in range(len(stack))]


def image_files(folder):
    """The .png, .tif and .tiff files of a folder in natural order; ValueError if none."""
    files = [f for f in Path(folder).iterdir() if f.suffix.lower() in SUFFIXES]
    files = sorted((f for f in files if not f.name.startswith(".")), key=natural_order)
    if not files:
        raise ValueError(f"{folder}: the folder holds no .png, .tif or .tiff file")
    for one, other in pairwise(files):
        if one.stem == other.stem:
            raise ValueError(f"{folder}: both {one.name} and {other.name} are slice {one.stem}")
    return files


def natural_order(file):
    """Sorting key under which slice2 comes before slice10."""
    parts = re.split(r"(\d+)", file.stem)
    return [(int(p), "") if p.isdecimal() else (-1, p) for p in parts], file.name


def open_source(path):
    """A `TiffSource` or `PngSource`, chosen by the file's first bytes.

    Raises ValueError for other formats and where the name says otherwise.
    """
    path = Path(path)
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError(f"{path}: not a regular file: wanted a TIFF or PNG file")
    with open(path, "rb") as file:
        head = file.read(8)
    if not head:
        raise ValueError(f"{path}: the file is empty")
    found = next((kind for mark, kind in MARKS.items() if head.startswith(mark)), "")
    if found not in ("PNG", "TIFF"):
        what = f"a {found} file" if found else "neither"
        raise ValueError(f"{path}: wanted a TIFF or PNG file, this is {what}")
    if SUFFIXES.get(path.suffix.lower(), found) != found:
        raise ValueError(
            f"{path}: named {path.suffix} but its first bytes are those of a {found} file: "
            "rename it"
        )
    return PngSource(path) if found == "PNG" else TiffSource(path)


def _check_kind(where, page, in_channels, labels):
    """Refuse a page that is not the kind of picture that was asked for."""
    if labels:
        if page.samples > 1:
            raise ValueError(
                f"{where}: has {page.samples} channels: wanted labels as one number a pixel"
            )
        return
    if page.bits == 1:
        raise ValueError(
            f"{where}: has 1 bit a pixel, a mask: wanted an image of 8 or 16 bits or floats"
        )
    if getattr(page, "palette", False):
        raise ValueError(f"{where}: has a palette: wanted grey values; convert it to 8 bit grey")
    if page.samples != in_channels:
        kind = "grey" if page.samples == 1 else f"an image of {page.samples} channels"
        want = "grey (1 channel); convert it, or pass in_channels=3 for colour"
        raise ValueError(
            f"{where}: is {kind}: wanted {want if in_channels == 1 else '3 channels (colour)'}"
        )


def _check_alike(path, slices):
    """Refuse pages that make no stack: other sizes or dtypes, more than one axis of pages."""
    _, first, _ = slices[0]
    for name, source, i in slices:
        page, other = source.pages[i], first.pages[0]
        if page.dtype != other.dtype:
            raise ValueError(
                f"{path}: slice {name} is {page.dtype}, slice {slices[0][0]} is {other.dtype}: "
                "wanted one dtype"
            )
        if source is first and (page.height, page.width) != (other.height, other.width):
            raise ValueError(
                f"{path}: page {name} is {page.height}×{page.width}, page 0 is "
                f"{other.height}×{other.width}: wanted pages of one size (slices of different "
                "sizes may lie in a folder)"
            )
    for source in dict.fromkeys(source for _, source, _ in slices):
        page = source.pages[0]
        axes = described_axes(source.description, page.height, page.width)
        if len(axes) > 1:
            said = ", ".join(f"{key} {n}" for key, n in axes.items())
            raise ValueError(
                f"{path}: is a stack of {len(axes) + 2} dimensions ({said}): wanted slices of "
                "rows and columns; save one channel and one time point"
            )
        if prod(axes.values()) > len(source.pages):
            raise ValueError(
                f"{path}: its header speaks of {prod(axes.values())} slices, the file holds "
                f"{len(source.pages)}: no other file is opened; save the stack into one file"
            )
