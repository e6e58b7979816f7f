"""Reference solution of exercise 10, with loops."""

from tinyunet.geometry import output_size


def mirror(index, size):
    while not 0 <= index < size:
        if index < 0:
            index = -index
        if index >= size:
            index = 2 * (size - 1) - index
    return index


def tiles(size, tile, depth):
    inside = output_size(tile, depth)
    s = 2 ** (depth - 1)
    step = inside // s * s
    plan, start = [], 0
    while start < size:
        left = size - start
        count = left if left <= inside else step
        plan.append((start, count))
        start += count
    return plan
