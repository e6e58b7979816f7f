"""The header of a TIFF file, read by hand: what each page claims, checked before any decoding.

A TIFF file is a chain of directories, one a page. A directory is a list of twelve-byte entries
(tag, type, count, value or where the values lie); the pixels lie in strips (bands of rows) or
tiles anywhere in the file, and two tags list where each begins and how many bytes it has. BigTIFF
is the same with wider numbers. A page of code suffices to read that, and reading it ourselves
gives what a general library cannot promise: every number is compared with the length of the file
before it is used, and nothing in it is followed to another file (the OME format would).

Source: TIFF revision 6.0 (Adobe 1992); BigTIFF as in libtiff. Lesson: lessons/11-training.md.
"""

import struct
from dataclasses import dataclass, replace

import numpy as np

from tinyunet.data.limits import check_ratio
from tinyunet.data.tiffnotes import imagej_images, noted_shape

# tag numbers that matter to us
WIDTH, HEIGHT, BITS, COMPRESSION, FILL_ORDER = 256, 257, 258, 259, 266
DESCRIPTION, STRIP_OFFSETS, SAMPLES, ROWS_PER_STRIP, STRIP_COUNTS = 270, 273, 277, 278, 279
PLANAR, PREDICTOR, TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_COUNTS = 284, 317, 322, 323, 324, 325
SAMPLE_FORMAT = 339
# of the integers, those of one value; of the lists, where the pixels lie
INTEGERS = {1: "u1", 3: "u2", 4: "u4", 13: "u4", 16: "u8"}
KINDS = {1: "u", 2: "i", 3: "f"}
DTYPES = {"u1", "u8", "u16", "u32", "i8", "i16", "i32", "f16", "f32", "f64"}
MAX_DESCRIPTION = 2**20
NONE = 1


