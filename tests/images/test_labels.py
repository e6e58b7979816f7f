"""What the numbers of labels mean, and messages that speak of options that exist."""

import numpy as np
import pytest
from badfiles import GREY, MASK, MASKS, STACK, write_tiff
from PIL import Image

from tinyunet.images import read_labels, read_pair


@pytest.mark.parametrize(
    "dtype", ["u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8"]
)
def test_classes_of_every_dtype(tmp_path, dtype):
    labels = (GREY % 3).astype(dtype)
    path = write_tiff(tmp_path / "l.tif", labels)
    assert np.array_equal(read_labels(path, 3)[0], GREY % 3)
    images = write_tiff(tmp_path / "i.tif", GREY.astype(dtype))
    data = read_pair(images, path, n_classes=3)
    assert data.dtype == np.dtype(dtype).name
    assert data.labels[0].dtype == np.int32


@pytest.mark.parametrize("dtype", ["u2", "u4", "u8", "i4", "i8", "f4"])
def test_objects_of_every_dtype(tmp_path, dtype):
    cells = np.arange(24 * 32).reshape(24, 32).astype(dtype)
    path = write_tiff(tmp_path / "l.tif", cells)
    assert np.array_equal(read_labels(path, kind="instances")[0], cells)


def test_each_program_chose_the_dtype_by_what_it_had_to_store(tmp_path):
    masks = {
        "0.png": MASK.astype(bool),
        "1.png": MASK * np.uint8(255),
        "2.tif": MASK * np.uint16(65535),
        "3.tif": MASK.astype("i8"),
        "4.tif": MASK.astype("f4"),
        "5.tif": np.zeros_like(MASK, "u2"),
        "6.tif": MASK * np.uint16(0) + np.uint16(65535),
    }
    for name, array in masks.items():
        if name.endswith("png"):
            Image.fromarray(array).save(tmp_path / name)
        else:
            write_tiff(tmp_path / name, array)
    labels = read_labels(tmp_path)
    for page in labels[:5]:
        assert np.array_equal(page, MASK)
    assert not labels[5].any()
    assert labels[6].all()


def test_object_numbers_in_files_of_several_dtypes(tmp_path):
    for i, dtype in enumerate(["u1", "u2", "i8"]):
        write_tiff(tmp_path / f"{i}.tif", (MASK.astype("i8") * (i * 300 or 7)).astype(dtype))
    labels = read_labels(tmp_path, kind="instances")
    assert [int(page.max()) for page in labels] == [7, 300, 600]


def test_masks_that_disagree_within_one_dtype_are_refused(tmp_path):
    labels = MASKS * 255
    labels[2] = MASK
    path = write_tiff(tmp_path / "l.tif", labels)
    with pytest.raises(
        ValueError, match=r"3 values \(0, 1, 255\): .*; if 255 means no ground truth"
    ):
        read_labels(path)
    found = read_labels(path, ignore=255)
    assert np.array_equal(found[2], MASK)
    assert np.array_equal(found[1], -MASKS[1].astype(int))


@pytest.mark.parametrize(
    ("labels", "options", "message"),
    [
        (
            GREY % 5,
            {},
            "give --classes 5 if they are classes, --instances if each number is one ob",
        ),
        (GREY % 5, {"n_classes": 3}, "wanted 0 to 2 for 3 classes; give --classes 5 if they are"),
        (MASK * 37, {}, r"\(0, 37\): .*; if each number is one object, give --instances$"),
        (np.where(MASK, 255, GREY % 2), {}, "if 255 means no ground truth, give --ignore 255$"),
        (np.where(MASK, 255, GREY % 200), {}, "values between come from resizing or JPEG: thresh"),
        (np.where(MASK, 255, GREY % 3), {"n_classes": 3}, "if 255 means no ground truth, give --i"),
    ],
)
def test_messages_tell_options_of_the_command(tmp_path, labels, options, message):
    path = write_tiff(tmp_path / "l.tif", labels.astype("u1"))
    with pytest.raises(ValueError, match=message) as error:
        read_labels(path, **options)
    assert "n_classes" not in str(error.value)
    assert "pass " not in str(error.value)


def test_channels_are_asked_for_by_an_option_of_the_command(tmp_path):
    path = tmp_path / "x.png"
    Image.fromarray(np.dstack(STACK[:3])).save(path)
    with pytest.raises(ValueError, match="x.png: is an image of 3 channels: .* --channels 3$") as e:
        read_pair(path, write_tiff(tmp_path / "l.tif", MASK))
    assert "in_channels" not in str(e.value)


def test_ignored_pixels_of_masks_of_one_bit_and_of_many(tmp_path):
    labels = np.where(GREY > 200, 9, MASK).astype("u1")
    path = write_tiff(tmp_path / "l.tif", labels)
    found = read_labels(path, ignore=9)[0]
    assert np.array_equal(found == -1, GREY > 200)
    data = read_pair(write_tiff(tmp_path / "i.tif", GREY), path, ignore=9)
    assert np.array_equal(data.valid[0], GREY <= 200)
