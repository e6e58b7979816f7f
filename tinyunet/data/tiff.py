"""The pixels of a TIFF page: the common compressions by hand, the rarer ones by Pillow.

An uncompressed page is a view of the file (a memory map): nothing is read until it is used. A
page packed by deflate or LZW is unpacked strip by strip with a bound on the output. For the rest
(PackBits, fax, Zstandard …) the page's own strips are wrapped in a fresh little TIFF file in
memory and given to Pillow, whose decoder so never sees a byte of the foreign file's header.

Lesson: lessons/11-training.md.
"""

import io
import os
import struct
import sys
import zlib

import numpy as np

from tinyunet.data.limits import check_pixels
from tinyunet.data.tiffheader import NONE, read_header

NATIVE = "<" if sys.byteorder == "little" else ">"
DEFLATE, LZW = (8, 32946), 5
BY_PILLOW = {
    2: "CCITT",
    3: "CCITT",
    4: "CCITT",
    LZW: "LZW",
    32773: "PackBits",
    34925: "LZMA",
    50000: "Zstandard",
    **dict.fromkeys(DEFLATE, "deflate"),
    NONE: "none",
}


class TiffSource:
    """A TIFF file whose header has been checked: `.pages`, `.description`, `.read(i)`.

    Raises ValueError for a file that is no readable TIFF (see `read_header`).
    """

    def __init__(self, path):
        self.path = os.fspath(path)
        self.pages, self.description = read_header(_map(self.path), self.path)

    def read(self, index):
        """Page `index` as (H, W) or (H, W, samples), in the stored numbers; read-only if mapped.

        Raises ValueError where the stored bytes cannot be decoded.
        """
        page, data = self.pages[index], _map(self.path)
        if int((page.offsets + page.counts).max()) > len(data):
            raise ValueError(f"{self.path}: became shorter while it was being read")
        name = f"{self.path}, page {index}"
        if page.compression not in BY_PILLOW:
            raise ValueError(
                f"{name}: compression {page.compression} is not read: save it uncompressed, "
                "or with deflate or LZW"
            )
        plain = page.fill_order == 1 and page.predictor in (1, 2)
        if page.compression == NONE and plain and _mappable(page):
            pixels = _mapped(page, data)
        elif page.compression in (NONE, LZW, *DEFLATE) and plain:
            pixels = _unpacked(page, data, name)
        else:
            pixels = _by_pillow(page, data, name)
        return pixels if page.samples > 1 else pixels[..., 0]


def _map(path):
    if os.path.getsize(path) == 0:
        raise ValueError(f"{path}: the file is empty")
    return np.memmap(path, np.uint8, "r")


def _mappable(page):
    """True where the file holds the page just as this machine would hold it in memory."""
    native = page.bits <= 8 or page.order == NATIVE
    return native and page.bits > 1 and not page.tiled and page.contiguous


def _mapped(page, data):
    """An uncompressed page whose strips follow each other, as a view of the file."""
    start, size = int(page.offsets[0]), int(page.counts.sum())
    pixels = data[start : start + size].view(page.dtype)
    return pixels.reshape(page.height, page.width, page.samples)


