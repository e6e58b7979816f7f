"""Writers: what is written reads back elsewhere, and a failure leaves nothing and loses nothing."""

import numpy as np
import pytest
import tifffile

from tinyunet.images import (
    StackWriter,
    open_stack,
    read_images,
    read_segmentation,
    write_label_frames,
    write_stack,
)


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "i1", "i2", "i4", "f2", "f4", "f8"])
def test_round_trip(tmp_path, dtype, rng):
    stack = (40 * rng.standard_normal((4, 15, 22))).astype(dtype)
    write_stack(tmp_path / "x.tif", stack)
    assert np.array_equal(tifffile.imread(tmp_path / "x.tif"), stack)
    assert np.array_equal(read_images(tmp_path / "x.tif"), stack)
    assert open_stack(tmp_path / "x.tif").dtype == stack.dtype
    assert [f.name for f in tmp_path.iterdir()] == ["x.tif"]


def test_three_grey_pages_stay_pages(tmp_path, rng):
    stack = rng.integers(0, 255, (3, 15, 22)).astype("u1")
    write_stack(tmp_path / "x.tif", stack)
    with tifffile.TiffFile(tmp_path / "x.tif") as file:
        assert len(file.pages) == 3
        assert not file.is_bigtiff
        assert file.pages[0].photometric.name == "MINISBLACK"
        assert "Software" not in file.pages[0].tags
        assert "DateTime" not in file.pages[0].tags


def test_pages_of_unknown_number(tmp_path, rng):
    stack = rng.standard_normal((5, 15, 22)).astype("f4")
    write_stack(tmp_path / "x.tif", (page for page in stack))
    assert np.array_equal(tifffile.imread(tmp_path / "x.tif"), stack)
    with tifffile.TiffFile(tmp_path / "x.tif") as file:
        assert file.is_bigtiff
    # 4 GB less 32 MB for directories: one page more needs wide numbers from the start
    for pages, big in ((4064, False), (4065, True)):
        with StackWriter(tmp_path / "y.tif", pages=pages) as writer:
            writer.append(np.zeros((1024, 1024), "u1"))
        with tifffile.TiffFile(tmp_path / "y.tif") as file:
            assert file.is_bigtiff == big


def test_conversion_is_exact_or_refused(tmp_path):
    write_stack(tmp_path / "x.tif", [np.array([[0.0, 255.0]])], "uint8")
    assert read_images(tmp_path / "x.tif")[0].dtype == np.uint8
    write_stack(tmp_path / "b.tif", [np.array([[True, False]])])
    assert read_images(tmp_path / "b.tif")[0].tolist() == [[1, 0]]
    write_stack(tmp_path / "f.tif", [np.array([[1.5, 2]])], np.float32)
    assert read_images(tmp_path / "f.tif")[0].dtype == np.float32
    write_stack(tmp_path / "g.tif", [np.array([[True]])], np.float32)
    assert read_images(tmp_path / "g.tif")[0].dtype == np.float32
    for value, shown in ((256, "256"), (-1, "-1"), (0.5, "0.5"), (np.nan, "nan")):
        with pytest.raises(ValueError, match=rf"x.tif: page 0 .*{shown}.* which uint8 cannot hold"):
            write_stack(tmp_path / "x.tif", [np.array([[0.0, value]])], "uint8")
    assert read_images(tmp_path / "x.tif")[0].tolist() == [[0, 255]]
    with pytest.raises(ValueError, match="dtype is int64: wanted one of uint8, uint16"):
        write_stack(tmp_path / "x.tif", [np.zeros((2, 2), int)])
    with pytest.raises(ValueError, match="dtype is complex64: wanted one of"):
        StackWriter(tmp_path / "x.tif", "complex64")


@pytest.mark.parametrize(
    ("page", "dtype", "shown"),
    [
        (np.array([[0.0, 65520.0]]), "f2", "from 0 to 65520, which float16 cannot hold"),
        (np.array([[-1e39, 1.0]]), "f4", r"from -1e\+39 to 1, which float32 cannot hold"),
        (np.array([[1e300]], ">f8"), "f4", r"from 1e\+300 to 1e\+300, which float32 cannot hold"),
        (np.array([[2049, 0]]), "f2", "from 0 to 2049, which float16 cannot hold"),
        (np.array([[0, -(2**24) - 1]]), "f4", "which float32 cannot hold"),
        (np.array([[1j]]), "f4", "must hold real numbers, got dtype complex128"),
        (np.array([["1"]]), "u1", "must hold real numbers, got dtype <U1"),
        (np.ma.array([[1, 2]], mask=[[0, 1]]), "u1", "must not be masked, got 1 masked element"),
    ],
)
def test_what_would_become_another_number_is_refused(tmp_path, page, dtype, shown):
    with pytest.raises(ValueError, match=rf"x.tif: page 0 .*{shown}"):
        write_stack(tmp_path / "x.tif", [page], dtype)
    assert list(tmp_path.iterdir()) == []


