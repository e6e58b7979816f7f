"""PNG and JPEG files by Pillow, which reads no pixels until asked: size and kind come first.

JPEG serves for images only: it changes the numbers, and labels are numbers.
"""

import os
import struct
from typing import Any

import numpy as np

from tinyunet.arrays import Array
from tinyunet.images._damage import refusing
from tinyunet.images._page import Page
from tinyunet.images.limits import DEFLATE, check_page

SIGNATURES = {b"\x89PNG\r\n\x1a\n": "PNG", b"\xff\xd8\xff": "JPEG"}
SAMPLES = {"1": 1, "L": 1, "I": 1, "P": 1, "LA": 2, "RGB": 3, "RGBA": 4}  # by Pillow's raw mode
JPEG, ORIENTATION = 7, 274  # TIFF's number of the codec, EXIF's of the tag


class PictureSource:
    """A PNG or JPEG file whose header has been checked, a PNG's checksums too; see `TiffSource`."""

    series, names, perhaps_slices, warning = (), None, False, ""  # what only TIFF has

    def __init__(self, path: str | os.PathLike, kind: str) -> None:
        self.path, self.kind = os.fspath(path), kind
        with refusing(self.path, kind), self._opened() as image:
            self.pages = [self._header(image)]
            image.verify()  # every checksum, to the last chunk: a PNG cut short is found here

    def read(self, index: int = 0) -> Array:
        """The stored numbers, (H, W) or (H, W, samples); ValueError if damaged or changed."""
        page = self.pages[index]
        with refusing(self.path, self.kind), self._opened() as image:
            if self._header(image) != page:
                raise ValueError(f"{self.path}: changed while it was being read")
            if page.bits == 16 and page.samples > 1:  # Pillow would keep the upper 8 bits only
                import imagecodecs

                with open(self.path, "rb") as file:
                    return imagecodecs.png_decode(file.read())
            pixels = np.asarray(image)
        if page.bits in (2, 4) and page.palette is None:
            pixels = pixels // (255 // (2**page.bits - 1))  # Pillow spreads them over 0 to 255
        return pixels.astype(page.dtype, copy=False)

    def _opened(self) -> Any:
        """The file as Pillow's lazy picture; not by Image.open, whose size limit only warns."""
        from PIL.JpegImagePlugin import JpegImageFile
        from PIL.PngImagePlugin import PngImageFile

        return (PngImageFile if self.kind == "PNG" else JpegImageFile)(self.path)

    def _header(self, image: Any) -> Page:
        """The checked header of a picture that has been opened and not yet decoded."""
        width, height = image.size
        png = self.kind == "PNG"
        mode, bits = self._png_mode(image) if png else (image.mode, 8)
        if mode not in SAMPLES:
            raise ValueError(f"{self.path}: is a {mode} picture: wanted grey or RGB; convert it")
        dtype = np.dtype("u1" if mode == "P" else {1: "?", 16: "u2"}.get(bits, "u1"))
        table = bytes(image.palette.palette) if mode == "P" else None
        turned = 1 if png else image.getexif().get(ORIENTATION, 1)
        page = Page(
            *(height, width, SAMPLES[mode], bits, dtype),
            alpha=mode in ("LA", "RGBA"),
            palette=None if table is None else table[: len(table) // 3 * 3],
            orientation=turned if turned in range(1, 9) else 1,
            lossy=not png,
        )
        allocated = height * width * page.samples * dtype.itemsize
        packed = height * -(-width * page.samples * bits // 8)
        codec = DEFLATE[0] if png else JPEG
        check_page(self.path, (height, width), allocated, packed, os.path.getsize(self.path), codec)
        return page

    def _png_mode(self, image: Any) -> tuple[str, int]:
        """Pillow's mode and the bits of a number."""
        mode, _, depth = image.tile[0][3].partition(";")  # Pillow's raw mode: L, L;4, I;16B …
        if image.is_animated:
            raise ValueError(f"{self.path}: an animated PNG is not read: save each slice by itself")
        place = image.fp.tell()
        image.fp.seek(16)
        if struct.unpack(">II", image.fp.read(8)) != image.size:  # Pillow takes the last
            raise ValueError(f"{self.path}: damaged PNG: it has two headers")
        image.fp.seek(place)
        return mode, 1 if mode == "1" else int(depth.rstrip("B") or 8)
