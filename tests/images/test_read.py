"""Readers against an independent writer and reader (tifffile, Pillow), pixel for pixel."""

import itertools
import re
import zlib

import numpy as np
import pytest
import tifffile
from badfiles import GREY, MASK, MASKS, STACK, png_bytes, sequence, tiff_bytes, write_tiff
from conftest import SHARED_DATA
from PIL import Image

from tinyunet.images import (
    Dataset,
    mean_and_std,
    normalise,
    open_stack,
    read_images,
    read_labels,
    read_pair,
    read_segmentation,
)

DTYPES = ["u1", "u2", "u4", "i1", "i2", "i4", "f2", "f4", "f8"]


def layouts():
    """Strips and tiles, plain and deflated, with and without predictor, both byte orders."""
    for dtype, order, chunk in itertools.product(DTYPES, "<>", [{}, {"rowsperstrip": 7}, "tile"]):
        chunk = {"tile": (16, 32)} if chunk == "tile" else chunk
        yield dtype, {"byteorder": order, **chunk}
        yield dtype, {"byteorder": order, "compression": "zlib", **chunk}
        if dtype[0] != "f":
            yield dtype, {"byteorder": order, "compression": "zlib", "predictor": True, **chunk}


@pytest.mark.parametrize(("dtype", "options"), list(layouts()), ids=str)
def test_tiff_layouts(tmp_path, dtype, options, rng):
    stack = (40 * rng.standard_normal((3, 37, 45))).astype(dtype)
    path = write_tiff(tmp_path / "x.tif", stack, **options)
    opened, pages = open_stack(path), read_images(path)
    assert opened.shape == stack.shape == (len(opened), 37, 45)
    assert opened.dtype == stack.dtype
    assert opened.names == ["0", "1", "2"]
    assert all(page.dtype == stack.dtype for page in pages)
    assert np.array_equal(pages, stack)
    assert np.array_equal(opened.page(1), stack[1])


GREY_CODECS = ["tiff_lzw", "packbits", "zstd", "lzma", None]
RARE = [
    *itertools.product(["L", "I;16", "F", "1"], GREY_CODECS),
    ("1", "group4"),
    ("1", "tiff_ccitt"),
]


@pytest.mark.parametrize(("mode", "compression"), RARE)
def test_rarer_compressions(tmp_path, mode, compression, rng):
    if compression in ("group4", "tiff_ccitt") and int(tifffile.__version__[:4]) < 2026:
        pytest.skip("fax pages need tifffile and imagecodecs of 2026, as setup.py says")
    dtype = {"L": "u1", "I;16": "u2", "F": "f4", "1": "?"}[mode]
    pixels = (rng.random((37, 45)) * 2 ** {"L": 8, "I;16": 16, "F": 1, "1": 1}[mode]).astype(dtype)
    Image.fromarray(pixels).save(tmp_path / "x.tif", compression=compression)
    with tifffile.TiffFile(tmp_path / "x.tif") as file:
        assert (file.pages[0].compression == 1) == (compression is None)
    stack = open_stack(tmp_path / "x.tif", labels=True)
    assert np.array_equal(stack.page(0), pixels)
    assert stack.page(0).dtype == stack.dtype == dtype


def test_strips_and_tiles_and_colour_of_packed_bytes(tmp_path, rng):
    pixels = (rng.random((37, 45, 3)) * 255).astype("u1")
    path = tmp_path / "x.tif"
    for array, channels in ((pixels[..., 0], 1), (pixels, 3)):
        image = Image.fromarray(array)
        image.save(path, compression="packbits", strip_size=7 * 45 * channels)
        with tifffile.TiffFile(path) as file:
            assert len(file.pages[0].dataoffsets) > 3
        assert np.array_equal(read_images(path, channels)[0], np.moveaxis(array.T, -1, -2))
    # one tile of 16×16 in PackBits: two runs of 128 bytes as they are
    tile = rng.integers(0, 256, (16, 16)).astype("u1")
    data = b"\x7f" + tile[:8].tobytes() + b"\x7f" + tile[8:].tobytes()
    tags = {"t322": 16, "t323": 16, "t324": 8, "t325": 258}
    content = tiff_bytes(data=data, t259=32773, t273=None, t278=None, t279=None, **tags)
    path.write_bytes(content)
    assert np.array_equal(read_images(path)[0], tile[:6, :8])


