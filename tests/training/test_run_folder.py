"""The folder of a run: who may write, what the log holds, what is cleaned up."""

import errno
import json
import os
import subprocess
import sys

import pytest
from runs import snapshot, tiny

from tinyunet.training import run_folder as rundir
from tinyunet.training.log import HEADER, read_log
from tinyunet.training.run_folder import RunFolder, check_folder
from tinyunet.training.settings_file import read_settings
from tinyunet.training.validation import Validation


def begun(path):
    """A run folder with settings, as after the start of a run."""
    with RunFolder(path) as folder:
        folder.write_settings(tiny(), "abc")
        folder.open_log(0).flush()
    return path


def test_names(tmp_path):
    with RunFolder(tmp_path) as folder:
        assert folder.last == tmp_path / "last.safetensors"
        assert folder.best == tmp_path / "best.safetensors"
        assert folder.log_file == tmp_path / "log.csv"
        assert folder.settings_file == tmp_path / "settings.json"


def test_a_folder_in_which_nothing_began_is_left_as_it_was(tmp_path):
    with RunFolder(tmp_path / "a" / "b" / "c") as folder:
        assert folder.resuming is False
        assert (tmp_path / "a" / "b" / "c").is_dir()
    assert snapshot(tmp_path) == {}
    (tmp_path / "mine").write_text("kept")
    with RunFolder(tmp_path):
        pass
    assert [p.name for p in tmp_path.iterdir()] == ["mine"]  # the lock is gone too


def test_a_begun_run_is_kept_and_can_be_resumed(tmp_path):
    begun(tmp_path / "run")
    assert check_folder(tmp_path / "run", resume=True) is True
    with RunFolder(tmp_path / "run", resume=True) as folder:
        assert folder.resuming is True
        assert folder.read_settings() == (tiny(), "abc")
    assert (tmp_path / "run" / "log.csv").read_text() == HEADER


def test_settings_are_readable_text(tmp_path):
    begun(tmp_path)
    text = (tmp_path / "settings.json").read_text()
    assert json.loads(text) == {"settings": tiny().to_dict(), "data": "abc", "format": 2}
    assert text.startswith('{\n  "settings": {\n')
    assert text.endswith("}\n")
    assert read_settings(str(tmp_path)) == (tiny(), "abc")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "3",
        '{"settings": {}, "data": ""}',
        '{"settings": 3, "data": ""}',
        "\x00",
        "[" * 99999,
    ],
)
def test_damaged_settings(tmp_path, text):
    (tmp_path / "settings.json").write_text(text)
    with pytest.raises(ValueError, match="settings.json: damaged"):
        read_settings(tmp_path)


def test_settings_that_are_no_text(tmp_path):
    (tmp_path / "settings.json").write_bytes(b"\xff\xfe{}")
    with pytest.raises(ValueError, match="settings.json: damaged"):
        read_settings(tmp_path)


@pytest.mark.parametrize(
    "name", ["settings.json", "last.safetensors", "best.safetensors", "log.csv", "curves.png"]
)
def test_nothing_is_overwritten_without_resume(tmp_path, name):
    (tmp_path / name).write_text("x")
    with pytest.raises(FileExistsError) as error:
        check_folder(tmp_path)
    assert str(error.value) == (
        f"{tmp_path}: holds a run already ({name}): give --resume to go on with it, "
        "or another folder"
    )


@pytest.mark.parametrize("name", ["last.safetensors", "best.safetensors", "log.csv"])
def test_nothing_is_overwritten_without_settings(tmp_path, name):
    (tmp_path / name).write_text("x")
    with pytest.raises(FileExistsError, match=f": holds {name} but no settings.json: cannot be re"):
        RunFolder(tmp_path, resume=True)
    assert not (tmp_path / ".lock").exists()


