"""Threads: how many, who does what, and that nobody can tell from the result."""

import os
import subprocess
import sys
import threading
import time
import weakref
from itertools import pairwise

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from tinyunet import _numba as jit
from tinyunet import nn
from tinyunet._workspace import SEGMENT, Workspace, empty
from tinyunet.backends.cpu import spin_wait, threads
from tinyunet.nn.sgd import SGD
from tinyunet.nn.unet import UNet


@pytest.fixture(autouse=True)
def _restore():
    before = threads.get_threads()
    yield
    threads.set_threads(before)


def run_program(program, **environment):
    """Run a program in a Python of its own; the lines that it prints."""
    program = "import os, threading, time\nfrom tinyunet.backends.cpu import threads\n" + program
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
def test_each_block_is_done_once_and_neighbours_by_one_thread(n, n_blocks):
    threads.set_threads(n)
    done = []
    threads.run(lambda thread, share: done.append((thread, list(share))), range(n_blocks))
    done.sort()
    assert [thread for thread, _ in done] == list(range(max(1, min(n, n_blocks))))
    assert [block for _, share in done for block in share] == list(range(n_blocks))
    assert max(len(share) for _, share in done) - min(len(share) for _, share in done) <= 1


def test_threads_run_at_the_same_time():
    threads.set_threads(3)
    meeting, met = threading.Barrier(3, timeout=20), []

    def wait_for_the_others(thread, share):
        meeting.wait()  # breaks unless all three are in here at once
        met.append(thread)

    threads.run(wait_for_the_others, range(3))
    assert sorted(met) == [0, 1, 2]


def test_the_threads_draw_from_the_workspace_of_the_caller():
    threads.set_threads(2)
    pool = Workspace()
    with pool.used():
        threads.run(lambda thread, share: thread and empty(SEGMENT, np.uint8), range(2))
    assert pool.size == SEGMENT


@pytest.mark.parametrize("bad", [0, 1])
def test_an_error_in_any_thread_reaches_the_caller_after_all_have_stopped(bad):
    threads.set_threads(2)
    finished = []

    def work(thread, share):
        if thread == bad:
            raise ZeroDivisionError(f"thread {thread}")
        finished.append(thread)

    with pytest.raises(ZeroDivisionError, match=f"thread {bad}"):
        threads.run(work, range(2))
    assert finished == [1 - bad]


def blas_threads():
    return {info["num_threads"] for info in threadpool_info() if info["user_api"] == "blas"}


def test_set_threads_governs_blas_and_numba():
    import numba

    threads.set_threads(1)
    assert threads.get_threads() == 1
    assert numba.get_num_threads() == 1
    assert blas_threads() <= {1}


def test_set_threads_leaves_the_control_of_blas_to_others():
    """threadpoolctl 3.8 gives it to one thread; with older ones whoever comes last has it."""
    if not blas_threads():
        pytest.skip("no BLAS whose threads can be set")
    threads.set_threads(1)
    seen = []

    def other():
        with threadpool_limits(2, user_api="blas"):
            seen.append(blas_threads())
        seen.append(blas_threads())

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert seen == [{2}, {1}]
    threads.set_threads(2)
    assert blas_threads() == {2}


def test_networks_in_several_threads_leave_somebody_elses_limit_as_it_is():
    if not blas_threads():
        pytest.skip("no BLAS whose threads can be set")
    threads.set_threads(2)
    found = []

    def work():
        net = UNet(depth=2, base_channels=4, dropout=0, device="cpu")
        for _ in range(3):
            logits, cache = net.forward(np.ones((1, 1, 28, 28), np.float32))
            net.backward(logits, cache)
            found.append(blas_threads())

    workers = [threading.Thread(target=work) for _ in range(3)]
    with threadpool_limits(1, user_api="blas"):
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(60)
    assert found == [{1}] * 9
    assert blas_threads() == {2}


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
    assert threads.cut(1) == [(0, 1)]
    assert threads.cut(0) == []
    assert threads.cut(7, at_least=3) == [(0, 3), (3, 7)]
    assert threads.cut(7, at_least=4) == [(0, 7)]
    assert threads.cut(7, at_least=8) == [(0, 7)]
    assert threads.cut(2, at_least=0) == [(0, 1), (1, 2)]


