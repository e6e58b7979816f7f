"""Files made wrong on purpose: what each is, how it is built, and the message it must get.

`BAD_IMAGES`: rows (name, build, message); `build(folder)` writes the file and returns its path,
refused by `read_images` and so by every command that takes images. `BAD_PAIRS`: rows whose
`build(folder)` returns (images, labels), refused by `read_pair`. Messages are regular expressions
for the end of the line, after the file's name.
"""

import struct
import zlib

import numpy as np
import tifffile
from PIL import Image

GREY = (np.arange(24 * 32).reshape(24, 32) % 251).astype(np.uint8)
STACK = np.stack([GREY, GREY[::-1], GREY[:, ::-1], GREY // 2, GREY // 3])
MASK = (GREY > 100).astype(np.uint8)
MASKS = np.stack([MASK, MASK[::-1], MASK[:, ::-1], 1 - MASK, MASK])


def write_tiff(path, array, **options):
    """A TIFF file by tifffile, grey pages unless said otherwise."""
    tifffile.imwrite(path, array, **{"photometric": "minisblack", **options})
    return path


def by_another(path):
    """The same file as if another program than tifffile had written its notes for ImageJ or OME."""
    content = path.read_bytes().replace(b"ImageJ=1.11a", b"ImageJ=1.54f")
    path.write_bytes(content.replace(b'Creator="tifffile', b'Creator="the lens'))
    return path


def tiff_bytes(order="<", big=False, link=0, data=bytes(48), **tags):
    """A TIFF file by hand, 8×6 pixels of 8 bits; tags by number (t256=…) override or add."""
    form = {"<": b"II", ">": b"MM"}[order]
    start = 16 if big else 8
    values = {256: 8, 257: 6, 258: 8, 259: 1, 262: 1, 273: start, 277: 1, 278: 6, 279: 48}
    values |= {int(key[1:]): value for key, value in tags.items()}
    values = {tag: value for tag, value in values.items() if value is not None}
    if big:
        head = struct.pack(order + "2sHHHQ", form, 43, 8, 0, start + len(data))
        rows = [struct.pack(order + "HHQI4x", t, 4, 1, v) for t, v in sorted(values.items())]
        return head + data + struct.pack(order + "Q", len(rows)) + b"".join(rows) + bytes(8)
    head = struct.pack(order + "2sHI", form, 42, start + len(data))
    rows = []
    for tag, value in sorted(values.items()):
        kind, count, value = value if isinstance(value, tuple) else (4, 1, value)
        rows.append(struct.pack(order + "HHII", tag, kind, count, value))
    body = struct.pack(order + "H", len(rows)) + b"".join(rows)
    return head + data + body + struct.pack(order + "I", link)


def png_bytes(width=32, height=24, bits=8, colour=0, data=None, chunks=()):
    """A PNG file by hand: header, `chunks` as (name, bytes), compressed `data`, end."""
    data = zlib.compress(bytes(height * (width + 1))) if data is None else data
    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    parts = [(b"IHDR", head), *chunks, (b"IDAT", data), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*part) for part in parts)


def png_chunk(name, body):
    """Length, name, body and checksum."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _raw(name, content):
    """A builder that writes bytes."""

    def build(folder):
        (folder / name).write_bytes(content() if callable(content) else content)
        return folder / name

    return build


def _tiff(array, name="x.tif", **options):
    """A builder that writes an array as TIFF."""
    return lambda folder: write_tiff(folder / name, array, **options)


def _png(array, name="x.png", mode=None):
    def build(folder):
        image = Image.fromarray(array)
        (image.convert(mode) if mode else image).save(folder / name, format="PNG")
        return folder / name

    return build


def _file_bytes(build):
    """The bytes of what a builder writes."""
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        return build(Path(folder)).read_bytes()


def _folder(*builders, name="folder"):
    """A builder of a folder with the files of other builders."""

    def build(folder):
        (folder / name).mkdir()
        for one in builders:
            one(folder / name)
        return folder / name

    return build


def _empty_folder(folder):
    (folder / "empty").mkdir()
    return folder / "empty"


def _cut_tiff(size):
    return lambda: _file_bytes(_tiff(GREY))[:size]


def _flipped_png():
    content = bytearray(_file_bytes(_png(GREY)))
    content[60] ^= 1
    return bytes(content)


def _with(value, dtype="float32"):
    array = GREY.astype(dtype)
    array[3, 5] = value
    return array


DEFLATED = zlib.compress(bytes(48))
HUGE = 200_000
LARGE = {"t256": 8193, "t257": 8192, "t278": 8192}
COLOURS = np.dstack([GREY, GREY[::-1], GREY])

BAD_IMAGES = [
    ("missing", lambda folder: folder / "x.tif", "no such file or folder"),
    ("empty file", _raw("x.tif", b""), "the file is empty"),
    ("empty PNG", _raw("x.png", b""), "the file is empty"),
    ("empty folder", _empty_folder, "the folder holds no TIFF, PNG or JPEG file"),
    ("folder of text", _folder(_raw("a.txt", b"x")), "the folder holds no TIFF, PNG or"),
    (
        "text named tif",
        _raw("x.tif", b"hello world"),
        "wanted a TIFF, PNG or JPEG file, this is none",
    ),
    ("JPEG", _raw("x.jpg", b"\xff\xd8\xff\xe0" + bytes(20)), "damaged JPEG: not identified by th"),
    ("JPEG named tif", _raw("x.tif", b"\xff\xd8\xff"), "first bytes are those of a JPEG file: ren"),
    ("NumPy file", _raw("x.npy", b"\x93NUMPY\x01\0"), "TIFF, PNG or JPEG file, this is a NumPy"),
    ("GIF", _raw("x.gif", b"GIF89a" + bytes(20)), "TIFF, PNG or JPEG file, this is a GIF file"),
    ("pickle", _raw("x.tif", b"\x80\x04K\x01."), "wanted a TIFF, PNG or JPEG file, this is none"),
    ("PNG named tif", _png(GREY, "x.tif"), "named .tif but its first bytes are those of a PNG fi"),
    ("TIFF named png", _tiff(GREY, "x.png"), "named .png but its first bytes are those of a TIFF"),
    ("TIFF of 6 bytes", _raw("x.tif", b"II*\0\0\0"), "truncated TIFF: it ends in the middle of i"),
    ("TIFF without pages", _raw("x.tif", b"II*\0\0\0\0\0"), "TIFF file without a page"),
    (
        "TIFF cut in the header",
        _raw("x.tif", _cut_tiff(40)),
        "damaged TIFF: corrupted IFD structure",
    ),
    (
        "TIFF cut in the pixels",
        _raw("x.tif", _cut_tiff(700)),
        "page 0: truncated TIFF: its pixels reach to byte 10",
    ),
    (
        "bomb, uncompressed",
        _raw("x.tif", tiff_bytes(t256=HUGE, t257=HUGE, t278=HUGE)),
        "page 0: truncated TIFF: its pixels reach to byte 40000000008, the file ends at 170$",
    ),
    (
        "bomb, deflated",
        _raw("x.tif", tiff_bytes(data=DEFLATED, t259=8, t256=HUGE, t257=HUGE, t278=HUGE, t279=9)),
        r"page 0: claims 200000×200000 pixels \(40000000000 bytes\) but stores only 9 bytes",
    ),
    (
        "bomb, tiles",
        _raw(
            "x.tif",
            tiff_bytes(
                t256=2**31,
                t257=2**31,
                t322=2**31,
                t323=2**31,
                t273=None,
                t278=None,
                t279=None,
                t324=8,
                t325=48,
            ),
        ),
        "truncated TIFF: its pixels reach to byte 4611686018427387912, the file ends at 182$",
    ),
    (
        "bomb, PNG",
        _raw("x.png", png_bytes(HUGE, HUGE, data=DEFLATED)),
        "200000×200000 pixels .40000000000 bytes. but stores only 69 bytes, which cannot unpack",
    ),
    (
        "bomb, PNG within the pixels",
        _raw("x.png", png_bytes(8000, 8000, data=DEFLATED)),
        r"claims 8000×8000 pixels \(64000000 bytes\) but stores only",
    ),
    (
        "bomb, PackBits",
        _raw("x.tif", tiff_bytes(data=bytes(62000), t259=32773, t279=62000, **LARGE)),
        r"page 0: claims 8192×8193 pixels \(67117056 bytes\) but stores only 62000 bytes, which",
    ),
    (
        "bomb, deflated with its bits turned",
        _raw("x.tif", tiff_bytes(data=bytes(62000), t259=8, t266=2, t279=62000, **LARGE)),
        r"page 0: claims 8192×8193 pixels \(67117056 bytes\) but stores only 62000 bytes, which",
    ),
    (
        "bomb, pages share pixels",
        _raw("x.tif", lambda: _shared_pages()),
        "damaged TIFF: its pages claim 10400 bytes, the file has 1608$",
    ),
    (
        "pages in a circle",
        _raw("x.tif", tiff_bytes(link=56)),
        "its chain of pages runs in a circle",
    ),
    (
        "page beyond the end",
        _raw("x.tif", tiff_bytes(link=9999)),
        "page 1: truncated TIFF: its directory reaches to byte 10005, the file ends at 170$",
    ),
    (
        "volume",
        _raw("x.tif", tiff_bytes(t32997=2)),
        r"damaged TIFF: 6×8 pixels of 1 samples, 2 deep",
    ),
    (
        "unknown predictor",
        _raw("x.tif", tiff_bytes(data=DEFLATED, t259=8, t317=5)),
        "page 0: compression 8 with predictor 5 is not read: save it uncompressed, or w",
    ),
    (
        "unknown compression",
        _raw("x.tif", tiff_bytes(t259=33003)),
        "page 0: compression 33003 with predictor 1 is not read: save it uncompressed, or w",
    ),
    (
        "negative offset",
        _raw("x.tif", tiff_bytes(t273=(9, 1, 2**32 - 1))),
        "damaged TIFF: 1 strips or tiles with 1 byte counts",
    ),
    ("two widths", _raw("x.tif", tiff_bytes(t256=(3, 2, 8))), "damaged TIFF: 'tuple' object"),
    ("no bits", _raw("x.tif", tiff_bytes(t258=(3, 0, 0))), "damaged TIFF: .*index out of range"),
    (
        "colours of other sizes",
        _raw("x.tif", tiff_bytes(data=DEFLATED, t259=8, t262=6, t279=len(DEFLATED))),
        "page 0: photometric interpretation 6 is not read: wanted grey, RGB or a palette",
    ),
    ("volume of tiles", _raw("x.tif", tiff_bytes(t32998=2)), "of 1 samples, 2 deep"),
    (
        "negative count",
        _raw("x.tif", tiff_bytes(data=DEFLATED, t259=8, t279=(9, 1, 2**32 - 1))),
        "damaged TIFF: 1 strips or tiles with 1 byte counts",
    ),
    (
        "strip beyond all",
        _raw(
            "x.tif",
            lambda: tiff_bytes(big=True).replace(
                struct.pack("<HHQI4x", 273, 4, 1, 16), struct.pack("<HHQQ", 273, 16, 1, 2**63)
            ),
        ),
        "truncated TIFF: its pixels reach to byte 9223372036854775856, the file ends at 260$",
    ),
    (
        "pixels outside by a byte",
        _raw("x.tif", tiff_bytes(t273=123)),
        "its pixels reach to byte 171, the file ends at 170$",
    ),
    ("no width", _raw("x.tif", tiff_bytes(t256=None)), "damaged TIFF: 6×0 pixels of 1 samples"),
    ("no pixels listed", _raw("x.tif", tiff_bytes(t273=None)), "damaged TIFF: 0 strips or tiles"),
    (
        "counts missing",
        _raw("x.tif", tiff_bytes(t259=8, t279=None)),
        "page 0: damaged TIFF: libdeflate_zlib_decompress r",
    ),
    ("pixels outside", _raw("x.tif", tiff_bytes(t273=9999)), "its pixels reach to byte 10047, the"),
    (
        "list outside",
        _raw("x.tif", tiff_bytes(t273=(4, 1000, 8))),
        "truncated TIFF: tag 273 cannot be read$",
    ),
    ("12 bits, short", _raw("x.tif", tiff_bytes(t258=12)), "stores only 48 bytes, which cannot"),
    ("40 bits", _raw("x.tif", tiff_bytes(t258=40)), "pixels of 40 bits .* are not read: wanted wh"),
    ("complex", _tiff(GREY.astype("complex64")), r"64 bits \(sample format 6\) are not read: wan"),
    (
        "damaged deflate",
        _raw("x.tif", tiff_bytes(data=b"\x78\x9c" + bytes(46), t259=8)),
        "page 0: damaged TIFF: libdeflate_zlib_decompress r",
    ),
    (
        "short deflate",
        _raw("x.tif", tiff_bytes(data=zlib.compress(bytes(47)), t259=8, t279=10)),
        "page 0: damaged TIFF: libdeflate_zlib_decompress returned",
    ),
    (
        "damaged LZW",
        _raw("x.tif", tiff_bytes(data=b"\xff" * 48, t259=5)),
        "page 0: damaged TIFF: imcd_lzw_decode returned",
    ),
    (
        "damaged Zstandard",
        _raw("x.tif", tiff_bytes(data=b"\xff" * 48, t259=50000)),
        "page 0: damaged TIFF: ZSTD_decompress returned",
    ),
    (
        "damaged LZMA",
        _raw("x.tif", tiff_bytes(data=b"\xff" * 48, t259=34925)),
        "page 0: damaged TIFF: lzma_code returned",
    ),
    (
        "damaged JPEG in TIFF",
        _raw("x.tif", tiff_bytes(data=b"\xff" * 48, t259=7)),
        "page 0: damaged TIFF: no SOF marker found",
    ),
    (
        "palette without a table",
        _raw("x.tif", tiff_bytes(t262=3)),
        "page 0: damaged TIFF: a palette of 0 numbers",
    ),
    (
        "four colours of ink",
        _tiff(np.dstack([GREY] * 4), photometric="separated"),
        "page 0: photometric interpretation 5 is not read: wanted grey, RGB or a palette; conv",
    ),
    (
        "RGB",
        _tiff(COLOURS, photometric="rgb"),
        "is an image of 3 channels: wanted gr",
    ),
    ("RGB PNG", _png(COLOURS), "x.png: is an image of 3 channels: wanted grey; convert it, or tra"),
    ("transparent grey", _png(np.dstack([GREY, GREY])), "x.png: is transparent in places: wanted"),
    (
        "palette",
        lambda folder: _quantised(folder),
        "x.png: is an image whose palette has colours: wanted grey; convert it, or train with",
    ),
    (
        "colour planes",
        _tiff(STACK[:3], photometric="rgb", planarconfig="separate", metadata=None),
        "x.tif: is an image of 3 channels: wanted grey; convert it, or train with --channels 3$",
    ),
    ("1 bit", _tiff(MASK.astype(bool)), "x.tif: has 1 bit a pixel, a mask: wanted an image of"),
    ("1 bit PNG", _png(MASK.astype(bool)), "x.png: has 1 bit a pixel, a mask: wanted an image of"),
    (
        "5 dimensions",
        _tiff(np.zeros((2, 3, 4, 24, 32), np.uint8)),
        r"is a stack of 5 dimensions \(axis 0 2, axis 1 3, axis 2 4\): wanted slices of rows and c",
    ),
    ("4 dimensions", _tiff(np.zeros((2, 3, 24, 32), np.uint8)), "is a stack of 4 dimensions"),
    (
        "ImageJ hyperstack",
        _tiff(np.zeros((2, 3, 4, 24, 32), np.uint8), imagej=True, photometric="minisblack"),
        r"stack of 5 dimensions \(frames 2, slices 3, channels 4\)",
    ),
    (
        "OME hyperstack",
        _tiff(np.zeros((2, 3, 24, 32), np.uint8), ome=True, metadata={"axes": "TCYX"}),
        r"stack of 4 dimensions \(frames 2, channels 3\)",
    ),
    (
        "OME channels",
        lambda folder: by_another(write_tiff(folder / "x.tif", STACK[:2], ome=True)),
        "x.tif: holds 2 channels, not slices: wanted 1 channel; save the channel that is meant, or",
    ),
    ("NaN", _tiff(_with(np.nan)), "slice 0: 1 of 768 pixels are NaN or infinite"),
    ("infinity", _tiff(_with(-np.inf, "float64")), "slice 0: 1 of 768 pixels are NaN or infinite"),
    (
        "stack in a folder",
        _folder(_tiff(STACK, "a.tif")),
        "a.tif: holds 5 pages; in a folder every file is one slice",
    ),
    (
        "slice twice",
        _folder(_tiff(GREY, "a.tif"), _png(GREY, "a.png")),
        "both a.(png|tif) and a.(png|tif) are slice a",
    ),
    (
        "broken file in a folder",
        _folder(_png(GREY, "a.png"), _raw("b.png", b"\x89PNG\r\n\x1a\n")),
        "b.png: damaged PNG: unpack_from requires a buffer",
    ),
    (
        "PNG cut",
        _raw("x.png", lambda: _file_bytes(_png(GREY))[:90]),
        "damaged PNG: Truncated File Read$",
    ),
    ("PNG with a flipped bit", _raw("x.png", _flipped_png), "damaged PNG: .*bad header checksum"),
    ("PNG of no size", _raw("x.png", png_bytes(0, 24)), "damaged PNG: not identified"),
    ("PNG of 3 bits", _raw("x.png", png_bytes(bits=3)), "damaged PNG: not identified"),
    ("PNG without pixels", _raw("x.png", png_bytes(data=b"junk")), "damaged PNG: "),
    (
        "animated PNG",
        _raw("x.png", png_bytes(chunks=[(b"acTL", struct.pack(">II", 2, 0))])),
        "an animated PNG is not read: save each slice by itself",
    ),
    (
        "PNG with two headers",
        _raw("x.png", png_bytes(chunks=[(b"IHDR", struct.pack(">IIBBBBB", 2, 2, 8, 0, 0, 0, 0))])),
        "damaged PNG: it has two headers",
    ),
    (
        "TIFF of version 7",
        _raw("x.tif", b"II\x07\0" + bytes(20)),
        "TIFF, PNG or JPEG file, this is none",
    ),
    (
        "offset beyond all",
        _raw("x.tif", b"II+\0\x08\0\0\0" + struct.pack("<Q", 2**63)),
        "truncated TIFF: its directory reaches to byte 9223372036854775824, the file ends at 16$",
    ),
    (
        "number beyond all",
        _raw(
            "x.tif",
            lambda: (
                tiff_bytes(big=True, t273=None)[:-8].replace(
                    struct.pack("<HHQI4x", 256, 4, 1, 8), struct.pack("<HHQQ", 256, 16, 1, 2**63)
                )
                + bytes(8)
            ),
        ),
        "damaged TIFF: 0 strips or tiles with 1 byte counts, wanted 1",
    ),
    (
        "float64 by PackBits",
        _raw("x.tif", tiff_bytes(data=b"\x80\x0b\x60\x50", t258=64, t339=3, t259=32773, t279=4)),
        r"page 0: claims 6×8 pixels \(384 bytes\) but stores only 4 bytes, which cannot unpack",
    ),
    (
        "PNG without header",
        _raw("x.png", b"\x89PNG\r\n\x1a\n" + png_chunk(b"IEND", b"")),
        "damaged PNG: not identified",
    ),
]


def _shared_pages():
    """Twenty directories of 54 bytes that all point at the same 520 pixels."""
    tags = {256: 520, 257: 1, 258: 8, 273: 8}
    size = 2 + 12 * len(tags) + 4
    content = struct.pack("<2sHI", b"II", 42, 528) + bytes(520)
    for i in range(20):
        rows = b"".join(struct.pack("<HHII", t, 4, 1, v) for t, v in tags.items())
        link = 528 + size * (i + 1) if i < 19 else 0
        content += struct.pack("<H", len(tags)) + rows + struct.pack("<I", link)
    return content


def _quantised(folder):
    """A picture of 32 colours in a table."""
    Image.fromarray(COLOURS).quantize(32).save(folder / "x.png")
    return folder / "x.png"


def _pair(labels, images=STACK, **options):
    """A builder of a stack and its labels."""

    def build(folder):
        return (
            write_tiff(folder / "images.tif", images),
            write_tiff(folder / "labels.tif", labels, **options),
        )

    return build


def _folders(image_names, label_names, **made):
    """A builder of two folders of PNG slices and masks."""

    def build(folder):
        paths = []
        for kind, names, array in (("images", image_names, GREY), ("labels", label_names, MASK)):
            (folder / kind).mkdir()
            for name in names:
                Image.fromarray(array).save(folder / kind / f"{name}.png")
            paths.append(folder / kind)
        return tuple(paths)

    return build


def sequence(folder, frames=(0, 1, 2), truth=(0, 2), kind="01_GT", cells=None, name="01"):
    """A Cell Tracking sequence: frames, and truth for some of them; returns (images, labels)."""
    cells = MASK * np.uint16(7) if cells is None else cells
    images, labels = folder / name, folder / kind / "SEG"
    images.mkdir(parents=True)
    labels.mkdir(parents=True)
    for t in frames:
        write_tiff(images / f"t{t:03d}.tif", GREY)
    for t in truth:
        write_tiff(labels / f"man_seg{t:03d}.tif", cells)
    return images, folder / kind


def _gone(folder):
    images, labels = _pair(MASKS)(folder)
    labels.unlink()
    return images, labels


def _three_d(folder):
    images, labels = sequence(folder)
    write_tiff(labels / "SEG" / "man_seg_001_012.tif", MASK)
    return images, labels


def _no_labels(folder):
    images, _ = sequence(folder, kind="truth")
    return images, None


def _stack_alone(folder):
    return write_tiff(folder / "images.tif", STACK), None


EDGES = (MASKS * 255).astype(np.uint8)
EDGES[:, ::3, ::5] = 77
EDGES[:, 1::3, ::7] = 130
THREE = MASKS.copy()
THREE[0, :4] = 2

BAD_PAIRS = [
    ("labels missing", _gone, "labels.tif: no such file or folder"),
    (
        "labels of other size",
        _pair(MASKS[:, :20]),
        "slice 0 is 20×32, its image 0 is 24×32: wanted the same size",
    ),
    (
        "labels turned",
        _pair(MASKS.transpose(0, 2, 1)),
        "slice 0 is 32×24, its image 0 is 24×32: wanted the same size",
    ),
    (
        "fewer labels",
        _pair(MASKS[:4]),
        "has 4 slices, .*images.tif has 5: wanted one label a slice",
    ),
    ("more labels", _pair(MASKS, STACK[:2]), "has 5 slices, .*images.tif has 2: wanted one label"),
    (
        "three classes",
        _pair(THREE),
        r"labels have 3 values \(0, 1, 2\): wanted 0/1 or 0/255 for 2 classes; give --classes 3 if",
    ),
    ("all membrane", _pair(MASKS * 0), "every pixel has the label 0: wanted at least two classes"),
    ("all cell", _pair(MASKS * 0 + 255), "every pixel has the label 255: wanted at least two cla"),
    (
        "grey edges",
        _pair(EDGES),
        r"labels have 4 values \(0, 77, 130, 255\): wanted 0/1 or 0/255 .*: threshold the masks",
    ),
    (
        "images as labels",
        _pair(STACK),
        r"labels have 251 values \(0, 1, 2, 3, 4, 5, …, 250\): wanted .* give --classes 251 if",
    ),
    ("0 and 128", _pair(MASKS * 128), r"2 values \(0, 128\): wanted .*; if each number is one obj"),
    ("1 and 2", _pair(MASKS + 1), r"2 values \(1, 2\): wanted 0/1 or 0/255 for 2 classes"),
    ("fractions", _pair(MASKS * np.float32(0.5)), r"2 values \(0, 0.5\): wanted 0/1 or 0/255"),
    ("minus one", _pair(MASKS.astype("i2") - 1), r"2 values \(-1, 0\): wanted 0/1 or 0/255"),
    ("labels with NaN", _pair(MASKS * np.float32(np.nan)), "768 of 768 pixels are NaN or infinite"),
    (
        "colour labels",
        _pair(np.stack([MASKS, MASKS, 1 - MASKS], -1), photometric="rgb"),
        "page 0: has 3 channels that differ: wanted labels as one number a pixel",
    ),
    (
        "names differ",
        _folders(["a1", "a2"], ["a1", "b2"]),
        "labels: b2 has no image of that name in .*images: wanted matching names",
    ),
    ("label files fewer", _folders(["a1", "a2"], ["a1"]), "has 1 slice, .*images has 2: wanted"),
    (
        "truth without frame",
        lambda folder: sequence(folder, truth=(0, 3)),
        "SEG: man_seg003: there is no frame 3 in .*01$",
    ),
    (
        "truth without cells",
        lambda folder: sequence(folder, cells=MASK * np.uint16(0)),
        "no object in any labelled frame: every pixel is 0",
    ),
    (
        "truth of other size",
        lambda folder: sequence(folder, cells=MASK[:20].astype("u2")),
        "slice man_seg000 is 20×32, its image t000 is 24×32: wanted the same size",
    ),
    (
        "truth in floats",
        lambda folder: sequence(folder, cells=MASK * np.float32(1.5)),
        r"labels have 2 values \(0, 1.5\): wanted whole numbers from 0",
    ),
    (
        "truth below 0",
        lambda folder: sequence(folder, cells=MASK.astype("i2") - 2),
        r"labels have 2 values \(-2, -1\): wanted whole numbers from 0",
    ),
    (
        "frames of no sequence",
        lambda folder: (_folders(["a"], ["b"])(folder)[0], sequence(folder)[1]),
        "images: holds no frames t000.tif …, but .*SEG holds man_seg files",
    ),
    ("3-D truth", _three_d, "man_seg_001_012.tif: truth of one slice of a 3-D frame: wanted 2-D s"),
    (
        "no truth beside",
        _no_labels,
        "neither 01_GT/SEG nor 01_ST/SEG beside it holds man_seg files",
    ),
    ("stack without labels", _stack_alone, "images.tif: labels are missing: wanted a stack or fol"),
]