@pytest.mark.parametrize(("name", "content"), [("best.safetensors", ""), ("log.csv", HEADER + "1")])
def test_a_lost_checkpoint_is_noticed(tmp_path, name, content):
    begun(tmp_path)
    (tmp_path / name).write_text(content)
    with pytest.raises(FileExistsError, match=": its last.safetensors is gone: cannot be resumed$"):
        RunFolder(tmp_path, resume=True)
    (tmp_path / "last.safetensors").write_text("")
    assert check_folder(tmp_path, resume=True)


def test_files_in_the_way(tmp_path):
    (tmp_path / "x").write_text("")
    with pytest.raises(FileExistsError, match="x: is a file, but a run needs a folder$"):
        RunFolder(tmp_path / "x")
    with pytest.raises(NotADirectoryError, match="x: is a file: run cannot be made in it$"):
        RunFolder(tmp_path / "x" / "run")


def test_two_runs_in_one_folder(tmp_path):
    begun(tmp_path)
    pattern = rf"another run \(process {os.getpid()}\) is writing into this folder$"
    with RunFolder(tmp_path, resume=True):
        for _ in range(2):
            with pytest.raises(BlockingIOError, match=pattern):
                RunFolder(tmp_path, resume=True)
        other = (
            "import sys; from tinyunet.training.run_folder import RunFolder; "
            "RunFolder(sys.argv[1], resume=True)"
        )
        process = subprocess.run(
            [sys.executable, "-c", other, str(tmp_path)], capture_output=True, text=True
        )
        assert process.returncode == 1
        assert f"another run (process {os.getpid()}) is writing" in process.stderr
    with RunFolder(tmp_path, resume=True) as folder:  # free again
        assert folder.resuming


def test_a_lock_file_that_was_taken_away_locks_nothing(tmp_path, monkeypatch):
    """Between opening and locking, the first run may have ended and removed the file."""
    fcntl = pytest.importorskip("fcntl")
    real = fcntl.flock

    def flock(handle, mode):
        (tmp_path / ".lock").unlink(missing_ok=True)
        real(handle, mode)

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(BlockingIOError, match="another run"):
        RunFolder(tmp_path)


def test_a_run_that_another_spoils_while_it_opens_lets_go_of_the_folder(tmp_path, monkeypatch):
    """The folder is looked at again under the lock; what is refused then must not stay locked."""
    begun(tmp_path)

    def lock(path):
        (tmp_path / "settings.json").rename(tmp_path / "settings.away")
        return real(path)

    real = rundir.lock_folder
    with monkeypatch.context() as patch:
        patch.setattr(rundir, "lock_folder", lock)
        with pytest.raises(FileExistsError, match="holds log.csv but no settings.json"):
            RunFolder(tmp_path, resume=True)
    (tmp_path / "settings.away").rename(tmp_path / "settings.json")
    with RunFolder(tmp_path, resume=True) as folder:
        assert folder.resuming


def test_leftovers_of_a_killed_run_are_removed_and_other_files_are_not(tmp_path):
    begun(tmp_path)
    ours = [".last.safetensors.ab12.tmp", ".best.safetensors.x.tmp", ".settings.json.1.tmp"]
    theirs = [".notes.tmp", "last.safetensors.tmp", ".last.safetensors.ab12.part"]
    for name in ours + theirs:
        (tmp_path / name).write_text("half")
    with RunFolder(tmp_path, resume=True):
        left = {path.name for path in tmp_path.iterdir()}
    assert left == {*theirs, ".lock", "settings.json", "log.csv"}


def test_the_log(tmp_path):
    with RunFolder(tmp_path) as folder:
        log = folder.open_log(0)
        assert folder.log is log
        log.add(1, 0.1 + 0.2)
        log.add(2, 1e-300, Validation(2, 0.5, 1 / 3))
        size = log.flush()
    text = (tmp_path / "log.csv").read_text()
    assert text == f"{HEADER}1,0.30000000000000004,,\n2,1e-300,0.5,0.3333333333333333\n"
    assert size == len(text)
    assert read_log(tmp_path / "log.csv") == {
        "step": [1, 2],
        "loss": [0.1 + 0.2, 1e-300],
        "val_loss": [None, 0.5],
        "val_pixel_error_rate": [None, 1 / 3],
    }


