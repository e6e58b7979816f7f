"""What a file shows is what is read: one rule for TIFF, PNG and JPEG, with Pillow as the viewer."""

import io
import warnings

import numpy as np
import pytest
import tifffile
from badfiles import png_bytes, tiff_bytes, write_tiff
from PIL import Image, ImageOps

from tinyunet.images import open_stack, read_images, read_labels, read_pair

RNG = np.random.default_rng(30)
GREY = RNG.integers(0, 256, (19, 26)).astype("u1")
MASK = GREY > 140
RGB = RNG.integers(0, 256, (19, 26, 3)).astype("u1")


def said(call, *arguments, **options):
    """What a call returns, and its warnings as text."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = call(*arguments, **options)
    return result, [str(warning.message) for warning in caught]


def shown(path):
    """What Pillow shows."""
    with Image.open(path) as image:
        return np.asarray(image)


@pytest.mark.parametrize("compression", [None, "zlib", "lzw", "packbits"])
def test_white_is_zero_is_read_as_shown(tmp_path, compression):
    path = tmp_path / "x.tif"
    for stored in (GREY, GREY.astype("u2") * 257, GREY.astype("u4") * 2**24):
        write_tiff(path, stored, photometric="miniswhite", compression=compression)
        expected = np.iinfo(stored.dtype).max - stored
        assert np.array_equal(read_images(path)[0], expected)
        assert read_images(path)[0].dtype == stored.dtype
    write_tiff(path, GREY, photometric="miniswhite", compression=compression)
    assert np.array_equal(shown(path), 255 - GREY)


def test_white_is_zero_of_signed_numbers_and_floats_is_turned_too(tmp_path):
    stored = GREY.astype("i2") - 100
    path = write_tiff(tmp_path / "x.tif", stored, photometric="miniswhite")
    assert np.array_equal(read_images(path)[0], -1 - stored)  # the smallest becomes the largest
    write_tiff(path, stored / np.float32(7), photometric="miniswhite")
    assert np.array_equal(read_images(path)[0], -stored / np.float32(7))
    for array in (MASK.astype("i2"), MASK.astype("f4")):
        write_tiff(path, array, photometric="miniswhite")
        with pytest.raises(
            ValueError, match=r"x.tif: stores labels min-is-white in .*min-is-black"
        ):
            read_labels(path)


def test_masks_of_every_making_are_the_same_labels(tmp_path):
    """The same picture by six programs: one answer, and a word where it could be another."""
    Image.fromarray(MASK).save(tmp_path / "0.png")
    Image.fromarray(MASK * np.uint8(255)).save(tmp_path / "1.png")
    tifffile.imwrite(tmp_path / "2.tif", ~MASK, photometric="miniswhite")
    tifffile.imwrite(tmp_path / "3.tif", ~MASK, photometric="miniswhite", compression="packbits")
    Image.fromarray(MASK).save(tmp_path / "4.tif", compression="group4")
    write_tiff(tmp_path / "5.tif", 255 - MASK * np.uint8(255), photometric="miniswhite")
    write_tiff(tmp_path / "6.tif", MASK * np.uint16(65535))
    write_tiff(tmp_path / "7.tif", MASK.astype("i8"))
    Image.fromarray(np.dstack([MASK * np.uint8(255)] * 3)).save(tmp_path / "8.png")
    palette = Image.fromarray((~MASK).astype("u1"), "P")
    palette.putpalette([255, 255, 255, 0, 0, 0])
    palette.save(tmp_path / "9.png")
    palette.save(tmp_path / "10.tif")
    labels, warned = said(read_labels, tmp_path)
    assert len(labels) == 11
    for page in labels:
        assert np.array_equal(page, MASK)
    # those of 4.tif are stored min-is-black by Pillow
    assert any("3 slices (the first is 2) stored min-is-white: read as shown" in w for w in warned)
    assert any("2 slices (the first is 9) with a palette of greys: its shades" in w for w in warned)


@pytest.mark.parametrize("numbers", [[0, 1], [0, 1, 2], [0, 7, 255], [3, 9]])
def test_numbers_that_are_no_mask_are_not_read_min_is_white(tmp_path, numbers):
    labels = np.array(numbers, "u1")[GREY % len(numbers)]
    path = write_tiff(tmp_path / "x.tif", labels, photometric="miniswhite")
    for options in ({"n_classes": 3}, {"kind": "instances"}):
        with pytest.raises(ValueError, match="min-is-white numbers other than 0 and 255: class or"):
            read_labels(path, **options)


def palette_file(path, places, colours, bits=8):
    """A palette picture, by Pillow as PNG and by tifffile as TIFF."""
    if path.suffix == ".png":
        image = Image.fromarray(places.astype("u1"), "P")
        image.putpalette(np.asarray(colours, "u1").ravel().tolist())
        image.save(path, bits=bits)
        return path
    table = np.zeros((3, 2**bits), "u2")
    table[:, : len(colours)] = np.asarray(colours, "u2").T * 257
    tifffile.imwrite(path, places.astype("u1"), photometric="palette", colormap=table)
    return path


COLOURS = [[10, 10, 10], [200, 0, 0], [0, 90, 0], [255, 255, 0]]
GREYS = [[0, 0, 0], [255, 255, 255], [77, 77, 77], [130, 130, 130]]


@pytest.mark.parametrize("name", ["x.png", "x.tif"])
def test_a_palette_of_colours_is_a_picture_in_colour(tmp_path, name):
    places = GREY % 4
    path = palette_file(tmp_path / name, places, COLOURS)
    expected = np.array(COLOURS, "u1")[places]
    assert np.array_equal(np.asarray(Image.open(path).convert("RGB")), expected)
    assert np.array_equal(read_images(path, 3)[0], np.moveaxis(expected, -1, 0))
    assert open_stack(path, 3).dtype == np.uint8
    with pytest.raises(
        ValueError, match=f"{name}: is an image whose palette has colours: wanted g"
    ):
        open_stack(path)


@pytest.mark.parametrize("name", ["x.png", "x.tif"])
def test_a_palette_of_greys_is_a_grey_picture(tmp_path, name):
    places = GREY % 4
    path = palette_file(tmp_path / name, places, GREYS)
    expected = np.array(GREYS, "u1")[places][..., 0]
    assert np.array_equal(np.asarray(Image.open(path).convert("L")), expected)
    assert np.array_equal(read_images(path)[0], expected)
    with pytest.raises(ValueError, match=f"{name}: is grey by its palette: wanted 3 channels"):
        open_stack(path, 3)


@pytest.mark.parametrize("name", ["x.png", "x.tif"])
@pytest.mark.parametrize("used", [[0, 1], [1, 3], [0, 2, 3], [0]])
def test_labels_in_a_palette_of_colours_are_places_whichever_are_used(tmp_path, name, used):
    places = np.array(used, "u1")[GREY % len(used)]
    path = palette_file(tmp_path / name, places, COLOURS)
    stack, (warning,) = said(open_stack, path, labels=True)
    assert np.array_equal(stack.page(0), places)
    assert "with a palette of colours: the places in its table are the numbers" in warning


@pytest.mark.parametrize("name", ["x.png", "x.tif"])
@pytest.mark.parametrize("white_first", [False, True])
def test_a_mask_in_black_and_white_is_read_as_shown_in_either_order(tmp_path, name, white_first):
    colours = [[255] * 3, [0] * 3] if white_first else [[0] * 3, [255] * 3]
    places = (~MASK if white_first else MASK).astype("u1")
    path = palette_file(tmp_path / name, places, colours)
    labels, (warning,) = said(read_labels, path)
    assert np.array_equal(labels[0], MASK)
    assert "with a palette of greys: its shades are the numbers, black is 0" in warning


def test_a_table_of_greys_in_their_order_needs_no_word(tmp_path):
    path = palette_file(tmp_path / "x.png", GREY % 3, [[i] * 3 for i in range(256)])
    labels, warned = said(read_labels, path, 3)
    assert np.array_equal(labels[0], GREY % 3)
    assert not warned


def test_a_place_beyond_the_palette_is_damage(tmp_path):
    import zlib

    data = zlib.compress(b"".join(b"\0" + bytes([0, 1, 2, 9]) for _ in range(3)))
    chunks = [(b"PLTE", bytes(range(12)))]
    (tmp_path / "x.png").write_bytes(png_bytes(4, 3, 8, 3, data, chunks))
    with pytest.raises(ValueError, match=r"x.png: damaged: place 9 of a palette of 4 colours"):
        read_images(tmp_path / "x.png", 3)


def test_colour_maps_of_eight_bits(tmp_path):
    """Some writers store 0 to 255 where 0 to 65535 is meant."""
    table = np.zeros((3, 256), "u2")
    table[:, :4] = np.array(COLOURS).T
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, GREY % 4, photometric="palette", colormap=table)
    expected = np.array(COLOURS, "u1")[GREY % 4]
    assert np.array_equal(read_images(path, 3)[0], np.moveaxis(expected, -1, 0))


@pytest.mark.parametrize("name", ["x.png", "x.tif"])
@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_an_opaque_alpha_channel_is_passed_over(tmp_path, name, mode):
    colour = RGB if mode == "RGBA" else GREY[..., None]
    stored = np.dstack([colour, np.full(GREY.shape, 255, "u1")])
    Image.fromarray(stored).save(tmp_path / name)
    channels = colour.shape[2]
    expected = np.moveaxis(RGB, -1, 0) if channels == 3 else GREY
    assert np.array_equal(read_images(tmp_path / name, channels)[0], expected)
    stored[3, 4, -1] = 254
    Image.fromarray(stored).save(tmp_path / name)
    with pytest.raises(ValueError, match=f"{name}: is transparent in places: wanted an opaque pic"):
        read_images(tmp_path / name, channels)


def test_sixteen_bits_of_colour_and_alpha(tmp_path):
    import imagecodecs

    colour = RGB.astype("u2") * 201 + 13
    alpha = np.full((*GREY.shape, 1), 65535, "u2")
    for stored, channels in (
        (colour, 3),
        (np.dstack([colour, alpha]), 3),
        (np.dstack([colour[..., :1], alpha]), 1),
    ):
        (tmp_path / "x.png").write_bytes(imagecodecs.png_encode(stored))
        write_tiff(
            tmp_path / "x.tif",
            stored,
            photometric="rgb" if channels == 3 else "minisblack",
            **({"extrasamples": ["unassalpha"]} if stored.shape[2] != 3 else {}),
        )
        expected = np.moveaxis(colour, -1, 0) if channels == 3 else colour[..., 0]
        for name in ("x.png", "x.tif"):
            assert np.array_equal(read_images(tmp_path / name, channels)[0], expected), name
            assert open_stack(tmp_path / name, channels).dtype == np.uint16


@pytest.mark.parametrize("name", ["x.png", "x.tif"])
@pytest.mark.parametrize("alpha", [False, True])
def test_equal_channels_are_grey_for_images_and_one_number_for_labels(tmp_path, name, alpha):
    for picture, read in ((GREY, read_images), (MASK * np.uint8(255), read_labels)):
        stored = np.dstack([picture] * 3 + [np.full_like(picture, 255)] * alpha)
        Image.fromarray(stored).save(tmp_path / name)
        page = read(tmp_path / name)[0]
        assert np.array_equal(page, picture if read is read_images else MASK)
        stored[-1, -1, 1] ^= 1
        Image.fromarray(stored).save(tmp_path / name)
        message = "is an image of 3 channels: wanted grey|has 3 channels that differ: wanted labels"
        with pytest.raises(ValueError, match=message):
            read(tmp_path / name)


def test_the_second_colour_picture_of_a_folder_may_be_the_one_in_colour(tmp_path):
    Image.fromarray(np.dstack([GREY] * 3)).save(tmp_path / "a.png")
    Image.fromarray(RGB).save(tmp_path / "b.png")
    stack = open_stack(tmp_path)
    assert np.array_equal(stack.page(0), GREY)
    with pytest.raises(ValueError, match=r"b.png: is an image of 3 channels: wanted grey; convert"):
        stack.page(1)


@pytest.mark.parametrize("photometric", [4, 5, 8, 6, 32803])
def test_colours_that_are_neither_grey_nor_rgb(tmp_path, photometric):
    path = write_tiff(tmp_path / "x.tif", RGB, photometric="rgb")
    with tifffile.TiffFile(path, mode="r+b") as file:
        file.pages[0].tags[262].overwrite(photometric)
    for channels in (1, 3):
        with pytest.raises(
            ValueError, match=f"page 0: photometric interpretation {photometric} is"
        ):
            open_stack(path, channels)


def test_many_channels_of_a_microscope(tmp_path):
    stored = RNG.integers(0, 4000, (19, 26, 5)).astype("u2")
    for planar in ("contig", "separate"):
        pixels = stored if planar == "contig" else np.moveaxis(stored, -1, 0)
        write_tiff(tmp_path / "x.tif", pixels, planarconfig=planar)
        assert np.array_equal(read_images(tmp_path / "x.tif", 5)[0], np.moveaxis(stored, -1, 0))
        with pytest.raises(ValueError, match=r"is an image of 5 channels: wanted 3 channels; conv"):
            open_stack(tmp_path / "x.tif", 3)
        with pytest.raises(
            ValueError, match=r"has 5 channels: wanted labels as one number a pixel"
        ):
            open_stack(tmp_path / "x.tif", labels=True)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_that_lies_on_its_side_is_read_upright(tmp_path, orientation):
    path = tmp_path / "x.tif"
    for stored, channels in ((GREY, 1), (RGB, 3), (MASK, 1)):
        options = {"photometric": "rgb"} if channels == 3 else {"photometric": "minisblack"}
        tag = [(274, "H", 1, orientation, True)]
        tifffile.imwrite(path, stored, extratags=tag, **options)
        stack, warned = said(open_stack, path, channels, labels=stored is MASK)
        viewed = Image.fromarray(stored)
        viewed.getexif()[274] = orientation
        expected = np.asarray(ImageOps.exif_transpose(viewed))
        expected = np.moveaxis(expected, -1, 0) if channels == 3 else expected
        assert stack.sizes == [expected.shape[-2:]]
        assert np.array_equal(stack.page(0), expected)
        assert any("stored turned: read upright, as shown" in w for w in warned) == (
            orientation > 1
        )
    # a photograph says so in its EXIF note
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(GREY).save(tmp_path / "x.jpg", exif=exif, quality=95)
    with Image.open(tmp_path / "x.jpg") as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    assert np.array_equal(read_images(tmp_path / "x.jpg")[0], expected)


def test_jpeg_for_images_but_not_for_labels(tmp_path):
    (tmp_path / "i").mkdir()
    (tmp_path / "l").mkdir()
    for i, name in enumerate(["a.jpg", "b.JPEG", "c.png"]):
        Image.fromarray(np.roll(GREY, i, 1)).save(tmp_path / "i" / name)
        Image.fromarray(MASK).save(tmp_path / "l" / f"{name[0]}.png")
    data = read_pair(tmp_path / "i", tmp_path / "l")
    assert data.names == ["a", "b", "c"]
    assert np.array_equal(read_images(tmp_path / "i")[0], shown(tmp_path / "i" / "a.jpg"))
    Image.fromarray(RGB).save(tmp_path / "c.jpg", quality=90)
    colour = read_images(tmp_path / "c.jpg", 3)[0]
    assert np.array_equal(colour, np.moveaxis(shown(tmp_path / "c.jpg"), -1, 0))
    for name in ("i/a.jpg", "c.jpg"):
        with pytest.raises(
            ValueError, match=r"jpg: is a JPEG, which changes the numbers: wanted la"
        ):
            read_labels(tmp_path / name)
    Image.fromarray(RGB).convert("CMYK").save(tmp_path / "k.jpg")
    with pytest.raises(
        ValueError, match=r"k.jpg: is a CMYK picture: wanted grey or RGB; convert it"
    ):
        open_stack(tmp_path / "k.jpg", 3)


def test_jpeg_inside_a_tiff(tmp_path):
    smooth = np.add.outer(np.arange(70), 2 * np.arange(90)).astype("u1")
    path = tmp_path / "x.tif"
    Image.fromarray(smooth).save(path, compression="jpeg", quality=95)
    assert np.array_equal(read_images(path)[0], shown(path))
    with pytest.raises(
        ValueError, match=r"x.tif: is a JPEG, which changes the numbers: wanted label"
    ):
        read_labels(path)
    colour = np.dstack([smooth, smooth.T.copy().reshape(70, 90), 255 - smooth])
    for options in ({"tile": (32, 48)}, {"rowsperstrip": 16}, {}):
        tifffile.imwrite(path, colour, photometric="rgb", compression="jpeg", **options)
        found = read_images(path, 3)[0].astype(int)
        assert np.array_equal(np.moveaxis(found, 0, -1), tifffile.imread(path))
        assert abs(np.moveaxis(found, 0, -1) - colour).mean() < 12


def test_a_jpeg_larger_than_its_strip_is_not_decoded(tmp_path):
    import tracemalloc

    stream = io.BytesIO()
    Image.fromarray(np.zeros((3000, 5000), "u1")).save(stream, "JPEG")
    path = write_tiff(tmp_path / "x.tif", np.zeros((16, 32), "u1"), compression="jpeg")
    data = stream.getvalue()
    with tifffile.TiffFile(path, mode="r+b") as file:
        end = file.filehandle.size
        file.pages[0].tags["StripOffsets"].overwrite(end)
        file.pages[0].tags["StripByteCounts"].overwrite(len(data))
    with open(path, "ab") as file:
        file.write(data)
    stack = open_stack(path)
    tracemalloc.start()
    try:
        with pytest.raises(
            ValueError, match="page 0: damaged TIFF: a JPEG of 3000×5000 pixels in o"
        ):
            stack.page(0)
        assert tracemalloc.get_traced_memory()[1] < 2**21
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("bits", [2, 4, 6, 10, 12, 14])
def test_packed_numbers_of_few_bits(tmp_path, bits):
    import imagecodecs

    numbers = (RNG.random((19, 26)) * 2**bits).astype("u1" if bits <= 8 else "u2")
    packed = imagecodecs.packints_encode(numbers, bits, runlen=26)
    tags = {"t256": 26, "t257": 19, "t258": bits, "t278": 19, "t279": len(packed)}
    for white_is_zero in (False, True):
        content = tiff_bytes(data=packed, t262=int(not white_is_zero), **tags)
        (tmp_path / "x.tif").write_bytes(content)
        expected = 2**bits - 1 - numbers if white_is_zero else numbers
        assert np.array_equal(read_images(tmp_path / "x.tif")[0], expected)


def test_a_picture_without_a_word_on_its_colours_is_black_is_zero(tmp_path):
    (tmp_path / "x.tif").write_bytes(tiff_bytes(data=bytes(range(48)), t262=None))
    assert np.array_equal(read_images(tmp_path / "x.tif")[0], np.arange(48).reshape(6, 8))
