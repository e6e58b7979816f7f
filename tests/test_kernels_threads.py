"""Threads: how many, who does what, and BLAS held to one inside."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from tinyunet.kernels import threads
from tinyunet.kernels.workspace import SEGMENT, Workspace, empty


@pytest.fixture(autouse=True)
def _restore():
    before = threads.get_threads()
    yield
    threads.set_threads(before)


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("n_blocks", [0, 1, 2, 7])
def test_each_block_is_done_once_and_by_the_same_lane_every_time(n, n_blocks):
    threads.set_threads(n)
    done = []
    threads.run(lambda lane, share: done.extend((lane, block) for block in share), range(n_blocks))
    lanes = max(1, min(n, n_blocks))
    assert sorted(done) == sorted((block % lanes, block) for block in range(n_blocks))


def test_lanes_run_at_the_same_time():
    threads.set_threads(3)
    meeting, met = threading.Barrier(3, timeout=20), []

    def wait_for_the_others(lane, share):
        meeting.wait()  # breaks unless all three lanes are in here at once
        met.append(lane)

    threads.run(wait_for_the_others, range(3))
    assert sorted(met) == [0, 1, 2]


def test_the_threads_draw_from_the_workspace_of_the_caller():
    threads.set_threads(2)
    pool = Workspace()
    with pool.used():
        threads.run(lambda lane, share: lane and empty(SEGMENT, np.uint8), range(2))
    assert pool.size == SEGMENT


@pytest.mark.parametrize("bad", [0, 1])
def test_an_error_in_any_lane_reaches_the_caller_after_all_have_stopped(bad):
    threads.set_threads(2)
    finished = []

    def work(lane, share):
        if lane == bad:
            raise ZeroDivisionError(f"lane {lane}")
        finished.append(lane)

    with pytest.raises(ZeroDivisionError, match=f"lane {bad}"):
        threads.run(work, range(2))
    assert finished == [1 - bad]


def test_blas_has_one_thread_inside_and_its_own_number_again_afterwards():
    if not threads._blas:
        pytest.skip("no BLAS whose threads can be set")
    threads.set_threads(2)
    library, seen = threads._blas[0], []
    with threads.one_blas_thread():
        threads.run(lambda lane, share: seen.append(library.get_num_threads()), range(2))
        assert library.get_num_threads() == 1  # still inside the outer one
    assert seen == [1, 1]
    assert library.get_num_threads() == 2


def test_set_threads_governs_blas_and_numba():
    import numba

    threads.set_threads(1)
    assert threads.get_threads() == 1
    assert numba.get_num_threads() == 1
    assert all(library.get_num_threads() == 1 for library in threads._blas)


@pytest.mark.parametrize("bad", [0, -1, 1.5, "2", None, True])
def test_set_threads_refuses_what_is_no_number_of_threads(bad):
    with pytest.raises(ValueError, match="threads must be a positive whole number: got"):
        threads.set_threads(bad)


@pytest.mark.parametrize(
    ("environment", "n"),
    [
        ({"OMP_NUM_THREADS": "3"}, 3),
        ({"NUMBA_NUM_THREADS": "4", "OMP_NUM_THREADS": "3"}, 4),
        ({"OPENBLAS_NUM_THREADS": "5"}, 5),
        ({"MKL_NUM_THREADS": "6", "OMP_NUM_THREADS": "0", "OPENBLAS_NUM_THREADS": "x"}, 6),
    ],
)
def test_the_usual_variables_are_heeded(monkeypatch, environment, n):
    for name in threads._VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert threads.default_threads() == n


def test_without_variables_the_usable_cores_count(monkeypatch):
    for name in threads._VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert 1 <= threads.default_threads() <= os.cpu_count()


def test_cut_covers_everything_once():
    threads.set_threads(2)
    assert threads.cut(7) == [(0, 3), (3, 7)]
    assert threads.cut(7, 3) == [(0, 2), (2, 4), (4, 7)]
    assert threads.cut(6, 6) == [(0, 3), (3, 6)]
    assert threads.cut(5, 0) == [(i, i + 1) for i in range(5)]
    assert threads.cut(1) == [(0, 1)]
    assert threads.cut(0) == []
    assert threads.cut(7, at_least=3) == [(0, 3), (3, 7)]
    assert threads.cut(7, at_least=4) == [(0, 7)]
    assert threads.cut(7, at_least=8) == [(0, 7)]
    assert threads.cut(7, 3, at_least=4) == [(0, 2), (2, 4), (4, 7)]
    assert threads.cut(2, at_least=0) == [(0, 1), (1, 2)]


def test_a_forked_child_makes_its_own_threads():
    if not hasattr(os, "fork"):
        pytest.skip("this system has no fork")
    program = """
import os
from tinyunet.kernels import threads
threads.set_threads(2)
done = []
threads.run(lambda lane, share: done.append(lane), range(2))
child = os.fork()
if child == 0:
    threads.run(lambda lane, share: done.append(lane), range(2))
    os._exit(len(done))
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 4
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
