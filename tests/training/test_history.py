"""What a run folder tells people: who started it, when, with what."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest
from runs import tiny, tiny_dataset

import tinyunet
from tinyunet._machine import usable_cores
from tinyunet.images.split import fingerprint
from tinyunet.training.history import add_to_history, found_data, machine, read_history
from tinyunet.training.loop import train


def test_every_start_is_noted(tmp_path):
    run, dataset = tmp_path / "run", tiny_dataset()
    train(dataset, tiny(steps=4, val=None), run, "cpu", command="tinyunet train a b")
    train(dataset, tiny(steps=6, val=None), run, "cpu", resume=True)
    train(dataset, tiny(steps=6, val=None), run, "cpu", resume=True)  # nothing left to do
    starts = read_history(run / "history.json")
    assert [(s["after_step"], s["command"]) for s in starts] == [
        (0, "tinyunet train a b"),
        (4, None),
    ]
    first = starts[0]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", first["date"])
    assert first["tinyunet"] == tinyunet.__version__
    assert first["device"] == "cpu"
    assert first["data"] == {
        "found": dataset.describe().splitlines(),
        "kind": "classes",
        "classes": 2,
        "sha256": fingerprint(dataset),
    }
    assert first["machine"] == machine()
    assert first["machine"]["numpy"] == np.__version__
    assert first["machine"]["memory"] > 2**20


def test_without_numba_a_run_is_noted_too():
    program = (
        "import sys\n"
        "sys.modules['numba'] = None\n"
        "from tinyunet.training.history import machine\n"
        "print(machine()['numba'], machine()['cores'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=100
    )
    assert done.stdout.split() == ["None", str(usable_cores())]


def test_it_is_text_for_people(tmp_path):
    train(tiny_dataset(), tiny(steps=1, val=None), tmp_path / "run", "cpu")
    text = (tmp_path / "run" / "history.json").read_text(encoding="utf-8")
    assert "4 slices of 30×34" in text
    assert text.startswith("[\n  {\n")


@pytest.mark.parametrize("content", [None, "", "{}", "[3]", "[" * 9999, "\x00"])
def test_a_damaged_history_stops_no_run(tmp_path, content):
    file = tmp_path / "history.json"
    if content is not None:
        file.write_text(content)
    assert read_history(file) == []
    add_to_history(file, {"date": "now"})
    assert read_history(file) == [{"date": "now"}]


def test_a_link_is_replaced_and_not_followed(tmp_path):
    (tmp_path / "mine").write_text("mine")
    os.symlink(tmp_path / "mine", tmp_path / "history.json")
    add_to_history(tmp_path / "history.json", {"date": "now"})
    assert (tmp_path / "mine").read_text() == "mine"
    assert read_history(tmp_path / "history.json") == [{"date": "now"}]


@pytest.mark.parametrize(
    "history", [[], [{}], [{"data": 7}], [{"data": {}}], [{"data": {"found": 3}}]]
)
def test_what_a_damaged_history_found_is_nothing(history):
    assert found_data(history) == []


def test_what_the_newest_start_found():
    assert found_data([{"data": {"found": ["old"]}}, {"data": {"found": ["a", 2]}}]) == ["a", "2"]
