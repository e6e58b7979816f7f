"""Stacks written page by page, whole or not at all.

A result grows under a hidden name beside its final one and takes that name only when it is complete
and on the disk: a reader never sees half a stack, and an interrupted run leaves the earlier result
as it was.

Lesson: lessons/11-training.md.
"""

import json
from collections.abc import Iterable, Mapping, Sized
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from tinyunet._files import atomic_write
from tinyunet.arrays import Array, as_real
from tinyunet.images.names import FileName

DTYPES = ("uint8", "uint16", "uint32", "int8", "int16", "int32", "float16", "float32", "float64")
CLASSIC_BYTES = 2**32 - 2**25  # classic TIFF counts bytes in 32 bits; leave room for directories


class StackWriter:
    """A TIFF stack that grows by `.append(page)` and appears under its name at `.close()`.

    As a context manager it closes on success and aborts on an error.

    Parameters
    ----------
    path : str or Path
        The file.
    dtype : dtype, optional
        What pages are stored as (the default: that of the first page).
    pages : int, optional
        How many will come if known: a stack beyond 4 GB, or of unknown length, is written as
        BigTIFF.
    names : list of str, optional
        Names of the slices, noted in the first page's description; `open_stack` reads them again.
    one_size : bool
        False lets pages differ in size.

    Raises
    ------
    FileNotFoundError, IsADirectoryError, PermissionError
        For a place that cannot be written.
    """

    def __init__(
        self,
        path: FileName,
        dtype: Any = None,
        pages: int | None = None,
        names: Iterable[str] | None = None,
        one_size: bool = True,
    ) -> None:
        self.path = Path(path)
        self.dtype = None if dtype is None else _checked_dtype(dtype)
        self.count, self.one_size, self._expected = 0, one_size, pages
        self._shape: tuple[int, ...] | None = None
        self._note = None if names is None else json.dumps({"tinyunet": 1, "names": list(names)})
        self._tiff: Any = None
        if self.path.is_dir():
            raise IsADirectoryError(f"{path}: is a folder: wanted the name of a TIFF file")
        if not self.path.parent.is_dir():
            raise FileNotFoundError(f"{path}: there is no folder {self.path.parent}")
        self._open: ExitStack | None = ExitStack()
        self._temporary = self._open.enter_context(atomic_write(self.path))

    def append(self, page: Array) -> None:
        """Write one page.

        Parameters
        ----------
        page : Array
            (H, W), or (H, W, 3) uint8 or uint16 colour.

        Raises
        ------
        ValueError
            Where its shape or dtype does not fit the stack, or numbers would be cut off by the
            stack's dtype.
        """
        import tifffile

        if self._open is None:
            raise ValueError(f"{self.path}: the stack is closed")
        page = as_real(page, f"{self.path}: page {self.count}")
        colour = page.ndim == 3 and page.shape[-1] == 3
        if not (page.ndim == 2 or colour) or page.size == 0:
            raise ValueError(f"{self.path}: page {self.count} is {page.shape}: wanted (H, W)")
        if self.one_size and self._shape not in (None, page.shape):
            raise ValueError(
                f"{self.path}: page {self.count} is {page.shape}: wanted {self._shape} like page 0"
            )
        page = self._converted(page)
        if self._tiff is None:
            count = self._expected if self.one_size else None
            big = count is None or count * page.nbytes > CLASSIC_BYTES
            self._tiff = tifffile.TiffWriter(self._temporary, bigtiff=big)
        kind = "rgb" if colour else "minisblack"
        # no metadata and no program's name: equal pages give equal files
        note = {"description": self._note} if self._note and not self.count else {}
        self._tiff.write(page, photometric=kind, metadata=None, software=False, **note)
        self._shape = page.shape
        self.count += 1

    def _converted(self, page: Array) -> Array:
        wanted = page.dtype if self.dtype is None else self.dtype
        if page.dtype == bool:
            page = page.astype(np.uint8)
            wanted = page.dtype if self.dtype is None else wanted
        self.dtype = _checked_dtype(wanted)
        if page.dtype != self.dtype and not _fits(page, self.dtype):
            raise ValueError(
                f"{self.path}: page {self.count} holds {page.dtype} values from {page.min():g} to "
                f"{page.max():g}, which {self.dtype} cannot hold"
            )
        return page.astype(self.dtype, copy=False)

    def close(self) -> None:
        """Flush to the disk and give the file its name. ValueError for a stack without a page."""
        if self._open is None:
            return
        if self._tiff is None:
            self.abort()
            raise ValueError(f"{self.path}: a stack needs at least one page")
        kept, self._open = self._open, None
        with kept:
            self._tiff.close()

    def abort(self) -> None:
        """Throw away what was written; an earlier file of that name stays as it was."""
        if self._open is not None:
            kept, self._open = self._open, None
            if self._tiff is not None:
                self._tiff.close()
            kept.__exit__(ValueError, ValueError("aborted"), None)  # atomic_write then cleans up

    def __enter__(self) -> "StackWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()


def _fits(page: Array, dtype: np.dtype) -> bool:
    """Whether `dtype` holds a page: whole numbers exactly, floats rounded but not to infinity."""
    low, high = page.min().item(), page.max().item()
    if dtype.kind in "ui":
        info = np.iinfo(dtype)
        # NaN fails the comparison too
        return bool(info.min <= low and high <= info.max and (page == np.floor(page)).all())
    if page.dtype.kind in "ui":
        return max(-low, high) <= 2 ** (np.finfo(dtype).nmant + 1)
    with np.errstate(over="ignore"):
        return bool((np.isfinite(page.astype(dtype)) == np.isfinite(page)).all())


def _checked_dtype(dtype: Any) -> np.dtype:
    dtype = np.dtype(dtype)
    if dtype.name not in DTYPES:
        raise ValueError(f"dtype is {dtype}: wanted one of {', '.join(DTYPES)}")
    return dtype.newbyteorder("=")


def write_stack(path: FileName, pages: Iterable[Array], dtype: Any = None) -> None:
    """Write a TIFF stack, atomically.

    Parameters
    ----------
    path : str or Path
        The file.
    pages : iterable of Array
        An array (Z, H, W) or any iterable of (H, W) pages.
    dtype : dtype, optional
        What is stored (the default: that of the first page).

    Raises
    ------
    FileNotFoundError, IsADirectoryError, PermissionError, ValueError
        As `StackWriter`; an error in the iterable leaves nothing behind.
    """
    known = len(pages) if isinstance(pages, Sized) else None
    with StackWriter(path, dtype, known) as writer:
        for page in pages:
            writer.append(page)


def write_label_frames(
    folder: FileName, labels: Iterable[Array] | Mapping[int, Array], first: int = 0
) -> list[Path]:
    """Write object numbers as the Cell Tracking Challenge takes them: 16 bit `mask000.tif` ….

    Parameters
    ----------
    folder : str or Path
        Made if missing.
    labels : iterable of Array, or dict
        (H, W) whole numbers from 0 to 65535 each; a dict maps frame numbers to them.
    first : int
        The first frame's number. Frame numbers have at least three digits.

    Returns
    -------
    list of Path
        The files.

    Raises
    ------
    ValueError
        For numbers that 16 bits cannot hold.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"{folder}: is a file: wanted a folder for mask files")
    folder.mkdir(parents=True, exist_ok=True)
    frames = labels.items() if isinstance(labels, Mapping) else enumerate(labels, first)
    files = []
    for number, frame in frames:
        files.append(folder / f"mask{number:03d}.tif")
        write_stack(files[-1], [frame], np.uint16)
    return files
