"""Mutated files: only ValueError or OSError comes out, one line, and memory stays bounded.

Run longer with `pytest -m slow tests/images/test_images_fuzz.py`; what it finds becomes a row in
badfiles.
"""

import io
import random
import struct
import time
import tracemalloc
from contextlib import suppress

import numpy as np
import pytest
import tifffile
from badfiles import GREY, STACK, png_chunk, tiff_bytes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from tinyunet.images import limits, open_stack, read_labels

BOUND = 2**24  # bytes; the honest files need a few kilobytes
BUDGET = 2**22  # of a page, instead of a gigabyte


def _tiff(**options):
    stream = io.BytesIO()
    tifffile.imwrite(stream, **{"data": STACK[:2], "photometric": "minisblack", **options})
    return stream.getvalue()


def _pillow(form, array=GREY, quantized=0, **options):
    stream, image = io.BytesIO(), Image.fromarray(array)
    (image.quantize(quantized) if quantized else image).save(stream, format=form, **options)
    return stream.getvalue()


def _turned():
    exif = Image.Exif()
    exif[274] = 6
    return exif


RGB = {"photometric": "rgb"}


SEEDS = {
    "plain": _tiff(),
    "deflate": _tiff(compression="zlib", predictor=True, rowsperstrip=5),
    "tiles": _tiff(data=STACK[0], tile=(16, 16), compression="zlib"),
    "float": _tiff(data=STACK[0].astype("f4"), byteorder=">"),
    "big": _tiff(bigtiff=True),
    "imagej": _tiff(imagej=True),
    "ome": _tiff(ome=True),
    "hand": tiff_bytes(),
    "lzw": _pillow("TIFF", compression="tiff_lzw"),
    "packbits": _pillow("TIFF", compression="packbits"),
    "fax": _pillow("TIFF", GREY > 100, compression="group4"),
    "fax 3": _pillow("TIFF", GREY > 100, compression="group3"),
    "zstd": _pillow("TIFF", compression="zstd"),
    "lzma": _tiff(compression="lzma"),
    "jpeg in tiff": _tiff(data=STACK[0], compression="jpeg"),
    "jpeg tiles": _tiff(data=np.dstack(STACK[:3]), compression="jpeg", tile=(16, 16), **RGB),
    "colour": _tiff(data=np.dstack(STACK[:3]), compression="lzw", **RGB),
    "planes": _tiff(data=STACK[:3], planarconfig="separate", compression="zstd", **RGB),
    "palette": _tiff(data=STACK[0] % 4, photometric="palette", colormap=np.eye(3, 256, dtype="u2")),
    "white is 0": _tiff(photometric="miniswhite", compression="packbits"),
    "12 bits": _tiff(data=STACK[0].astype("u2") * 16, bitspersample=12),
    "turned": _tiff(extratags=[(274, "H", 1, 6, True)]),
    "truncated": _tiff(truncate=True),
    "names": _tiff(metadata=None, description='{"tinyunet": 1, "names": ["a", "b"]}'),
    "stk": tiff_bytes(data=bytes(144), t33628=8, t33629=(5, 3, 8)),
    "png": _pillow("PNG"),
    "png16": _pillow("PNG", GREY.astype("u2") * 200),
    "png1": _pillow("PNG", GREY > 100),
    "png palette": _pillow("PNG", np.dstack(STACK[:3]), quantized=16),
    "png alpha": _pillow("PNG", np.dstack([*STACK[:3], GREY * 0 + 255])),
    "jpeg": _pillow("JPEG"),
    "jpeg colour": _pillow("JPEG", np.dstack(STACK[:3]), exif=_turned()),
}
VALUES = [0, 1, 2, 3, 4, 7, 8, 16, 31, 32, 127, 128, 254, 255]
WORDS = [0, 1, 2, 2**15, 2**16 - 1, 2**16, 2**31 - 1, 2**31, 2**32 - 1, 200_000]


