"""Words for people: `tinyunet/_text.py`."""

import pytest

from tinyunet._text import duration, first_line, plural, size_text


def test_sizes_have_three_digits_and_a_unit():
    shown = [size_text(n) for n in (0, 999, 1000, 1536, 999_000, 2.5e6, 31e9, 5e12)]
    assert shown == [
        *("0 bytes", "999 bytes", "1 kB", "1.54 kB", "999 kB", "2.5 MB", "31 GB", "5 TB"),
    ]


@pytest.mark.parametrize(
    ("n_bytes", "shown"),
    [
        *((999.6, "1 kB"), (999_499, "999 kB"), (999_500, "1 MB"), (999_900, "1 MB")),
        *((999_600_000, "1 GB"), (999.7e9, "1 TB"), (1.5e12, "1.5 TB")),
        *((999.9e12, "1,000 TB"), (2.34e16, "23,400 TB")),
    ],
)
def test_no_size_is_rounded_to_a_power_of_ten(n_bytes, shown):
    assert size_text(n_bytes) == shown


def test_words_for_numbers():
    shown = [duration(seconds) for seconds in (0, 8.4, 99, 100, 3599, 5970, 12_000)]
    assert shown == ["0 s", "8 s", "99 s", "2 min", "60 min", "1 h 40 min", "3 h 20 min"]
    assert [plural(count, "slice") for count in (0, 1, 2, 1234)] == [
        *("0 slices", "1 slice", "2 slices", "1,234 slices"),
    ]


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (ValueError("one\ntwo"), "one"),
        (OSError("\n  one \ntwo"), "one "),
        (ImportError(), "ImportError"),
        (RuntimeError(" \n"), "RuntimeError"),
    ],
)
def test_an_error_without_words_is_told_by_its_class(error, shown):
    assert first_line(error) == shown
