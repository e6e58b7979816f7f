"""Files and habits that people have, through the command line: read, or refused in clear words."""

import io
import json
import os
import subprocess
import sys
import unicodedata

import numpy as np
import pytest
import tifffile
from badfiles import by_another, write_tiff
from PIL import Image
from scipy import ndimage

from tinyunet.cli import main
from tinyunet.images import open_stack

FLAGS = [
    *("--depth", "2", "--base", "2", "--tile", "34", "--steps", "2", "--seed", "3"),
    *("--val-every", "2", "--checkpoint-every", "2", "--device", "cpu"),
]


def picture(seed, height=36, width=41):
    """Smooth bright and dark stripes."""
    rng, (y, x) = np.random.default_rng(seed), np.mgrid[:height, :width]
    waves = 0.5 + 0.4 * np.sin((x + 5 * seed) / 3) * np.cos((y - 2 * seed) / 4)
    return (np.clip(waves + 0.1 * rng.random((height, width)), 0, 1) * 255).astype("u1")


def mask(seed, *size):
    return (picture(seed, *size) > 120).astype("u1")


IMAGES = np.stack([picture(i) for i in range(5)])
MASKS = np.stack([mask(i) for i in range(5)])
CELLS = np.stack([ndimage.label(m)[0] for m in MASKS]).astype("u2")
SIZES = [(36, 41), (52, 38), (44, 60)]


