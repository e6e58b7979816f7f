"""`tinyunet check`: lists, tells, starts; everything wrong is one line and exit code 2."""

import json
import shutil

import pytest
from solutions.table import HERE as SOLUTIONS
from solutions.table import solution

from tinyunet import cli
from tinyunet.exercises import EXERCISES

LIMIT = ("--time-limit", "0")  # in this process: what a process of its own does is tested elsewhere


@pytest.fixture
def room(tmp_path, monkeypatch):
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def check(*arguments):
    return cli.main(["check", *map(str, arguments), *LIMIT])


def test_one_exercise_is_checked_step_by_step(room, capsys):
    path = room / "01_mine.py"
    path.write_text(solution("01", "arrays"), encoding="utf-8")
    assert check(path) == 0
    out = capsys.readouterr().out
    assert "  right    one 3×3 window, by hand\n" in out
    assert out.endswith("All right. The next lesson is waiting.\n")
    path.write_text(solution("01", "loops").replace("total = bias[o]", "total = 0"), "utf-8")
    assert check(path) == 1
    out = capsys.readouterr().out
    assert "  WRONG    one 3×3 window, by hand\n" in out
    assert "your y has no bias: each output starts from bias[o]\n" in out
    assert "Line 6 of 01_mine.py.  Read: lessons/01-valid-convolution.md\n" in out


def test_a_step_is_marked_by_what_became_of_it(room, capsys):
    (room / "10_mine.py").write_text("def mirror(index, size):\n    pass\n", encoding="utf-8")
    assert check("10_mine.py") == 1
    assert "  TO DO    mirror: images of five" in capsys.readouterr().out
    (room / "10_mine.py").write_text("while True:\n    pass\n", encoding="utf-8")
    assert cli.main(["check", "10_mine.py", "--time-limit", "0.5"]) == 1
    assert "  STOPPED  the file can be imported" in capsys.readouterr().out


def test_start_writes_files_that_check_finds(room, capsys):
    assert check("01") == 2
    message = capsys.readouterr().err
    assert message.startswith("tinyunet: error: no 01_conv2d_loops.py here: `tinyunet check --st")
    assert check("--start") == 0
    out = capsys.readouterr().out
    assert out.count("written  ") == len(EXERCISES)
    assert out.endswith("write the function, then `tinyunet check 01`\n")
    assert check("01") == 1
    assert "conv2d returns None: it is not written yet" in capsys.readouterr().out
    (room / "exercises" / "02_conv2d_backward.py").write_text("mine", encoding="utf-8")
    assert check("02", "--start", "exercises") == 0
    assert "kept as it is  exercises" in capsys.readouterr().out
    assert (room / "exercises" / "02_conv2d_backward.py").read_text(encoding="utf-8") == "mine"
    assert check("03", "--start", "other", "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["written"] for row in rows] == [True]
    assert [path.name for path in (room / "other").iterdir()] == ["03_max_pool_backward.py"]


def test_all_exercises_are_listed(room, capsys):
    assert check() == 2
    assert capsys.readouterr().err.startswith("tinyunet: error: no exercises here: `tinyunet check")
    folder = room / "exercises"
    folder.mkdir()
    for path in (*SOLUTIONS.glob("[01]*.py"), *SOLUTIONS.glob("arrays/*.py")):
        shutil.copy(path, folder)
    path = folder / "12_rand_score.py"
    path.write_text(solution("12", "loops").replace("return 2 *", "return 3 *"), encoding="utf-8")
    (folder / "13_seg_score.py").unlink()
    assert check("--json") == 1
    rows = json.loads(capsys.readouterr().out)
    status = {row["exercise"][:2]: row["status"] for row in rows}
    assert status.pop("12") == "wrong"
    assert status.pop("13") == "missing"
    assert set(status.values()) == {"passed"}
    assert len(status) == 14
    (row,) = (row for row in rows if row["exercise"] == "12_rand_score")
    assert row["passed"] == ["the file can be imported"]
    assert row["failed"] == "the ground truth itself scores 1"
    assert row["explanation"] == "your v_rand is off by a factor 1.5 everywhere"
    assert row["line"] == 6
    assert check("--exercises", folder) == 1
    out = capsys.readouterr().out
    assert "13_seg_score            missing           lessons/13-touching-cells.md\n" in out
    assert "14 of 16 exercises pass" in out


def test_json_is_alone_on_standard_output_whatever_the_file_prints(room, capsys):
    (room / "07_mine.py").write_text("print('hello')\n" + solution("07", "loops"), encoding="utf-8")
    assert cli.main(["check", "07_mine.py", "--json"]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)[0]["status"] == "passed"
    assert json.loads(shown.out)[0]["printed"] == "hello\n"
    assert "hello" in shown.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["99"], "there is no exercise '99': give 01 to 16"),
        (["nowhere/mine.py"], "nowhere/mine.py: No such file or directory"),
        (
            ["--exercises", "nowhere"],
            "--exercises nowhere: no such folder; `tinyunet check --start",
        ),
        (
            ["01", "--exercises", "."],
            "no 01_conv2d_loops.py in .: `tinyunet check --start .` writes",
        ),
        (["01", "--time-limit", "-1"], "--time-limit -1 is not a number of seconds, or 0 for none"),
        (["01", "--time-limit", "nan"], "--time-limit nan is not a number of seconds"),
    ],
)
def test_what_cannot_be_checked_is_one_line(room, capsys, arguments, message):
    assert cli.main(["check", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("tinyunet: error: ")
    assert message in error
    assert error.count("\n") == 1
