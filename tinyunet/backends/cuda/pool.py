"""CuPy's memory pool without any memory: how much of a GPU it takes for a row of arrays.

A GPU's own allocator is slow, so CuPy asks it seldom: what an array leaves behind is kept for the
next ones. The smallest free block that is large enough is taken, and what is left over of it stays
free; neighbours that are free become one. So there are holes, which no array fits into, and a step
takes a third more than its arrays do at its peak. As in CuPy's memory.pyx (SingleDeviceMemoryPool).
Lesson: lessons/15-fast-on-a-gpu.md.
"""

from bisect import bisect_left, insort
from dataclasses import dataclass

UNIT = 512  # bytes: blocks are multiples of it


@dataclass(eq=False)
class Block:
    """A part of what the pool has taken, between two others of the same allocation of CUDA's."""

    size: int
    number: int  # of equally large blocks the oldest is taken
    is_free: bool = False
    before: "Block | None" = None
    behind: "Block | None" = None


class Pool:
    """What CuPy's pool would do; `total` are the bytes that it has taken from the GPU."""

    def __init__(self) -> None:
        self.total = 0
        self._free: list[tuple[int, int, Block]] = []  # sorted
        self._made = 0

    def take(self, size: int) -> Block:
        """Return a block of at least `size` bytes."""
        size = -(-max(size, 1) // UNIT) * UNIT
        place = bisect_left(self._free, (size,))
        if place == len(self._free):
            self.total += size
            return self._new(size)
        _, _, block = self._free.pop(place)
        block.is_free = False
        if block.size > size:
            rest = self._new(block.size - size)
            self._link(rest, block.behind)
            self._link(block, rest)
            block.size = size
            self._set_free(rest)
        return block

    def give_back(self, block: Block) -> None:
        """Take a block back, and make it one with its free neighbours."""
        if block.behind is not None and block.behind.is_free:
            self._join(block, block.behind)
        if block.before is not None and block.before.is_free:
            block = self._join(block.before, block)
        self._set_free(block)

    def _new(self, size: int) -> Block:
        self._made += 1
        return Block(size, self._made)

    def _set_free(self, block: Block) -> None:
        block.is_free = True
        insort(self._free, (block.size, block.number, block))

    def _join(self, first: Block, second: Block) -> Block:
        """Return `first` with `second` behind it as one; of the two, the free one is listed."""
        free = first if first.is_free else second
        self._free.remove((free.size, free.number, free))
        first.size += second.size
        self._link(first, second.behind)
        return first

    def _link(self, first: Block, second: Block | None) -> None:
        first.behind = second
        if second is not None:
            second.before = first
