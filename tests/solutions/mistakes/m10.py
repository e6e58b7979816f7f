"""Mistakes of exercise 10, mirrored indices and tiles."""

from solutions.mistakes import ARRAYS, ENDLESS, LOOPS, NUMBERS

_FOLD = "    index = abs(index) % (2 * (size - 1))\n"
_BACK = "return index if index < size else 2 * (size - 1) - index"
_COUNT = "count = left if left <= inside else step"
_S = "s = 2 ** (depth - 1)"
_STEP = "step = inside // s * s"


def _mirror(new, expected):
    return (ARRAYS, f"{_FOLD}    {_BACK}", f"    {new}", expected)


ROWS = [
    # The mirror.
    _mirror("return min(max(index, 0), size - 1)", "repeats the edge for ever"),
    _mirror("return index % size", "your image wraps around"),
    _mirror("return abs(index)", "works at the low end only"),
    _mirror("return abs(index) % size", "works at the low end and then wraps around"),
    _mirror("return abs(index) % (2 * (size - 1))", "the second half must run back"),
    _mirror("index = abs(index)\n    return index if index < size else 2 * (size - 1) - index",
            "works once"),
    _mirror("index %= 2 * size\n    return min(index, 2 * size - 1 - index)",
            "repeats the edge pixel: −1 reads 1"),
    _mirror("index = abs(index) % (2 * size - 1)\n"
            "    return index if index < size else 2 * size - 1 - index",
            "repeats the edge pixel at the far end"),
    _mirror("index = abs(index) % (2 * size - 2)\n"
            "    return index if index < size else 2 * size - 1 - index",
            "runs back to the wrong pixel"),
    _mirror("if index < 0:\n        return -index - 1\n    return index if index < size else "
            "2 * size - 1 - index", "repeats the edge pixel: −1 reads 1"),
    (ARRAYS, _FOLD, "    index = abs(index) % (2 * size)\n", NUMBERS),
    (ARRAYS, f"    {_BACK}", f"    return float({_BACK.removeprefix('return ')})",
     "must return a whole number, yours returns float"),
    (LOOPS, "    while not 0 <= index < size:", "    if not 0 <= index < size:", "works once"),
    (LOOPS, "index = -index", "index = -index - 1", NUMBERS),
    (LOOPS, "2 * (size - 1) - index", "2 * size - 1 - index", "repeats the edge pixel at the far"),
    # Loops without an end.
    (LOOPS, "        if index >= size:\n            index = 2 * (size - 1) - index\n", "", ENDLESS),
    (LOOPS, "index = 2 * (size - 1) - index", "index = index - 1 + 1", ENDLESS),
    (LOOPS, "        start += count\n", "", ENDLESS),
    (ARRAYS, "    index = abs(index) % (2 * (size - 1))\n", "    while index >= size or index < 0:\n"
     "        index = -index\n", ENDLESS),
    # The size of tiles.
    (LOOPS, _S, "s = 2**depth", "not of 2^depth"),
    (ARRAYS, _S, "s = 2**depth", "not of 2^depth"),
    (LOOPS, _S, "s = 2 ** max(depth - 2, 0)", "there are depth − 1 poolings"),
    (LOOPS, _STEP, "step = inside", "your tiles lie as far apart as they predict"),
    (LOOPS, f"{_STEP}\n", "inside = step = tile\n", "as many pixels as they read"),
    (LOOPS, _STEP, "step = inside // s", "the largest multiple of s is inside // s * s"),
    (LOOPS, _COUNT, "count = min(step, left)", "yours takes two"),
    (LOOPS, _COUNT, "count = step", "hangs over the image's end"),
    (LOOPS, "while start < size:", "while start + step <= size:", "a smaller one must follow"),
    (LOOPS, "    inside = output_size(tile, depth)\n", "    inside = (output_size(tile, depth) + "
     "tile) // 2\n", "lose the margin on one side only"),
    (LOOPS, _STEP, "step = s", "takes"),
    (LOOPS, _STEP, "step = (inside // s - 1) * s", "takes"),
    # Where they lie.
    (LOOPS, "start += count", "start += tile", "you lay tiles by what they read"),
    (LOOPS, "start += count", "start += max(count - 1, 1)", "twice"),
    (LOOPS, "start += count", "start += count + 1", "leaves a gap"),
    (LOOPS, "plan, start = [], 0", "plan, start = [], 1", "leaves a gap: nothing predicts pixel 0"),
    (LOOPS, "plan.append((start, count))", "plan.append((start, start + count))",
     "you return (start, end)"),
    (LOOPS, "plan.append((start, count))", "plan.append((count, start))", "you return (count, start)"),
    (LOOPS, "plan.append((start, count))", "plan.append((start - (tile - output_size(tile, depth)) "
     "// 2, count))", "a margin further left"),
    (LOOPS, "return plan", "return plan[1:]", "begins with the second tile"),
    (LOOPS, "return plan", "return plan[:-1]", "lacks its last tile"),
    (LOOPS, "return plan", "return [*plan, (size, 0)]", "a tile of no pixels"),
    (LOOPS, "return plan", "return plan[::-1]", "leaves a gap"),
    (ARRAYS, "return [*plan, (whole * step, size - whole * step)]",
     "first = max(size - step, 0)\n    return [*plan, (first, size - first)]",
     "moved back to the image's end"),
    (LOOPS, "return plan", "return tuple(plan)", "must return a list of (start, count)"),
    (LOOPS, "return plan", "return [start for start, _ in plan]", "must return (start, count)"),
    (LOOPS, "return plan", "return [(float(a), b) for a, b in plan]", "must return whole numbers"),
    (LOOPS, _STEP, "step = inside / s * s", "must return whole numbers"),
    # More of the kinds that a student makes.
    (LOOPS, "left <= inside", "left < inside", "yours takes two"),
    (LOOPS, "while start < size:", "while start <= size:", ENDLESS),
    (ARRAYS, "    index = abs(index) % (2 * (size - 1))\n",
     "    index = abs(index) % (size - 1)\n",
     NUMBERS),
    (LOOPS, "        start += count\n", "        count += start\n", ENDLESS),
    (LOOPS, "    inside = output_size(tile, depth)\n",
     "    inside = tile - (tile - output_size(tile, depth)) // 2\n",
     "lose the margin on one side only"),
    (LOOPS, "s = 2 ** (depth - 1)", "s = 2 * (depth - 1)", NUMBERS),
]  # fmt: skip