def test_strips_of_one_row_and_tiles_of_odd_number(tmp_path, rng):
    pixels = (rng.random((7, 21)) * 255).astype("u1")
    for options in ({"rowsperstrip": 1}, {"rowsperstrip": 2}, {"tile": (16, 16)}):
        path = write_tiff(tmp_path / "x.tif", pixels, compression="zlib", **options)
        assert np.array_equal(read_images(path)[0], pixels)


def test_defaults_of_missing_tags(tmp_path):
    # colour without a word on planes is interleaved; deflate without a predictor has none
    path = tmp_path / "x.tif"
    path.write_bytes(tiff_bytes(data=bytes(range(48)), t256=4, t257=4, t278=4, t277=3))
    expected = np.arange(48).reshape(4, 4, 3).transpose(2, 0, 1)
    assert np.array_equal(read_images(path, 3)[0], expected)
    data = zlib.compress(bytes(range(48)))
    for deflate in (8, 32946):  # its number, and the one it had before it had a number
        path.write_bytes(tiff_bytes(data=data, t259=deflate, t279=len(data)))
        assert np.array_equal(read_images(path)[0], np.arange(48).reshape(6, 8))
    turned = np.packbits(np.unpackbits(np.frombuffer(data, "u1"), bitorder="little")).tobytes()
    path.write_bytes(tiff_bytes(data=turned, t259=32946, t266=2, t279=len(data)))
    assert np.array_equal(read_images(path)[0], np.arange(48).reshape(6, 8))


def test_predictor_behind_zstandard(tmp_path, rng):
    pixels = (rng.random((9, 21)) * 255).astype("u1")
    path = tmp_path / "x.tif"
    Image.fromarray(pixels).save(path, compression="zstd", tiffinfo={317: 2})
    with tifffile.TiffFile(path) as file:
        assert file.pages[0].predictor == 2
    assert np.array_equal(read_images(path)[0], pixels)


def test_bits_in_the_other_order(tmp_path):
    # fill order 2: the lowest bit is the leftmost pixel
    path = tmp_path / "x.tif"
    path.write_bytes(tiff_bytes(data=bytes([1, 2, 4, 8, 16, 32]), t258=1, t266=2, t279=6))
    assert np.array_equal(open_stack(path, labels=True).page(0), np.eye(8)[:6])


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("dtype", DTYPES)
def test_packed_numbers_of_every_kind(tmp_path, dtype, order, rng):
    pixels = (40 * rng.standard_normal((6, 8))).astype(order + dtype)
    stored = pixels.tobytes()
    # PackBits: runs of 48 bytes as they are
    data = b"".join(b"\x2f" + stored[i : i + 48] for i in range(0, len(stored), 48))
    kind = {"u": 1, "i": 2, "f": 3}[dtype[0]]
    tags = {"t258": 8 * int(dtype[1]), "t339": kind, "t259": 32773, "t279": len(data)}
    path = tmp_path / "x.tif"
    path.write_bytes(tiff_bytes(order, data=data, **tags))
    page = read_images(path)[0]
    assert page.dtype == dtype
    assert np.array_equal(page, pixels)


