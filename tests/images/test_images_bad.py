"""Every wrong file gets one clear line that names it, before any memory is spent on it."""

import io
import logging
import struct
import tracemalloc
import zlib
from contextlib import suppress

import numpy as np
import pytest
import tifffile
from badfiles import BAD_IMAGES, BAD_PAIRS, GREY, MASKS, STACK, tiff_bytes, write_tiff
from PIL import Image

from tinyunet.images import open_stack, read_images, read_labels, read_pair


def rows(table):
    return [pytest.param(build, message, id=name) for name, build, message in table]


def refused(error, paths, message):
    text = str(error.value)
    assert "\n" not in text
    assert any(str(path) in text for path in paths), text
    error.match(message)


@pytest.mark.parametrize(("build", "message"), rows(BAD_IMAGES))
def test_bad_images_are_refused(tmp_path, build, message):
    path = build(tmp_path)
    with pytest.raises((ValueError, FileNotFoundError)) as error:
        read_images(path)
    refused(error, [path], message)


@pytest.mark.parametrize(("build", "message"), rows(BAD_IMAGES))
def test_bad_images_are_refused_for_training(tmp_path, build, message):
    path = build(tmp_path)
    labels = write_tiff(tmp_path / "good-labels.tif", MASKS)
    with pytest.raises((ValueError, FileNotFoundError)):
        read_pair(path, labels)


@pytest.mark.parametrize(("build", "message"), rows(BAD_PAIRS))
def test_bad_pairs_are_refused(tmp_path, build, message):
    images, labels = build(tmp_path)
    with pytest.raises((ValueError, FileNotFoundError)) as error:
        read_pair(images, labels)
    refused(error, [path for path in (images, labels) if path], message)