@dataclass(frozen=True)
class Page:
    """One page as its directory describes it; sizes in pixels, offsets and counts in bytes."""

    height: int
    width: int
    samples: int
    bits: int
    kind: str  # "u", "i" or "f"
    order: str  # "<" or ">"
    compression: int
    predictor: int
    fill_order: int
    chunk: tuple  # (rows, columns) of a strip or tile
    tiled: bool
    offsets: np.ndarray  # int64, one a strip or tile
    counts: np.ndarray

    @property
    def dtype(self):
        """The pixels' dtype in this machine's byte order; one bit is read into uint8."""
        return np.dtype("u1" if self.bits == 1 else f"{self.kind}{self.bits // 8}")

    def row_bytes(self, columns):
        """Bytes of one row of `columns` pixels; rows of one-bit pixels end on a full byte."""
        return -(-columns * self.samples * self.bits // 8)

    def chunk_rows(self, index):
        """Rows of strip or tile `index`: the last strip holds what is left, a tile is full."""
        return (
            self.chunk[0] if self.tiled else min(self.chunk[0], self.height - index * self.chunk[0])
        )

    def chunk_bytes(self, index):
        """Decoded bytes of strip or tile `index`."""
        return self.row_bytes(self.chunk[1]) * self.chunk_rows(index)

    @property
    def contiguous(self):
        """True where the strips follow each other without a gap."""
        return bool((np.diff(self.offsets) == self.counts[:-1]).all())


class _Bytes:
    """The file's bytes; every access is inside the file or refused."""

    def __init__(self, data, name):
        self.data, self.name, self.order = memoryview(data), name, "<"

    def unpack(self, form, offset):
        form = self.order + form
        end = offset + struct.calcsize(form)
        if end > len(self.data):
            raise ValueError(
                f"{self.name}: truncated TIFF: its header needs byte {end}, "
                f"the file ends at {len(self.data)}"
            )
        return struct.unpack_from(form, self.data, offset)

    def integers(self, kind, count, offset):
        dtype = np.dtype(self.order + INTEGERS[kind])
        if offset + count * dtype.itemsize > len(self.data):
            raise ValueError(
                f"{self.name}: truncated TIFF: a list of {count} numbers at byte {offset} "
                f"runs past the file's end at {len(self.data)}"
            )
        values = np.frombuffer(self.data, dtype, count, offset)
        if count and values.max() > 2**62:
            raise ValueError(f"{self.name}: damaged TIFF: a tag holds {values.max()}")
        return values.astype(np.int64)


def read_header(data, name):
    """The pages of a TIFF file and the first page's description text.

    Parameters: `data`, the file's bytes (anything with the buffer interface, e.g. a memory map);
    `name` for messages. Returns (list of `Page`, str).
    Raises ValueError where the file is no TIFF, is truncated, claims more pixels than its bytes
    can hold, or has pages of a kind that are no grey or colour image.
    """
    raw = _Bytes(data, name)
    mark = bytes(raw.data[:4])
    if mark[:2] not in (b"II", b"MM"):
        raise ValueError(f"{name}: not a TIFF file")
    raw.order = "<" if mark[:2] == b"II" else ">"
    (version,) = raw.unpack("H", 2)
    if version not in (42, 43):
        raise ValueError(f"{name}: not a TIFF file (version {version}, wanted 42 or 43)")
    big = version == 43
    (offset,) = raw.unpack("Q", 8) if big else raw.unpack("I", 4)

    pages, seen, description, stored = [], set(), "", 0
    while offset:
        if offset in seen:
            raise ValueError(f"{name}: damaged TIFF: its chain of pages runs in a circle")
        seen.add(offset)
        tags, text, offset = _directory(raw, offset, big, want_text=not pages)
        description = description or text
        for page in _pages(tags, raw, f"{name}, page {len(pages)}", description):
            # pages may not share bytes: a small file cannot become a long stack
            stored += int(page.counts.sum())
            if stored > len(raw.data):
                raise ValueError(
                    f"{name}: damaged TIFF: its pages claim {stored} bytes, "
                    f"the file has {len(raw.data)}"
                )
            pages.append(page)
    if len(pages) == 1:
        pages = _imagej_pages(pages[0], description, raw)
    if not pages:
        raise ValueError(f"{name}: TIFF file without a page")
    return pages, description


def _directory(raw, offset, big, want_text):
    """Tags of the directory at `offset` as {tag: array of int}, its text, the next offset."""
    (count,) = raw.unpack("Q" if big else "H", offset)
    entry, size = offset + (8 if big else 2), 20 if big else 12
    room = 8 if big else 4  # values of up to so many bytes stand in the entry itself
    if entry + count * size + room > len(raw.data):
        raise ValueError(
            f"{raw.name}: truncated TIFF: a directory of {count} entries at byte {offset} "
            f"runs past the file's end at {len(raw.data)}"
        )
    tags, text = {}, ""
    for _ in range(count):
        tag, kind, n = raw.unpack("HHQ" if big else "HHI", entry)
        at = entry + size - room
        if kind in INTEGERS and tag in _WANTED:
            if n * np.dtype(INTEGERS[kind]).itemsize > room:
                (at,) = raw.unpack("Q" if big else "I", at)
            tags[tag] = raw.integers(kind, n, at)
        elif tag == DESCRIPTION and want_text and kind == 2:
            if n > room:
                (at,) = raw.unpack("Q" if big else "I", at)
            text = bytes(raw.data[at : at + min(n, MAX_DESCRIPTION)]).decode("latin-1")
        entry += size
    (following,) = raw.unpack("Q" if big else "I", entry)
    return tags, text, following


_WANTED = {
    *(WIDTH, HEIGHT, BITS, COMPRESSION, FILL_ORDER, STRIP_OFFSETS, SAMPLES),
    *(ROWS_PER_STRIP, STRIP_COUNTS, PLANAR, PREDICTOR, TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS),
    *(TILE_COUNTS, SAMPLE_FORMAT),
}


def _pages(tags, raw, name, description):
    """The `Page` of a directory, every claim checked; several where its channels are planes."""

    def one(tag, default):
        values = tags.get(tag)
        return default if values is None or len(values) == 0 else int(values[0])

    height, width, samples = one(HEIGHT, 0), one(WIDTH, 0), one(SAMPLES, 1)
    if height < 1 or width < 1 or samples < 1:
        raise ValueError(f"{name}: damaged TIFF: {height}×{width} pixels of {samples} samples")
    bits, kind = one(BITS, 1), KINDS.get(one(SAMPLE_FORMAT, 1), "?")
    same = all(len(set(tags.get(tag, ()))) <= 1 for tag in (BITS, SAMPLE_FORMAT))
    if not same or f"{kind}{bits}" not in DTYPES:
        raise ValueError(
            f"{name}: pixels of {bits} bits (sample format {one(SAMPLE_FORMAT, 1)}) are not read: "
            "wanted 1 bit, integers of 8, 16 or 32 bits or floats of 16, 32 or 64"
        )
    planes = samples if one(PLANAR, 1) == 2 else 1
    if planes > 1 and noted_shape(description) != [planes, height, width]:
        raise ValueError(
            f"{name}: {samples} channels stored as separate planes are not read: save colours "
            "interleaved, or a stack as grey pages"
        )
    tiled = TILE_OFFSETS in tags
    if tiled:
        chunk = (one(TILE_HEIGHT, 0), one(TILE_WIDTH, 0))
    else:
        chunk = (min(one(ROWS_PER_STRIP, height), height), width)
    offsets = tags.get(TILE_OFFSETS if tiled else STRIP_OFFSETS, np.zeros(0, np.int64))
    counts = tags.get(TILE_COUNTS if tiled else STRIP_COUNTS, np.zeros(0, np.int64))
    wanted = -(-height // max(chunk[0], 1)) * -(-width // max(chunk[1], 1)) * planes
    if min(chunk) < 1 or len(offsets) != wanted:
        raise ValueError(
            f"{name}: damaged TIFF: {len(offsets)} strips or tiles of {chunk[0]}×{chunk[1]} "
            f"do not make {height}×{width} pixels"
        )
    compression = one(COMPRESSION, NONE)
    if len(counts) != len(offsets) and (compression != NONE or len(counts)):
        raise ValueError(
            f"{name}: damaged TIFF: {len(offsets)} strips or tiles, {len(counts)} byte counts"
        )
    common = Page(
        height=height,
        width=width,
        samples=samples // planes,
        bits=bits,
        kind=kind,
        order=raw.order,
        compression=compression,
        predictor=one(PREDICTOR, 1),
        fill_order=one(FILL_ORDER, 1),
        chunk=chunk,
        tiled=tiled,
        offsets=offsets,
        counts=counts,
    )
    # tifffile takes a stack of 3 or 4 slices for one colour picture in planes, and notes its
    # shape: what it noted is the stack
    offsets = np.split(offsets, planes)
    counts = np.split(counts, planes) if len(counts) else [counts] * planes
    parts = [replace(common, offsets=o, counts=c) for o, c in zip(offsets, counts, strict=True)]
    return [_check_chunks(part, raw, name) for part in parts]


def _check_chunks(page, raw, name):
    """The page, once its strips or tiles are known to lie in the file and to hold its pixels."""
    need, whole = page.chunk_bytes(0), len(page.offsets) - 1
    total = need * whole + page.chunk_bytes(whole)  # Python integers: cannot overflow
    counts = page.counts
    if page.compression == NONE:
        have = int(counts.sum()) if len(counts) else len(raw.data)
        if total > min(have, len(raw.data)):
            raise ValueError(
                f"{name}: truncated TIFF: {page.height}×{page.width} pixels need {total} bytes, "
                f"the page has {have}"
            )
        # some writers leave the counts out or round them up: the pixels say how many bytes
        counts = np.full(len(page.offsets), need, np.int64)
        counts[-1] = page.chunk_bytes(whole)
    end = int((page.offsets + counts).max())
    if end > len(raw.data):
        raise ValueError(
            f"{name}: truncated TIFF: its pixels reach to byte {end}, "
            f"the file ends at {len(raw.data)}"
        )
    if page.compression != NONE:
        check_ratio(name, page.height, page.width, total, int(counts.sum()))
    return replace(page, counts=counts)


def _imagej_pages(page, description, raw):
    """ImageJ stores a stack beyond 4 GB as one directory, the other slices simply following."""
    count = imagej_images(description)
    if count < 2 or page.compression != NONE or page.tiled or not page.contiguous:
        return [page]
    size, start = int(page.counts.sum()), int(page.offsets[0])
    if start + count * size > len(raw.data):
        raise ValueError(
            f"{raw.name}: truncated TIFF: ImageJ noted {count} slices of {size} bytes, "
            f"the file ends at {len(raw.data)}"
        )
    return [replace(page, offsets=page.offsets + i * size) for i in range(count)]
