"""TIFF files: tifffile reads headers and notes and, with imagecodecs, unpacks the pixels.

What is added here is distrust: every claim is held against the length of the file before anything
is decoded (limits.py), and no other file is looked into, whatever the notes say. Opening a stack
reads its headers only; an uncompressed page is a view of the file (a memory map), the others are
decoded one at a time. Source: TIFF revision 6.0 (Adobe 1992). Lesson: lessons/11-training.md.
"""

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import prod
from operator import index as whole
from typing import Any

import numpy as np

from tinyunet.arrays import Array
from tinyunet.images._damage import Truncated, refusing
from tinyunet.images._notes import noted_names, noted_order, noted_series, planes_of
from tinyunet.images._page import Page
from tinyunet.images.limits import DEFLATE, NONE, PACKBITS, check_page

FAX, LZW, JPEG, LZMA, ZSTD = (2, 3, 4), 5, 7, 34925, 50000  # TIFF's numbers of compressions
READ = {NONE, *FAX, LZW, JPEG, *DEFLATE, PACKBITS, LZMA, ZSTD}
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, YCBCR = 0, 1, 2, 3, 6
# the tags that say how the pixels lie: tifffile would pass over those that it cannot read
NEEDED = {256, 257, 258, 259, 262, 266, 270, 273, 277, 278, 279, 284, 317, 320, 322, 323, 324, 325}
REDUCED, MASK = 1, 4  # bits of NewSubfileType: a smaller copy of a page, its transparency


@dataclass(frozen=True)
class TiffPage(Page):
    """A page whose directory has passed the checks."""

    directory: int = 0  # where it stands in the file
    planar: bool = False  # channels lie one behind the other
    start: int | None = None  # of pixels that lie in one piece, just as they are
    stored: str = ""  # their dtype in the file's byte order
    length: int = 0  # bytes in the file


