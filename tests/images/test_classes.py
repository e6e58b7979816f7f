"""Names and colours of classes, out of CSV and JSON, right and wrong."""

import json

import pytest

from tinyunet.images.classes import Class, default_classes, read_classes

MEMBRANE = Class(1, "membrane", (230, 159, 0))


def written(tmp_path, text, name="classes.csv"):
    (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path / name


@pytest.mark.parametrize(
    "text",
    [
        "number,name,colour\n1,membrane,#E69F00\n",
        "1,membrane,#e69f00",
        "\ufeffNumber;Name;Colour\n\n1;membrane;rgb(230,159,0)\n".replace(
            "rgb(230,159,0)", "#E69F00"
        ),
        " 1 , membrane , #E69F00 \n\n",
    ],
)
def test_csv_as_programs_write_it(tmp_path, text):
    classes = read_classes(written(tmp_path, text), 3)
    default = default_classes(3)
    assert classes == [default[0], MEMBRANE, default[2]]


@pytest.mark.parametrize("key", ["colour", "color"])
def test_json(tmp_path, key):
    text = json.dumps([{"number": 1, "name": "membrane", key: "#E69F00"}, {"number": 0}])
    assert read_classes(written(tmp_path, text, "c.json"), 2) == [default_classes(2)[0], MEMBRANE]


def test_a_colour_that_is_left_out_is_the_default(tmp_path):
    classes = read_classes(written(tmp_path, "2,vesicle\n1,,red"), 3)
    assert classes[2] == Class(2, "vesicle", default_classes(3)[2].colour)
    assert classes[1] == Class(1, "class 1", (255, 0, 0))


def test_default_colours_differ_and_only_the_background_is_black():
    colours = [one.colour for one in default_classes(8)]
    assert len(set(colours)) == 8
    assert [one.colour for one in default_classes(20)].count((0, 0, 0)) == 1


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("c.csv", "", "names no class"),
        ("c.csv", "number,name,colour\n", "names no class"),
        ("c.csv", "3,x,red", "entry 1: number '3' is not one of the network's classes, 0 to 2"),
        ("c.csv", "1,x,red\n-1,y,red", "entry 2: number '-1' is not one"),
        ("c.csv", "membrane,1,red", "entry 1: number 'membrane' is not one"),
        ("c.csv", "1,x,reddish", "entry 1: 'reddish' is no colour such as #E69F00"),
        ("c.csv", "1,x,red\n1,y,blue", "entry 2: class 1 is there twice"),
        ("c.csv", '1,"' + "x" * 140_000, r"c.csv: damaged \(field larger than field limit"),
        ("c.json", "{", "damaged"),
        ("c.json", "[" * 100_000, "damaged"),
        ("c.json", '{"1": "x"}', "wanted a list of"),
        ("c.json", '[{"number": true}]', "number True is not one"),
        ("c.json", '[{"number": 1, "colour": [1, 2]}]', "is no colour"),
        ("c.txt", "1,x,red", "wanted a .csv or .json file"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, name, text, message):
    with pytest.raises(ValueError, match=message):
        read_classes(written(tmp_path, text, name), 3)


def test_a_file_that_is_no_text(tmp_path):
    (tmp_path / "c.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="is no text"):
        read_classes(tmp_path / "c.csv", 2)
