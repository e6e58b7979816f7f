"""The workspace: memory comes back by itself, and is never lent twice."""

import copy
import gc
import pickle
import threading

import numpy as np
import pytest

from tinyunet import _workspace as workspace
from tinyunet._workspace import ALIGNMENT, LINE, SEGMENT, SMALL, Workspace
from tinyunet.nn.unet import UNet

BIG = (SMALL,)  # float32: four times the least size that is pooled


def address(array):
    return array.__array_interface__["data"][0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8])
def test_arrays_are_what_numpy_would_give(dtype):
    for shape in [(3, 5), (300, 500), 100_000, (0, 4), ()]:
        array = Workspace().empty(shape, dtype)
        like = np.empty(shape, dtype)
        assert (array.shape, array.dtype) == (like.shape, like.dtype)
        assert array.flags.c_contiguous
        assert array.flags.writeable


@pytest.mark.parametrize("empty", [workspace.empty, Workspace().empty])
@pytest.mark.parametrize("size", [1, 17, SMALL // 4 - 1, SMALL // 4, SMALL])
def test_every_array_begins_at_a_cache_line(empty, size):
    arrays = [empty(size) for _ in range(8)]
    assert all(address(array) % LINE == 0 for array in arrays)


def test_memory_returns_when_the_last_view_dies_and_not_before():
    pool = Workspace()
    array = pool.empty(BIG)
    place, view = address(array), array[10:20].reshape(2, 5)
    del array
    assert address(pool.empty(BIG)) != place
    del view
    assert address(pool.empty(BIG)) == place


def test_live_arrays_never_overlap():
    rng = np.random.default_rng(0)
    pool, live = Workspace(), []
    for step in range(400):
        if live and rng.random() < 0.45:
            array, mark = live.pop(rng.integers(len(live)))
            assert (array == mark).all()
            del array
        else:
            array = pool.empty(int(rng.integers(SMALL // 4, 20 * SMALL)))
            array[:] = step
            live.append((array, step))
            del array
    assert all((array == mark).all() for array, mark in live)
    live.clear()
    gc.collect()
    pool._collect()
    assert pool._free == [(s, 0, len(memory)) for s, memory in enumerate(pool._segments)]


def test_the_lowest_free_block_that_fits_is_taken():
    pool = Workspace()
    arrays = [pool.empty(n * SMALL, np.uint8) for n in (8, 1, 3, 1, 5)]
    large, small = address(arrays[0]), address(arrays[2])
    arrays[0] = arrays[2] = None
    first = pool.empty(2 * SMALL, np.uint8)
    assert address(first) == large
    assert address(pool.empty(SMALL, np.uint8)) == large + 2 * SMALL  # what is left comes first
    again = pool.empty(7 * SMALL, np.uint8)
    assert address(again) == address(arrays[4]) + 5 * SMALL
    assert address(pool.empty(6 * SMALL, np.uint8)) == large + 2 * SMALL
    arrays[1] = None  # now a free block reaches from there to the end of the small one
    assert address(pool.empty(6 * SMALL, np.uint8)) == large + 2 * SMALL
    del first
    assert address(pool.empty(3 * SMALL, np.uint8)) == large
    assert small > large


def test_an_earlier_segment_comes_before_a_block_that_would_fit_better():
    pool = Workspace()
    whole, other = (pool.empty(SEGMENT, np.uint8) for _ in range(2))
    tail = pool.empty(SEGMENT - 2 * SMALL, np.uint8)
    place = address(whole)
    del whole
    assert address(pool.empty(2 * SMALL, np.uint8)) == place
    assert pool.size == 3 * SEGMENT
    del other, tail


def test_small_arrays_are_left_to_numpy():
    pool = Workspace()
    pool.empty(SMALL - 1, np.uint8)
    assert pool.size == 0
    pool.empty(SMALL, np.uint8)
    assert pool.size == SEGMENT


def test_an_array_larger_than_a_segment_gets_its_own():
    pool = Workspace()
    array = pool.empty(SEGMENT + 1, np.uint8)
    assert pool.size == SEGMENT + ALIGNMENT
    assert address(array) % ALIGNMENT == 0


def test_a_kept_array_outlives_its_workspace():
    pool = Workspace()
    array = pool.empty(BIG)
    array[:] = 7
    del pool
    gc.collect()
    assert (array == 7).all()


def test_empty_draws_from_the_workspace_in_use_in_this_thread_only():
    pool, seen = Workspace(), []
    workspace.empty(BIG)
    assert pool.size == 0
    with pool.used():
        other = threading.Thread(target=lambda: seen.append(workspace.empty(BIG)))
        other.start()
        other.join()
        assert pool.size == 0
        with Workspace().used() as inner:
            workspace.empty(BIG)
            assert inner.size == SEGMENT
        assert pool.size == 0
        array = workspace.empty(BIG)
    assert pool.size == SEGMENT
    assert array.dtype == np.float32
    size = pool.size
    workspace.empty((SEGMENT,), np.uint8)
    assert pool.size == size


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda p: pickle.loads(pickle.dumps(p))]
)
def test_a_copy_is_a_workspace_of_its_own(again):
    pool = Workspace()
    array = pool.empty(BIG)
    other = again(pool)
    assert other.size == 0
    assert not np.shares_memory(other.empty(BIG), array)
    assert pool.size == other.size == SEGMENT


def test_a_network_can_be_copied_and_pickled_between_its_steps():
    net = UNet(depth=2, base_channels=4, dropout=0, device="cpu")
    x = np.random.default_rng(0).standard_normal((1, 1, 28, 28), dtype=np.float32)
    logits, cache = net.forward(x)
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert other.workspace is not net.workspace
        np.testing.assert_array_equal(other.forward(x)[0], logits)
    assert net.backward(logits, cache)
