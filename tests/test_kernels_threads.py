"""Threads: how many, who does what, and BLAS held to one inside."""

import os
import subprocess
import sys
import threading
import time
import weakref
from itertools import pairwise

import numpy as np
import pytest

from tinyunet.kernels import jit, threads, waiting
from tinyunet.kernels.workspace import SEGMENT, Workspace, empty


@pytest.fixture(autouse=True)
def _restore():
    before = threads.get_threads()
    yield
    threads.set_threads(before)


def run_program(program, **environment):
    """Run a program in a Python of its own; the lines that it prints."""
    program = "import os, threading, time\nfrom tinyunet.kernels import threads\n" + program
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")[:-1]


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
    exits = run_program("""
threads.set_threads(2)
done = []
threads.run(lambda lane, share: done.append(lane), range(2))
child = os.fork()
if child == 0:
    threads.run(lambda lane, share: done.append(lane), range(2))
    os._exit(len(done))
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
""")
    assert exits == ["4"]  # two done by the parent, two by the child


def test_a_child_forked_while_others_work_can_work_too():
    if not hasattr(os, "fork"):
        pytest.skip("this system has no fork")
    exits = run_program("""
threads.set_threads(2)
threads.run(lambda lane, share: None, range(2))  # what is compiled for it, now is
over = False
def hammer():
    while not over:
        threads.run(lambda lane, share: None, range(2))
callers = [threading.Thread(target=hammer) for _ in range(4)]
for caller in callers:
    caller.start()
for _ in range(40):
    child = os.fork()
    if child == 0:
        threads.run(lambda lane, share: None, range(2))
        os._exit(7)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
over = True
""")
    assert exits == ["7"] * 40


