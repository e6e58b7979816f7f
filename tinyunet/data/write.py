"""Stacks written page by page, whole or not at all.

A result grows in a temporary file beside its final name and takes that name only when it is
complete and on the disk: a reader never sees half a stack, and an interrupted run leaves the
earlier result as it was.

Lesson: lessons/11-training.md.
"""

import os
import secrets
from contextlib import suppress
from pathlib import Path

import numpy as np

DTYPES = ("uint8", "uint16", "uint32", "int8", "int16", "int32", "float16", "float32", "float64")
CLASSIC_BYTES = 2**32 - 2**25  # classic TIFF counts bytes in 32 bits; leave room for directories


class StackWriter:
    """A TIFF stack that grows by `.append(page)` and appears under its name at `.close()`.

    Parameters: `path`; `dtype`, what pages are stored as (the default: that of the first page);
    `pages`, how many will come if known: a stack beyond 4 GB, or of unknown length, is written as
    BigTIFF. As a context manager it closes on success and aborts on an error.
    Raises FileNotFoundError for a missing folder, IsADirectoryError, PermissionError.
    """

    def __init__(self, path, dtype=None, pages=None):
        self.path = Path(path)
        self.dtype = None if dtype is None else _checked_dtype(dtype)
        self.count, self._expected, self._shape, self._tiff = 0, pages, None, None
        if self.path.is_dir():
            raise IsADirectoryError(f"{path}: is a folder: wanted the name of a TIFF file")
        if not self.path.parent.is_dir():
            raise FileNotFoundError(f"{path}: there is no folder {self.path.parent}")
        name = f".{self.path.name}.{secrets.token_hex(4)}.part"
        self._temporary = self.path.with_name(name)
        self._file = open(self._temporary, "x+b")  # noqa: SIM115 (closed by close or abort)

    def append(self, page):
        """Write one page (H, W), or (H, W, 3) uint8 or uint16 colour.

        Raises ValueError where its shape or dtype does not fit the stack, or numbers would be
        cut off by the stack's dtype.
        """
        import tifffile

        if self._file is None:
            raise ValueError(f"{self.path}: the stack is closed")
        page = np.asarray(page)
        colour = page.ndim == 3 and page.shape[-1] == 3
        if not (page.ndim == 2 or colour) or page.size == 0:
            raise ValueError(f"{self.path}: page {self.count} is {page.shape}: wanted (H, W)")
        if self._shape not in (None, page.shape):
            raise ValueError(
                f"{self.path}: page {self.count} is {page.shape}: wanted {self._shape} like page 0"
            )
        page = self._converted(page)
        if self._tiff is None:
            known = self._expected is not None
            big = not known or self._expected * page.nbytes > CLASSIC_BYTES
            self._tiff = tifffile.TiffWriter(self._file, bigtiff=big)
        kind = "rgb" if colour else "minisblack"
        # no metadata and no program's name: equal pages give equal files
        self._tiff.write(page, photometric=kind, metadata=None, software=False)
        self._shape = page.shape
        self.count += 1

    def _converted(self, page):
        wanted = page.dtype if self.dtype is None else self.dtype
        if page.dtype == bool:
            page = page.astype(np.uint8)
            wanted = page.dtype if self.dtype is None else wanted
        self.dtype = _checked_dtype(wanted)
        if self.dtype.kind in "ui" and page.dtype != self.dtype:
            info, low, high = np.iinfo(self.dtype), page.min(), page.max()
            # NaN fails the comparison too
            if not (info.min <= low and high <= info.max) or (page != np.floor(page)).any():
                raise ValueError(
                    f"{self.path}: page {self.count} holds {page.dtype} values from {low:g} to "
                    f"{high:g}, which {self.dtype} cannot hold"
                )
        return page.astype(self.dtype)

    def close(self):
        """Flush to the disk and give the file its name. ValueError for a stack without a page."""
        if self._file is None:
            return
        if self._tiff is None:
            self.abort()
            raise ValueError(f"{self.path}: a stack needs at least one page")
        try:
            self._tiff.close()
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            os.replace(self._temporary, self.path)
        finally:
            self.abort()  # after the renaming there is nothing left to remove

    def abort(self):
        """Throw away what was written; an earlier file of that name stays as it was."""
        if self._file is not None:
            self._file.close()
            self._file = None
            with suppress(FileNotFoundError):
                self._temporary.unlink()

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if kind is None:
            self.close()
        else:
            self.abort()


def _checked_dtype(dtype):
    dtype = np.dtype(dtype)
    if dtype.name not in DTYPES:
        raise ValueError(f"dtype is {dtype}: wanted one of {', '.join(DTYPES)}")
    return dtype.newbyteorder("=")


def write_stack(path, pages, dtype=None):
    """Write an array (Z, H, W) or any iterable of (H, W) pages as a TIFF stack, atomically.

    `dtype` is what is stored (the default: that of the first page). Raises what `StackWriter`
    raises; an error in the iterable leaves nothing behind.
    """
    known = len(pages) if hasattr(pages, "__len__") else None
    with StackWriter(path, dtype, known) as writer:
        for page in pages:
            writer.append(page)


def write_label_frames(folder, labels, first=0):
    """Write object numbers as the Cell Tracking Challenge takes them: 16 bit `mask000.tif` ….

    Parameters: `folder`, made if missing; `labels`, an iterable of (H, W) whole numbers from 0 to
    65535, or a dict of frame number → such an array; `first`, the first frame's number. Frame
    numbers have at least three digits. Returns the list of files.
    Raises ValueError for numbers that 16 bits cannot hold.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"{folder}: is a file: wanted a folder for mask files")
    folder.mkdir(parents=True, exist_ok=True)
    frames = labels.items() if isinstance(labels, dict) else enumerate(labels, first)
    files = []
    for number, frame in frames:
        files.append(folder / f"mask{number:03d}.tif")
        write_stack(files[-1], [frame], np.uint16)
    return files