def test_wide_colour_by_lzw(tmp_path):
    # 9-bit codes: clear, 0 … 47, end; 48 bytes are 2×4 pixels of three 16-bit numbers
    bits = "".join(f"{code:09b}" for code in (256, *range(48), 257)) + "000000"
    data = bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8))
    path = tmp_path / "x.tif"
    tags = {"t256": 4, "t257": 2, "t278": 2, "t277": 3, "t258": 16, "t259": 5, "t279": len(data)}
    path.write_bytes(tiff_bytes(data=data, **tags))
    expected = np.arange(48, dtype="u1").view("<u2").reshape(2, 4, 3).transpose(2, 0, 1)
    assert np.array_equal(read_images(path, 3)[0], expected)
    path.write_bytes(tiff_bytes(data=data, **tags, t317=2))
    differences = expected.cumsum(axis=2, dtype="u2")
    assert np.array_equal(read_images(path, 3)[0], differences)


@pytest.mark.parametrize("compression", [1, 8, 32773])
def test_bytes_with_their_bits_turned(tmp_path, compression):
    # fill order 2 turns the bits of every stored byte, packed or not
    pixels = np.arange(100, 148).astype("u1")
    stored = {1: bytes(pixels), 8: zlib.compress(bytes(pixels)), 32773: b"\x2f" + bytes(pixels)}
    turned = np.packbits(np.unpackbits(np.frombuffer(stored[compression], "u1"), bitorder="little"))
    path = tmp_path / "x.tif"
    tags = {"t259": compression, "t266": 2, "t279": len(turned)}
    path.write_bytes(tiff_bytes(data=turned.tobytes(), **tags))
    assert np.array_equal(read_images(path)[0], pixels.reshape(6, 8))


def test_predictor_means_nothing_without_compression(tmp_path):
    path = tmp_path / "x.tif"
    pixels = np.arange(48, dtype="u1").reshape(6, 8)
    for rows in ({}, {"t322": 8, "t323": 6, "t324": 8, "t325": 48, "t273": None, "t278": None}):
        path.write_bytes(tiff_bytes(data=pixels.tobytes(), t317=2, **rows))
        assert np.array_equal(read_images(path)[0], pixels)


def test_sources_refuse_each_others_files(tmp_path):
    from tinyunet.images._picture import PictureSource
    from tinyunet.images._tiff import TiffSource

    Image.fromarray(GREY).save(tmp_path / "x.png")
    write_tiff(tmp_path / "x.tif", GREY)
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "seven").write_bytes(b"II\7\0" + bytes(20))
    for kind, why in (("PNG", "not a PNG file"), ("JPEG", "not a JPEG file")):
        with pytest.raises(ValueError, match=rf"x.tif: damaged {kind}: {why}$"):
            PictureSource(tmp_path / "x.tif", kind)
    with pytest.raises(ValueError, match=r"x.png: damaged TIFF: not a TIFF file"):
        TiffSource(tmp_path / "x.png")
    with pytest.raises(ValueError, match=r"empty: damaged TIFF: not a TIFF file"):
        TiffSource(tmp_path / "empty")
    with pytest.raises(ValueError, match=r"seven: damaged TIFF: invalid TIFF version.7"):
        TiffSource(tmp_path / "seven")


@pytest.mark.parametrize("kind", ["noise", "runs", "constant", "ramp"])
def test_lzw(tmp_path, kind, rng):
    # long enough that the table of 4096 codes fills up and is cleared, many times for noise
    pixels = {
        "noise": rng.integers(0, 256, (200, 311)),
        "runs": rng.integers(0, 3, (200, 311)).cumsum(1) // 20,
        "constant": np.full((2000, 900), 7),
        "ramp": np.arange(200 * 311).reshape(200, 311) // 7 % 256,
    }[kind].astype("u1")
    path = tmp_path / "x.tif"
    for predictor in (1, 2):
        Image.fromarray(pixels).save(path, compression="tiff_lzw", tiffinfo={317: predictor})
        with tifffile.TiffFile(path) as file:
            assert file.pages[0].predictor == predictor
        assert np.array_equal(read_images(path)[0], pixels)