def test_several_threads_at_once_each_get_all_their_blocks_done_thousands_of_times():
    threads.set_threads(3)
    sums = [0] * 8

    def many_times(caller):
        for turn in range(1500):
            done = {}
            threads.run(done.__setitem__, range(turn, turn + 5))
            assert [done[lane][0] for lane in range(3)] == [turn, turn + 1, turn + 2]
            sums[caller] += sum(sum(share) for share in done.values())

    callers = [threading.Thread(target=many_times, args=(caller,)) for caller in range(8)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(60)
    assert sums == [sum(5 * turn + 10 for turn in range(1500))] * 8


def test_lanes_may_share_out_work_of_their_own():
    threads.set_threads(3)
    meeting, met = threading.Barrier(9, timeout=20), []

    def inner(lane, share):
        meeting.wait()  # all nine are at work at once
        met.append(share[0])

    threads.run(lambda lane, share: threads.run(inner, [10 * lane + n for n in range(3)]), range(3))
    assert sorted(met) == [0, 1, 2, 10, 11, 12, 20, 21, 22]


def test_workers_are_used_again_and_the_number_may_change_while_they_rest():
    for n in (3, 3, 2, 4, 4, 1, 2):
        if n != threads.get_threads():
            threads.set_threads(n)
            assert threads._idle == []
        meeting = threading.Barrier(n, timeout=20)
        threads.run(lambda lane, share, meeting=meeting: meeting.wait(), range(4))
        assert len(threads._idle) == n - 1


def test_set_threads_ends_the_threads_that_rest():
    threads.set_threads(3)
    threads.run(lambda lane, share: None, range(3))
    resting = [worker.thread for worker in threads._idle]
    assert len(resting) == 2
    assert all(thread.is_alive() and thread.daemon for thread in resting)
    threads.set_threads(3)
    assert not any(thread.is_alive() for thread in resting)


def test_a_worker_that_fell_asleep_wakes_again():
    threads.set_threads(2)
    for pause in (0, 0.05, 0, 0.05, 0.05):
        done = []
        time.sleep(pause)
        threads.run(lambda lane, share, done=done: done.append(lane), range(2))
        assert sorted(done) == [0, 1]
    assert len(threads._idle) == 1


@pytest.mark.parametrize("seconds", [(0, 0, 0.04, 0), (0, 0, 0, 0.04)])
def test_the_first_error_by_lane_is_raised_and_the_next_run_knows_nothing_of_it(seconds):
    threads.set_threads(4)

    def work(lane, share):
        time.sleep(seconds[lane])
        if lane >= 2:
            raise ValueError(f"lane {lane}")

    with pytest.raises(ValueError, match="lane 2"):
        threads.run(work, range(4))
    done = []
    threads.run(lambda lane, share: done.append(lane), range(4))
    assert sorted(done) == [0, 1, 2, 3]


def test_an_exit_in_a_lane_reaches_the_caller_too():
    threads.set_threads(2)

    def work(lane, share):
        if lane == 1:
            raise SystemExit("enough")

    with pytest.raises(SystemExit, match="enough"):
        threads.run(work, range(2))


def test_no_worker_holds_on_to_what_it_worked_with():
    threads.set_threads(2)
    array = np.zeros(3)
    gone = weakref.ref(array)

    def work(lane, share, array=array):
        array[lane] = 1

    threads.run(work, range(2))
    del array, work
    assert gone() is None


def test_who_waits_for_work_takes_no_processor_time():
    lines = run_program("""
threads.set_threads(2)
for _ in range(50):
    threads.run(lambda lane, share: None, range(2))
start = time.process_time()
time.sleep(0.5)
print(time.process_time() - start)
""")
    assert float(lines[0]) < 0.05


def test_a_program_ends_though_workers_wait_and_others_work_until_the_end():
    lines = run_program("""
threads.set_threads(3)

def go_on():
    for _ in range(300):
        threads.run(lambda lane, share: None, range(3))
    print("over")

threading.Thread(target=go_on).start()
threads.run(lambda lane, share: None, range(3))
print("end")
""")
    assert sorted(lines) == ["end", "over"]


def test_without_compiled_code_threads_work_too():
    lines = run_program(
        """
threads.set_threads(2)
done = []
for _ in range(100):
    threads.run(lambda lane, share: done.extend(share), range(5))
print(sorted(done) == sorted(list(range(5)) * 100))
""",
        NUMBA_DISABLE_JIT="1",
    )
    assert lines == ["True"]


@pytest.fixture
def compiled():
    if not jit.available():
        pytest.skip("nothing can be compiled here")
    waiting.Count().wait(0)


def test_a_count_that_is_reached_is_seen_at_once_or_while_it_is_watched(compiled, monkeypatch):
    monkeypatch.setattr(waiting, "PATIENCE", 50_000_000_000)  # 50 s: the test's own limit is lower
    count, first = waiting.Count(), waiting.Count()
    count.set(3)
    count.wait(3, first=(first, 7))
    assert (first._number[0], count._in_vain) == (7, 0)
    watcher = threading.Thread(target=count.wait, args=(4,), kwargs={"first": (first, 8)})
    watcher.start()
    while first._number[0] != 8:
        time.sleep(0.001)
    time.sleep(0.01)
    assert watcher.is_alive()  # 3 is not 4
    count.set(4)
    watcher.join(20)
    assert not watcher.is_alive()
    assert count._in_vain == 0


@pytest.fixture
def looks(monkeypatch):
    """How long each wait was ready to look, in ns."""
    looks, wait = [], waiting._wait

    def watched(other, value, number, target, patience, delay):
        looks.append(patience)
        return wait(other, value, number, target, patience, delay)

    monkeypatch.setattr(waiting, "_wait", watched)
    return looks


def test_waits_in_vain_end_and_are_skipped_more_and_more(compiled, looks):
    count, first = waiting.Count(), waiting.Count()
    for turn in range(210):
        count.wait(1, first=(first, turn))
        assert first._number[0] == turn  # whether it looks or not
    assert set(looks) == {0, waiting.PATIENCE}
    places = [i for i, patience in enumerate(looks) if patience]
    skipped = [b - a - 1 for a, b in pairwise(places)]
    assert skipped == [0, 1, 2, 4, 8, 16, 32, 64, 64]
    count.set(1)
    while looks[-1] == 0:
        count.wait(1)
    looks.clear()
    for _ in range(3):
        count.wait(1)
    count.wait(2)
    count.wait(2)
    assert looks == [waiting.PATIENCE] * 5  # one in vain after a good one counts as the first


def test_two_that_wait_for_the_same_count_do_not_keep_it_from_looking(compiled, looks):
    """Both saw one wait left to skip, and both counted it down."""
    count = waiting.Count()
    count.set(1)
    count._to_skip = -1
    count.wait(1)
    assert looks == [waiting.PATIENCE]
    count._to_skip = 1
    count.wait(1)
    assert count._to_skip == 0


def test_the_lock_is_left_to_the_caller_for_a_while_when_a_job_is_there(compiled):
    count = waiting.Count()
    count.set(1)
    start = time.perf_counter_ns()
    count.wait(1, 20_000_000)
    assert time.perf_counter_ns() - start >= 20_000_000
