"""How a large image is cut into tiles: where they lie, what they read, how large they may be.

Lesson: `lessons/10-overlap-tile.md`. Paper: section 2 and figure 2.

Sizes are in pixels along one axis. A tile of `tile` input pixels predicts `tile - 2·margin` of
them; the input windows of neighbouring tiles overlap by the margins. Two things make the result
seamless, that is, equal to the whole image in one pass:

- Context. A window reads the image itself around its output; only beyond the image's edge it
  reads the mirror image.
- Phase. A 2×2 pooling takes pixels in pairs, (0, 1), (2, 3), ..., counted from the window's first
  pixel. A tile sees the pairs of the whole pass only if its window starts on a multiple of
  s = 2^(depth-1). So tiles are laid a multiple of s apart, though the output of a tile need not
  be one: 388 at depth 5, where tiles lie 384 apart and the last 4 pixels are left to the next.
"""

import os

import numpy as np

from tinyunet.geometry import (
    check_size,
    input_size,
    legal_sizes,
    level_sizes,
    mirror,
    output_size,
    scale,
)

LARGEST_TILE = 2048  # beyond this the margins cost less than a fifth: more memory buys little


def read_window(image, top, left, height, width):
    """Copy the window (C, height, width) at (top, left) out of (C, H, W), mirrored outside.

    Touches no more of `image` than the window covers, so that it may be a memory map.
    """
    rows = mirror(np.arange(top, top + height), image.shape[1])
    columns = mirror(np.arange(left, left + width), image.shape[2])
    first_row, first_column = rows.min(), columns.min()
    seen = image[:, first_row : rows.max() + 1, first_column : columns.max() + 1]
    return np.asarray(seen)[:, (rows - first_row)[:, None], columns - first_column]


def plan_axis(size, tile, depth):
    """Cover `size` output pixels along one axis: a list of (start, count, window).

    Pixels start ... start+count-1 come from a window of `window` <= tile input pixels, whose first
    one is start - margin. Every pixel is in exactly one entry; every start is a multiple of
    2^(depth-1); the last window is no larger than it must be. Raises ValueError for a tile that
    does not fit the depth, and for one whose output is too narrow to lay tiles side by side.
    """
    check_size(tile, depth, "tile")
    inside, s = output_size(tile, depth), scale(depth)
    step = inside // s * s
    if inside < size and step == 0:
        raise ValueError(
            f"tile {tile} at depth {depth} predicts {inside} pixels, too few to lay tiles "
            f"{s} pixels apart: the smallest that can is {input_size(s, depth)}"
        )
    plan, start = [], 0
    while start < size:
        count = size - start if size - start <= inside else step
        plan.append((start, count, input_size(count, depth)))
        start += count
    return plan


def tile_bytes(net, height, width):
    """About how many bytes a forward pass of one (height, width) tile takes, at its peak.

    Counted: the maps of all levels, each convolution's before and after its ReLU, and the largest
    matrix of 3×3 patches (the plain convolution's workspace; the fast kernels need less).
    """
    rows, columns = level_sizes(height, net.depth), level_sizes(width, net.depth)
    maps, patches = 0, 0
    for (name, (top, first, second)), (_, (left, one, two)) in zip(rows, columns, strict=True):
        level = int(name.removeprefix("down").removeprefix("up"))
        channels = net.base * 2 ** (level - 1)
        if name.startswith("up"):
            entering = 2 * channels
            maps += 3 * channels * top * left  # the up-convolution's map and the concatenation
        else:
            entering = net.in_channels if name == "down1" else channels // 2
            maps += entering * top * left
        maps += 2 * channels * (first * one + second * two)
        patches = max(
            patches,
            9 * entering * first * one + channels * first * one,
            9 * channels * second * two,
        )
    return (maps + patches) * net.dtype.itemsize


def memory_available(device):
    """Bytes of memory that are free where the network lives (`device` is a `Device`)."""
    if device.is_gpu:
        with device.xp.cuda.Device(device.index):
            free, _ = device.xp.cuda.runtime.memGetInfo()
            return free + device.xp.get_default_memory_pool().free_bytes()
    return min(_free_of_machine(), _free_of_container())


def _free_of_machine():
    """Linux says what it could free; elsewhere a quarter of the memory built in is taken."""
    if os.path.exists("/proc/meminfo"):
        with open("/proc/meminfo", encoding="ascii") as lines:
            entries = dict(line.split(":") for line in lines)
        return int(entries["MemAvailable"].split()[0]) * 1024
    if hasattr(os, "sysconf"):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 4
    return 2 * 2**30  # a machine that does not say: two GiB


def _free_of_container(folder="/sys/fs/cgroup"):
    """What a container's limit leaves (Linux, control groups version 2), else infinity."""
    numbers = []
    for name in ("memory.max", "memory.current"):
        path = os.path.join(folder, name)
        if not os.path.exists(path):
            return float("inf")
        with open(path, encoding="ascii") as file:
            numbers.append(file.read().strip())
    if numbers[0] == "max":
        return float("inf")
    return max(0, int(numbers[0]) - int(numbers[1]))


def choose_tile(net, height, width, budget=None):
    """The largest tile (rows, columns) for an image of height × width pixels within `budget`.

    budget: bytes; None is half of the memory available. No tile is larger than the image needs,
    nor than LARGEST_TILE. Raises MemoryError where not even the smallest tile fits.
    """
    budget = memory_available(net.device) // 2 if budget is None else budget
    whole = input_size(height, net.depth), input_size(width, net.depth)
    smallest = input_size(scale(net.depth), net.depth)
    sizes = [size for size in legal_sizes(net.depth, LARGEST_TILE) if size >= smallest]
    for size in reversed(sizes or [smallest]):
        tile = min(size, whole[0]), min(size, whole[1])
        if tile_bytes(net, *tile) <= budget:
            return tile
    raise MemoryError(
        f"the smallest tile, {tile[0]}×{tile[1]} pixels, needs about "
        f"{tile_bytes(net, *tile) / 2**20:.0f} MiB and {budget / 2**20:.0f} MiB may be used: "
        "give tile= or a smaller network"
    )
