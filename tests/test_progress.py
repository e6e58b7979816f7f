"""The one progress bar: on a terminal it moves, in a log file it says a line a minute."""

import re

import pytest

from tinyunet import _progress
from tinyunet._progress import LINE_EVERY, Progress, Reporter


@pytest.fixture
def clock(monkeypatch):
    """Seconds that only the test lets pass."""
    now = {"now": 0.0}
    monkeypatch.setattr(_progress.time, "monotonic", lambda: now["now"])
    return now


def test_a_log_file_gets_a_line_a_minute(clock, capsys):
    with Progress(200) as bar:
        for step in range(1, 201):
            clock["now"] += 1.0
            bar.update(step, f"step {step}, loss 0.5")
    assert LINE_EVERY == 60
    assert capsys.readouterr() == (
        "",
        "step 60, loss 0.5, 30 %, 2 min left\n"
        "step 120, loss 0.5, 60 %, 80 s left\n"
        "step 180, loss 0.5, 90 %, 20 s left\n",
    )


def test_what_is_short_says_nothing(clock, capsys):
    with Progress(3) as bar:
        for step in (1, 2, 3):
            clock["now"] += 10.0
            bar.update(step, "page")
    assert capsys.readouterr() == ("", "")


def test_the_time_left_counts_from_where_it_began(clock, capsys):
    with Progress(1000, 900) as bar:
        clock["now"] = 60.0
        bar.update(910, "step 910")
    assert capsys.readouterr().err == "step 910, 91 %, 9 min left\n"


def test_without_a_total_only_the_words(clock, capsys):
    with Progress(None) as bar:
        clock["now"] = 60.0
        bar.update(3, "page 3")
    assert capsys.readouterr().err == "page 3\n"


def test_nothing_done_has_no_time_left(clock, capsys):
    with Progress(10) as bar:
        clock["now"] = 60.0
        bar.update(0, "preparing")
    assert capsys.readouterr().err == "preparing, 0 %\n"


@pytest.mark.parametrize("total", [10, None])
def test_a_terminal_gets_a_bar(monkeypatch, capsys, total):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with Progress(total) as bar:
        bar.update(4, "step 4 of 10")
        bar._bar.refresh()
        bar.update(10, "step 10 of 10")
    said = capsys.readouterr().err
    assert "step 4 of 10" in said
    assert ("40%" in said) == (total is not None)
    last = said.rstrip("\n").rsplit("\r", 1)[-1]
    assert "step 10 of 10" in last
    assert re.search(r"\[00:00", last)


def test_a_reporter_calls_who_wants_to_count():
    told = []
    with Reporter(lambda *numbers: told.append(numbers), 5, "page") as report:
        assert report.within is None
        report(1)
        report(5)
    assert told == [(1, 5), (5, 5)]
    for silent in (None, False):
        with Reporter(silent, 5, "page") as report:
            report(1)
            assert report.within is None
