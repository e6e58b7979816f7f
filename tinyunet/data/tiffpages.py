"""The pages of a TIFF file as tifffile reads them, and what is checked before any is decoded.

A TIFF file is a chain of directories, one a page; a directory says how large its picture is and
where in the file the strips (bands of rows) or tiles lie. tifffile understands all of it. What is
added here is distrust: every claim is held against the length of the file, and nothing is looked
up in another file (the OME format would).

Source: TIFF revision 6.0 (Adobe 1992). Lesson: lessons/11-training.md.
"""

import struct
from dataclasses import dataclass, replace
from operator import index as whole

import numpy as np

from tinyunet.data.limits import check_pixels, check_ratio
from tinyunet.data.tiffnotes import imagej_images, noted_shape
from tinyunet.data.tiffpillow import UNPACKED

NONE, DEFLATE = 1, (8, 32946)
KINDS = {1: "u", 2: "i", 3: "f"}  # by TIFF's sample format
DTYPES = {"u1", "u8", "u16", "u32", "i8", "i16", "i32", "f16", "f32", "f64"}  # "u1": one bit
# the tags that say how the pixels lie: tifffile would pass over those that it cannot read
NEEDED = {256, 257, 258, 259, 266, 270, 273, 277, 278, 279, 284, 317, 322, 323, 324, 325, 339}