def test_lzw_stack_page_by_page(tmp_path, rng):
    pages = [Image.fromarray((rng.random((20, 30)) * 255).astype("u1")) for _ in range(4)]
    pages[0].save(
        tmp_path / "x.tif", save_all=True, append_images=pages[1:], compression="tiff_lzw"
    )
    assert np.array_equal(read_images(tmp_path / "x.tif"), [np.asarray(page) for page in pages])


def test_uncompressed_pages_are_views_of_the_file(tmp_path):
    path = write_tiff(tmp_path / "x.tif", STACK)
    page = open_stack(path).page(2)
    assert isinstance(page, np.memmap)
    assert not page.flags.writeable
    assert not isinstance(read_images(path)[2], np.memmap)


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("order", "<>")
def test_bigtiff_and_hand_made_headers(tmp_path, order, big):
    data = bytes(range(48))
    path = tmp_path / "x.tif"
    path.write_bytes(tiff_bytes(order, big, data=data))
    assert np.array_equal(read_images(path)[0], np.arange(48).reshape(6, 8))
    # without byte counts, with the default rows of a strip
    path.write_bytes(tiff_bytes(order, big, data=data, t279=None, t278=None))
    assert np.array_equal(read_images(path)[0], np.arange(48).reshape(6, 8))


def test_imagej_and_ome_stacks(tmp_path):
    write_tiff(tmp_path / "a.tif", STACK, imagej=True, metadata={"axes": "ZYX"})
    write_tiff(tmp_path / "b.tif", STACK, ome=True, metadata={"axes": "ZYX"})
    for name in "ab":
        assert np.array_equal(read_images(tmp_path / f"{name}.tif"), STACK)


def test_imagej_stack_with_one_directory(tmp_path):
    note = b"ImageJ=1.54f\nimages=3\nslices=3\n\0"
    path = tmp_path / "x.tif"

    def content(pixels):
        where = 8 + len(pixels)
        return tiff_bytes(data=pixels + note, t270=(2, len(note), where))

    path.write_bytes(content(bytes(range(144))))
    assert np.array_equal(read_images(path), np.arange(144).reshape(3, 6, 8))
    # what follows the only slice is its note and its directory, and no slice
    path.write_bytes(content(bytes(range(48))))
    assert path.stat().st_size > 8 + 3 * 48
    with pytest.warns(UserWarning, match="its header speaks of 3 slices; the file holds 1, which"):
        assert np.array_equal(read_images(path), np.arange(48).reshape(1, 6, 8))


def test_colour_where_it_is_asked_for(tmp_path, rng):
    colour = (rng.random((2, 20, 30, 3)) * 255).astype("u1")
    path = write_tiff(tmp_path / "x.tif", colour, photometric="rgb")
    stack = open_stack(path, in_channels=3)
    assert stack.shape == (2, 3, 20, 30)
    assert np.array_equal(stack.page(1), colour[1].transpose(2, 0, 1))
    Image.fromarray(colour[0]).save(tmp_path / "y.png")
    assert np.array_equal(read_images(tmp_path / "y.png", 3)[0], colour[0].transpose(2, 0, 1))
    wide = (rng.random((20, 30, 3)) * 65535).astype("u2")
    write_tiff(tmp_path / "z.tif", wide, photometric="rgb", compression="zlib", predictor=True)
    assert np.array_equal(read_images(tmp_path / "z.tif", 3)[0], wide.transpose(2, 0, 1))


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_png_grey_of_every_depth(tmp_path, bits, rng):
    pixels = rng.integers(0, 2**bits, (6, 16)).astype(">u2" if bits == 16 else "u1")
    each = 8 // min(bits, 8)
    packed = pixels.reshape(6, -1, each) << (bits * np.arange(each)[::-1] if bits < 8 else 0)
    rows = packed.sum(-1).astype(pixels.dtype) if bits < 8 else pixels
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    (tmp_path / "x.png").write_bytes(png_bytes(16, 6, bits, data=data))
    stack = open_stack(tmp_path / "x.png", labels=True)
    assert np.array_equal(stack.page(0), pixels)
    assert stack.dtype == {1: "?", 16: "u2"}.get(bits, "u1")


