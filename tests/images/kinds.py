"""Kinds of files that people have, and what becomes of each: tinyunet/images/README.md.

    python tests/images/kinds.py      writes the table anew

`KINDS`: {group: rows (kind, build, channels, why)}; `build(folder)` writes the file or folder and
returns its path; several builders are one row. `test_kinds.py` holds the table to the readers.
"""

import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from badfiles import (  # noqa: E402
    GREY,
    MASK,
    STACK,
    by_another,
    png_bytes,
    tiff_bytes,
    write_tiff,
)
from images.test_axes import ome  # noqa: E402

from tinyunet.images import open_stack  # noqa: E402

TABLE = ROOT / "tinyunet" / "images" / "README.md"
START, END = "<!-- kinds -->\n", "<!-- end of kinds -->\n"
RGB = np.dstack([GREY, GREY[::-1], GREY[:, ::-1]])
WIDE = GREY.astype(np.uint16) * 16
OPAQUE = GREY * 0 + 255
CODECS = "zlib", "lzw", "packbits", "zstd", "lzma"
FAX = "needs imagecodecs and tifffile of 2026"


def tiff(array, **options):
    """A builder of a TIFF file by tifffile."""
    return lambda folder: write_tiff(folder / "x.tif", array, **options)


def noted(array, **options):
    """A builder of a TIFF file that another program than tifffile has noted axes in."""
    return lambda folder: by_another(write_tiff(folder / "x.tif", array, **options))


def picture(array, name="x.png", mode=None, **options):
    """A builder of a file by Pillow."""

    def build(folder):
        image = Image.fromarray(array)
        (image.convert(mode) if mode else image).save(folder / name, **options)
        return folder / name

    return build


def raw(name, content):
    """A builder that writes bytes."""

    def build(folder):
        (folder / name).write_bytes(content)
        return folder / name

    return build


def folder_of(*builders):
    """A builder of a folder with one file of each other builder, its name counted."""

    def build(folder):
        (folder / "f").mkdir()
        for i, one in enumerate(builders):
            file = one(folder)
            file.rename(folder / "f" / f"{i}{''.join(file.suffixes)}")
        return folder / "f"

    return build


def single_planes(folder):
    """One OME data set in three files, each of which speaks of all planes."""
    (folder / "f").mkdir()
    for i, page in enumerate(STACK[:3]):
        write_tiff(folder / "f" / f"z{i}.ome.tif", page, metadata=None, description=ome("Z3 C1 T1"))
    return folder / "f"


def metamorph(folder):
    content = tiff_bytes(data=bytes(range(144)), t33628=8, t33629=(5, 3, 8))
    return raw("x.stk", content)(folder)


def stopped(folder):
    """An acquisition that was stopped: five planes announced, two written."""
    text = {"metadata": None, "description": ome("Z5 C1 T1")}
    return write_tiff(folder / "x.ome.tif", STACK[:2], **text)


def pyramid(folder):
    with tifffile.TiffWriter(folder / "x.tif") as file:
        file.write(GREY, photometric="minisblack", metadata=None)
        file.write(GREY[::2, ::2], photometric="minisblack", metadata=None, subfiletype=1)
    return folder / "x.tif"


def animated(folder):
    pages = [Image.fromarray(page) for page in STACK[:2]]
    pages[0].save(folder / "x.png", save_all=True, append_images=pages[1:])
    return folder / "x.png"


def cut(folder):
    path = write_tiff(folder / "x.tif", GREY)
    path.write_bytes(path.read_bytes()[:700])
    return path


def circle(folder):
    content = tiff_bytes(link=8 + 48)
    return raw("x.tif", content)(folder)


def colormap(shades):
    """A palette of 256 places, as tifffile takes it."""
    table = np.arange(256, dtype=np.uint16) * 257
    return np.stack([table] * 3 if shades else [table, table[::-1], table])