@dataclass(frozen=True)
class TiffPage:
    """One page that has passed the checks; sizes in pixels, offsets and counts in bytes."""

    height: int
    width: int
    samples: int
    bits: int
    stored: np.dtype  # in the file's byte order; one bit is read into uint8
    compression: int
    predictor: int
    fill_order: int
    chunk: tuple  # (rows, columns) of a strip or tile
    tiled: bool
    offsets: np.ndarray  # int64, one a strip or tile
    counts: np.ndarray
    decode: object  # tifffile's function from a strip's unpacked bytes to its pixels

    @property
    def dtype(self):
        """The pixels' dtype in this machine's byte order."""
        return self.stored.newbyteorder("=")

    @property
    def row_bytes(self):
        """Bytes of one row of a strip or tile; rows of single bits end on a full byte."""
        return -(-self.chunk[1] * self.samples * self.bits // 8)

    def chunk_rows(self, index):
        """Rows of strip or tile `index`: the last strip holds what is left, a tile is full."""
        rows = self.chunk[0]
        return rows if self.tiled else min(rows, self.height - index * rows)

    def chunk_bytes(self, index):
        """Bytes of strip or tile `index` once unpacked."""
        return self.chunk_rows(index) * self.row_bytes

    @property
    def mappable(self):
        """True where the file holds the page's bytes in one piece, just as they are."""
        plain = self.compression == NONE and self.fill_order == 1 and self.bits > 1
        follow = np.diff(self.offsets) == self.counts[:-1]
        return plain and not self.tiled and bool(follow.all())


def read_headers(file, path):
    """All pages of an open tifffile.TiffFile, and the first one's description."""
    pages, size, claimed, description = [], file.filehandle.size, 0, None
    for found in _directories(file, path):
        description = found.description if description is None else description
        for page in _pages(found, size, f"{path}, page {len(pages)}", description):
            # pages may not share bytes: a small file cannot become a long stack
            claimed += int(page.counts.sum())
            if claimed > size:
                raise ValueError(
                    f"{path}: damaged TIFF: its pages claim {claimed} bytes, the file has {size}"
                )
            pages.append(page)
    if not pages:
        raise ValueError(f"{path}: TIFF file without a page")
    if len(pages) == 1:
        pages = _imagej_pages(pages[0], size, path, description)
    return pages, description


def _directories(file, path):
    """A tifffile.TiffPage for each directory of the chain.

    tifffile's own walk ends quietly where the chain or a tag is damaged: here that is refused.
    """
    import tifffile

    handle, form, seen = file.filehandle, file.tiff, set()
    handle.seek(8 if file.is_bigtiff else 4)
    (offset,) = struct.unpack(form.offsetformat, handle.read(form.offsetsize))
    while offset:
        if offset in seen:
            raise ValueError(f"{path}: damaged TIFF: its chain of pages runs in a circle")
        handle.seek(offset)
        page = tifffile.TiffPage(file, index=len(seen))
        seen.add(offset)
        handle.seek(offset)
        (count,) = struct.unpack(form.tagnoformat, handle.read(form.tagnosize))
        entries = handle.read(count * form.tagsize)
        codes = {
            code for (code,) in struct.iter_unpack(f"{form.byteorder}H{form.tagsize - 2}x", entries)
        }
        lost = (codes & NEEDED) - {tag.code for tag in page.tags}
        if lost:
            raise ValueError(f"{path}: truncated TIFF: tag {min(lost)} cannot be read")
        (offset,) = struct.unpack(form.offsetformat, handle.read(form.offsetsize))
        yield page


def _pages(found, size, name, description):
    """The checked `TiffPage` of a directory; several where its channels are planes."""
    height, width, samples = map(
        whole, (found.imagelength, found.imagewidth, found.samplesperpixel)
    )
    depth = max(found.imagedepth, found.tiledepth)
    if min(height, width, samples) < 1 or depth != 1:
        raise ValueError(
            f"{name}: damaged TIFF: {height}×{width} pixels of {samples} samples, {depth} deep"
        )
    bits, kind = found.bitspersample, KINDS.get(found.sampleformat, "?")
    if f"{kind}{bits}" not in DTYPES:
        raise ValueError(
            f"{name}: pixels of {bits} bits (sample format {found.sampleformat}) are not read: "
            "wanted 1 bit, integers of 8, 16 or 32 bits or floats of 16, 32 or 64"
        )
    planes = samples if found.planarconfig == 2 else 1
    # tifffile takes a stack of 3 or 4 slices for one colour picture in planes, and notes its
    # shape: what it noted is the stack
    if planes > 1 and noted_shape(description) != [planes, height, width]:
        raise ValueError(
            f"{name}: {samples} channels stored as separate planes are not read: save colours "
            "interleaved, or a stack as grey pages"
        )
    chunk = (found.tilelength, found.tilewidth) if found.is_tiled else (found.rowsperstrip, width)
    rows, columns = map(whole, chunk)
    strips = -(-height // max(rows, 1)) * -(-width // max(columns, 1))
    if min(rows, columns) < 1 or len(found.dataoffsets) != strips * planes:
        raise ValueError(
            f"{name}: damaged TIFF: {len(found.dataoffsets)} strips or tiles of {rows}×{columns} "
            f"do not make {height}×{width} pixels"
        )
    pages = []
    for first in range(0, strips * planes, strips):
        part = slice(first, first + strips)
        page = TiffPage(
            height=height,
            width=width,
            samples=samples // planes,
            bits=bits,
            stored=np.dtype(found.parent.byteorder + ("u1" if bits == 1 else f"{kind}{bits // 8}")),
            compression=whole(found.compression),
            predictor=whole(found.predictor),
            fill_order=whole(found.fillorder),
            chunk=(rows, columns),
            tiled=found.is_tiled,
            offsets=np.array(list(map(whole, found.dataoffsets[part])), np.int64),
            counts=np.array(list(map(whole, found.databytecounts[part])), np.int64),
            decode=None,
        )
        pages.append(_check_strips(page, size, name))
    decode = _decoder(pages[0], found, name)
    return [replace(page, decode=decode) for page in pages]


def _check_strips(page, size, name):
    """The page, once its strips or tiles are known to lie in the file and to hold its pixels."""
    need, last = page.chunk_bytes(0), len(page.offsets) - 1
    total = need * last + page.chunk_bytes(last)  # Python integers: cannot overflow
    if page.compression == NONE:
        have = min(int(page.counts.sum()), size)
        if total > have:
            raise ValueError(
                f"{name}: truncated TIFF: {page.height}×{page.width} pixels need {total} bytes, "
                f"the page has {have}"
            )
        # some writers leave the counts out or round them up: the pixels say how many bytes
        counts = [page.chunk_bytes(i) for i in range(last + 1)]
        page = replace(page, counts=np.array(counts, np.int64))
    if len(page.counts) != len(page.offsets) or page.counts.min() < 0 or page.offsets.min() < 0:
        raise ValueError(
            f"{name}: damaged TIFF: {last + 1} strips or tiles, {len(page.counts)} byte counts"
        )
    end = int((page.offsets + page.counts).max())
    if end > size:
        raise ValueError(
            f"{name}: truncated TIFF: its pixels reach to byte {end}, the file ends at {size}"
        )
    if page.compression != NONE:
        check_ratio(name, page.height, page.width, total, int(page.counts.sum()))
    return page


def _decoder(page, found, name):
    """tifffile's function from the unpacked bytes of a strip to its pixels.

    The strips are unpacked by us, with a bound; tifffile does the rest (byte order, single bits,
    differences between neighbours) as though they had been stored so.
    """
    if page.compression == NONE:
        found.predictor = 1  # without compression there is nothing to predict
        return found.decode
    if page.compression not in UNPACKED or page.predictor not in (1, 2):
        raise ValueError(
            f"{name}: compression {page.compression} with predictor {page.predictor} is not read: "
            "save it uncompressed, or with deflate"
        )
    if page.compression not in DEFLATE or page.fill_order != 1:
        check_pixels(name, page.height, page.width)
    found.compression = NONE
    found.fillorder = 1
    return found.decode


def _imagej_pages(page, size, path, description):
    """ImageJ stores a stack beyond 4 GB as one directory, the other slices simply following."""
    count = imagej_images(description)
    if count < 2 or not page.mappable:
        return [page]
    length, start = int(page.counts.sum()), int(page.offsets[0])
    if start + count * length > size:
        raise ValueError(
            f"{path}: truncated TIFF: ImageJ noted {count} slices of {length} bytes, "
            f"the file ends at {size}"
        )
    return [replace(page, offsets=page.offsets + i * length) for i in range(count)]
