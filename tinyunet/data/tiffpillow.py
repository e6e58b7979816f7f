"""TIFF compressions that tifffile alone does not unpack (LZW, PackBits, fax …), by Pillow.

Pillow serves as an unpacker of bytes only: the strips or tiles of a page are wrapped, one below
the other, in a fresh little TIFF file in memory whose "pixels" are bytes. So Pillow never sees the
foreign file's header, decodes no more than was checked, any kind of number passes through it
unchanged, and no page of a long stack is walked over to reach another.

Lesson: lessons/11-training.md.
"""

import io
import os
from contextlib import contextmanager

import numpy as np

CCITT = (2, 4)  # fax: its unit is the row of single bits, not the byte
UNPACKED = {*CCITT, 5, 8, 32946, 32773, 34925, 50000}  # LZW, deflate, PackBits, LZMA, Zstandard


def unpack_by_pillow(page, strips):
    """The unpacked bytes of each strip or tile of a `TiffPage`, from their stored bytes.

    Raises whatever Pillow raises for a damaged strip.
    """
    from PIL.TiffImagePlugin import ImageFileDirectory_v2, TiffImageFile

    fax = page.compression in CCITT
    rows = [page.chunk_rows(i) for i in range(len(strips))]
    sizes = [len(strip) for strip in strips]
    tags = {
        256: page.chunk[1] if fax else page.row_bytes,
        257: sum(rows),
        258: 1 if fax else 8,
        259: page.compression,
        262: 1,
        266: page.fill_order,
        273: np.cumsum([0, *sizes[:-1]]).tolist(),  # Pillow counts from the directory's end
        277: 1,
        278: page.chunk[0],
        279: sizes,
    }
    directory, file = ImageFileDirectory_v2(prefix=b"II"), io.BytesIO()
    for tag, value in tags.items():
        directory.tagtype[tag] = 4  # 32 bits
        directory[tag] = value
    directory.save(file)
    file.write(b"".join(strips))
    file.seek(0)
    with TiffImageFile(file) as image, _quiet_libtiff():
        pixels = np.asarray(image)
    lines = np.packbits(pixels, axis=1) if fax else pixels
    return [part.tobytes() for part in np.split(lines, np.cumsum(rows)[:-1])]


@contextmanager
def _quiet_libtiff():
    """Keep the C library inside Pillow from writing to the terminal, past all of Python.

    What it complains about there ("Using code not yet in table"), Pillow raises as well.
    """
    try:
        kept = os.dup(2)
    except OSError:  # no standard error at all: nobody to disturb
        yield
        return
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
