"""PNG files by Pillow, which reads no pixels until it is asked for them: size and kind come first.

Lesson: lessons/11-training.md.
"""

import os
import struct
from dataclasses import dataclass

import numpy as np

from tinyunet.data.limits import check_pixels, check_ratio
from tinyunet.data.tiff import refusing

SIGNATURE = b"\x89PNG\r\n\x1a\n"
SAMPLES = {"1": 1, "L": 1, "I": 1, "P": 1, "LA": 2, "RGB": 3, "RGBA": 4}  # by Pillow's raw mode


@dataclass(frozen=True)
class PngPage:
    """What a PNG's header says: sizes in pixels, bits a sample."""

    height: int
    width: int
    samples: int
    bits: int
    palette: bool  # the numbers are places in a table of colours

    @property
    def dtype(self):
        """uint16 for 16 bits, else uint8."""
        return np.dtype("u2" if self.bits == 16 else "u1")


class PngSource:
    """A PNG file whose header and checksums have been checked: `.pages` (one), `.read(0)`."""

    description = ""

    def __init__(self, path):
        self.path = os.fspath(path)
        with refusing(self.path, "PNG"), _opened(self.path) as image:
            self.pages = [_header(image, self.path)]
            image.verify()  # every checksum, to the last chunk: a file cut short is found here

    def read(self, index=0):
        """The pixels as (H, W) or (H, W, samples): stored numbers, palette places for a palette.

        Raises ValueError where they cannot be decoded.
        """
        page = self.pages[index]
        if page.bits == 16 and page.samples > 1:  # Pillow would silently keep the upper 8 bits
            raise ValueError(f"{self.path}: a colour PNG of 16 bits is not read: save it as TIFF")
        with refusing(self.path, "PNG"), _opened(self.path) as image:
            if _header(image, self.path) != page:
                raise ValueError(f"{self.path}: changed while it was being read")
            pixels = np.asarray(image)
        if page.bits in (2, 4) and not page.palette:
            pixels = pixels // (255 // (2**page.bits - 1))  # Pillow spreads them over 0 to 255
        return pixels.astype(page.dtype)


def _opened(path):
    """The file as Pillow's lazy picture; not by Image.open, whose size limit only warns."""
    from PIL.PngImagePlugin import PngImageFile

    return PngImageFile(path)


def _header(image, path):
    """The checked size and kind of a picture that has been opened and not yet decoded."""
    width, height = image.size
    mode, _, depth = image.tile[0][3].partition(";")  # Pillow's raw mode: L, L;4, I;16B …
    bits = 1 if mode == "1" else int(depth.rstrip("B") or 8)
    if image.is_animated:
        raise ValueError(f"{path}: an animated PNG is not read: save each slice by itself")
    with open(path, "rb") as file:
        if struct.unpack(">II", file.read(24)[16:]) != (width, height):
            raise ValueError(f"{path}: damaged PNG: it has two headers")  # Pillow takes the last
    page = PngPage(height, width, SAMPLES[mode], bits, mode == "P")
    check_pixels(path, height, width)
    decoded = height * -(-width * page.samples * bits // 8)
    check_ratio(path, height, width, decoded, os.path.getsize(path))
    return page
