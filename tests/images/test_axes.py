"""What a header says of a stack is held against what the file holds; axes keep their meaning."""

import struct
import warnings

import numpy as np
import pytest
import tifffile
from badfiles import by_another, tiff_bytes, write_tiff

from tinyunet.images import open_stack, read_images, read_labels

RNG = np.random.default_rng(14)
STACK = RNG.integers(0, 256, (5, 18, 22)).astype("u1")
RGB = RNG.integers(0, 256, (3, 18, 22, 3)).astype("u1")
IMAGEJ = {"imagej": True, "metadata": {"axes": "TYX"}}
UUID = "urn:uuid:11111111-2222-3333-4444-555555555555"


def ome(sizes, planes="<TiffData/>", order="XYZCT", uuid=UUID):
    """An OME header by hand: sizes as "Z5 C1", `planes` what stands in <Pixels>."""
    said = " ".join(f'Size{size[0]}="{size[1:]}"' for size in sizes.split())
    return (
        f'<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
        f'UUID="{uuid}"><Image ID="Image:0"><Pixels DimensionOrder="{order}" ID="Pixels:0" {said} '
        f'SizeX="22" SizeY="18" Type="uint8">{planes}</Pixels></Image></OME>'
    )


def said(call, *arguments, **options):
    """What a call returns, and its warnings as text."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = call(*arguments, **options)
    return result, [str(warning.message) for warning in caught]


@pytest.mark.parametrize("planar", [None, "separate"])
@pytest.mark.parametrize("samples", ["", ' SamplesPerPixel="3"'])
def test_ome_counts_samples_as_channels(tmp_path, planar, samples):
    # three slices of RGB: SizeC is 3, though no page is a channel
    pages = RGB if planar is None else np.moveaxis(RGB, -1, 1)
    header = ome("Z3 C3 T1", f'<Channel ID="C:0"{samples}/><TiffData/>')
    with tifffile.TiffWriter(tmp_path / "x.ome.tif") as file:
        for i, page in enumerate(pages):
            note = {"description": header} if i == 0 else {}
            file.write(page, photometric="rgb", planarconfig=planar, metadata=None, **note)
    found, warned = said(read_images, tmp_path / "x.ome.tif", 3)
    assert np.array_equal(found, np.moveaxis(RGB, -1, 1))
    assert not warned


@pytest.mark.parametrize("axes", ["ZYXS", "TYXS", "YXS"])
def test_colour_ome_by_tifffile(tmp_path, axes):
    pages = RGB if len(axes) == 4 else RGB[0]
    path = write_tiff(
        tmp_path / "x.tif", pages, photometric="rgb", ome=True, metadata={"axes": axes}
    )
    assert np.array_equal(
        read_images(path, 3), np.moveaxis(RGB[: (len(pages.shape[:-3]) and 3) or 1], -1, 1)
    )


def test_a_folder_of_planes_with_the_header_of_the_whole(tmp_path):
    for t in range(3):
        for channel in (1, 2):
            folder = tmp_path / f"{channel}"
            folder.mkdir(exist_ok=True)
            header = ome(f"Z1 C{channel} T7")
            write_tiff(folder / f"x_T{t}.ome.tif", STACK[t], metadata=None, description=header)
    for channel in "12":
        stack, warned = said(open_stack, tmp_path / channel)
        assert stack.names == ["x_T0", "x_T1", "x_T2"]
        assert np.array_equal([stack.page(i) for i in range(3)], STACK[:3])
        assert not warned
    # one of them by itself is an acquisition that lacks planes
    _, (warning,) = said(open_stack, tmp_path / "1" / "x_T1.ome.tif")
    assert (
        "x_T1.ome.tif: its header speaks of 7 slices; the file holds 1, which are used" in warning
    )


@pytest.mark.parametrize("ending", [".ome.tif", ".OME.TIF", ".ome.tiff", ".tif", ".TIFF"])
def test_the_ending_is_no_part_of_a_name(tmp_path, ending):
    write_tiff(tmp_path / f"cell 7{ending}", STACK[0])
    assert open_stack(tmp_path).names == ["cell 7"]


@pytest.mark.parametrize(
    ("options", "stored"),
    [
        ({}, STACK),
        ({"metadata": {"axes": "ZYX"}}, STACK),
        ({"bigtiff": True}, STACK.astype("u2") * 256 + 7),
        ({"byteorder": ">"}, STACK.astype("f4") / 3),
        ({"imagej": True, "metadata": {"axes": "ZYX"}}, STACK.astype("u2")),
        ({"rowsperstrip": 4}, STACK),
    ],
)
def test_planes_behind_one_directory(tmp_path, options, stored):
    with tifffile.TiffWriter(tmp_path / "x.tif", **_file(options)) as file:
        file.write(stored, photometric="minisblack", truncate=True, **_page(options))
    with tifffile.TiffFile(tmp_path / "x.tif") as file:
        assert len(file.pages) == 1
    found, warned = said(read_images, tmp_path / "x.tif")
    assert np.array_equal(found, stored)
    assert not warned


def _file(options):
    return {k: v for k, v in options.items() if k in ("bigtiff", "byteorder", "imagej")}


def _page(options):
    return {k: v for k, v in options.items() if k in ("metadata", "rowsperstrip")}


def test_colour_planes_behind_one_directory(tmp_path):
    write_tiff(tmp_path / "x.tif", RGB, photometric="rgb", truncate=True)
    assert np.array_equal(read_images(tmp_path / "x.tif", 3), np.moveaxis(RGB, -1, 1))


@pytest.mark.parametrize("options", [{"truncate": True}, IMAGEJ, {}])
def test_an_acquisition_cut_short_is_used_as_far_as_it_goes(tmp_path, options):
    """The first directory, then the pixels, the other directories at the end: those are lost."""
    path = write_tiff(tmp_path / "x.tif", STACK, **options)
    with tifffile.TiffFile(path) as file:
        start = file.pages[0].dataoffsets[0]
    with open(path, "r+b") as file:
        file.truncate(start + 3 * STACK[0].size + 100)
    found, (warning,) = said(read_images, path)
    assert np.array_equal(found, STACK[:3])
    assert warning.endswith(
        "x.tif: its header speaks of 5 slices; the file holds 3, which are used"
    )


@pytest.mark.parametrize("lost", ["directory", "link", "pixels"])
def test_a_stack_whose_last_pages_were_not_written(tmp_path, lost):
    """Pages written one by one, each with its directory, as microscopes do."""
    path = tmp_path / "x.tif"
    for count in (3, 4):
        with tifffile.TiffWriter(path) as file:
            for page in STACK[:count]:
                file.write(page, photometric="minisblack", metadata=None, compression="zlib")
        size = path.stat().st_size
        with tifffile.TiffFile(path) as file:
            last = file.pages[count - 1]
            cut = {
                "directory": last.offset + 20,
                "link": last.offset - 1,
                "pixels": last.dataoffsets[0] + 9,
            }[lost]
    assert cut < size
    with open(path, "r+b") as file:
        file.truncate(cut)
    found, (warning,) = said(read_images, path)
    assert np.array_equal(found, STACK[:3])
    assert "x.tif, page 3: truncated TIFF: " in warning
    assert warning.endswith("; the file holds 3, which are used")


def test_a_page_cut_in_the_middle_is_damage_and_no_early_end(tmp_path):
    path = write_tiff(tmp_path / "x.tif", STACK, metadata=None)
    with tifffile.TiffFile(path, mode="r+b") as file:
        file.pages[2].tags["StripOffsets"].overwrite(10**6)
    with pytest.raises(
        ValueError, match=r"x.tif, page 2: truncated TIFF: its pixels reach to byte"
    ):
        read_images(path)


@pytest.mark.parametrize("kind", ["ome", "imagej"])
def test_a_header_that_speaks_of_more_frames_than_were_taken(tmp_path, kind):
    note = ome("Z1 C1 T40") if kind == "ome" else "ImageJ=1.54f\nimages=40\nframes=40\n"
    with tifffile.TiffWriter(tmp_path / "x.tif") as file:
        for i, page in enumerate(STACK[:4]):
            more = {"description": note} if i == 0 else {}
            file.write(page, photometric="minisblack", metadata=None, compression="lzw", **more)
    found, (warning,) = said(read_images, tmp_path / "x.tif")
    assert np.array_equal(found, STACK[:4])
    assert warning.endswith("speaks of 40 slices; the file holds 4, which are used")


CHANNELS = {
    "tifffile": {"metadata": {"axes": "CYX"}},
    "truncated": {"metadata": {"axes": "CYX"}, "truncate": True},
    "imagej film": {"imagej": True, "metadata": {"axes": "TCYX"}},
    "ome stack": {"ome": True, "metadata": {"axes": "CZYX"}},
}


@pytest.mark.parametrize("kind", CHANNELS)
@pytest.mark.parametrize("count", [2, 3, 4])
def test_channels_are_no_slices(tmp_path, kind, count):
    axes = CHANNELS[kind]["metadata"]["axes"]
    shape = {"CYX": (count,), "TCYX": (6, count), "CZYX": (count, 6)}[axes]
    array = RNG.integers(0, 256, (*shape, 18, 22)).astype("u1")
    path = write_tiff(tmp_path / "x.tif", array, **CHANNELS[kind])
    for options in ({}, {"labels": True}, {"in_channels": 5}):
        with pytest.raises(ValueError, match=r"x.tif: .*channels[ ,]"):
            open_stack(path, **options)
    # as channels of an image they are read, where so many are asked for
    slices = {"CYX": array[None], "TCYX": array, "CZYX": array.swapaxes(0, 1)}[axes]
    stack = open_stack(path, in_channels=count)
    assert stack.shape == (len(slices), count, 18, 22)
    assert np.array_equal([stack.page(i) for i in range(len(stack))], slices)


@pytest.mark.parametrize("count", [2, 5])
@pytest.mark.parametrize("kind", ["imagej", "ome"])
def test_channels_of_imagej_and_ome(tmp_path, count, kind):
    options = {kind: True, "metadata": {"axes": "CYX"}}
    path = by_another(write_tiff(tmp_path / "x.tif", STACK[:count], **options))
    with pytest.raises(ValueError, match=f"x.tif: holds {count} channels, not slices: wanted 1 ch"):
        open_stack(path)
    with pytest.raises(
        ValueError, match=f"{count} channels, not slices: wanted one number a pixel"
    ):
        open_stack(path, labels=True)
    assert np.array_equal(open_stack(path, count).page(0), STACK[:count])


@pytest.mark.parametrize("count", [2, 5])
@pytest.mark.parametrize("options", [{}, {"metadata": {"axes": "CYX"}}])
@pytest.mark.parametrize("kind", ["imagej", "ome"])
def test_what_tifffile_calls_channels_may_be_slices(tmp_path, count, options, kind):
    path = write_tiff(tmp_path / "x.tif", STACK[:count], **{kind: True}, **options)
    found, (warning,) = said(read_images, path)
    assert np.array_equal(found, STACK[:count])
    assert f"x.tif: its header speaks of {count} channels: each is taken as a slice" in warning
    found, warned = said(read_images, path, count)
    assert np.array_equal(found, STACK[None, :count])
    assert not warned


def test_one_channel_in_a_header_is_none(tmp_path):
    for name, options in {
        "i": {"imagej": True, "metadata": {"axes": "TZCYX"}},
        "o": {"ome": True, "metadata": {"axes": "TZCYX"}},
    }.items():
        path = write_tiff(tmp_path / f"{name}.tif", STACK[:, None, None], **options)
        assert np.array_equal(read_images(path), STACK)


def test_a_slice_that_lacks_channels_at_the_end_is_left_out(tmp_path):
    with tifffile.TiffWriter(tmp_path / "x.tif") as file:
        for i, page in enumerate(STACK):
            more = {"description": ome("Z1 C2 T9")} if i == 0 else {}
            file.write(page, photometric="minisblack", metadata=None, **more)
    stack, (warning,) = said(open_stack, tmp_path / "x.tif", 2)
    assert np.array_equal([stack.page(0), stack.page(1)], STACK[:4].reshape(2, 2, 18, 22))
    assert "speaks of 18 slices; the file holds 5" in warning


def test_planes_of_an_ome_file_in_another_order(tmp_path):
    order = [3, 0, 4, 1, 2]
    planes = "".join(
        f'<TiffData IFD="{i}" FirstT="{t}" PlaneCount="1"/>' for i, t in enumerate(order)
    )
    with tifffile.TiffWriter(tmp_path / "x.tif") as file:
        for i, t in enumerate(order):
            more = {"description": ome("Z1 C1 T5", planes)} if i == 0 else {}
            file.write(STACK[t], photometric="minisblack", metadata=None, **more)
    assert np.array_equal(read_images(tmp_path / "x.tif"), STACK)


def test_no_other_file_is_looked_into(tmp_path):
    planes = "".join(
        f'<TiffData IFD="0" FirstT="{t}" PlaneCount="1"><UUID FileName="{t}.ome.tif">urn:uuid:'
        f"{t}</UUID></TiffData>"
        for t in range(3)
    )
    for t in range(3):
        header = ome("Z1 C1 T3", planes, uuid=f"urn:uuid:{t}")
        write_tiff(tmp_path / f"{t}.ome.tif", STACK[t], metadata=None, description=header)
    found, (warning,) = said(read_images, tmp_path / "1.ome.tif")
    assert np.array_equal(found, STACK[1:2])
    assert "speaks of 3 slices; the file holds 1" in warning


@pytest.mark.parametrize("number", [10**9, 2**31, 10**18, 10**40])
def test_a_header_of_enormous_numbers_costs_nothing(tmp_path, number):
    import tracemalloc

    header = ome(f"Z{number} C1 T{number}", f'<TiffData PlaneCount="{number}"/>')
    path = write_tiff(tmp_path / "x.tif", STACK[0], metadata=None, description=header)
    tracemalloc.start()
    try:
        said(open_stack, path)
        assert tracemalloc.get_traced_memory()[1] < 2**21
    finally:
        tracemalloc.stop()


def write_stk(path, planes, rows=None, kept=None):
    """MetaMorph: one directory, the planes one behind the other; the tag UIC2 counts them."""
    count, height, width = planes.shape
    bits = 8 * planes.dtype.itemsize
    data = planes.astype(planes.dtype.newbyteorder("<")).tobytes()[:kept]
    rows = rows or height
    strips = [8 + at * width * bits // 8 for at in range(0, height, rows)]
    sizes = [min(rows, height - at) * width * bits // 8 for at in range(0, height, rows)]
    lists = struct.pack(f"<{2 * len(strips)}I", *strips, *sizes)
    at = 8 + len(data)
    note = struct.pack("<6I", 1, 1, 2450000, 0, 2450000, 0) * count + bytes(8)
    where = [at, at + 4 * len(strips)] if len(strips) > 1 else [strips[0], sizes[0]]
    tags = {256: width, 257: height, 258: bits, 259: 1, 262: 1, 277: 1, 278: rows}
    rows_ = [(tag, 4, 1, value) for tag, value in tags.items()]
    rows_ += [(273, 4, len(strips), where[0]), (279, 4, len(strips), where[1])]
    uic = at + len(lists)
    rows_ += [(33628, 5, 1, uic + 24 * count), (33629, 5, count, uic)]
    content = b"".join(struct.pack("<HHII", *row) for row in sorted(rows_))
    head = b"II*\0" + struct.pack("<I", uic + len(note))
    path.write_bytes(
        head + data + lists + note + struct.pack("<H", len(rows_)) + content + bytes(4)
    )
    return path


@pytest.mark.parametrize("dtype", ["u1", "u2"])
@pytest.mark.parametrize("rows", [None, 5])
@pytest.mark.parametrize("name", ["x.stk", "x.STK", "x.tif"])
def test_every_plane_of_a_metamorph_film(tmp_path, dtype, rows, name):
    planes = STACK.astype(dtype) * (300 if dtype == "u2" else 1)
    path = write_stk(tmp_path / name, planes, rows)
    assert np.array_equal(read_images(path), planes)


def test_a_metamorph_film_that_was_stopped(tmp_path):
    path = write_stk(tmp_path / "x.stk", STACK, kept=3 * STACK[0].size + 50)
    found, (warning,) = said(read_images, path)
    # what follows the third plane is no plane, but as many bytes as one may be there
    assert np.array_equal(found[:3], STACK[:3])
    assert "speaks of 5 slices; the file holds" in warning


@pytest.mark.parametrize("bits", [1, 3])
def test_colour_in_planes_is_colour_where_it_is_asked_for(tmp_path, bits):
    planes = np.moveaxis(RGB[0], -1, 0)
    for note in ({}, {"metadata": None}):
        for more in ({}, {"compression": "zlib", "rowsperstrip": 7}, {"compression": "lzw"}):
            path = write_tiff(
                tmp_path / "x.tif",
                planes,
                photometric="rgb",
                planarconfig="separate",
                **note,
                **more,
            )
            found, warned = said(read_images, path, 3)
            assert np.array_equal(found, [planes])
            assert not warned


@pytest.mark.parametrize("count", [3, 4])
def test_slices_that_tifffile_took_for_colour_are_read_with_a_word(tmp_path, count):
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, STACK[:count], photometric="rgb", planarconfig="separate")
    found, (warning,) = said(read_images, path)
    assert np.array_equal(found, STACK[:count])
    assert f"x.tif: stores {count} planes of colour: each is taken as a grey slice" in warning
    masks = (STACK[:count] > 99).astype("u1")
    tifffile.imwrite(path, masks, photometric="rgb", planarconfig="separate")
    assert np.array_equal(said(read_labels, path)[0], masks)


def test_reduced_copies_and_transparency_are_left_out(tmp_path):
    with tifffile.TiffWriter(tmp_path / "x.tif") as file:
        for page in STACK[:2]:
            file.write(page, photometric="minisblack", metadata=None)
            file.write(page[::2, ::2], photometric="minisblack", metadata=None, subfiletype=1)
            file.write(page > 9, photometric="minisblack", metadata=None, subfiletype=4)
    assert np.array_equal(read_images(tmp_path / "x.tif"), STACK[:2])
    # a folder takes such a file as one slice
    with tifffile.TiffWriter(tmp_path / "y.tif") as file:
        file.write(STACK[3][::3, ::3], photometric="minisblack", metadata=None, subfiletype=1)
        file.write(STACK[3], photometric="minisblack", metadata=None)
    (tmp_path / "x.tif").unlink()
    assert np.array_equal(read_images(tmp_path), STACK[3:4])


def test_a_file_of_nothing_but_reduced_copies_is_read(tmp_path):
    write_tiff(tmp_path / "x.tif", STACK[0], subfiletype=1)
    assert np.array_equal(read_images(tmp_path / "x.tif"), STACK[:1])


def test_pages_of_different_sizes_and_dtypes(tmp_path):
    pages = [STACK[0], STACK[1][:11, :7].astype("u2") * 200, STACK[2][:, :9].astype("f4")]
    with tifffile.TiffWriter(tmp_path / "x.tif") as file:
        for page in pages:
            file.write(page, photometric="minisblack", metadata=None)
    stack = open_stack(tmp_path / "x.tif")
    assert stack.shape is None
    assert stack.sizes == [(18, 22), (11, 7), (18, 9)]
    assert all(np.array_equal(stack.page(i), page) for i, page in enumerate(pages))
    assert stack.nbytes == 18 * 22 + 11 * 7 * 2 + 18 * 9 * 4
    assert repr(stack).endswith(
        "x.tif': 3 slices of 11×7 to 18×22, 0, 1, 2; float32 and uint16 and uint8, 1 channel)"
    )


def test_damaged_notes_are_no_notes(tmp_path):
    for note in ('{"shape": "x"}', '{"shape": [', "ImageJ=", "ImageJ=1\nslices=-3\n", "<OME"):
        with tifffile.TiffWriter(tmp_path / "x.tif") as file:
            for i, page in enumerate(STACK):
                more = {"description": note} if i == 0 else {}
                file.write(page, photometric="minisblack", metadata=None, **more)
        found, _ = said(read_images, tmp_path / "x.tif")
        assert np.array_equal(found, STACK), note
    nested = '{"shape":' + "[" * 10**5
    (tmp_path / "y.tif").write_bytes(
        tiff_bytes(data=bytes(48) + nested.encode() + b"\0", t270=(2, len(nested) + 1, 56))
    )
    assert np.array_equal(read_images(tmp_path / "y.tif"), np.zeros((1, 6, 8)))