def test_labels_of_one_bit(tmp_path):
    path = write_tiff(tmp_path / "l.tif", MASKS.astype(bool))
    assert np.array_equal(read_labels(path), MASKS)
    data = read_pair(write_tiff(tmp_path / "i.tif", STACK), path)
    assert np.array_equal(data.labels, MASKS)


def test_folder_in_natural_order_with_sizes_of_their_own(tmp_path):
    for name, rows in (("s2.png", 20), ("s10.PNG", 24), ("s1.tif", 22), (".s0.png", 5)):
        Image.fromarray(GREY[:rows]).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("not a slice")
    stack = open_stack(tmp_path)
    assert stack.names == ["s1", "s2", "s10"]
    assert stack.sizes == [(22, 32), (20, 32), (24, 32)]
    assert stack.shape is None
    assert [page.shape[0] for page in read_images(tmp_path)] == [22, 20, 24]
    assert stack.nbytes == 66 * 32


def test_normalise(rng):
    image = (1000 * rng.random((20, 30)) + 3e4).astype("u2")
    result = normalise(image)
    assert result.dtype == np.float32
    expected = (image - image.mean()) / image.std()
    np.testing.assert_allclose(result, expected, atol=1e-6)
    colour = rng.standard_normal((3, 5, 7)) * [[[1]], [[2]], [[30]]]
    expected = (colour - colour.mean()) / colour.std()
    np.testing.assert_allclose(normalise(colour), expected, atol=1e-6)
    assert abs(normalise(image * 1e200).std() - 1) < 1e-6
    assert abs(normalise(image * 1e-300).std() - 1) < 1e-6
    assert np.array_equal(normalise(np.array([[-1.7e308, 1.7e308]])), [[-1, 1]])
    assert np.isfinite(normalise(np.array([[0, 5e-324]]))).all()  # the smallest number there is


@pytest.mark.parametrize("value", [0, 7, 0.1, -1e300])
def test_a_constant_image_becomes_zero_with_a_word(value):
    image = np.full((37, 41), value)
    assert mean_and_std(image) == (value, 1.0)
    with pytest.warns(UserWarning, match=re.escape(f"it: every pixel is {value:g}: it cannot be")):
        assert not normalise(image, "it").any()


@pytest.mark.parametrize("rows", [1, 4, 1024])
def test_mean_and_deviation_some_rows_at_a_time(rng, rows):
    for image in (
        rng.integers(0, 65536, (23, 31)).astype("u2"),
        1e6 + rng.standard_normal((3, 23, 31)),
        rng.standard_normal((2, 5, 3)).astype("f4"),
    ):
        mean, std = mean_and_std(image, rows)
        exact = image.astype(np.longdouble)
        assert mean == pytest.approx(float(exact.mean()), rel=1e-13)
        assert std == pytest.approx(float(exact.std()), rel=1e-10)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.array([[1.0, np.nan]]), "it: holds NaN or infinity: wanted finite numbers"),
        (np.array([[1.0, np.inf]]), "it: holds NaN or infinity"),
        (np.array([[-np.inf, np.inf]]), "it: holds NaN or infinity"),
        (np.full((3, 4), np.nan), "it: holds NaN or infinity"),
        (np.full((3, 4), np.inf), "it: holds NaN or infinity"),
        (np.zeros((0, 4)), r"it: has no pixels \(shape \(0, 4\)\)"),
    ],
)
def test_normalise_refuses(image, message):
    with pytest.raises(ValueError, match=message):
        normalise(image, "it")