AXES, RULE = "an axis that is not slices cannot be guessed away", "what a viewer shows is read"
KINDS = {
    "Stacks": [
        ("pages (tifffile, ImageJ, libtiff)", tiff(STACK[:3]), 1, ""),
        ("ImageJ, frames", noted(STACK[:3], imagej=True, metadata={"axes": "TYX"}), 1, ""),
        ("ImageJ, 2 channels", noted(STACK[:2], imagej=True, metadata={"axes": "CYX"}), 1, AXES),
        ("the same with `--channels 2`",
         noted(STACK[:2], imagej=True, metadata={"axes": "CYX"}), 2, ""),
        ("ImageJ, frames × slices",
         noted(STACK[:4].reshape(2, 2, 24, 32), imagej=True, metadata={"axes": "TZYX"}), 1, AXES),
        ("ImageJ beyond 4 GB: planes without directories",
         noted(STACK[:3], truncate=True, imagej=True, metadata={"axes": "ZYX"}), 1, ""),
        ("OME, slices", noted(STACK[:3], ome=True, metadata={"axes": "ZYX"}), 1, ""),
        ("OME, a folder of single planes", single_planes, 1, "no other file is looked into"),
        ("OME, stopped early", stopped, 1, "what is there is usable"),
        ("OME, colour with `--channels 3`",
         noted(RGB, ome=True, photometric="rgb", metadata={"axes": "YXS"}), 3, ""),
        ("MetaMorph STK", metamorph, 1, ""),
        ("reduced copies of a page", pyramid, 1, "they are passed over"),
        ("pages of two sizes", lambda folder: _two_sizes(folder), 1, ""),
        ("BigTIFF", tiff(STACK[:3], bigtiff=True), 1, ""),
    ],
    "Numbers of a TIFF page": [
        ("uint8, int16, uint32, float32",
         [tiff(GREY.astype(d)) for d in ("u1", "i2", "u4", "f4")], 1, ""),
        ("int64", tiff(MASK.astype(np.int64)), 1, ""),
        ("12 bits, packed", tiff(WIDE, bitspersample=12), 1, ""),
        ("1 bit", tiff(MASK.astype(bool)), 1, "a mask is no image"),
        ("complex", tiff(GREY.astype(np.complex64)), 1, ""),
        ("NaN", tiff(np.where(MASK, np.nan, 1).astype(np.float32)), 1, "it would spread to all"),
    ],
    "Colours of a TIFF page": [
        ("RGB", tiff(RGB, photometric="rgb"), 1, "one grey cannot be chosen for you"),
        ("RGB with `--channels 3`", tiff(RGB, photometric="rgb"), 3, ""),
        ("RGB in planes with `--channels 3`",
         tiff(np.moveaxis(RGB, -1, 0), photometric="rgb", planarconfig="separate"), 3, ""),
        ("R = G = B", tiff(np.dstack([MASK * 255] * 3), photometric="rgb"), 1, ""),
        ("min-is-white, 0 and 255", tiff(MASK * 255, photometric="miniswhite"), 1, RULE),
        ("min-is-white, other numbers", tiff(GREY, photometric="miniswhite"), 1, RULE),
        ("palette of greys", tiff(MASK, photometric="palette", colormap=colormap(True)), 1, RULE),
        ("palette of colours",
         tiff(MASK, photometric="palette", colormap=colormap(False)), 1,
         "a label's place is its number"),
        ("CMYK", tiff(np.dstack([RGB, GREY]), photometric="separated"), 1, ""),
        ("stored turned", tiff(GREY, extratags=[(274, "H", 1, 6, True)]), 1, RULE),
    ],
    "Compression of a TIFF page": [
        ("deflate, LZW, PackBits, Zstandard, LZMA", [tiff(GREY, compression=c) for c in CODECS],
         1, ""),
        ("with predictor", tiff(GREY, compression="zlib", predictor=2), 1, ""),
        ("fax, groups 3 and 4",
         [picture(MASK > 0, "x.tif", compression=c) for c in ("group3", "group4")], 1, FAX),
        ("JPEG", tiff(GREY, compression="jpeg"), 1, "JPEG changes numbers, and labels are numbers"),
        ("JPEG 2000", tiff(GREY, compression="jpeg2000"), 1, "a decoder of other people's files "
         "less"),
    ],
    "PNG and JPEG": [
        ("PNG, 8 or 16 bits", [picture(GREY), picture(WIDE)], 1, ""),
        ("PNG, 1 bit", picture(MASK > 0), 1, "a mask is no image"),
        ("PNG, opaque, with `--channels 3`", picture(np.dstack([RGB, OPAQUE])), 3, ""),
        ("PNG, transparent", picture(np.dstack([RGB, GREY])), 3, ""),
        ("PNG, palette of colours", picture(RGB, mode="P"), 1, "a label's place is its number"),
        ("PNG, animated", animated, 1, ""),
        ("JPEG", picture(GREY, "x.jpg"), 1, "JPEG changes numbers, and labels are numbers"),
    ],
    "Folders": [
        ("PNG beside TIFF, 8 beside 16 bits", folder_of(picture(GREY), tiff(WIDE)), 1, ""),
        ("a stack in a folder", folder_of(tiff(GREY), tiff(STACK[:3])), 1, ""),
        ("other files beside", folder_of(tiff(GREY), raw("x.txt", b"notes")), 1, "none is lost "
         "without a word"),
    ],
    "Other and damaged": [
        ("GIF", raw("x.gif", b"GIF89a" + bytes(20)), 1, ""),
        ("DICOM, NIfTI, CZI, …", raw("x.dcm", bytes(128) + b"DICM"), 1, ""),
        ("a PNG named .tif", lambda folder: picture(GREY)(folder).rename(folder / "x.tif"), 1, ""),
        ("cut short", cut, 1, ""),
        ("pages in a circle", circle, 1, ""),
        ("200,000 × 200,000 pixels in a few bytes",
         raw("x.png", png_bytes(200_000, 200_000, data=b"few")), 1, "decided on the header"),
    ],
}  # fmt: skip


