"""CuPy's pool without memory: by hand, by a search of what must hold, and against CuPy itself."""

import numpy as np
import pytest
from gpu import on_gpu

from tinyunet.arrays import select_device
from tinyunet.backends.cuda.pool import UNIT, Pool


def test_the_smallest_block_that_is_large_enough_is_taken_and_split():
    pool = Pool()
    large, small = pool.take(4 * UNIT), pool.take(2 * UNIT)
    pool.give_back(large)
    pool.give_back(small)
    assert pool.take(UNIT + 1) is small
    assert pool.take(UNIT) is large  # and three units are left of it
    pool.take(3 * UNIT)
    assert pool.total == 6 * UNIT
    pool.take(1)
    assert pool.total == 7 * UNIT


def test_free_neighbours_become_one_and_others_do_not():
    pool = Pool()
    pool.give_back(pool.take(6 * UNIT))
    parts = [pool.take(2 * UNIT) for _ in range(3)]
    pool.give_back(parts[0])
    pool.give_back(parts[2])
    pool.take(4 * UNIT)  # four are free, but not side by side
    assert pool.total == 10 * UNIT
    pool.give_back(parts[1])
    assert pool.take(6 * UNIT) is parts[0]
    assert pool.total == 10 * UNIT


def events(seed, count=400):
    """A row of sizes to take (positive) and of places of a list of blocks to give back."""
    rng, live = np.random.default_rng(seed), 0
    for _ in range(count):
        if live and rng.random() < 0.48:
            yield "give back", int(rng.integers(live))
            live -= 1
        else:
            yield "take", int(rng.integers(1, 2**20))  # hardly ever two alike
            live += 1


@pytest.mark.parametrize("seed", range(5))
def test_no_byte_is_lost_or_handed_out_twice(seed):
    pool, live = Pool(), []
    for what, number in events(seed):
        if what == "take":
            live.append((pool.take(number), number))
            assert live[-1][0].size >= number
        else:
            pool.give_back(live.pop(number)[0])
        free = sum(size for size, _, _ in pool._free)
        assert free + sum(block.size for block, _ in live) == pool.total
    for block, _ in live:
        pool.give_back(block)
    assert sum(size for size, _, _ in pool._free) == pool.total
    assert all(block.before is None and block.behind is None for _, _, block in pool._free)


@pytest.mark.parametrize("seed", range(5))
@on_gpu[0]
@on_gpu[1]
def test_it_takes_as_much_as_cupys(seed):
    xp = select_device("gpu").xp
    ours, theirs, live = Pool(), xp.cuda.MemoryPool(), []
    for what, number in events(seed):
        if what == "take":
            live.append((ours.take(number), theirs.malloc(number)))
        else:
            ours.give_back(live.pop(number)[0])
        assert ours.total == theirs.total_bytes()