def test_sums_have_as_many_pieces_with_any_number_of_threads():
    for n in (1, 2, 3):
        threads.set_threads(n)
        assert [threads.pieces(items, 100) for items in (0, 63, 64, 255, 256, 4607, 4608)] == [
            1, 1, 2, 2, 4, 4, 12,
        ]  # fmt: skip
        assert [threads.pieces(10**6, most) for most in (0, 1, 3, 4, 23, 24)] == [
            1,
            1,
            2,
            4,
            12,
            24,
        ]


# (base_channels, depth, images, tile): small layers in one piece, many pieces, all by channels
NETWORKS = [(16, 5, 1, 188), (8, 3, 3, 108), (32, 4, 1, 140), (5, 2, 2, 60)]


@pytest.mark.skipif(not jit.available(), reason="numba cannot compile here")
@pytest.mark.parametrize("network", NETWORKS)
def test_twenty_steps_give_the_same_bytes_with_any_number_of_threads(monkeypatch, network):
    base_channels, depth, n, tile = network
    monkeypatch.setattr(threads, "LITTLE", 2**14)  # more is shared out than would be worth it

    def train(n_threads):
        threads.set_threads(n_threads)
        net = UNet(depth=depth, base_channels=base_channels, device="cpu")
        sgd, rng = SGD(net.params, 0.01, 0.9), np.random.default_rng(0)
        for _ in range(20):
            x = rng.standard_normal((n, 1, tile, tile), dtype=np.float32)
            logits, cache = net.forward(x, train=True)
            labels = rng.integers(0, 2, (n, *logits.shape[2:]))
            loss, loss_cache = nn.softmax_cross_entropy(logits, labels)
            sgd.step(net.backward(nn.softmax_cross_entropy_backward(loss_cache), cache))
        return [float(loss).hex(), *(param.tobytes() for param in net.params.values())]

    single = train(1)
    assert train(2) == single
    assert train(3) == single


def test_a_forked_child_makes_its_own_threads():
    if not hasattr(os, "fork"):
        pytest.skip("this system has no fork")
    exits = run_program("""
threads.set_threads(2)
done = []
threads.run(lambda thread, share: done.append(thread), range(2))
child = os.fork()
if child == 0:
    threads.run(lambda thread, share: done.append(thread), range(2))
    os._exit(len(done))
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
""")
    assert exits == ["4"]  # two done by the parent, two by the child


