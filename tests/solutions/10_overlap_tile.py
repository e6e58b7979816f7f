"""Reference solution."""

from tinyunet.geometry import output_size


def mirror(index, size):
    index = abs(index) % (2 * (size - 1))
    return index if index < size else 2 * (size - 1) - index


def tiles(size, tile, depth):
    inside = output_size(tile, depth)
    s = 2 ** (depth - 1)
    step = inside // s * s
    plan, start = [], 0
    while start < size:
        count = min(step, size - start)
        plan.append((start, count))
        start += count
    return plan
