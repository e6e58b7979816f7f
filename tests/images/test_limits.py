"""A page is judged by what it would allocate, not by how well it is packed."""

import tracemalloc
import zlib

import numpy as np
import pytest
import tifffile
from badfiles import MASKS, STACK, png_bytes, tiff_bytes, write_tiff
from PIL import Image

from tinyunet.images import limits, open_stack, read_images, read_labels
from tinyunet.images.limits import check_page

BLANK = np.zeros((2900, 3100), "u1")


def nearly_blank(dtype=bool):
    """A page of nothing but one small cell."""
    page = np.zeros((2900, 3100), dtype)
    page[2000:2040, 77:140] = 1
    return page


@pytest.mark.parametrize("page", [BLANK.astype(bool), nearly_blank()], ids=["blank", "nearly"])
@pytest.mark.parametrize("codec", ["group4", "group3", "tiff_ccitt", "tiff_lzw", "zstd", "lzma"])
def test_blank_masks_of_one_bit(tmp_path, page, codec):
    path = tmp_path / "x.tif"
    Image.fromarray(page).save(path, compression=codec)
    assert path.stat().st_size < page.size / 60
    assert np.array_equal(open_stack(path, labels=True).page(0), page)


@pytest.mark.parametrize("codec", ["lzw", "zstd", "lzma", "zlib", "packbits", None])
@pytest.mark.parametrize(
    "layout", [{}, {"tile": (512, 512)}, {"rowsperstrip": 2900}, {"predictor": 2}]
)
@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_blank_pages_of_every_codec(tmp_path, codec, layout, dtype):
    if codec in (None, "packbits") and layout:
        layout = {} if "predictor" in layout or codec == "packbits" else layout
    size = (300, 310) if codec == "packbits" else (2900, 3100)  # its encoder is slow
    page = np.full(size, 513 if dtype == "u2" else 3, dtype)
    path = write_tiff(tmp_path / "x.tif", page, compression=codec, **layout)
    stack = open_stack(path, labels=True)
    assert np.array_equal(stack.page(0), page)


@pytest.mark.parametrize("bits", [1, 8, 16])
def test_blank_png(tmp_path, bits):
    page = {1: BLANK.astype(bool), 8: BLANK + 7, 16: BLANK.astype("u2") + 700}[bits]
    Image.fromarray(page).save(tmp_path / "x.png", compress_level=9)
    assert np.array_equal(open_stack(tmp_path / "x.png", labels=True).page(0), page)


def test_a_folder_of_blank_and_full_masks(tmp_path):
    for i in range(3):
        page = BLANK.astype(bool) if i == 1 else nearly_blank()
        Image.fromarray(page).save(tmp_path / f"{i}.tif", compression="group4")
    labels = read_labels(tmp_path)
    assert [int(page.sum()) for page in labels] == [2520, 0, 2520]


@pytest.mark.parametrize("rows", [None, 7])
@pytest.mark.parametrize("codec", ["group4", "group3", "tiff_ccitt"])
@pytest.mark.parametrize("kind", ["noise", "blobs", "stripes", "edges"])
def test_fax_pages_are_those_that_pillow_reads(tmp_path, rng, codec, kind, rows):
    noise = rng.random((61, 203))
    smooth = noise + np.roll(noise, 1, 0) + np.roll(noise, 1, 1) + np.roll(noise, 3, 1)
    page = {
        "noise": noise > 0.5,
        "blobs": smooth > 2,
        "stripes": np.arange(203)[None] % 64 < np.arange(61)[:, None],
        "edges": np.add.outer(np.arange(61) * 0, np.arange(203)) % 202 == 0,
    }[kind]
    path = tmp_path / "x.tif"
    Image.fromarray(page).save(path, compression=codec, **({"strip_size": 26 * 7} if rows else {}))
    with Image.open(path) as image:
        assert np.array_equal(np.asarray(image), page)
    assert np.array_equal(open_stack(path, labels=True).page(0), page)