def test_a_child_forked_while_others_work_can_work_too():
    if not hasattr(os, "fork"):
        pytest.skip("this system has no fork")
    exits = run_program("""
threads.set_threads(2)
threads.run(lambda thread, share: None, range(2))  # what is compiled for it, now is
over = False
def hammer():
    while not over:
        threads.run(lambda thread, share: None, range(2))
callers = [threading.Thread(target=hammer) for _ in range(4)]
for caller in callers:
    caller.start()
for _ in range(40):
    child = os.fork()
    if child == 0:
        threads.run(lambda thread, share: None, range(2))
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
            assert [done[thread][0] for thread in range(3)] == [turn, turn + 1, turn + 3]
            sums[caller] += sum(sum(share) for share in done.values())

    callers = [threading.Thread(target=many_times, args=(caller,)) for caller in range(8)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(60)
    assert sums == [sum(5 * turn + 10 for turn in range(1500))] * 8


def test_shares_may_share_out_work_of_their_own():
    threads.set_threads(3)
    meeting, met = threading.Barrier(9, timeout=20), []

    def inner(thread, share):
        meeting.wait()  # all nine are at work at once
        met.append(share[0])

    threads.run(
        lambda thread, share: threads.run(inner, [10 * thread + n for n in range(3)]), range(3)
    )
    assert sorted(met) == [0, 1, 2, 10, 11, 12, 20, 21, 22]


def test_workers_are_used_again_and_the_number_may_change_while_they_rest():
    for n in (3, 3, 2, 4, 4, 1, 2):
        if n != threads.get_threads():
            threads.set_threads(n)
            assert threads._idle == []
        meeting = threading.Barrier(n, timeout=20)
        threads.run(lambda thread, share, meeting=meeting: meeting.wait(), range(4))
        assert len(threads._idle) == n - 1


def test_set_threads_ends_the_threads_that_rest():
    threads.set_threads(3)
    threads.run(lambda thread, share: None, range(3))
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
        threads.run(lambda thread, share, done=done: done.append(thread), range(2))
        assert sorted(done) == [0, 1]
    assert len(threads._idle) == 1


@pytest.mark.parametrize("seconds", [(0, 0, 0.04, 0), (0, 0, 0, 0.04)])
def test_the_error_of_the_first_thread_is_raised_and_the_next_run_knows_nothing_of_it(seconds):
    threads.set_threads(4)

    def work(thread, share):
        time.sleep(seconds[thread])
        if thread >= 2:
            raise ValueError(f"thread {thread}")

    with pytest.raises(ValueError, match="thread 2"):
        threads.run(work, range(4))
    done = []
    threads.run(lambda thread, share: done.append(thread), range(4))
    assert sorted(done) == [0, 1, 2, 3]


def test_an_exit_in_a_thread_reaches_the_caller_too():
    threads.set_threads(2)

    def work(thread, share):
        if thread == 1:
            raise SystemExit("enough")

    with pytest.raises(SystemExit, match="enough"):
        threads.run(work, range(2))


def test_no_worker_holds_on_to_what_it_worked_with():
    threads.set_threads(2)
    array = np.zeros(3)
    gone = weakref.ref(array)

    def work(thread, share, array=array):
        array[thread] = 1

    threads.run(work, range(2))
    del array, work
    assert gone() is None


def test_who_waits_for_work_takes_no_processor_time():
    lines = run_program("""
threads.set_threads(2)
for _ in range(50):
    threads.run(lambda thread, share: None, range(2))
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
        threads.run(lambda thread, share: None, range(3))
    print("over")

threading.Thread(target=go_on).start()
threads.run(lambda thread, share: None, range(3))
print("end")
""")
    assert sorted(lines) == ["end", "over"]


def test_without_compiled_code_threads_work_too():
    lines = run_program(
        """
threads.set_threads(2)
done = []
for _ in range(100):
    threads.run(lambda thread, share: done.extend(share), range(5))
print(sorted(done) == sorted(list(range(5)) * 100))
""",
        NUMBA_DISABLE_JIT="1",
    )
    assert lines == ["True"]


def test_without_numba_the_number_of_threads_can_be_set():
    done = subprocess.run(
        [
            *(sys.executable, "-c"),
            "import sys\n"
            "sys.modules['numba'] = None\n"
            "from tinyunet.backends.cpu import threads\n"
            "threads.set_threads(2)\n"
            "print(threads.get_threads())",
        ],
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    assert done.stdout == "2\n"


@pytest.fixture
def compiled():
    if not jit.available():
        pytest.skip("nothing can be compiled here")
    spin_wait.Count().wait(0)


def test_a_count_that_is_reached_is_seen_at_once_or_while_it_is_watched(compiled, monkeypatch):
    monkeypatch.setattr(
        spin_wait, "PATIENCE", 50_000_000_000
    )  # 50 s: the test's own limit is lower
    count, first = spin_wait.Count(), spin_wait.Count()
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
    looks, wait = [], spin_wait._wait

    def watched(other, value, number, target, patience, *rest):
        looks.append(patience)
        return wait(other, value, number, target, patience, *rest)

    monkeypatch.setattr(spin_wait, "_wait", watched)
    return looks


def test_waits_in_vain_end_and_are_skipped_more_and_more(compiled, looks):
    count, first = spin_wait.Count(), spin_wait.Count()
    for turn in range(210):
        count.wait(1, first=(first, turn))
        assert first._number[0] == turn  # whether it looks or not
    assert set(looks) == {0, spin_wait.PATIENCE}
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
    assert looks == [spin_wait.PATIENCE] * 5  # one in vain after a good one counts as the first


def test_two_that_wait_for_the_same_count_do_not_keep_it_from_looking(compiled, looks):
    """Both saw one wait left to skip, and both counted it down."""
    count = spin_wait.Count()
    count.set(1)
    count._to_skip = -1
    count.wait(1)
    assert looks == [spin_wait.PATIENCE]
    count._to_skip = 1
    count.wait(1)
    assert count._to_skip == 0


def test_the_lock_is_left_to_the_caller_for_a_while_when_a_job_is_there(compiled):
    count = spin_wait.Count()
    count.set(1)
    start = time.perf_counter_ns()
    count.wait(1, 20_000_000)
    assert time.perf_counter_ns() - start >= 20_000_000