@pytest.mark.parametrize("top", [1, 255, 65535])
def test_stack_with_labels(tmp_path, top):
    images = write_tiff(tmp_path / "i.tif", STACK)
    dtype = "u2" if top > 255 else "u1"
    labels = write_tiff(tmp_path / "l.tif", MASKS.astype(dtype) * top)
    data = read_pair(images, labels)
    assert len(data) == 5
    assert np.array_equal(data.labels, MASKS)
    assert all(label.dtype == np.int32 for label in data.labels)
    assert data.valid == [None] * 5
    assert data.images[3].shape == (1, 24, 32)
    np.testing.assert_array_equal(data.images[3][0], normalise(STACK[3]))
    assert (data.kind, data.n_classes, data.dtype) == ("classes", 2, "uint8")
    share = MASKS.mean()
    assert data.shares() == pytest.approx([1 - share, share])
    assert data.describe().splitlines() == [
        "images: 5 slices of 24×32, uint8, 1 channel",
        f"labels: 2 classes (class 0 {100 - 100 * share:.1f} %, class 1 {100 * share:.1f} % "
        "of the pixels)",
    ]
    assert np.array_equal(read_labels(labels), MASKS)
    assert np.array_equal(data.classes(2), MASKS[2])


def test_three_classes_and_ignored_pixels(tmp_path):
    labels = MASKS.copy()
    labels[0, :4], labels[1:, -2:] = 2, 9
    path = write_tiff(tmp_path / "l.tif", labels)
    images = write_tiff(tmp_path / "i.tif", STACK)
    data = read_pair(images, path, n_classes=3, ignore=9)
    assert data.valid[0] is None
    assert np.array_equal(data.valid[1], labels[1] != 9)
    assert np.array_equal(data.labels[0], labels[0])
    assert np.array_equal(data.labels[1], np.where(labels[1] == 9, 0, labels[1]))
    counts = np.bincount(labels.ravel(), minlength=10)[:3]
    assert data.shares() == pytest.approx(counts / counts.sum())
    assert data.describe().endswith("\nignored: 256 pixels without truth")
    assert np.array_equal(read_labels(path, 3, ignore=9)[1] == -1, labels[1] == 9)


