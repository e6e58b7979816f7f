"""Which files are images: by their first bytes, and in a folder by their names.

Lesson: lessons/11-training.md.
"""

import stat
import warnings
from collections.abc import Collection
from itertools import pairwise
from pathlib import Path

from tinyunet._text import plural
from tinyunet.images._picture import SIGNATURES, PictureSource
from tinyunet.images._text import few
from tinyunet.images._tiff import TiffSource
from tinyunet.images.names import FileName, natural_order, stem

Source = TiffSource | PictureSource
TIFF_SUFFIXES = (".tif", ".tiff", ".btf", ".tf2", ".tf8", ".lsm", ".stk")
SUFFIXES = {
    **dict.fromkeys(TIFF_SUFFIXES, "TIFF"),
    ".png": "PNG",
    **dict.fromkeys((".jpg", ".jpeg"), "JPEG"),
}
MARKS = {
    **SIGNATURES,
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
    b"GIF8": "GIF",
    b"BM": "BMP",
    b"\x93NUMPY": "NumPy",
    b"PK\x03\x04": "zip",
    b"\x1f\x8b": "gzip",
    b"\x89HDF": "HDF5",
    b"%PDF": "PDF",
}


def open_source(path: FileName) -> Source:
    """A file whose headers have been read, chosen by its first bytes; ValueError for others."""
    path = Path(path)
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError(f"{path}: not a regular file: wanted a TIFF, PNG or JPEG file")
    with open(path, "rb") as file:
        head = file.read(8)
    if not head:
        raise ValueError(f"{path}: the file is empty")
    found = next((kind for mark, kind in MARKS.items() if head.startswith(mark)), "")
    if found not in SUFFIXES.values():
        what = f"a {found} file" if found else "none"
        raise ValueError(f"{path}: wanted a TIFF, PNG or JPEG file, this is {what}")
    if SUFFIXES.get(path.suffix.lower(), found) != found:
        raise ValueError(
            f"{path}: named {path.suffix} but its first bytes are those of a {found} file: "
            "rename it"
        )
    return TiffSource(path) if found == "TIFF" else PictureSource(path, found)


def image_files(folder: FileName) -> list[Path]:
    """The image files of a folder in natural order, at least one; hidden files are passed over.

    A warning names what else is left out. ValueError if there is none, or two of one name.
    """
    files = [f for f in Path(folder).iterdir() if f.suffix.lower() in SUFFIXES]
    files = [f for f in files if not f.name.startswith(".")]
    files.sort(key=lambda file: natural_order(stem(file)))
    if not files:
        raise ValueError(f"{folder}: the folder holds no TIFF, PNG or JPEG file")
    for one, other in pairwise(files):
        if stem(one) == stem(other):
            raise ValueError(f"{folder}: both {one.name} and {other.name} are slice {stem(one)}")
    warn_of_others(folder, files)
    return files


def warn_of_others(folder: FileName, used: Collection[Path]) -> None:
    """Warn of the files of a folder that are not among those `used`, by name."""
    known = {file.name for file in used}
    others = (file for file in Path(folder).iterdir() if file.name not in known)
    left = sorted(f.name for f in others if not f.name.startswith(".") and f.is_file())
    if left:
        warnings.warn(f"{folder}: {plural(len(left), 'file')} left out: {few(left)}", stacklevel=4)
