"""TIFF files: tifffile reads the headers and unpacks the pixels, Pillow the rarer compressions.

A stack may be longer than the memory: opening it reads the headers only (tiffpages.py), an
uncompressed page is a view of the file (a memory map), the others are decoded one at a time.

Lesson: lessons/11-training.md.
"""

import logging
import os
import struct
import zlib
from contextlib import contextmanager

import numpy as np

from tinyunet.data.tiffpages import DEFLATE, NONE, read_headers
from tinyunet.data.tiffpillow import unpack_by_pillow

# What tifffile and Pillow raise on damaged files, beside tifffile's own error: the first row was
# seen (tests/test_data_fuzz.py), the second stands in their sources. LookupError is IndexError and
# KeyError, ArithmeticError is OverflowError and ZeroDivisionError.
RAISED = (
    *(ValueError, TypeError, LookupError, ArithmeticError, OSError, SyntaxError, zlib.error),
    *(AttributeError, AssertionError, EOFError, RuntimeError),
)


@contextmanager
def refusing(path, kind, *others):
    """Turn what a library raises on a damaged file into one ValueError that names the file.

    `kind` is the format's name, `others` are exceptions beside `RAISED`. Our own refusals begin
    with the file's name already and pass as they are. What tifffile would only note in its log
    is kept quiet: where it matters, it is checked and refused here.
    """
    log = logging.getLogger("tifffile")
    log.addFilter(_quiet)
    try:
        yield
    except (FileNotFoundError, PermissionError):
        raise
    except struct.error:
        raise ValueError(f"{path}: truncated {kind}: it ends in the middle of its header") from None
    except (*RAISED, *others) as error:
        if str(error).startswith((f"{path}:", f"{path},")):
            raise
        raise ValueError(f"{path}: damaged {kind}: {first_line(error)}") from None
    finally:
        log.removeFilter(_quiet)


def _quiet(record):
    return False


def first_line(error):
    """The first line of an exception's message, or its class where it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


class TiffSource:
    """A TIFF file whose headers have been checked: `.pages`, `.description`, `.read(i)`.

    Raises ValueError for a file that is no readable TIFF, is truncated, claims more pixels than
    its bytes can hold, or has pages of a kind that are no grey or colour image.
    """

    def __init__(self, path):
        import tifffile

        self.path = os.fspath(path)
        # some makers' files are walked in ways of their own: not here
        flags = {"is_lsm": False, "is_ndpi": False, "is_scanimage": False}
        self._errors = tifffile.TiffFileError  # before 2026 it was no ValueError
        refused = refusing(self.path, "TIFF", self._errors)
        with refused, tifffile.TiffFile(self.path, **flags) as file:
            self.pages, self.description = read_headers(file, self.path)

    def read(self, index):
        """Page `index` as (H, W) or (H, W, samples), in the stored numbers; read-only if mapped.

        Raises ValueError where the stored bytes cannot be decoded.
        """
        page = self.pages[index]
        if int((page.offsets + page.counts).max()) > os.path.getsize(self.path):
            raise ValueError(f"{self.path}: became shorter while it was being read")
        if page.mappable:
            shape = (page.height, page.width, page.samples)
            pixels = np.memmap(self.path, page.stored, "r", int(page.offsets[0]), shape)
            pixels = pixels.astype(page.dtype, copy=False)
        else:
            with refusing(f"{self.path}, page {index}", "TIFF", self._errors):
                pixels = _decoded(page, self._strips(page))
        return pixels if page.samples > 1 else pixels[..., 0]

    def _strips(self, page):
        """The stored bytes of each strip or tile."""
        strips = []
        with open(self.path, "rb") as file:
            for offset, count in zip(page.offsets, page.counts, strict=True):
                file.seek(offset)
                strips.append(file.read(count))
        return strips


def _decoded(page, strips):
    """The pixels (H, W, samples) of a page from the stored bytes of its strips or tiles."""
    inflate = page.compression in DEFLATE and page.fill_order == 1
    if page.compression != NONE and not inflate:
        strips = unpack_by_pillow(page, strips)
    out = np.empty((page.height, page.width, page.samples), page.dtype)
    for i, strip in enumerate(strips):
        need = page.chunk_bytes(i)
        if inflate:  # never more than `need`: a small strip may hold gigabytes
            strip = zlib.decompressobj().decompress(strip, need)
        if len(strip) < need:
            raise ValueError(f"a strip unpacks to {len(strip)} bytes, wanted {need}")
        values, (_, _, top, left, _), _ = page.decode(strip, i)
        part = out[top : top + page.chunk[0], left : left + page.chunk[1]]
        part[...] = values[0, : part.shape[0], : part.shape[1]]
    return out
