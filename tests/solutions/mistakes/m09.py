"""Mistakes of exercise 09, the displaced image."""

from solutions.mistakes import ARRAYS, LOOPS, NUMBERS

_AT = "row, column = i + displacement[0, i, j], j + displacement[1, i, j]"
_FLOOR = "math.floor(row), math.floor(column)"
_FOLD = "    index %= 2 * (n - 1)\n    return index if index < n else 2 * (n - 1) - index"
_ARRAY_FOLD = "    index = np.abs(index) % (2 * (n - 1))\n    return np.where(index < n, index, 2 * (n - 1) - index)"
_POINTS = "rows, columns = np.indices(image.shape) + displacement"


def _at(new, expected):
    return (LOOPS, _AT, f"row, column = {new}", expected)


def _fold(new, expected):
    return (LOOPS, _FOLD, new, expected)


ROWS = [
    _at("i - displacement[0, i, j], j - displacement[1, i, j]", "has the wrong sign"),
    _at("i + displacement[1, i, j], j + displacement[0, i, j]", "rows and columns are swapped"),
    _at("j + displacement[0, i, j], i + displacement[1, i, j]", "i and j are exchanged"),
    _at("i + displacement[0, i, j], j", "moves along the rows only"),
    _at("i, j + displacement[1, i, j]", "moves along the columns only"),
    _at("i, j", "your image does not move"),
    _at("displacement[0, i, j], displacement[1, i, j]", "you read at the displacement itself"),
    _at("i + displacement[0, i, j] / 2, j + displacement[1, i, j] / 2", "displacement is halved"),
    _at("i + displacement[0, i, j] + 0.5, j + displacement[1, i, j] + 0.5",
        "half a pixel further down and right"),
    _at("i + displacement[0, j % height, i % width], j + displacement[1, j % height, i % width]",
        NUMBERS),
    (ARRAYS, _POINTS, "rows, columns = np.indices(image.shape) - displacement", "the wrong sign"),
    (ARRAYS, _POINTS, "rows, columns = np.indices(image.shape) + displacement[::-1]",
     "rows and columns are swapped"),
    (ARRAYS, _POINTS, "rows, columns = np.indices(image.shape)[::-1] + displacement",
     "i and j are exchanged"),
    (ARRAYS, _POINTS, f"{_POINTS}\n    rows, columns = np.floor(rows), np.floor(columns)",
     "you drop the fraction of the source point"),
    (ARRAYS, _POINTS, f"{_POINTS}\n    rows, columns = np.floor(rows + 0.5), "
     "np.floor(columns + 0.5)", "you read the nearest pixel"),
    (ARRAYS, _POINTS, f"{_POINTS}\n    rows, columns = np.round(rows), np.round(columns)",
     "you read the nearest pixel"),
    (ARRAYS, _POINTS, "rows, columns = np.indices(image.shape) + displacement.astype(int)",
     "drop the fraction of the displacement"),
    (ARRAYS, _POINTS, f"{_POINTS}\n    rows = np.clip(rows, 0, height - 1)\n"
     "    columns = np.clip(columns, 0, width - 1)", "you repeat the edge beyond the border"),
    # The shares.
    (LOOPS, "= row - top, column - left", "= 0.0, 0.0", "you drop the fraction"),
    (LOOPS, "= row - top, column - left", "= 0.5, 0.5", "your four pixels share equally"),
    (LOOPS, "= row - top, column - left", "= 1 - row + top, 1 - column + left",
     "your shares are swapped"),
    (LOOPS, "= row - top, column - left", "= row - top, 0.0", "along the rows only"),
    (LOOPS, "= row - top, column - left", "= 0.0, column - left", "along the columns only"),
    (LOOPS, "((0, 1 - down), (1, down))", "((0, down), (1, 1 - down))", NUMBERS),
    (LOOPS, "out[i, j] += ", "out[i, j] = ", "only the last of the four pixels counts"),
    (LOOPS, _FLOOR, "int(row), int(column)", "you round negative coordinates towards 0"),
    (LOOPS, _FLOOR, "round(row), round(column)", NUMBERS),
    (LOOPS, _FLOOR, "math.ceil(row), math.ceil(column)", NUMBERS),
    (ARRAYS, "np.floor(rows).astype(int), np.floor(columns).astype(int)",
     "rows.astype(int), columns.astype(int)", "you round negative coordinates towards 0"),
    (ARRAYS, "lower = (1 - right)", "lower = right", NUMBERS),
    # Beyond the border.
    _fold("    return min(max(index, 0), n - 1)", "you repeat the edge beyond the border"),
    _fold("    return index % n", "your image wraps around"),
    _fold("    return index if 0 <= index < n else (index % n if index < 0 else "
          "2 * (n - 1) - index)", "negative indices wrap around in yours"),
    _fold("    index %= 2 * n\n    return index if index < n else 2 * n - 1 - index",
          "your mirror repeats the edge pixel"),
    _fold("    index = abs(index)\n    return index if index < n else 2 * (n - 1) - index",
          "stopped at line"),
    _fold("    return abs(index)", "stopped at line"),
    _fold("    index = abs(index) % (2 * n - 1)\n"
          "    return index if index < n else 2 * n - 1 - index", "edge pixel at the far end"),
    _fold("    index %= 2 * (n - 1)\n    return index if index < n else index - n + 1", NUMBERS),
    (ARRAYS, _ARRAY_FOLD, "    return np.clip(index, 0, n - 1)", "you repeat the edge"),
    (ARRAYS, _ARRAY_FOLD, "    return index % n", "your image wraps around"),
    (ARRAYS, _ARRAY_FOLD, "    index = index % (2 * n)\n"
     "    return np.where(index < n, index, 2 * n - 1 - index)", "repeats the edge pixel: −1"),
    (ARRAYS, "    upper =", "    image = np.pad(image, ((0, 1), (0, 1)))\n    r0, r1 = "
     "[np.where((r >= 0) & (r < height), r, height) for r in (top, top + 1)]\n    c0, c1 = "
     "[np.where((c >= 0) & (c < width), c, width) for c in (left, left + 1)]\n    upper =",
     "you read 0 beyond the border"),
    # Form.
    (LOOPS, "    return out", "        return out", "a `return` inside the loop?"),
    (LOOPS, "    return out", "    return out.round(1)", NUMBERS),
    (ARRAYS, "return (1 - down) * upper", "return (1 - down) * upper.T", "stopped at line"),
    (LOOPS, "def displaced(image, displacement):\n    height, width = image.shape\n"
     "    out = np.zeros((height, width))\n", "def displaced(image, displacement):\n"
     "    height, width = image.shape\n    out = np.zeros((height, width))\n"
     "    for i, j in np.ndindex(height, width):\n"
     "        to = i + displacement[0, i, j] + 0.5, j + displacement[1, i, j] + 0.5\n"
     "        out[reflect(math.floor(to[0]), height), reflect(math.floor(to[1]), width)] = "
     "image[i, j]\n    return out\n", "you write each pixel to where it goes"),
    (LOOPS, "                pixel = image[reflect(top + a, height), reflect(left + b, width)]",
     "                inside = 0 <= top + a < height and 0 <= left + b < width\n"
     "                pixel = image[top + a, left + b] if inside else 0.0",
     "you read 0 beyond the border"),
    # More of the kinds that a student makes.
    (LOOPS, "row_share * column_share", "row_share * row_share", NUMBERS),
    (LOOPS, "reflect(top + a, height), reflect(left + b, width)",
     "reflect(top, height) + a, reflect(left, width) + b",
     "stopped at line"),
    (LOOPS, "np.zeros((height, width))", "np.zeros((height, width), int)", "keeps no fractions"),
    (LOOPS, "    out = np.zeros((height, width))\n    for i, j in np.ndindex(height, width):\n",
     "    out = image\n    for i, j in np.ndindex(height, width):\n        out[i, j] = 0\n",
     "changed its argument image in place"),
    (LOOPS, "displacement[0, i, j], j + displacement[1, i, j]",
     "displacement[0, i, j] * height, j + displacement[1, i, j] * width",
     NUMBERS),
    (ARRAYS, "(1 - down) * upper + down * lower", "(upper + lower) / 2", NUMBERS),
    (ARRAYS, "c0, c1 = fold(left, width)", "c0, c1 = fold(left, height)", NUMBERS),
    (LOOPS, "row_share * column_share * pixel", "(row_share + column_share) / 4 * pixel", NUMBERS),
]  # fmt: skip