def test_floats_are_rounded_and_what_is_not_finite_stays_so(tmp_path):
    page = np.array([[65519.0, np.inf, -np.inf, np.nan, 0.1]], ">f8")
    for dtype in ("f2", "f4", None):
        write_stack(tmp_path / "x.tif", [page], dtype)
        stored = tifffile.imread(tmp_path / "x.tif")
        np.testing.assert_array_equal(stored, page.astype(dtype or "f8")[0][None])
    for dtype, most in (("f2", 2048), ("f4", 2**24)):
        write_stack(tmp_path / "x.tif", [np.array([[most, -most]])], dtype)
        assert tifffile.imread(tmp_path / "x.tif").tolist() == [[most, -most]]


def test_an_error_leaves_the_earlier_file(tmp_path):
    path = tmp_path / "x.tif"
    write_stack(path, [np.full((3, 4), 5, "u1")])
    before = path.read_bytes()

    def pages():
        yield np.zeros((3, 4), "u1")
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        write_stack(path, pages())
    with pytest.raises(ValueError, match=r"page 1 is \(4, 4\): wanted \(3, 4\) like page 0"):
        write_stack(path, [np.zeros((3, 4), "u1"), np.zeros((4, 4), "u1")])
    with pytest.raises(ValueError, match="x.tif: a stack needs at least one page"):
        write_stack(path, [])
    for wrong in (np.zeros(4), np.zeros((2, 3, 4)), np.zeros((0, 4))):
        with pytest.raises(ValueError, match=r"x.tif: page 0 is \(.*\): wanted \(H, W\)"):
            write_stack(path, [wrong])
    assert path.read_bytes() == before
    assert [f.name for f in tmp_path.iterdir()] == ["x.tif"]


def test_the_name_appears_only_at_the_end(tmp_path):
    writer = StackWriter(tmp_path / "x.tif")
    writer.append(np.zeros((3, 4), "u1"))
    assert not (tmp_path / "x.tif").exists()
    assert writer.count == 1
    writer.close()
    assert [f.name for f in tmp_path.iterdir()] == ["x.tif"]
    writer.close()
    with pytest.raises(ValueError, match="x.tif: the stack is closed"):
        writer.append(np.zeros((3, 4), "u1"))
    writer = StackWriter(tmp_path / "y.tif")
    writer.append(np.zeros((3, 4), "u1"))
    writer.abort()
    writer.abort()
    assert [f.name for f in tmp_path.iterdir()] == ["x.tif"]


def test_a_failed_renaming_cleans_up(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="No space left"):
        write_stack(tmp_path / "x.tif", [np.zeros((3, 4), "u1")])
    assert list(tmp_path.iterdir()) == []


def test_it_is_on_the_disk_before_it_has_the_name(tmp_path, monkeypatch):
    import os

    calls = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr("os.fsync", lambda *a: (calls.append("fsync"), fsync(*a)))
    monkeypatch.setattr("os.replace", lambda *a: (calls.append("replace"), replace(*a)))
    write_stack(tmp_path / "x.tif", [np.zeros((3, 4), "u1")])
    assert calls[:2] == ["fsync", "replace"]  # then the folder


def test_equal_stacks_give_equal_files(tmp_path):
    for name in "ab":
        write_stack(tmp_path / name, [np.eye(5, dtype="f4")])
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_places_that_cannot_be_written(tmp_path):
    with pytest.raises(IsADirectoryError, match="is a folder: wanted the name of a TIFF file"):
        StackWriter(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"x.tif: there is no folder .*none"):
        StackWriter(tmp_path / "none" / "x.tif")
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError, match="file: is a file: wanted a folder for mask files"):
        write_label_frames(tmp_path / "file", [])


def test_colour_pages(tmp_path, rng):
    page = rng.integers(0, 255, (6, 7, 3)).astype("u1")
    write_stack(tmp_path / "x.tif", [page, page])
    assert np.array_equal(read_images(tmp_path / "x.tif", 3)[1], page.transpose(2, 0, 1))


def test_label_frames(tmp_path, rng):
    labels = rng.integers(0, 65536, (3, 8, 9))
    files = write_label_frames(tmp_path / "new" / "01_RES", labels)
    assert [f.name for f in files] == ["mask000.tif", "mask001.tif", "mask002.tif"]
    assert tifffile.imread(files[1]).dtype == np.uint16
    assert np.array_equal(tifffile.imread(files[1]), labels[1])
    found = read_segmentation(tmp_path / "new" / "01_RES")
    assert list(found) == [0, 1, 2]
    assert np.array_equal(found[2], labels[2])
    names = [f.name for f in write_label_frames(tmp_path / "d", {7: labels[0], 1234: labels[1]})]
    assert names == ["mask007.tif", "mask1234.tif"]
    assert write_label_frames(tmp_path / "e", labels[:1], first=5)[0].name == "mask005.tif"
    with pytest.raises(ValueError, match=r"values from 0 to 65536, which uint16 cannot hold"):
        write_label_frames(tmp_path / "f", [np.array([[0, 65536]])])