@pytest.mark.parametrize(
    "name", [row[0] for row in BAD_IMAGES if row[0].startswith(("bomb", "TIFF cut", "short"))]
)
def test_refusing_costs_no_memory(tmp_path, name):
    build = next(row[1] for row in BAD_IMAGES if row[0] == name)
    path = build(tmp_path)
    with pytest.raises(ValueError):
        read_images(path)  # imports and caches first
    tracemalloc.start()
    try:
        with pytest.raises(ValueError):
            read_images(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2**20


def test_a_special_file_is_refused_without_reading_it():
    with pytest.raises(ValueError, match="/dev/zero: not a regular file: wanted a TIFF, PN"):
        open_stack("/dev/zero")


def test_arguments(tmp_path):
    path = write_tiff(tmp_path / "x.tif", STACK)
    masks = write_tiff(tmp_path / "m.tif", MASKS)
    for wrong in (0, -1, 65):
        with pytest.raises(
            ValueError, match=rf"of {wrong} channels: wanted 1 \(grey\), 3 \(colour\)"
        ):
            open_stack(path, in_channels=wrong)
    with pytest.raises(ValueError, match=r"x.tif, page 0: is grey: wanted 3 channels; convert it"):
        open_stack(path, in_channels=3)
    with pytest.raises(ValueError, match="kind is 'cells': wanted one of auto, classes, instances"):
        read_labels(masks, kind="cells")
    with pytest.raises(ValueError, match='kind is \'cells\': wanted "classes" or "instances"'):
        read_pair(path, masks, kind="cells")
    with pytest.raises(ValueError, match="1 classes: wanted 2 or more"):
        read_labels(masks, n_classes=1)
    with pytest.raises(ValueError, match="every pixel has the value 4 that means no ground truth"):
        read_labels(write_tiff(tmp_path / "i.tif", MASKS * 0 + 4), ignore=4)
    with pytest.raises(ValueError, match=r"\(0, 255\): wanted 0 to 2 for 3 classes; if each"):
        read_labels(write_tiff(tmp_path / "b.tif", MASKS * 255), n_classes=3)
    with pytest.raises(IndexError, match=r"x.tif: slice 5 asked, has 0 to 4"):
        open_stack(path).page(5)
    with pytest.raises(IndexError, match=r"slice -1 asked"):
        open_stack(path).page(-1)


def test_a_file_that_shrinks_after_opening(tmp_path):
    path = write_tiff(tmp_path / "x.tif", STACK)
    stack = open_stack(path)
    assert stack.page(4).shape == STACK[4].shape
    with open(path, "r+b") as file:
        file.truncate(1000)
    with pytest.raises(ValueError, match=r"x.tif: became shorter while it was being read"):
        stack.page(4)
    path.write_bytes(b"")
    with pytest.raises(ValueError, match=r"x.tif: became shorter while it was being read"):
        stack.page(4)


def test_a_png_that_changes_after_opening(tmp_path):
    path = tmp_path / "x.png"
    Image.fromarray(GREY).save(path)
    stack = open_stack(path)
    Image.fromarray(GREY[:20]).save(path)
    with pytest.raises(ValueError, match=r"^[^:]*x.png: changed while it was being read$"):
        stack.page(0)
    path.unlink()
    with pytest.raises(FileNotFoundError):
        stack.page(0)


@pytest.mark.parametrize("compression", [8, 5])
def test_a_strip_that_holds_more_than_it_should(tmp_path, compression):
    # 32 MB of zeros behind a header of 8×6 pixels: no more than the 48 bytes are unpacked
    stream = io.BytesIO()
    kind = {8: "tiff_adobe_deflate", 5: "tiff_lzw"}[compression]
    Image.fromarray(np.zeros((4096, 8192), "u1")).save(
        stream, "TIFF", compression=kind, strip_size=2**25
    )
    stream.seek(0)
    with tifffile.TiffFile(stream) as file:
        (start,), (size,) = file.pages[0].dataoffsets, file.pages[0].databytecounts
    data = stream.getvalue()[start : start + size]
    path = tmp_path / "x.tif"
    path.write_bytes(tiff_bytes(data=data, t259=compression, t279=len(data)))
    stack = open_stack(path)
    with suppress(ValueError):
        stack.page(0)  # imports first
    tracemalloc.start()
    try:
        if compression == 5:
            assert np.array_equal(stack.page(0), np.zeros((6, 8)))
        else:
            with pytest.raises(ValueError, match="page 0: damaged TIFF: libdeflate"):
                stack.page(0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2**20


@pytest.mark.parametrize(
    "kind",
    [
        *(ValueError, TypeError, IndexError, KeyError, OverflowError, ZeroDivisionError),
        *(OSError, SyntaxError, EOFError, AttributeError, AssertionError, NotImplementedError),
        *(RuntimeError, zlib.error),
    ],
)
def test_what_a_library_may_raise(kind):
    from tinyunet.images._damage import refusing

    with pytest.raises(ValueError, match="^f: damaged PNG: ?'?first'?$"), refusing("f", "PNG"):
        raise kind("first\nsecond" if kind is not KeyError else "first")
    nameless = f"^f: damaged PNG: ({kind.__name__}|error|'')$"
    with pytest.raises(ValueError, match=nameless), refusing("f", "PNG"):
        raise kind("")


def test_numbers_that_are_cut_off():
    from tinyunet.images._damage import refusing

    message = "^f: truncated TIFF: it ends in the middle of its header$"
    with pytest.raises(ValueError, match=message), refusing("f", "TIFF"):
        struct.unpack("<I", b"abc")


def test_what_passes_as_it_is():
    from tinyunet.images._damage import refusing

    for error in (
        ValueError("f: too large"),
        ValueError("f, page 0: too large"),
        FileNotFoundError("f"),
        PermissionError("f"),
        MemoryError("f"),
    ):
        with pytest.raises(type(error)) as found, refusing("f", "TIFF"):
            raise error
        assert found.value is error
    with pytest.raises(ValueError, match="^f: damaged TIFF: first"), refusing("f", "TIFF"):
        raise ValueError("first")  # begins with f, but names no file


def test_what_tifffile_only_logs(tmp_path, capfd, caplog):
    # a damaged tag of some maker's own is passed over, and nothing is printed about it
    path = tmp_path / "x.tif"
    data = bytes(range(48))
    path.write_bytes(tiff_bytes(data=data, t60000=(99, 1, 0)))
    assert np.array_equal(read_images(path)[0], np.arange(48).reshape(6, 8))
    assert not caplog.records
    path.write_bytes(tiff_bytes(t258=(99, 1, 8)))
    with pytest.raises(ValueError, match=r"x.tif, page 0: truncated TIFF: tag 258 cannot be read$"):
        read_images(path)
    assert not caplog.records
    assert capfd.readouterr() == ("", "")
    assert not logging.getLogger("tifffile").filters