def test_the_log_is_cut_back_to_the_checkpoint(tmp_path):
    begun(tmp_path)
    (tmp_path / "last.safetensors").write_text("")
    (tmp_path / "log.csv").write_text(f"{HEADER}1,0.5,,\n2,0.25,,\n3,0.12")
    with RunFolder(tmp_path, resume=True) as folder:
        folder.open_log(len(f"{HEADER}1,0.5,,\n"))
        folder.log.add(2, 0.75)
    assert (tmp_path / "log.csv").read_text() == f"{HEADER}1,0.5,,\n2,0.75,,\n"
    with RunFolder(tmp_path, resume=True) as folder:
        folder.open_log(0)
    assert (tmp_path / "log.csv").read_text() == HEADER


def test_a_log_shorter_than_the_checkpoint_says(tmp_path):
    begun(tmp_path)
    with RunFolder(tmp_path, resume=True) as folder:
        folder.open_log(len(HEADER))
        with pytest.raises(ValueError, match="log.csv: shorter than when the checkpoint was writt"):
            folder.open_log(len(HEADER) + 1)
    assert (tmp_path / "log.csv").read_text() == HEADER


@pytest.mark.parametrize(
    ("size", "step", "loss", "message"),
    [
        (len(HEADER), 0, None, None),
        (len(HEADER) + 8, 9, 0.5, None),
        (len(HEADER) + 18, 10, 0.25, None),
        (len(HEADER) + 18, 10, 0.5, "step, 10, log.csv does not tell its loss, 0.5$"),
        (len(HEADER) + 18, 1, 0.25, "at its step, 1, "),
        (len(HEADER) + 18, 0, None, "at its step, 0, log.csv does not tell its loss, None$"),
        (len(HEADER) + 17, 10, 0.25, "at its step, 10"),  # in the middle of a line
        (len(HEADER) + 8, 10, 0.25, "at its step, 10"),
        (len(HEADER) + 1, 0, None, "at its step, 0"),
        (0, 0, None, "at its step, 0"),
        (-5, 0, None, "at its step, 0"),
        (None, 9, 0.5, "at its step, 9"),
        (True, 9, 0.5, "at its step, 9"),
        (len(HEADER) + 28, 11, 0.125, "log.csv: shorter than when the checkpoint was written$"),
    ],
)
def test_the_log_must_tell_what_the_checkpoint_tells(tmp_path, size, step, loss, message):
    begun(tmp_path)
    text = f"{HEADER}9,0.5,,\n10,0.25,,\n11,0.125"
    (tmp_path / "log.csv").write_text(text)
    (tmp_path / "last.safetensors").write_text("")
    meta = {"log_size": size, "step": step, "loss": loss}
    with RunFolder(tmp_path, resume=True) as folder:
        if message is None:
            folder.check_checkpoint(meta)
        else:
            with pytest.raises(ValueError, match=message):
                folder.check_checkpoint(meta)
    assert (tmp_path / "log.csv").read_text() == text


def test_a_lost_log_is_not_made_anew(tmp_path):
    begun(tmp_path)
    (tmp_path / "log.csv").unlink()
    with RunFolder(tmp_path, resume=True) as folder, pytest.raises(FileNotFoundError):
        folder.open_log(len(HEADER))
    assert not (tmp_path / "log.csv").exists()