def tinyunet(*arguments):
    return main([str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of two steps, good for nothing but files."""
    folder = tmp_path_factory.mktemp("run")
    pair = write_tiff(folder / "i.tif", IMAGES), write_tiff(folder / "l.tif", MASKS)
    assert tinyunet("train", *pair, "--out", folder / "run", *FLAGS) == 0
    return folder / "run"


def fill(folder, arrays, form="{}.png"):
    """A folder of pictures: a dict of names, or a list that `form` names by number."""
    folder.mkdir(parents=True, exist_ok=True)
    named = arrays.items() if isinstance(arrays, dict) else enumerate(arrays)
    for name, array in named:
        path = folder / form.format(name)
        if path.suffix.lower() == ".png":
            Image.fromarray(array).save(path)
        else:
            write_tiff(path, array)
    return folder


def pages_of(path):
    """Every page of a TIFF file, whatever their sizes."""
    with tifffile.TiffFile(path) as file:
        return [page.asarray() for page in file.pages]


def predict(run, images, out, *flags):
    return tinyunet("predict", run, images, "--out", out, "--device", "cpu", *flags)


@pytest.mark.parametrize("kind", ["folder", "pages"])
@pytest.mark.parametrize("out", ["p.tif", "p"])
def test_pictures_of_several_sizes_from_training_to_scores(tmp_path, run, capsys, kind, out):
    if kind == "folder":
        images = fill(tmp_path / "i", [picture(k, *s) for k, s in enumerate(SIZES)], "cell{}.png")
        labels = fill(
            tmp_path / "l", [255 * mask(k, *s) for k, s in enumerate(SIZES)], "cell{}.png"
        )
    else:
        for name, one in (("i", picture), ("l", mask)):
            with tifffile.TiffWriter(tmp_path / f"{name}.tif") as file:
                for k, size in enumerate(SIZES):
                    file.write(one(k, *size), photometric="minisblack", metadata=None)
        images, labels = tmp_path / "i.tif", tmp_path / "l.tif"
    assert tinyunet("train", images, labels, "--out", tmp_path / "run", *FLAGS) == 0
    assert "images: 3 slices of 36×41 to 52×38, uint8" in capsys.readouterr().err
    cells = tmp_path / "cells"
    assert predict(tmp_path / "run", images, tmp_path / out, "--cells", cells) == 0
    said = capsys.readouterr()
    if out == "p.tif":
        assert [page.shape for page in pages_of(tmp_path / out)] == SIZES
        assert "p.tif: its pages will differ in size, as the images do" in said.err
    else:
        names = ["cell0", "cell1", "cell2"] if kind == "folder" else ["0", "1", "2"]
        found = {f.stem: pages_of(f)[0].shape for f in sorted((tmp_path / out).iterdir())}
        assert found == dict(zip(names, SIZES, strict=True))
    assert [page.shape for f in sorted(cells.iterdir()) for page in pages_of(f)] == SIZES
    assert tinyunet("evaluate", tmp_path / out, labels, "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert len(result["slices"]) == 3
    # a pooled share of wrong pixels weighs the slices by their pixels
    pixels = [h * w for h, w in SIZES]
    wrong = sum(
        n * part["pixel_error_rate"] for n, part in zip(pixels, result["slices"], strict=True)
    )
    assert result["pixel_error_rate"] == pytest.approx(wrong / sum(pixels), rel=1e-12)


def test_evaluate_pairs_of_several_sizes_and_names_the_pair_that_does_not_fit(tmp_path, capsys):
    p = fill(tmp_path / "p", [255 * mask(k, *s) for k, s in enumerate(SIZES)])
    t = fill(tmp_path / "l", [255 * mask(k, *s) for k, s in enumerate(SIZES)], "{}.tif")
    assert tinyunet("evaluate", p, t, "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["pixel_error_rate"], result["rand_error"], result["warping_pixels"]) == (0, 0, 0)
    Image.fromarray(mask(1) * 255).save(p / "1.png")
    assert tinyunet("evaluate", p, t) == 2
    assert "slice 1 of" in (said := capsys.readouterr().err)
    assert "is 52×38, 1 of" in said


@pytest.mark.parametrize("level", [0, 255, 31])
@pytest.mark.parametrize("kind", ["stack", "folder"])
def test_a_blank_page_costs_one_warning(tmp_path, run, capsys, level, kind):
    images = IMAGES.copy()
    images[1] = level
    path = write_tiff(tmp_path / "z.tif", images)
    if kind == "folder":
        path = fill(tmp_path / "z", dict(zip("abcde", images, strict=True)))
    assert predict(run, path, tmp_path / "p.tif") == 0
    err = capsys.readouterr().err
    name = "1" if kind == "stack" else "b"
    assert f"tinyunet: warning: {path}: slice {name}: every pixel is {level}: it cannot be" in err
    assert err.count("warning") == 1
    pages = pages_of(tmp_path / "p.tif")
    assert len(pages) == 5
    assert np.isfinite(pages).all()


def test_a_blank_page_costs_a_training_nothing_either(tmp_path, capsys):
    images = IMAGES.astype("f4")
    images[3] = 0.25
    pair = write_tiff(tmp_path / "i.tif", images), write_tiff(tmp_path / "l.tif", MASKS)
    assert tinyunet("train", *pair, "--out", tmp_path / "run", *FLAGS) == 0
    assert "i.tif: slice 3: every pixel is 0.25: it cannot be" in capsys.readouterr().err


def test_a_page_of_nan_is_refused_before_the_work(tmp_path, run, capsys):
    images = IMAGES.astype("f4")
    images[4, 3, 5] = np.nan
    path = write_tiff(tmp_path / "n.tif", images)
    assert predict(run, path, tmp_path / "p.tif") == 2
    err = capsys.readouterr().err.splitlines()
    assert err == [
        f"tinyunet: error: {path}: slice 4: 1 of 1476 pixels are NaN or infinite: wanted finite "
        "numbers"
    ]
    assert predict(run, path, tmp_path / "p.tif", "--slices", "1:4") == 0


@pytest.mark.parametrize("dtype", ["u1", "i4"])
def test_object_numbers_train_and_are_scored(tmp_path, capsys, dtype):
    pair = (
        write_tiff(tmp_path / "i.tif", IMAGES),
        write_tiff(tmp_path / "l.tif", CELLS.astype(dtype)),
    )
    assert tinyunet("train", *pair, "--out", tmp_path / "run", *FLAGS) == 2
    err = capsys.readouterr().err
    assert "--instances if each number is one object" in err
    assert "n_classes" not in err
    assert tinyunet("train", *pair, "--out", tmp_path / "run", *FLAGS, "--instances") == 0
    count = sum(int(page.max()) for page in CELLS)
    assert f"labels: {count} objects in 5 frames" in capsys.readouterr().err
    cells = tmp_path / "cells"
    assert predict(tmp_path / "run", pair[0], tmp_path / "p.tif", "--cells", cells) == 0
    capsys.readouterr()
    assert tinyunet("evaluate", cells, pair[1], "--instances", "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["frames"], result["objects"]) == (5, count)
    assert tinyunet("evaluate", pair[1], pair[1], "--instances", "--json") == 0
    assert json.loads(capsys.readouterr().out)["seg"] == 1
    code = tinyunet("evaluate", pair[1], write_tiff(tmp_path / "m.tif", MASKS))
    assert code == (0 if dtype == "u1" else 2)  # 8 bits may be probabilities
    assert "for object numbers give --instances" in capsys.readouterr().err
    for flags in (["--instances", "--slice", "2"], ["--instances", "--classes", "3"]):
        code = tinyunet("weightmap", pair[1], "--out", tmp_path / "w.png", *flags)
        assert code == (2 if "--classes" in flags else 0)
        code = tinyunet("augment", *pair, "--out", tmp_path / "a.png", "--samples", "1", *flags)
        assert code == (2 if "--classes" in flags else 0)


def test_four_classes_through_every_command(tmp_path, capsys):
    classes = MASKS + 2 * (IMAGES > 200) * MASKS
    classes[:, -6:] = 2
    classes[:, :3, :4] = 200
    assert set(np.unique(classes)) == {0, 1, 2, 3, 200}
    pair = write_tiff(tmp_path / "i.tif", IMAGES), write_tiff(tmp_path / "l.tif", classes)
    flags = ["--classes", "4", "--ignore", "200"]
    assert tinyunet("train", *pair, "--out", tmp_path / "run", *FLAGS, *flags) == 0
    assert predict(tmp_path / "run", pair[0], tmp_path / "p.tif") == 0
    capsys.readouterr()
    assert tinyunet("evaluate", tmp_path / "p.tif", pair[1], *flags, "--json") == 0
    result = json.loads(capsys.readouterr().out)
    p, valid = np.stack(pages_of(tmp_path / "p.tif")), classes != 200
    assert result["pixel_error_rate"] == pytest.approx((p != classes)[valid].mean())
    both = ((p == 2) & (classes == 2) & valid).sum()
    either = (((p == 2) | (classes == 2)) & valid).sum()
    assert result["iou"]["2"] == pytest.approx(both / either)
    assert result["slices"] == 5
    assert tinyunet("evaluate", tmp_path / "p.tif", pair[1], *flags) == 0
    assert f"IoU of class 2 {both / either:.4f}\n" in capsys.readouterr().out
    assert tinyunet("evaluate", tmp_path / "p.tif", pair[1], "--classes", "4") == 2
    assert tinyunet("augment", *pair, "--out", tmp_path / "a.png", *flags) == 0
    assert tinyunet("weightmap", pair[1], "--out", tmp_path / "w.tif", *flags) == 0
    weights = np.stack(pages_of(tmp_path / "w.tif"))
    assert not weights[~valid].any()
    assert (weights[valid] > 0).all()


def test_masks_of_several_classes_are_scored_as_predict_wrote_them(tmp_path, capsys):
    classes = MASKS + (IMAGES > 200) * MASKS
    pair = write_tiff(tmp_path / "i.tif", IMAGES), write_tiff(tmp_path / "l.tif", classes)
    flags = ["--classes", "3"]
    assert tinyunet("train", *pair, "--out", tmp_path / "run", *FLAGS, *flags) == 0
    assert predict(tmp_path / "run", pair[0], tmp_path / "p.tif", "--masks", tmp_path / "m") == 0
    shown = []
    for prediction in (tmp_path / "p.tif", tmp_path / "m"):
        capsys.readouterr()
        assert tinyunet("evaluate", prediction, pair[1], *flags, "--json") == 0
        shown.append(json.loads(capsys.readouterr().out))
    assert shown[0] == shown[1]


def test_coloured_masks_of_two_classes_are_scored_as_plain_ones(run, tmp_path, capsys):
    (tmp_path / "c.csv").write_text("0,background,black\n1,cell,green\n")
    images = write_tiff(tmp_path / "i.tif", IMAGES)
    labels = write_tiff(tmp_path / "l.tif", MASKS)
    assert predict(run, images, tmp_path / "p.tif", "--masks", tmp_path / "plain") == 0
    flags = ("--overwrite", "--masks", tmp_path / "m", "--classes-file", tmp_path / "c.csv")
    assert predict(run, images, tmp_path / "p.tif", *flags) == 0
    shown = []
    for prediction in ("plain", "m", "p.tif"):
        capsys.readouterr()
        flags = ("--classes", "2", "--json")
        assert tinyunet("evaluate", tmp_path / prediction, labels, *flags) == 0
        shown.append(json.loads(capsys.readouterr().out))
    assert shown[0] == shown[1]
    assert shown[2]["pixel_error"] <= shown[1]["pixel_error"]  # of 11 thresholds


@pytest.mark.parametrize("ignored", [[0, 255], [7]])
def test_ignored_pixels_cost_nothing_in_the_scores(tmp_path, capsys, ignored):
    labels = MASKS * 255
    hidden = np.zeros(MASKS.shape, bool)
    hidden[:, 4:9, 5:30] = True
    p = (MASKS * 0.9 + 0.05).astype("f4")
    p[hidden] = 1 - p[hidden]
    path = write_tiff(tmp_path / "p.tif", p)
    labels[hidden] = 7
    truth = write_tiff(tmp_path / "l.tif", labels)
    assert tinyunet("evaluate", path, truth) == 2
    assert tinyunet("evaluate", path, truth, "--ignore", "7", "--json") == 0
    out = capsys.readouterr().out
    assert json.loads(out)["pixel_error_rate"] == 0


@pytest.mark.parametrize("mode", ["RGBA", "LA", "RGB"])
def test_grey_pictures_in_colour_files_train_as_grey_and_as_colour(tmp_path, mode):
    images = tmp_path / "i"
    images.mkdir()
    for k in range(2):
        Image.fromarray(IMAGES[k]).convert(mode).save(images / f"{k}.png")
    labels = fill(tmp_path / "l", list(255 * MASKS[:2]), "{}.tif")
    for channels in ("1", "3"):
        code = tinyunet(
            *("train", images, labels, "--out", tmp_path / channels, *FLAGS),
            *("--channels", channels),
        )
        assert code == (2 if (mode, channels) == ("LA", "3") else 0)
        if code == 0:
            assert predict(tmp_path / channels, images, tmp_path / f"p{channels}.tif") == 0


def test_a_network_of_one_channel_tells_how_colour_would_be_trained(tmp_path, run, capsys):
    path = write_tiff(tmp_path / "x.tif", np.dstack(IMAGES[:3]), photometric="rgb")
    assert predict(run, path, tmp_path / "p.tif") == 2
    err = capsys.readouterr().err
    assert (
        "x.tif: is an image of 3 channels: wanted grey; convert it, or train with --channels" in err
    )
    assert "in_channels" not in err


@pytest.mark.parametrize("writer", [lambda path: path, by_another])
@pytest.mark.parametrize("options", [{"imagej": True}, {"ome": True}])
def test_channels_are_never_taken_for_slices_without_a_word(tmp_path, run, capsys, writer, options):
    more = {**options, "metadata": {"axes": "CYX"}}
    path = writer(write_tiff(tmp_path / "c.tif", IMAGES[:3], **more))
    code = predict(run, path, tmp_path / "p.tif")
    assert "3 channels" in capsys.readouterr().err
    assert code == (0 if writer is not by_another else 2)
    labels = write_tiff(tmp_path / "l.tif", MASKS[0])
    argv = ["train", path, labels, "--out", tmp_path / "run", *FLAGS, "--channels", "3"]
    assert tinyunet(*argv) == 0
    assert predict(tmp_path / "run", path, tmp_path / "q.tif") == 0
    assert len(pages_of(tmp_path / "q.tif")) == 1


@pytest.mark.parametrize("form", ["t{:03d}.tif", "t{:05d}.tif", "t{:04d}.TIF"])
def test_cells_keep_the_numbers_and_digits_of_their_frames(tmp_path, run, capsys, form):
    """Frame 9 was lost: what comes behind it must not move up."""
    frames = [7, 8, 10, 112]
    fill(tmp_path / "01", dict(zip(frames, IMAGES, strict=False)), form)
    truth = form.lower().replace("t{", "man_seg{", 1)
    fill(tmp_path / "01_GT" / "SEG", dict(zip([8, 112], CELLS[[1, 3]], strict=True)), truth)
    res = tmp_path / "RES"
    assert predict(run, tmp_path / "01", tmp_path / "p.tif", "--cells", res) == 0
    expected = [form.lower().format(t).replace("t", "mask", 1) for t in frames]
    assert sorted(f.name for f in res.iterdir()) == sorted(expected)
    capsys.readouterr()
    assert tinyunet("evaluate", res, tmp_path / "01_GT", "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert result["frames"] == 2
    # the same frames by hand, and in the right order
    copy = tmp_path / "copy"
    fill(copy, dict(zip([8, 112], CELLS[[1, 3]], strict=True)), "mask{:03d}.tif")
    assert tinyunet("evaluate", copy, tmp_path / "01_GT", "--json") == 0
    assert json.loads(capsys.readouterr().out)["seg"] == 1
    some = tmp_path / "some"
    assert (
        predict(run, tmp_path / "01", tmp_path / "q.tif", "--cells", some, "--slices", "2:4") == 0
    )
    assert sorted(f.name for f in some.iterdir()) == sorted(expected[2:])


@pytest.mark.parametrize("form", ["mask{}.tif", "mask{:03d}.tif", "MASK{:04d}.TIF", "man{}.tif"])
def test_masks_by_any_name_are_masks(tmp_path, capsys, form):
    images = fill(tmp_path / "i", dict(zip([3, 1, 2], IMAGES, strict=False)), form)
    labels = fill(tmp_path / "l", dict(zip([1, 2, 3], 255 * MASKS, strict=False)), form)
    assert tinyunet("train", images, labels, "--out", tmp_path / "run", *FLAGS) == 0
    assert predict(tmp_path / "run", images, tmp_path / "p.tif") == 0
    assert tinyunet("evaluate", tmp_path / "p.tif", labels) == 0
    for other in (tmp_path / "q", tmp_path / "r.tif"):
        assert predict(tmp_path / "run", images, other) == 0
        capsys.readouterr()
        assert tinyunet("evaluate", other, labels, "--json") == 0
        shown = json.loads(capsys.readouterr().out)
        assert shown["names"] == [
            form[: form.index(".tif" if ".tif" in form else ".TIF")].format(i) for i in (1, 2, 3)
        ]


def test_folders_are_scored_by_name_not_by_order(tmp_path, capsys):
    p = fill(tmp_path / "p", {"a": 255 * MASKS[0], "b": 255 * MASKS[1], "c": 255 * MASKS[2]})
    truth = {"b": 255 * MASKS[1], unicodedata.normalize("NFD", "c"): 255 * MASKS[2]}
    labels = fill(tmp_path / "l", truth, "{}.ome.tif")
    assert tinyunet("evaluate", p, labels, "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["pixel_error_rate"], result["names"]) == (0, ["b", "c"])
    for one, other, named in ((p, fill(tmp_path / "x", {"y": MASKS[0]}), "y"), (labels, p, "a")):
        assert tinyunet("evaluate", one, other) == 2
        err = capsys.readouterr().err
        assert f"{named} has no prediction of that name in {one}" in err
    assert tinyunet("evaluate", p, write_tiff(tmp_path / "s.tif", 255 * MASKS[:3])) == 0
    assert "are paired by order: only one of them has names" in capsys.readouterr().err


@pytest.mark.parametrize("names", [["b", "a10", "a2"], ["zebra", "éclair", "cell 7"]])
def test_the_names_of_a_folder_are_found_again(tmp_path, run, capsys, names):
    images = fill(tmp_path / "i", dict(zip(names, IMAGES, strict=False)), "{}.tif")
    assert predict(run, images, tmp_path / "p.tif", "--cells", tmp_path / "cells") == 0
    out = capsys.readouterr().out
    for name in names:
        assert name in out
    stack = open_stack(tmp_path / "p.tif")
    assert sorted(stack.names) == sorted(names)
    assert sorted(f.stem for f in (tmp_path / "cells").iterdir()) == sorted(names)
    assert predict(run, images, tmp_path / "q") == 0
    for name, page in zip(stack.names, pages_of(tmp_path / "p.tif"), strict=True):
        assert np.array_equal(pages_of(tmp_path / "q" / f"{name}.tif")[0], page)
    # and the right page has the name
    alone = fill(tmp_path / "j", {names[1]: IMAGES[1]}, "{}.tif")
    assert predict(run, alone, tmp_path / "r.tif") == 0
    np.testing.assert_allclose(
        pages_of(tmp_path / "r.tif")[0],
        pages_of(tmp_path / "q" / f"{names[1]}.tif")[0],
        rtol=1e-4,
        atol=1e-5,
    )


@pytest.mark.parametrize("kind", ["bool", "png 1 bit", "0/65535", "0/1", "0/255", "i8"])
def test_predictions_that_other_programs_wrote(tmp_path, capsys, kind):
    truth = write_tiff(tmp_path / "l.tif", MASKS)
    wrong = MASKS.copy()
    wrong[2, :5] ^= 1
    path = tmp_path / "p.tif"
    if kind == "bool":
        write_tiff(path, wrong.astype(bool))
    elif kind == "png 1 bit":
        path = fill(tmp_path / "p", list(wrong.astype(bool)))
        truth = fill(tmp_path / "l", list(MASKS * 255))
    else:
        dtype, top = {"0/65535": ("u2", 65535), "0/255": ("u1", 255), "i8": ("i8", 1)}.get(
            kind, ("u1", 1)
        )
        write_tiff(path, wrong.astype(dtype) * top)
    assert tinyunet("evaluate", path, truth, "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert result["pixel_error_rate"] == pytest.approx(5 * 41 / MASKS.size)


@pytest.mark.parametrize("numbers", [700 + MASKS.astype("u2"), CELLS])
def test_numbers_that_are_no_probabilities(tmp_path, capsys, numbers):
    p, truth = write_tiff(tmp_path / "p.tif", numbers), write_tiff(tmp_path / "l.tif", MASKS)
    assert tinyunet("evaluate", p, truth) == 2
    assert (
        "are no probabilities: wanted floats in 0 to 1, 8 bits, or a mask"
        in capsys.readouterr().err
    )


def test_a_folder_of_all_kinds_of_files_is_used_whole(tmp_path, capsys):
    images, labels = tmp_path / "i", tmp_path / "l"
    images.mkdir()
    labels.mkdir()
    for name, array in {
        "1.btf": IMAGES[0],
        "2.TF8": IMAGES[1],
        "3.tiff": IMAGES[2].astype("u2"),
    }.items():
        write_tiff(images / name, array)
    Image.fromarray(IMAGES[3]).save(images / "4.JPG", format="JPEG")
    Image.fromarray(IMAGES[4]).save(images / "5.bmp")
    for k in range(4):
        Image.fromarray(MASKS[k]).save(labels / f"{k + 1}.png")
    assert tinyunet("train", images, labels, "--out", tmp_path / "run", *FLAGS) == 0
    err = capsys.readouterr().err
    assert "images: 4 slices of 36×41, uint16 and uint8" in err
    assert f"warning: {images}: 1 file left out: 5.bmp" in err


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1", "cp437", "utf-8"])
def test_output_that_is_not_utf_8(tmp_path, monkeypatch, encoding):
    labels = write_tiff(tmp_path / "lé–→\udcff.tif", MASKS * 255)
    for arguments in (["info"], ["evaluate", labels, labels], ["weightmap", labels, "--out", "→"]):
        streams = {name: io.BytesIO() for name in ("stdout", "stderr")}
        for name, stream in streams.items():
            monkeypatch.setattr(sys, name, io.TextIOWrapper(stream, encoding=encoding))
        code = tinyunet(*arguments)
        text = ""
        for name, stream in streams.items():
            getattr(sys, name).flush()
            text += stream.getvalue().decode(encoding)
        assert code == (2 if "→" in arguments else 0), text
        assert text.strip()
        assert "codec" not in text
        if arguments[0] == "evaluate" and encoding == "ascii":
            assert "pixel error, 1 - best F v" in text


@pytest.mark.skipif(sys.platform != "linux", reason="names of bytes that are no text")
def test_a_file_name_that_is_no_text(tmp_path):
    name = os.fsencode(str(tmp_path)) + b"/l\xff.tif"
    write_tiff(os.fsdecode(name), MASKS * 255)
    command = [sys.executable, "-m", "tinyunet", "weightmap", name, "--out", name + b".png"]
    process = subprocess.run(command, capture_output=True)
    assert process.returncode == 0, process.stderr
    assert process.stdout.decode().endswith("l?.tif.png\n")


def test_a_system_without_sysconf(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "sysconf_names")
    monkeypatch.delattr(os, "sysconf")
    pair = write_tiff(tmp_path / "i.tif", IMAGES), write_tiff(tmp_path / "l.tif", MASKS)
    assert tinyunet("train", *pair, "--out", tmp_path / "run", *FLAGS) == 0
    assert predict(tmp_path / "run", pair[0], tmp_path / "p.tif") == 0


def test_labels_in_64_bits_and_a_folder_of_dtypes(tmp_path):
    images = fill(
        tmp_path / "i", [IMAGES[0], IMAGES[1].astype("u2") * 7, IMAGES[2] / 3.0], "{}.tif"
    )
    kinds = [MASKS[0].astype("i8"), MASKS[1].astype("u8") * 255, MASKS[2].astype(bool)]
    labels = fill(tmp_path / "l", kinds, "{}.tif")
    assert tinyunet("train", images, labels, "--out", tmp_path / "run", *FLAGS) == 0


@pytest.mark.parametrize("flag", ["--instances", "--classes", "--ignore"])
def test_help_tells_the_options_of_labels_in_every_command_that_reads_them(capsys, flag):
    for command in ("train", "evaluate", "augment", "weightmap"):
        with pytest.raises(SystemExit):
            main([command, "--help"])
        assert flag in capsys.readouterr().out


def test_a_sequence_of_single_plane_ome_files(tmp_path, run):
    xml = (
        '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
        '<Image ID="Image:0"><Pixels DimensionOrder="XYCZT" ID="Pixels:0" SizeC="2" SizeT="30" '
        'SizeX="41" SizeY="36" SizeZ="9" Type="uint8"><TiffData/></Pixels></Image></OME>'
    )
    for t in range(3):
        path = tmp_path / "o" / f"pos_{t}.OME.TIF"
        path.parent.mkdir(exist_ok=True)
        write_tiff(path, IMAGES[t], metadata=None, description=xml)
    assert predict(run, tmp_path / "o", tmp_path / "p.tif") == 0
    assert open_stack(tmp_path / "p.tif").names == ["pos_0", "pos_1", "pos_2"]
