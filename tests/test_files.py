"""Files and folders that are whole or not there, and only regular ones: `tinyunet/_files.py`."""

import os

import pytest
from runs import snapshot

from tinyunet import _files
from tinyunet._files import (
    atomic_folder,
    atomic_write,
    check_regular,
    open_regular,
    remove_leftovers,
)


def test_what_a_library_leaves_beside_its_file_goes_too(tmp_path):
    with atomic_write(tmp_path / "x") as temporary:
        temporary.write_text("whole")
        temporary.with_name(".tmpAbC123").write_text("half")
    assert snapshot(tmp_path) == {tmp_path / "x": b"whole"}


def test_a_name_of_the_greatest_length(tmp_path):
    path = tmp_path / ("x" * 255)
    with atomic_write(path) as temporary:
        temporary.write_text("1")
    assert path.read_text() == "1"


def test_a_folder_appears_whole(tmp_path):
    with atomic_folder(tmp_path / "cells") as folder:
        (folder / "sub").mkdir()
        (folder / "a").write_text("1")
        (folder / "sub" / "b").write_text("2")
        assert not (tmp_path / "cells").exists()
    found = {str(p.relative_to(tmp_path)): c for p, c in snapshot(tmp_path).items()}
    assert found == {"cells": None, "cells/a": b"1", "cells/sub": None, "cells/sub/b": b"2"}


def test_a_folder_that_is_there_is_filled(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cells").mkdir()
    with atomic_folder("cells") as folder:
        (folder / "a").write_text("1")
    assert (tmp_path / "cells" / "a").read_text() == "1"

    with atomic_folder("cells") as folder:
        (folder / "b").write_text("2")
        (folder / "a").write_text("3")
        assert (tmp_path / "cells" / "a").read_text() == "1"
    found = {str(p.relative_to(tmp_path)): c for p, c in snapshot(tmp_path).items()}
    assert found == {"cells": None, "cells/a": b"3", "cells/b": b"2"}


def test_a_folder_that_fails_leaves_nothing(tmp_path):
    def fail():
        with atomic_folder(tmp_path / "cells") as folder:
            (folder / "a").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert snapshot(tmp_path) == {}


def test_the_files_of_a_folder_are_on_the_disk_before_it_gets_its_name(tmp_path, monkeypatch):
    done = []
    real = os.replace
    monkeypatch.setattr(_files.os, "fsync", lambda handle: done.append("flush"))
    monkeypatch.setattr(_files.os, "replace", lambda *names: (done.append("rename"), real(*names)))
    with atomic_folder(tmp_path / "cells") as folder:
        for name in "ab":
            (folder / name).write_text("1")
    assert done == ["flush", "flush", "rename", "flush"]


def test_leftovers_are_those_of_our_names_and_of_safetensors(tmp_path):
    (tmp_path / ".log.csv.ab.tmp").mkdir()
    (tmp_path / ".log.csv.ab.tmp" / "log.csv").write_text("half")
    for name in (".log.csv.cd.tmp", ".tmpAbC123", ".tmpAbC1234", ".tmpAbC12", ".other.ab.tmp", "t"):
        (tmp_path / name).write_text("x")
    (tmp_path / ".tmpDeF456").mkdir()
    os.symlink(tmp_path / "t", tmp_path / ".log.csv.link.tmp")
    remove_leftovers(tmp_path, ["log.csv"])
    left = sorted(p.name for p in tmp_path.iterdir())
    assert left == [
        ".log.csv.link.tmp",
        ".other.ab.tmp",
        ".tmpAbC12",
        ".tmpAbC1234",
        ".tmpDeF456",
        "t",
    ]


def test_regular_files_only(tmp_path):
    (tmp_path / "file").write_text("1")
    (tmp_path / "folder").mkdir()
    os.symlink(tmp_path / "file", tmp_path / "link")
    os.symlink(tmp_path / "nowhere", tmp_path / "dangling")
    os.mkfifo(tmp_path / "fifo")
    assert check_regular(tmp_path / "file")
    assert not check_regular(tmp_path / "gone")
    with open_regular(tmp_path / "file") as file:
        assert file.read() == "1"
    for name, message in (
        ("link", "link: is a symbolic link: wanted a file of its own$"),
        ("dangling", "dangling: is a symbolic link"),
        ("fifo", "fifo: is not a regular file$"),
        ("folder", "folder: is not a regular file$"),
    ):
        for mode in ("r", "w", "r+b"):
            with pytest.raises(OSError, match=message):
                open_regular(tmp_path / name, mode)
    assert (tmp_path / "file").read_text() == "1"
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("name", ["link", "fifo", "folder"])
def test_what_is_put_there_between_looking_and_opening_is_refused_too(tmp_path, monkeypatch, name):
    (tmp_path / "file").write_text("1")
    (tmp_path / "folder").mkdir()
    os.symlink(tmp_path / "file", tmp_path / "link")
    os.mkfifo(tmp_path / "fifo")
    monkeypatch.setattr(_files, "check_regular", lambda path: True)
    with pytest.raises(OSError):
        open_regular(tmp_path / name, "r+b" if name != "fifo" else "rb")
    assert (tmp_path / "file").read_text() == "1"