def test_an_error_of_the_disk_names_the_log_and_frees_the_folder(tmp_path, monkeypatch):
    begun(tmp_path)

    def fail(_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, RunFolder(tmp_path, resume=True) as folder:
        folder.open_log(len(HEADER))
        patch.setattr("tinyunet.training.log.os.fsync", fail)
        with pytest.raises(OSError, match=r"log.csv: could not be written: .*No space left"):
            folder.log.flush()
    with RunFolder(tmp_path, resume=True):
        pass


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "",
            f"log.csv: not a log of a run: its first line is not '{HEADER.strip()}'$",
        ),
        ("step,loss\n1,2\n", "log.csv: not a log of a run"),
        (HEADER + "1,0.5,,\n2,0.5\n", r"log.csv: line 3 is damaged \(wrong number of columns\)$"),
        (HEADER + "x,0.5,,\n", "log.csv: line 2 is damaged .invalid literal"),
        (HEADER + "1,0.5,,\n\udcff\udcff,0.5,,\n", "log.csv: line 3 is damaged .invalid literal"),
        (HEADER + "1,much,,\n", "log.csv: line 2 is damaged .could not convert"),
        (HEADER + '1,0.5,,\n2,"0.5,,\n3,0.5,,\n', "log.csv: line 3 is damaged .could not convert"),
        (
            HEADER + '1,0.5,,\n2,"0.5,,\n' + "3,0.5,,\n" * 20_000,  # more than a field may hold
            "log.csv: line 3 is damaged .could not convert",
        ),
        (
            HEADER + "1,0.5,,\n2," + "7" * 140_000 + ",,\n3,0.5,,\n",
            r"log.csv: line 3 is damaged \(field larger than field limit",
        ),
    ],
)
def test_a_damaged_log(tmp_path, text, message):
    (tmp_path / "log.csv").write_text(text, errors="surrogateescape")
    with pytest.raises(ValueError, match=message):
        read_log(tmp_path / "log.csv")


def test_an_empty_log(tmp_path):
    (tmp_path / "log.csv").write_text(HEADER)
    assert read_log(str(tmp_path / "log.csv")) == {
        "step": [],
        "loss": [],
        "val_loss": [],
        "val_pixel_error_rate": [],
    }


# Files that are not what they seem


@pytest.mark.parametrize("name", ["settings.json", "log.csv", "last.safetensors", ".lock"])
def test_a_link_in_a_run_folder_is_refused_and_its_target_left_alone(tmp_path, name):
    begun(tmp_path / "run")
    (tmp_path / "run" / "last.safetensors").write_bytes(b"")
    target = tmp_path / "mine"
    (tmp_path / "run" / name).rename(target)
    os.symlink(target, tmp_path / "run" / name)
    before = target.read_bytes()
    with pytest.raises(OSError, match=f"{name}: is a symbolic link: wanted a file of its own$"):
        RunFolder(tmp_path / "run", resume=True)
    assert target.read_bytes() == before


@pytest.mark.parametrize("name", ["settings.json", "log.csv", "last.safetensors", ".lock"])
def test_a_fifo_in_a_run_folder_is_refused_and_not_waited_for(tmp_path, name):
    begun(tmp_path / "run")
    (tmp_path / "run" / name).unlink(missing_ok=True)
    os.mkfifo(tmp_path / "run" / name)
    with pytest.raises(OSError, match=f"{name}: is not a regular file$"):
        RunFolder(tmp_path / "run", resume=True)
    if name == "settings.json":
        with pytest.raises(OSError, match="is not a regular file$"):
            read_settings(tmp_path / "run")
    if name == "log.csv":
        with pytest.raises(OSError, match="is not a regular file$"):
            read_log(tmp_path / "run" / "log.csv")


def test_a_dangling_link_counts_as_a_file(tmp_path):
    os.symlink(tmp_path / "nowhere", tmp_path / "log.csv")
    with pytest.raises(FileExistsError, match="holds a run already"):
        check_folder(tmp_path)


def test_a_lock_that_is_a_link_in_a_new_folder_overwrites_nothing(tmp_path):
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "run").mkdir()
    os.symlink(tmp_path / "mine", tmp_path / "run" / ".lock")
    with pytest.raises(OSError, match=".lock: is a symbolic link"):
        RunFolder(tmp_path / "run")
    assert (tmp_path / "mine").read_text() == "mine"


