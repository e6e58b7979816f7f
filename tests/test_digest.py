"""The program that compares environments: it repeats, and every line depends on what it names."""

import numpy as np
from digest import digests

from tinyunet.backends.cpu import threads


def test_the_digests_repeat_with_any_number_of_threads_and_follow_the_seed():
    before = threads.get_threads()
    try:
        threads.set_threads(1)
        one = digests()
        threads.set_threads(2)
        assert digests() == one
    finally:
        threads.set_threads(before)
    other = digests(seed=1)
    assert [name for name in one if one[name] == other[name]] == []
    assert all(int(value, 16) >= 0 and len(value) == 16 for value in one.values())
    assert np.unique(list(one.values())).size == len(one)
