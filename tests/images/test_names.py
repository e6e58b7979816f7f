"""Slices are paired by name or number, and everything in a folder is used or named."""

import unicodedata
import warnings

import numpy as np
import pytest
from badfiles import GREY, MASK, MASKS, STACK, sequence, write_tiff
from PIL import Image

from tinyunet.images import (
    StackWriter,
    ctc,
    normalise,
    open_stack,
    read_labels,
    read_pair,
    read_segmentation,
)
from tinyunet.images.names import match, natural_order, stem


def folder(path, names, array=GREY):
    """A folder of pictures; TIFF or PNG by their names."""
    path.mkdir(parents=True, exist_ok=True)
    for i, name in enumerate(names):
        picture = np.roll(array, i, axis=1)
        if name.lower().endswith(".png"):
            Image.fromarray(picture).save(path / name, format="PNG")
        else:
            write_tiff(path / name, picture)
    return path


def warned(call, *arguments, **options):
    """The warnings of a call, as text."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call(*arguments, **options)
    return [str(warning.message) for warning in caught]


def test_stems():
    assert stem("a/b.tif") == stem("b.PNG") == stem("b.ome.tif") == stem("b.OME.TIFF") == "b"
    assert stem("x.y.tif") == "x.y"
    assert stem("home.tif") == "home"
    decomposed = unicodedata.normalize("NFD", "Zürich é 7.tif")
    assert decomposed != "Zürich é 7.tif"
    assert stem(decomposed) == "Zürich é 7"


def test_natural_order():
    names = ["t10", "t2", "a10b2", "a2b10", "t02", "x"]
    assert sorted(names, key=natural_order) == ["a2b10", "a10b2", "t02", "t2", "t10", "x"]


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        (["1.png", "2.png", "10.png"], ["10.tif", "2.tif", "1.tif"]),
        (["a.ome.tif", "b.ome.tif"], ["b.png", "a.png"]),
        (["A.TIF", "B.TIFF"], ["B.png", "A.PNG"]),
        (["käse.tif", "brot.tif"], [unicodedata.normalize("NFD", "käse.png"), "brot.png"]),
        ([unicodedata.normalize("NFD", "ß é.tif"), "0.tif"], ["ß é.ome.tif", "0.png"]),
        (["s.btf", "t.tf8"], ["t.png", "s.tif"]),
    ],
)
def test_folders_are_matched_by_name_whatever_the_format(tmp_path, images, labels):
    folder(tmp_path / "i", images)
    folder(tmp_path / "l", labels, MASK)
    data = read_pair(tmp_path / "i", tmp_path / "l")
    names = [stem(name) for name in labels]
    assert sorted(data.names) == sorted(names)
    for name, label in zip(data.names, data.labels, strict=True):
        assert np.array_equal(label, np.roll(MASK, names.index(name), axis=1))


def test_names_of_two_forms_of_one_letter_are_one_slice(tmp_path):
    folder(tmp_path, ["é.png", unicodedata.normalize("NFD", "é.tif")])
    if len(list(tmp_path.iterdir())) == 2:
        with pytest.raises(ValueError, match="both .* and .* are slice é"):
            open_stack(tmp_path)


def test_names_without_partner(tmp_path):
    images = open_stack(folder(tmp_path / "i", ["a.png", "b.png", "c.png"]))
    labels = open_stack(folder(tmp_path / "l", ["c.tif", "a.tif"], MASK), labels=True)
    assert match(labels, images) == [0, 2]
    with pytest.raises(ValueError, match="i: b has no label of that name in .*l: wanted matching"):
        match(images, labels, "label")
    stack = open_stack(write_tiff(tmp_path / "s.tif", STACK[:3]))
    assert match(stack, images) == [0, 1, 2]
    with pytest.raises(
        ValueError, match="l: has 2 slices, .*s.tif has 3: wanted one image a slice"
    ):
        match(labels, stack)


def test_what_is_left_out_of_a_folder_is_named(tmp_path):
    folder(tmp_path, ["2.png", "1.btf", "3.JPG.tif", ".hidden.png"])
    (tmp_path / "more").mkdir()
    (tmp_path / ".DS_Store").write_bytes(b"x")
    assert warned(open_stack, tmp_path) == []
    for name in ("4.bmp", "notes.txt", "5.gif"):
        (tmp_path / name).write_bytes(b"x")
    (warning,) = warned(open_stack, tmp_path)
    assert warning == f"{tmp_path}: 3 files left out: 4.bmp, 5.gif, notes.txt"
    for i in range(20):
        (tmp_path / f"x{i:02d}.webp").write_bytes(b"x")
    (warning,) = warned(open_stack, tmp_path)
    assert warning.endswith(
        "23 files left out: 4.bmp, 5.gif, notes.txt, x00.webp, x01.webp, x02.webp, …, x19.webp"
    )


@pytest.mark.parametrize("ending", [".btf", ".tf2", ".tf8", ".lsm", ".stk", ".TIF", ".tiff"])
def test_tiff_by_its_other_names(tmp_path, ending):
    write_tiff(tmp_path / f"x{ending}", GREY)
    assert np.array_equal(open_stack(tmp_path).page(0), GREY)


def test_only_man_seg_files_make_a_folder_ground_truth_of_the_challenge(tmp_path):
    """Masks called mask000.tif are masks, in whatever digits."""
    for digits in (1, 3, 4):
        names = [f"mask{i:0{digits}d}.tif" for i in range(1, 4)]
        path = folder(tmp_path / f"l{digits}", names, MASK * np.uint8(255))
        assert np.array_equal(read_labels(path)[1], np.roll(MASK, 1, axis=1))
        images = folder(tmp_path / f"i{digits}", names)
        data = read_pair(images, path)
        assert (data.kind, len(data.labelled())) == ("classes", 3)


@pytest.mark.parametrize("form", ["t{:03d}.tif", "t{:04d}.TIF", "T{:05d}.Tiff", "t{:03d}.ome.tif"])
def test_frames_of_a_sequence_in_any_case_and_digits(tmp_path, form):
    images, labels = tmp_path / "01", tmp_path / "01_GT" / "SEG"
    images.mkdir()
    labels.mkdir(parents=True)
    for t in (3, 4, 11):
        write_tiff(images / form.format(t), np.roll(GREY, t))
    for t in (11, 3):
        name = (
            form.format(t).replace("t", "man_seg", 1) if form[0] == "t" else f"MAN_SEG{t:05d}.TIF"
        )
        write_tiff(labels / name, MASK.astype("u2") * t)
    data = read_pair(images)
    assert data.kind == "instances"
    assert [label is not None for label in data.labels] == [True, False, True]
    assert data.labels[0].max() == 3
    assert data.labels[2].max() == 11
    assert list(read_segmentation(tmp_path / "01_GT")) == [3, 11]


def test_result_names_keep_the_digits():
    names = ["t000", "t0012", "T00003", "t5", "train", "t1a", "mask7", "a t01"]
    assert [ctc.result_name(name) for name in names] == [
        *("mask000", "mask0012", "mask00003", "mask5"),
        *("train", "t1a", "mask7", "a t01"),
    ]


def test_what_lies_beside_the_frames_of_a_sequence_is_named(tmp_path):
    images, _ = sequence(tmp_path)
    write_tiff(images / "preview.tif", GREY)
    (warning,) = warned(read_pair, images)
    assert warning == f"{images}: 1 file left out: preview.tif"
    assert warned(read_pair, tmp_path / "01", tmp_path / "01_GT" / "SEG") == [warning]


def test_an_unlabelled_black_frame_costs_nothing_but_a_word(tmp_path):
    images, _ = sequence(tmp_path, frames=range(4), truth=(0, 2))
    write_tiff(images / "t003.tif", GREY * 0 + 5)
    (warning,) = warned(read_pair, images)
    assert warning.startswith(f"{images}: slice t003: every pixel is 5: it cannot be normalised")


def test_a_black_page_is_taken_as_what_it_is(tmp_path):
    stack = STACK.copy()
    stack[2] = 9
    path = write_tiff(tmp_path / "i.tif", stack)
    labels = write_tiff(tmp_path / "l.tif", MASKS)
    with pytest.warns(UserWarning, match="i.tif: slice 2: every pixel is 9: it cannot be norm"):
        data = read_pair(path, labels)
    assert not data.images[2].any()
    assert np.array_equal(data.images[1][0], normalise(stack[1]))
    assert data.labelled() == [0, 1, 2, 3, 4]


def test_the_names_of_the_slices_travel_with_a_stack(tmp_path):
    names = ["a10", "zwölf", "3"]
    with StackWriter(tmp_path / "x.tif", names=names) as writer:
        for page in STACK[:3]:
            writer.append(page)
    stack = open_stack(tmp_path / "x.tif")
    assert stack.names == names
    assert stack.named
    assert np.array_equal([stack.page(i) for i in range(3)], STACK[:3])
    part = stack.subset([2, 0])
    assert part.names == ["3", "a10"]
    assert np.array_equal(part.page(0), STACK[2])
    # without names, or with names of something else, pages are numbered
    plain = open_stack(write_tiff(tmp_path / "y.tif", STACK[:3]))
    assert not plain.named
    assert plain.names == ["0", "1", "2"]
    for note in ('{"tinyunet": 1, "names": ["a"]}', '{"tinyunet"', '{"tinyunet": 1, "names": 3}'):
        write_tiff(tmp_path / "y.tif", STACK[:3], metadata=None, description=note)
        assert not open_stack(tmp_path / "y.tif").named


def test_reprs_say_what_is_there(tmp_path):
    folder(tmp_path / "i", [f"{c}.png" for c in "abcdefghij"])
    folder(tmp_path / "l", [f"{c}.png" for c in "abcdefghij"], MASK)
    stack = open_stack(tmp_path / "i")
    assert repr(stack) == (
        f"Stack('{tmp_path / 'i'}': 10 slices of 24×32, a, b, c, d, e, f, …, j; uint8, 1 channel)"
    )
    data = read_pair(tmp_path / "i", tmp_path / "l", n_classes=3)
    assert repr(data) == (
        "Dataset(10 slices of 24×32, uint8, 1 channel: a, b, c, d, e, f, …, j; 3 classes)"
    )
    images, _ = sequence(tmp_path)
    assert repr(read_pair(images)) == (
        "Dataset(3 slices of 24×32, uint8, 1 channel: t000, t001, t002; objects, 1 without labels)"
    )
    assert repr(data.subset([])) == "Dataset(0 slices)"