def peak_of(call):
    """Bytes that a call takes at most; what it raises is its answer."""
    tracemalloc.start()
    try:
        with pytest.raises(ValueError) as error:
            call()
        return tracemalloc.get_traced_memory()[1], str(error.value)
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("codec", [5, 8, 50000, 34925, 4, 7, 32773])
def test_a_page_beyond_the_budget_is_refused_before_it_is_decoded(tmp_path, codec):
    bits = {"t258": 1} if codec == 4 else {}
    content = tiff_bytes(data=bytes(48), t259=codec, t256=2**20, t257=2**20, t278=2**20, **bits)
    (tmp_path / "x.tif").write_bytes(content)
    peak, message = peak_of(lambda: open_stack(tmp_path / "x.tif", labels=codec != 7))
    assert "x.tif, page 0: claims 1048576×1048576 pixels" in message
    assert peak < 2**20


def test_what_deflate_and_packbits_can_never_hold(tmp_path):
    stored = zlib.compress(bytes(48))
    size = {"t256": 1000, "t257": 1000, "t278": 1000}
    for codec, data in ((8, stored), (32773, bytes(200))):
        content = tiff_bytes(data=data, t259=codec, t279=len(data), **size)
        (tmp_path / "x.tif").write_bytes(content)
        peak, message = peak_of(lambda: read_images(tmp_path / "x.tif"))
        assert f"stores only {len(data)} bytes, which cannot unpack to more than" in message
        assert peak < 2**20
    (tmp_path / "x.png").write_bytes(png_bytes(9000, 9000, data=stored))
    peak, message = peak_of(lambda: read_images(tmp_path / "x.png"))
    assert "x.png: claims 9000×9000 pixels (81009000 bytes) but stores only" in message or (
        "x.png: claims 9000×9000 pixels (81000000 bytes) but stores only" in message
    )
    assert peak < 2**20


def test_the_budget_is_exact():
    check_page("f", (2**15, 2**15), 2**30, 2**30, 9, 5)
    with pytest.raises(
        ValueError, match="f: claims 32768×32769 pixels, 1073774592 bytes once deco"
    ):
        check_page("f", (2**15, 2**15 + 1), 2**30 + 2**15, 9, 9, 5)
    check_page("f", (1, 7 * 1032), 7 * 1032, 7 * 1032, 7, 8)
    check_page("f", (1, 7 * 64), 7 * 64, 7 * 64, 7, 32773)
    for codec, most in ((8, 1032), (32946, 1032), (32773, 64)):
        with pytest.raises(ValueError, match=rf"\({7 * most + 1} bytes\) but stores only 7 bytes"):
            check_page("f", (1, 9), 9, 7 * most + 1, 7, codec)


def test_all_at_once_is_bounded(tmp_path, monkeypatch):
    path = write_tiff(tmp_path / "x.tif", STACK)
    monkeypatch.setattr(limits, "READ_BYTES", STACK.nbytes)
    assert np.array_equal(read_images(path), STACK)
    monkeypatch.setattr(limits, "READ_BYTES", STACK.nbytes - 1)
    with pytest.raises(ValueError, match="5 slices are 3840 bytes, more than the 3839 that are re"):
        read_images(path)


def test_a_tile_larger_than_its_picture_counts_as_what_it_is(tmp_path):
    """A picture of 8×6 pixels in one tile of 2^20 × 2^20 would be decoded as the tile."""
    tags = {"t322": 2**20, "t323": 2**20, "t324": 8, "t325": 48}
    content = tiff_bytes(data=bytes(48), t259=5, t273=None, t278=None, t279=None, **tags)
    (tmp_path / "x.tif").write_bytes(content)
    peak, message = peak_of(lambda: read_images(tmp_path / "x.tif"))
    assert "bytes once decoded, more than the 1073741824 that are read from a page" in message
    assert peak < 2**20


def test_uncompressed_stacks_may_be_as_long_as_the_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "PAGE_BYTES", 100)
    path = write_tiff(tmp_path / "x.tif", MASKS)
    assert np.array_equal(open_stack(path, labels=True).page(3), MASKS[3])
    tifffile.imwrite(path, MASKS.astype(bool), photometric="minisblack")
    with pytest.raises(ValueError, match="claims 24×32 pixels, 768 bytes once decoded, more than"):
        open_stack(path, labels=True)