def test_folders_are_matched_by_name(tmp_path):
    for kind, order in (("images", [1, 2, 10]), ("labels", [10, 2, 1])):
        (tmp_path / kind).mkdir()
        for i in order:
            array = GREY // i if kind == "images" else MASKS[i % 4]
            Image.fromarray(array).save(tmp_path / kind / f"{i}.png")
    data = read_pair(tmp_path / "images", str(tmp_path / "labels"))
    assert data.names == ["1", "2", "10"]
    for i, number in enumerate([1, 2, 10]):
        np.testing.assert_array_equal(data.images[i][0], normalise(GREY // number))
        assert np.array_equal(data.labels[i], MASKS[number % 4])
    part = data.subset([2, 0])
    assert part.names == ["10", "1"]
    assert part.images[0] is data.images[2]
    assert (part.kind, part.n_classes, part.dtype) == ("classes", 2, "uint8")
    for wrong in (3, -1):
        with pytest.raises(ValueError, match=f"slice {wrong} asked, the data set has 0 to 2"):
            data.subset([0, wrong])


def test_a_folder_with_a_stack_of_labels_goes_by_order(tmp_path):
    (tmp_path / "images").mkdir()
    for i in (2, 10):
        Image.fromarray(GREY // i).save(tmp_path / "images" / f"{i}.png")
    data = read_pair(tmp_path / "images", write_tiff(tmp_path / "l.tif", MASKS[:2]))
    assert np.array_equal(data.labels, MASKS[:2])


@pytest.mark.parametrize("given", ["01_GT", "01_GT/SEG", None])
def test_cell_tracking_sequence(tmp_path, given):
    images, _ = sequence(tmp_path, frames=range(4), truth=(1, 3))
    data = read_pair(images, given and tmp_path / given)
    assert data.kind == "instances"
    assert data.names == ["t000", "t001", "t002", "t003"]
    assert data.labelled() == [1, 3]
    assert data.labels[0] is data.labels[2] is data.valid[0] is data.valid[1] is None
    assert np.array_equal(data.labels[3], MASK * 7)
    assert np.array_equal(data.classes(3), MASK)
    with pytest.raises(ValueError, match="slice t002 has no labels"):
        data.classes(2)
    share = MASK.mean()
    assert data.shares() == pytest.approx([1 - share, share])
    assert data.describe().splitlines()[1:] == [
        f"labels: 2 objects in 2 frames (class 0 {100 - 100 * share:.1f} %, "
        f"class 1 {100 * share:.1f} % of the pixels)",
        "without truth: 2 frames, left out of loss and score",
    ]


def test_silver_truth_only_where_there_is_no_gold(tmp_path):
    images, _ = sequence(tmp_path, kind="01_ST", truth=(0, 1, 2))
    assert read_pair(images).labelled() == [0, 1, 2]
    cells = MASK * np.uint16(9)
    gold = tmp_path / "01_GT" / "SEG"
    gold.mkdir(parents=True)
    assert read_pair(images).labelled() == [0, 1, 2]
    write_tiff(gold / "man_seg002.tif", cells)
    data = read_pair(images)
    assert data.labelled() == [2]
    assert data.labels[2].max() == 9


def test_all_sequences_of_a_data_set(tmp_path):
    sequence(tmp_path)
    sequence(tmp_path, frames=(0,), truth=(0,), kind="02_GT", name="02")
    (tmp_path / "03").mkdir()  # no frames in it
    (tmp_path / "04").write_text("no folder")
    data = read_pair(tmp_path)
    assert data.names == ["01/t000", "01/t001", "01/t002", "02/t000"]
    assert data.labelled() == [0, 2, 3]
    assert (data.kind, len(data.images), len(data.valid)) == ("instances", 4, 4)


def test_a_data_set_of_sequences_has_the_classes_that_were_given(tmp_path):
    cells = MASK.astype("u2") * 2
    cells[:3] = 1
    sequence(tmp_path, cells=cells)
    data = read_pair(tmp_path, kind="classes", n_classes=3)
    assert (data.kind, data.n_classes) == ("classes", 3)
    assert np.array_equal(data.labels[0], cells)


def test_man_seg_files_beside_a_stack_hold_objects(tmp_path):
    sequence(tmp_path, truth=range(5), cells=MASK)  # one object a frame, with the number 1
    images = write_tiff(tmp_path / "i.tif", STACK)
    data = read_pair(images, tmp_path / "01_GT")
    assert (data.kind, data.n_classes) == ("instances", 2)
    assert read_pair(images, tmp_path / "01_GT", kind="classes").kind == "classes"


def test_segmentations_by_frame_number(tmp_path):
    _, labels = sequence(tmp_path, truth=(0, 2))
    found = read_segmentation(labels)
    assert list(found) == [0, 2]
    assert found[2].dtype == np.int32
    assert np.array_equal(found[2], MASK * 7)
    assert np.array_equal(read_labels(labels)[1], MASK * 7)
    (tmp_path / "result").mkdir()
    write_tiff(tmp_path / "result" / "mask005.tif", MASK.astype("u2") * 3)
    assert list(read_segmentation(tmp_path / "result")) == [5]
    with pytest.raises(ValueError, match=r"01: wanted a folder with mask000.tif … as predict --c"):
        read_segmentation(tmp_path / "01")


def test_segmentations_of_numbers_that_int32_cannot_hold(tmp_path):
    """A frame of too large numbers is numbered anew, in their order; fractions are refused."""
    file = tmp_path / "mask000.tif"
    write_tiff(file, np.array([[0, 2**31 + 5], [2**31 + 4, 7]], np.uint32))
    assert read_segmentation(tmp_path)[0].tolist() == [[0, 3], [2, 1]]
    write_tiff(file, np.array([[0, 3.0]], np.float32))
    assert read_segmentation(tmp_path)[0].tolist() == [[0, 3]]
    for wrong, message in (([0, 1.7], "hold whole numbers, got fr"), ([0, -1], "not be negative")):
        write_tiff(file, np.array([wrong], np.float32))
        with pytest.raises(ValueError, match=rf"{tmp_path.name}: frame 0 must {message}"):
            read_segmentation(tmp_path)


def test_frame_twice_is_refused(tmp_path):
    _, labels = sequence(tmp_path)
    write_tiff(labels / "SEG" / "man_seg02.tif", MASK)
    with pytest.raises(ValueError, match=r"both man_seg002.tif and man_seg02.tif are frame 2"):
        read_segmentation(labels)


def test_instances_by_word_and_classes_by_word(tmp_path):
    images = write_tiff(tmp_path / "i.tif", STACK)
    cells = MASKS.astype("u2") * np.arange(1, 6, dtype="u2")[:, None, None]
    labels = write_tiff(tmp_path / "l.tif", cells)
    data = read_pair(images, labels, kind="instances", n_classes=2)
    assert np.array_equal(data.labels, cells)
    assert data.describe().splitlines()[1].startswith("labels: 5 objects in 5 frames")
    _, truth = sequence(tmp_path, cells=MASK * np.uint16(255))
    assert read_pair(tmp_path / "01", truth, kind="classes").labels[0].max() == 1


def test_object_numbers_up_to_31_bits(tmp_path):
    numbers = np.array([[0, 2**31 - 1]], np.uint32)
    path = write_tiff(tmp_path / "l.tif", numbers)
    assert np.array_equal(read_labels(path, kind="instances")[0], numbers)
    write_tiff(path, numbers + np.uint32([[0, 1]]))
    with pytest.raises(ValueError, match=r"2 values \(0, 2147483648\): wanted whole numbers from"):
        read_labels(path, kind="instances")


def test_signed_pixels_through_pillow(tmp_path):
    pixels = np.arange(-24, 24, dtype="i2")
    path = tmp_path / "x.tif"
    data = b"\x5f" + pixels.tobytes()  # PackBits: 96 bytes as they are
    path.write_bytes(tiff_bytes(data=data, t258=16, t339=2, t259=32773, t279=97))
    assert np.array_equal(read_images(path)[0], pixels.reshape(6, 8))


def test_data_set_of_one_slice_reads_well():
    data = Dataset([np.zeros((1, 4, 6), "f4")], [MASK[:4, :6].astype("i4")], [None], ["a"])
    assert data.describe().startswith("images: 1 slice of 4×6, float32, 1 channel\n")
    data.images.append(np.zeros((1, 8, 5), "f4"))
    data.labels.append(None)
    assert data.describe().startswith("images: 2 slices of 4×6 to 8×5, float32, 1 channel\n")
    assert data.describe().endswith("\nwithout truth: 1 frame, left out of loss and score")


def test_an_empty_list_names_no_file():
    with pytest.raises(ValueError, match="^path must name at least one file, got an empty list$"):
        open_stack([])


@pytest.mark.skipif(not (SHARED_DATA / "isbi2012").exists(), reason="no ISBI slices beside")
def test_real_membranes():
    folder = SHARED_DATA / "isbi2012"
    data = read_pair(folder / "train-volume.tif", folder / "train-labels.tif")
    assert np.array_equal(
        read_images(folder / "train-volume.tif"), tifffile.imread(folder / "train-volume.tif")
    )
    assert len(data) == 24
    assert np.array_equal(data.labels, tifffile.imread(folder / "train-labels.tif") // 255)
    assert 0.7 < data.shares()[1] < 0.85


@pytest.mark.skipif(not (SHARED_DATA / "dsb2018-nuclei").exists(), reason="no nuclei beside")
def test_real_nuclei():
    folder = SHARED_DATA / "dsb2018-nuclei"
    data = read_pair(folder / "01")
    assert data.labelled() == list(range(48))
    truth = tifffile.imread(folder / "01_GT" / "SEG" / "man_seg007.tif")
    assert np.array_equal(data.labels[7], truth)
