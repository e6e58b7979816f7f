"""PNG files: their chunks checked by hand, their pixels decoded by Pillow.

A PNG file is a signature and a row of chunks, each with its length, name and checksum. Walking
over them tells the picture's size before anything is decoded, finds a file cut short, and, thanks
to the checksums, any flipped bit.

Source: PNG specification, second edition (ISO/IEC 15948), section 5. Lesson: lessons/11-training.md.
"""

import os
import struct
import zlib
from dataclasses import dataclass

import numpy as np

from tinyunet.data.limits import check_pixels, check_ratio
from tinyunet.data.tiff import first_line

SIGNATURE = b"\x89PNG\r\n\x1a\n"
SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type
DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
PALETTE = 3


@dataclass(frozen=True)
class PngPage:
    """What a PNG's header says: sizes in pixels, bits a sample, colour type as in the standard."""

    height: int
    width: int
    samples: int
    bits: int
    colour: int

    @property
    def dtype(self):
        """uint16 for 16 bits, else uint8."""
        return np.dtype("u2" if self.bits == 16 else "u1")

    @property
    def palette(self):
        """True where the numbers are places in a table of colours."""
        return self.colour == PALETTE


class PngSource:
    """A PNG file whose chunks have been checked: `.pages` (one), `.read(0)`."""

    description = ""

    def __init__(self, path):
        self.path = os.fspath(path)
        with open(self.path, "rb") as file:
            self.pages = [_header(file, self.path)]

    def read(self, index=0):
        """The pixels as (H, W) or (H, W, samples): stored numbers, palette places for a palette.

        Raises ValueError where they cannot be decoded.
        """
        from PIL import Image

        page = self.pages[index]
        if page.bits == 16 and page.samples > 1:  # Pillow would silently keep the upper 8 bits
            raise ValueError(f"{self.path}: a colour PNG of 16 bits is not read: save it as TIFF")
        try:
            with Image.open(self.path, formats=["PNG"]) as image:
                pixels = np.asarray(image)
        except FileNotFoundError:
            raise
        except (OSError, ValueError, SyntaxError, EOFError, struct.error, zlib.error) as error:
            raise ValueError(f"{self.path}: damaged PNG: {first_line(error)}") from None
        if pixels.shape[:2] != (page.height, page.width):
            raise ValueError(f"{self.path}: damaged PNG: decoded to {pixels.shape}")
        if page.bits in (2, 4) and not page.palette:
            pixels = pixels // (255 // (2**page.bits - 1))  # Pillow spreads them over 0 to 255
        return pixels.astype(page.dtype)


def _header(file, name):
    """The checked header of an open PNG file."""
    size = os.fstat(file.fileno()).st_size
    if file.read(8) != SIGNATURE:
        raise ValueError(f"{name}: not a PNG file")
    page, stored, kind = None, 0, b""
    while kind != b"IEND":
        head = file.read(8)
        length, kind = struct.unpack(">I4s", head) if len(head) == 8 else (0, b"")
        if len(head) < 8 or file.tell() + length + 4 > size:
            raise ValueError(f"{name}: truncated PNG: the file ends at byte {size}")
        body = file.read(length)
        if struct.unpack(">I", file.read(4))[0] != zlib.crc32(body, zlib.crc32(kind)):
            raise ValueError(f"{name}: damaged PNG: a checksum is wrong")
        if page is None:
            page = _first_chunk(kind, body, name)
        elif kind == b"IHDR":  # a decoder would believe the second one, we checked the first
            raise ValueError(f"{name}: damaged PNG: it has two headers")
        elif kind == b"acTL":
            raise ValueError(f"{name}: an animated PNG is not read: save each slice by itself")
        stored += length if kind == b"IDAT" else 0
    check_pixels(name, page.height, page.width)
    decoded = page.height * -(-page.width * page.samples * page.bits // 8)
    check_ratio(name, page.height, page.width, decoded, stored)
    return page


def _first_chunk(kind, body, name):
    if kind != b"IHDR" or len(body) != 13:
        raise ValueError(f"{name}: damaged PNG: it does not begin with a header")
    width, height, bits, colour, _, _, _ = struct.unpack(">IIBBBBB", body)
    if bits not in DEPTHS.get(colour, ()) or height < 1 or width < 1:
        raise ValueError(
            f"{name}: damaged PNG: {height}×{width} pixels of {bits} bits, colour type {colour}"
        )
    return PngPage(height, width, SAMPLES[colour], bits, colour)