def test_a_folder_named_like_a_temporary_file_stops_no_resume(tmp_path):
    begun(tmp_path)
    (tmp_path / ".last.safetensors.ab12.tmp").mkdir()
    (tmp_path / ".last.safetensors.ab12.tmp" / "last.safetensors").write_text("half")
    (tmp_path / ".tmpAbCdEf").write_text("half")  # of safetensors 0.8
    with RunFolder(tmp_path, resume=True):
        left = {path.name for path in tmp_path.iterdir()}
    assert left == {".lock", "settings.json", "log.csv"}


def test_a_folder_without_a_name_is_refused():
    with pytest.raises(ValueError, match="^the name of the run folder is empty$"):
        RunFolder("")


@pytest.mark.parametrize("name", list(tiny().to_dict()))
def test_a_setting_that_is_missing_is_an_error_and_no_silent_default(tmp_path, name):
    settings = tiny().to_dict()
    del settings[name]
    content = {"settings": settings, "data": "abc", "format": 2}
    (tmp_path / "settings.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=rf"settings.json: damaged \(holds no value of {name}\)$"):
        read_settings(tmp_path)


def test_settings_of_version_one_are_read(tmp_path):
    settings = tiny().to_dict()
    for old, new in (("base", "base_channels"), ("rate", "lr"), ("grey", "intensity")):
        settings[old] = settings.pop(new)
    for later in ("balance", "max_zoom", "ranks", "momentum_warmup"):
        del settings[later]
    (tmp_path / "settings.json").write_text(json.dumps({"settings": settings, "data": "abc"}))
    assert read_settings(tmp_path) == (tiny(), "abc")


def test_runs_before_the_growing_momentum_have_none(tmp_path):
    settings = tiny(momentum_warmup=9).to_dict()
    del settings["momentum_warmup"]
    (tmp_path / "settings.json").write_text(json.dumps({"settings": settings, "data": "abc"}))
    assert read_settings(tmp_path)[0] == tiny(momentum_warmup=0)


def test_a_log_of_version_one_is_read(tmp_path):
    (tmp_path / "log.csv").write_text("step,loss,val_loss,val_wrong\n1,0.5,,\n2,0.25,0.75,0.125\n")
    assert read_log(tmp_path / "log.csv") == {
        "step": [1, 2],
        "loss": [0.5, 0.25],
        "val_loss": [None, 0.75],
        "val_pixel_error_rate": [None, 0.125],
    }


# Where the file system knows no locks


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks(tmp_path, monkeypatch, number):
    fcntl = pytest.importorskip("fcntl")

    def flock(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    monkeypatch.setattr("tinyunet.training.run_lock.PATIENCE", 0.1)
    begun(tmp_path / "run")
    with RunFolder(tmp_path / "run", resume=True) as folder:
        assert folder.resuming
        message = rf"another run \(process {os.getpid()}\) is writing into this folder$"
        with pytest.raises(BlockingIOError, match=message):
            RunFolder(tmp_path / "run", resume=True)
    with RunFolder(tmp_path / "run", resume=True) as folder:  # free again
        assert folder.resuming
    assert not (tmp_path / "run" / ".lock.owner").exists()
    with RunFolder(tmp_path / "new"):
        pass
    assert not (tmp_path / "new").exists()


@pytest.mark.skipif(not hasattr(os, "kill"), reason="kills a process")
def test_the_owner_of_a_lock_by_existence_may_have_died(tmp_path):
    """A process that was killed leaves the file; its number tells that nobody holds it."""
    program = f"""
import errno, fcntl, os, signal, sys
def flock(*_):
    raise OSError(errno.ENOSYS, "no locks here")
fcntl.flock = flock
from tinyunet.training.run_folder import RunFolder
folder = RunFolder({str(tmp_path / "run")!r})
if sys.argv[1] == "die":
    os.kill(os.getpid(), signal.SIGKILL)
folder.close()
"""
    for word, code in (("die", -9), ("close", 0)):
        process = subprocess.run([sys.executable, "-c", program, word], capture_output=True)
        assert process.returncode == code, process.stderr