def mutate(content, edits):
    """Bytes with each edit applied: set a byte, set a word, cut, or copy a piece elsewhere."""
    content = bytearray(content)
    for kind, where, value in edits:
        if not content:
            break
        at = where % len(content)
        if kind == 0:
            content[at] = VALUES[value % len(VALUES)]
        elif kind == 1:
            content[at : at + 4] = struct.pack("<I", WORDS[value % len(WORDS)])
        elif kind == 2:
            del content[at : at + value % 40]
        elif kind == 3:
            content[at:at] = content[value % len(content) :][:12]
        else:
            content[at] ^= 1 << value % 8
    if content[:4] == b"\x89PNG" and edits and edits[0][1] % 2:
        content = _with_checksums(content)
    return bytes(content)


def _with_checksums(content):
    """A PNG with its checksums made right again, so that the damage reaches the decoder."""
    out, at = bytearray(content[:8]), 8
    while at + 12 <= len(content):
        (length,) = struct.unpack(">I", content[at : at + 4])
        body = bytes(content[at + 8 : at + 8 + length])
        out += png_chunk(bytes(content[at + 4 : at + 8]), body)
        at += 12 + length
    return out


def refusal(message, path):
    assert len(message.splitlines()) == 1, message
    assert str(path) in message
    return message


def attempt(path, content):
    """Read the file every way there is; "read" or the refusal. Any other exception is a find."""
    path.write_bytes(content)
    outcome = ""
    for options in ({}, {"in_channels": 3}, {"labels": True}):
        try:
            stack = open_stack(path, **options)
            for i in range(len(stack)):
                page = np.asarray(stack.page(i))
                assert page.shape[-2:] == stack.sizes[i]
                assert page.dtype == stack.dtypes[i]
                page.sum()
            outcome = "read"
        except (ValueError, OSError) as error:  # noqa: PERF203
            outcome = outcome or refusal(str(error), path)
    with suppress(ValueError, OSError):
        read_labels(path)
    return outcome


def bounded_attempt(path, content):
    tracemalloc.start()
    try:
        outcome = attempt(path, content)
        assert tracemalloc.get_traced_memory()[1] < BOUND
    finally:
        tracemalloc.stop()
    return outcome


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    patch = pytest.MonkeyPatch()
    patch.setattr(limits, "PAGE_BYTES", BUDGET)
    path = tmp_path_factory.mktemp("fuzz") / "x"
    for content in SEEDS.values():  # imports and compiles what is needed, so that it is not counted
        attempt(path, content)
    yield path
    patch.undo()


@pytest.mark.parametrize("seed", SEEDS)
def test_the_seeds_themselves_are_read(target, seed):
    options = {"labels": True}
    target.write_bytes(SEEDS[seed])
    if seed.startswith(("jpeg", "colour", "png alpha", "white")):
        options = {"in_channels": 1 if seed in ("jpeg", "jpeg in tiff", "white is 0") else 3}
    stack = open_stack(target, **options)
    assert all(stack.page(i).size for i in range(len(stack)))


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from(sorted(SEEDS)),
    st.lists(
        st.tuples(st.integers(0, 4), st.integers(0, 2**16), st.integers(0, 2**16)), max_size=6
    ),
)
def test_mutated_files(target, seed, edits):
    bounded_attempt(target, mutate(SEEDS[seed], edits))


@pytest.mark.slow
def test_mutated_files_for_long(target):
    """A minute of random mutations; TINYUNET_FUZZ_SECONDS sets another length."""
    import os

    dice, count, refused = random.Random(), 0, 0
    end = time.monotonic() + float(os.environ.get("TINYUNET_FUZZ_SECONDS", "60"))
    while time.monotonic() < end:
        name = dice.choice(sorted(SEEDS))
        edits = [
            (dice.randrange(5), dice.randrange(2**16), dice.randrange(2**16))
            for _ in range(dice.randrange(1, 7))
        ]
        try:
            refused += bounded_attempt(target, mutate(SEEDS[name], edits)) != "read"
        except BaseException:
            print(f"seed {name}, edits {edits}")
            raise
        count += 1
    print(f"{count} files, {refused} refused")
    assert count > refused > 0