class TiffSource:
    """A TIFF file whose headers have been checked; ValueError for one that is not to be read.

    `pages` are those of full resolution. `series` are the axes that the writing program noted (see
    `noted_series`), `names` the slices' names if tinyunet noted them, `warning` is what to tell the
    user, `perhaps_slices` says that planes of colour may be slices.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path, self.warning = os.fspath(path), ""
        with self._opened() as file:
            pages, stopped = _all_pages(file, self.path)
            self.series = noted_series(file)
            self.names = noted_names(file, len(pages))
            self.pages = [pages[i] for i in noted_order(file, len(pages))]
            first, alone = file.pages.first, len(pages) == 1
            # three or four slices that tifffile once took for the planes of one colour picture
            taken = first.is_shaped and whole(first.photometric) == RGB
            self.perhaps_slices = alone and taken and pages[0].planar
        noted = sum(planes_of(axes) for axes in self.series)
        if alone and noted > 1 and pages[0].start is not None:
            self.pages = _planes(pages[0], noted, os.path.getsize(self.path))
        if stopped is not None and max(len(self.pages), noted) < 2:
            raise stopped
        if stopped is not None or len(self.pages) < noted:
            speaks = f"{self.path}: its header speaks of {noted} slices"
            self.warning = speaks if len(self.pages) < noted else str(stopped)
            self.warning += f"; the file holds {len(self.pages)}, which are used"

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        """The open tifffile.TiffFile; what is raised meanwhile becomes a ValueError."""
        import tifffile

        # makers whose files tifffile walks in ways of their own, without a bound: like all others
        flags: dict[str, Any] = {"is_lsm": False, "is_ndpi": False, "is_scanimage": False}
        refused = refusing(self.path, "TIFF", tifffile.TiffFileError)  # no ValueError before 2026
        with refused, tifffile.TiffFile(self.path, **flags) as file:
            yield file

    def read(self, index: int) -> Array:
        """The stored numbers of a page, (H, W) or (H, W, samples); read-only if mapped.

        ValueError where the bytes cannot be decoded, or the file changed since it was opened.
        """
        page, name = self.pages[index], f"{self.path}, page {index}"
        if page.start is not None:
            if page.start + page.length > os.path.getsize(self.path):
                raise ValueError(f"{self.path}: became shorter while it was being read")
            shape = (page.height, page.width, page.samples)[: 2 + (page.samples > 1)]
            pixels = np.memmap(self.path, page.stored, "r", page.start, shape)
            return pixels.astype(page.dtype, copy=False)
        with self._opened() as file:
            found = _directory(file, page.directory, index, name)
            if _header(found, name) != page:
                raise ValueError(f"{self.path}: changed while it was being read")
            with refusing(name, "TIFF"):
                if page.lossy:
                    _check_jpegs(found)
                pixels = found.asarray(maxworkers=1)
        pixels = np.moveaxis(pixels, 0, -1) if page.planar else pixels
        return pixels if page.samples > 1 else pixels.reshape(page.height, page.width)


def _all_pages(file: Any, path: str) -> tuple[list[TiffPage], Truncated | None]:
    """Checked pages of an open tifffile.TiffFile, and what ended them before the end, if so."""
    full: list[tuple[Any, int]] = []
    other: list[tuple[Any, int]] = []
    pages, stopped = [], None
    try:
        for found, link in _chain(file, path):
            (other if found.subfiletype & (REDUCED | MASK) else full).append((found, link))
    except Truncated as error:
        stopped = error
    for found, link in full or other:
        try:
            pages.append(_header(found, f"{path}, page {found.index}"))
        except Truncated as error:  # noqa: PERF203
            if 0 < link < file.filehandle.size:  # more pages follow: damaged, not cut
                raise ValueError(str(error)) from None
            stopped = error
    if not pages:
        raise stopped or ValueError(f"{path}: TIFF file without a page")
    claimed, size = sum(page.length for page in pages), file.filehandle.size
    if claimed > size:  # pages may not share bytes: a small file cannot become a long stack
        raise ValueError(
            f"{path}: damaged TIFF: its pages claim {claimed} bytes, the file has {size}"
        )
    return pages, stopped


def _chain(file: Any, path: str) -> Iterator[tuple[Any, int]]:
    """Each directory as a tifffile.TiffPage, with the offset of the next.

    tifffile's own walk ends quietly where the chain is damaged: here that is refused.
    """
    handle, form = file.filehandle, file.tiff
    seen: set[int] = set()
    handle.seek(8 if file.is_bigtiff else 4)
    while offset := struct.unpack(form.offsetformat, handle.read(form.offsetsize))[0]:
        if offset in seen:
            raise ValueError(f"{path}: damaged TIFF: its chain of pages runs in a circle")
        found = _directory(file, offset, len(seen), f"{path}, page {len(seen)}")
        seen.add(offset)
        link = handle.read(form.offsetsize)
        handle.seek(-form.offsetsize, os.SEEK_CUR)
        yield found, struct.unpack(form.offsetformat, link)[0]


def _directory(file: Any, offset: int, index: int, name: str) -> Any:
    """The tifffile.TiffPage at `offset`, all of its tags read; the file stands behind its tags."""
    import tifffile

    handle, form = file.filehandle, file.tiff
    handle.seek(min(offset, handle.size))
    head = handle.read(form.tagnosize).ljust(form.tagnosize, b"\0")
    (count,) = struct.unpack(form.tagnoformat, head)
    end = offset + form.tagnosize + count * form.tagsize
    if end + form.offsetsize > handle.size:
        raise Truncated(
            f"{name}: truncated TIFF: its directory reaches to byte {end + form.offsetsize}, the "
            f"file ends at {handle.size}"
        )
    entries = handle.read(count * form.tagsize)
    codes = struct.iter_unpack(f"{form.byteorder}H{form.tagsize - 2}x", entries)
    handle.seek(offset)
    found = tifffile.TiffPage(file, index=index)
    lost = ({code for (code,) in codes} & NEEDED) - {tag.code for tag in found.tags}
    if lost:
        raise Truncated(f"{name}: truncated TIFF: tag {min(lost)} cannot be read")
    handle.seek(end)
    return found


def _header(found: Any, name: str) -> TiffPage:
    """The checked `TiffPage` of a directory (a tifffile.TiffPage)."""
    height, width = whole(found.imagelength), whole(found.imagewidth)
    samples, codec = whole(found.samplesperpixel), whole(found.compression)
    depth = max(found.imagedepth, found.tiledepth)
    if min(height, width, samples) < 1 or depth != 1:
        raise ValueError(
            f"{name}: damaged TIFF: {height}×{width} pixels of {samples} samples, {depth} deep"
        )
    if found.dtype is None or found.dtype.kind not in "buif":
        raise ValueError(
            f"{name}: pixels of {found.bitspersample} bits (sample format {found.sampleformat}) "
            "are not read: wanted whole numbers or floats"
        )
    if codec not in READ or whole(found.predictor) not in (1, 2, 3):
        raise ValueError(
            f"{name}: compression {codec} with predictor {whole(found.predictor)} is not read: "
            "save it uncompressed, or with deflate"
        )
    bits, dtype = whole(found.bitspersample), found.dtype.newbyteorder("=")
    start, length = _extent(found, bits, codec, name)
    return TiffPage(
        *(height, width, samples, bits, dtype),
        **_colour(found, samples, bits, name),
        lossy=codec == JPEG,
        directory=found.offset,
        planar=whole(found.planarconfig) == 2 and samples > 1,
        start=start,
        stored=found.parent.byteorder + dtype.char,
        length=length,
    )


def _colour(found: Any, samples: int, bits: int, name: str) -> dict[str, Any]:
    """The fields of `Page` that say what the numbers show."""
    photometric = whole(found.tags.valueof(262, BLACK_IS_ZERO))
    jpeg_colour = photometric == YCBCR and found.compression == JPEG  # decoded to RGB
    if photometric not in (WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE) and not jpeg_colour:
        raise ValueError(
            f"{name}: photometric interpretation {photometric} is not read: wanted grey, RGB or a "
            "palette; convert it"
        )
    colour = jpeg_colour or (photometric == RGB and samples > 1)
    extra, table = samples - (3 if colour else 1), None
    if photometric == PALETTE:
        table = np.asarray(found.tags.valueof(320, ()))
        if samples > 1 or bits > 16 or found.dtype.kind not in "bu" or table.size != 3 * 2**bits:
            raise ValueError(f"{name}: damaged TIFF: a palette of {table.size} numbers")
        # 16 bits a colour; some writers store 8
        table = (table >> 8 if table.max() > 255 else table).astype(np.uint8)
        table = table.reshape(3, -1).T.tobytes()
    turned = found.tags.valueof(274, 1)
    return {
        "alpha": extra == 1 and (colour or tuple(found.extrasamples)[:1] in ((1,), (2,))),
        "inverted": photometric == WHITE_IS_ZERO,
        "palette": table,
        "orientation": turned if turned in range(1, 9) else 1,
    }


def _extent(found: Any, bits: int, codec: int, name: str) -> tuple[int | None, int]:
    """Where the pixels begin, if in one piece as they are, and their bytes in the file.

    Raises ValueError unless all strips or tiles lie in the file and can hold the page.
    """
    size, expected = found.parent.filehandle.size, prod(found.chunked)
    if codec == NONE:
        found.predictor = 1  # without compression there is nothing to predict
    offsets, counts = ([*map(whole, n)] for n in (found.dataoffsets, found.databytecounts))
    if not expected == len(offsets) == len(counts) or min(*offsets, *counts) < 1:
        raise ValueError(
            f"{name}: damaged TIFF: {len(offsets)} strips or tiles with {len(counts)} byte counts, "
            f"wanted {expected}"
        )
    # the pixels of a page in one piece say how many bytes they are: some writers' counts do not
    plain = found.is_final and whole(found.planarconfig) == 1
    length = found.nbytes if plain else sum(counts)
    end = offsets[0] + length if plain else max(map(sum, zip(offsets, counts, strict=True)))
    if end > size:
        raise Truncated(
            f"{name}: truncated TIFF: its pixels reach to byte {end}, the file ends at {size}"
        )
    if plain:
        return offsets[0], length
    allocated = expected * prod(found.chunks) * found.dtype.itemsize
    packed = prod(found.shape) * bits // 8
    check_page(name, (found.imagelength, found.imagewidth), allocated, packed, length, codec)
    return None, length


def _planes(page: TiffPage, count: int, size: int) -> list[TiffPage]:
    """The planes that follow a single directory's, as many as the file holds of `count`.

    ImageJ and tifffile store large stacks so, MetaMorph all of them.
    """
    start = page.start or 0
    end = page.directory if page.directory > start else size
    count = min(count, (end - start) // page.length)
    return [replace(page, start=start + i * page.length) for i in range(count)]


def _check_jpegs(found: Any) -> None:
    """Refuse a JPEG larger than its strip or tile: it would be decoded by its own claim."""
    from tifffile.tifffile import jpeg_shape

    rows, columns = found.chunks[:2]
    for offset, count in zip(found.dataoffsets, found.databytecounts, strict=True):
        found.parent.filehandle.seek(offset)
        _, high, wide, _ = jpeg_shape(found.parent.filehandle.read(count))
        if high > rows + 15 or wide > columns + 15:  # whole blocks may stand over
            raise ValueError(f"a JPEG of {high}×{wide} pixels in one of {rows}×{columns}")