def _two_sizes(folder):
    with tifffile.TiffWriter(folder / "x.tif") as file:
        for page in (GREY, GREY[:20]):
            file.write(page, photometric="minisblack", metadata=None)
    return folder / "x.tif"


def outcome(path, channels, labels):
    """What becomes of a file: how many slices of what, and the warnings; or the refusal."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            stack = open_stack(path, channels, labels)
            pages = [stack.page(i) for i in range(len(stack))]
        except ValueError as error:
            return f"refused: {_without(path, error)}"
    sizes = {page.shape for page in pages}
    kind = " and ".join(sorted({str(page.dtype) for page in pages}))
    text = f"{len(pages)} × {kind}" + (", of two sizes" if len(sizes) > 1 else "")
    return "; ".join([text, *(f"told: {_without(path, w.message)}" for w in caught)])


def _without(path, message):
    """A message without the file's name and what leads there, fit for a cell of a table."""
    text = str(message).replace(f"{path}: ", "").replace(f"{path}, ", "")
    return text.replace(f"{path}/", "").replace("|", "\\|")


def rows():
    """Yield (group, kind, as image, as labels, why) of every kind."""
    for group, kinds in KINDS.items():
        for kind, build, channels, why in kinds:
            results = {}, {}  # dictionaries keep the order and drop what is the same
            for one in build if isinstance(build, list) else [build]:
                with tempfile.TemporaryDirectory() as folder:
                    path = one(Path(folder))
                    for labels in (False, True):
                        results[labels][outcome(path, 1 if labels else channels, labels)] = None
            yield group, kind, *map(", ".join, results), why


def table():
    """The tables as Markdown."""
    lines, last = [], None
    for group, kind, image, labels, why in rows():
        if group != last:
            lines += ["", f"## {group}", "", "| kind | as image | as labels | why |"]
            lines += ["| --- | --- | --- | --- |"]
        labels = "the same" if labels == image else labels
        lines.append(f"| {kind} | {image} | {labels} | {why} |")
        last = group
    return "\n".join(lines[1:]) + "\n"


if __name__ == "__main__":
    head, rest = TABLE.read_text(encoding="utf-8").split(START)
    _, tail = rest.split(END)
    TABLE.write_text(head + START + table() + END + tail, encoding="utf-8")