def _unpacked(page, data, name):
    """A page assembled from its strips or tiles, in this machine's byte order."""
    out = np.empty((page.height, page.width, page.samples), page.dtype)
    across = -(-page.width // page.chunk[1])
    for i, (offset, count) in enumerate(zip(page.offsets, page.counts, strict=True)):
        stored = data[offset : offset + count]
        top, left = i // across * page.chunk[0], i % across * page.chunk[1]
        chunk = _chunk(page, stored, i, name)
        part = out[top : top + page.chunk[0], left : left + page.chunk[1]]
        part[...] = chunk[: part.shape[0], : part.shape[1]]
    return out


def _chunk(page, stored, index, name):
    """One strip or tile as (rows, columns, samples)."""
    need, rows = page.chunk_bytes(index), page.chunk_rows(index)
    if page.compression != NONE:
        stored = _inflated(page, stored, need, name)
    if page.bits == 1:
        bits = np.unpackbits(stored.reshape(rows, -1), axis=1)
        return bits[:, : page.chunk[1] * page.samples].reshape(rows, page.chunk[1], page.samples)
    values = stored.view(page.dtype.newbyteorder(page.order)).astype(page.dtype)
    values = values.reshape(rows, page.chunk[1], page.samples)
    if page.predictor == 2 and page.compression != NONE:
        # each number is stored as the difference from its left neighbour, modulo its range
        values = np.cumsum(values, axis=1, dtype=page.dtype)
    return values


def _inflated(page, stored, need, name):
    """The `need` bytes that a deflated or LZW strip unpacks to, never more."""
    if page.compression == LZW:
        from tinyunet.data.lzw import lzw_decode

        out = np.empty(need, np.uint8)
        out = out[: lzw_decode(np.array(stored), out)]
    else:
        try:
            out = np.frombuffer(zlib.decompressobj().decompress(stored.tobytes(), need), np.uint8)
        except zlib.error as error:
            raise ValueError(f"{name}: damaged TIFF: {error}") from None
    if len(out) < need:
        raise ValueError(
            f"{name}: damaged TIFF: a strip unpacks to {len(out)} bytes, wanted {need}"
        )
    return out


def _by_pillow(page, data, name):
    from PIL import Image, UnidentifiedImageError

    check_pixels(name, page.height, page.width)
    try:
        with Image.open(io.BytesIO(_wrapped(page, data)), formats=["TIFF"]) as image:
            pixels = np.asarray(image)
    except UnidentifiedImageError:
        raise ValueError(
            f"{name}: {BY_PILLOW[page.compression]} compression of {page.bits} bit pixels is not "
            "read: save it uncompressed, or with deflate or LZW"
        ) from None
    # what Pillow raises on a damaged stream depends on its decoder
    except (OSError, ValueError, SyntaxError, TypeError, RuntimeError, struct.error) as error:
        raise ValueError(f"{name}: damaged TIFF: {first_line(error)}") from None
    if pixels.shape[:2] != (page.height, page.width) or pixels.ndim != 2 + (page.samples > 1):
        raise ValueError(f"{name}: damaged TIFF: decoded to {pixels.shape}")
    return pixels.astype(page.dtype).reshape(page.height, page.width, page.samples)


def _wrapped(page, data):
    """A one-page TIFF file in memory with this page's strips and none of its other tags."""
    order, sizes, offsets = page.order, page.counts, []
    body = bytearray(struct.pack(order + "2sHI", b"II" if order == "<" else b"MM", 42, 0))
    for offset, count in zip(page.offsets, sizes, strict=True):
        offsets.append(len(body))
        body += data[offset : offset + count].tobytes()
    kind = {"u": 1, "i": 2, "f": 3}[page.kind]
    tags = {
        256: [page.width],
        257: [page.height],
        258: [page.bits] * page.samples,
        259: [page.compression],
        262: [2 if page.samples == 3 else 1],  # grey values as stored, never inverted
        266: [page.fill_order],
        277: [page.samples],
        284: [1],
        317: [page.predictor],
        339: [kind] * page.samples,
    }
    if page.tiled:
        tags |= {322: [page.chunk[1]], 323: [page.chunk[0]], 324: offsets, 325: sizes}
    else:
        tags |= {273: offsets, 278: [page.chunk[0]], 279: sizes}
    entries = b""
    for tag, values in sorted(tags.items()):
        packed = struct.pack(f"{order}{len(values)}I", *values)
        if len(values) > 1:
            packed, at = struct.pack(order + "I", len(body)), packed
            body += at
        entries += struct.pack(order + "HHI", tag, 4, len(values)) + packed
    body[4:8] = struct.pack(order + "I", len(body))
    return bytes(body) + struct.pack(order + "H", len(tags)) + entries + bytes(4)


def first_line(error):
    """The first line of an exception's message, or its class where it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
