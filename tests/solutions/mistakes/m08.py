"""Mistakes of exercise 08, the weight map."""

from solutions.mistakes import ARRAYS, LOOPS, NUMBERS

_POWER = "-((d1 + d2) ** 2) / (2 * sigma**2)"
_NEAREST = "sorted(np.sqrt(((p - [y, x]) ** 2).sum(axis=1)).min() for p in pixels)"
_W_C = "np.where(inside, n / (2 * n_cells), n / (2 * n_background))"
_ADD = "weights[y, x] += w0 * np.exp(-((d1 + d2) ** 2) / (2 * sigma**2))"
_WHERE = "weights = weights + np.where(inside, 0, border)"
_CELLS = "for cell in np.unique(cells[inside])"
_SORTED = "d1, d2 = np.sort(distances, axis=0)[:2]"


def _power(new, expected):
    return (LOOPS, _POWER, new, expected)


def _nearest(new, expected):
    return (LOOPS, _NEAREST, new, expected)


ROWS = [
    # The border term.
    _power("-((d1 + d2) ** 2) / sigma**2", "divides by σ²: it is 2σ²"),
    _power("-((d1 + d2) ** 2) / (2 * sigma)", "divides by 2σ: it is 2σ²"),
    _power("-((d1 + d2) ** 2) / (2 * sigma) ** 2", "divides by (2σ)²"),
    _power("-((d1 + d2) ** 2) / 2 * sigma**2", "multiplies by σ²"),
    _power("-(d1**2 + d2**2) / (2 * sigma**2)", "you square d1 and d2 one by one"),
    _power("-(d1 + d2) / (2 * sigma**2)", "d1 + d2 is not squared"),
    _power("(d1 + d2) ** 2 / (2 * sigma**2)", "your exponent is positive"),
    _power("-((2 * d1) ** 2) / (2 * sigma**2)", "your d2 equals d1"),
    _power("-(d1**2) / (2 * sigma**2)", "takes d1 alone"),
    _power("-(d2**2) / (2 * sigma**2)", "takes d2 alone"),
    _power("-((d2 - d1) ** 2) / (2 * sigma**2)", "takes d2 − d1"),
    _power("-((d1 * d2) ** 2) / (2 * sigma**2)", "takes d1 · d2"),
    _power("-((d1 + d2 - 2) ** 2) / (2 * sigma**2)", "your distances are one too small"),
    _power("-(((d1 + d2) / 2) ** 2) / (2 * sigma**2)", NUMBERS),
    (LOOPS, "w0 * np.exp(", "np.exp(", "not multiplied by w0"),
    (LOOPS, "    pixels = [", "    return weights\n    pixels = [", "your border term is missing"),
    (ARRAYS, "    rows, columns", "    cells = inside * 1\n    rows, columns",
     "your border term is missing"),
    (LOOPS, "np.argwhere(~inside)", "np.argwhere(inside | ~inside)", "inside the cells as well"),
    (ARRAYS, _WHERE, "weights = weights + border", "inside the cells as well"),
    (ARRAYS, _WHERE, "weights = weights * (1 + np.where(inside, 0, border))", "multiplied by w_c"),
    (ARRAYS, _WHERE, "weights = np.where(inside, weights, border)", "your w_c is lost"),
    (LOOPS, _ADD, _ADD.replace("+=", "="), "your w_c is lost"),
    (LOOPS, _ADD, _ADD.replace("+=", "*="), "your w_c is lost"),
    (ARRAYS, _WHERE, "weights = np.maximum(weights, np.where(inside, 0, border))",
     "you take the larger of w_c and the border term"),
    # The distances.
    _nearest("sorted(np.sqrt(((np.concatenate(pixels) - [y, x]) ** 2).sum(axis=1)))",
             "the second nearest *pixel*"),
    _nearest("sorted(np.sqrt(((p - [y, x]) ** 2).sum(axis=1)).min() "
             "for p in [np.concatenate(pixels)] * 2)", "your d2 equals d1"),
    _nearest("sorted(((p - [y, x]) ** 2).sum(axis=1).min() for p in pixels)", "the root is missing"),
    _nearest("sorted(np.abs(p - [y, x]).sum(axis=1).min() for p in pixels)", "rows plus columns"),
    _nearest("sorted(np.abs(p - [y, x]).max(axis=1).min() for p in pixels)",
             "the larger of rows and columns"),
    _nearest("sorted(np.sqrt(((p.mean(axis=0) - [y, x]) ** 2).sum()) for p in pixels)",
             "to the cells' centres"),
    _nearest("sorted(np.sqrt(((p - [y, x]) ** 2).sum(axis=1)).max() for p in pixels)", NUMBERS),
    _nearest("sorted((np.sqrt(((p - [y, x]) ** 2).sum(axis=1)).min() for p in pixels), "
             "reverse=True)", "those of the farthest two cells"),
    _nearest("[np.sqrt(((p - [y, x]) ** 2).sum(axis=1)).min() for p in pixels]", NUMBERS),
    _nearest("sorted(np.sqrt(((p - [x, y]) ** 2).sum(axis=1)).min() for p in pixels)", NUMBERS),
    (LOOPS, f"{_CELLS}]", "for cell in range(1, cells.max()) if (cells == cell).any()]",
     "your last cell is left out"),
    (LOOPS, f"{_CELLS}]", f"{_CELLS}[1:]]", "your first cell is left out"),
    (LOOPS, f"{_CELLS}]", "for cell in range(1, cells.max() + 1)]", "stopped at line"),
    (ARRAYS, _SORTED, "d1, d2 = np.sort(distances, axis=0)[-1:-3:-1]", "the farthest two cells"),
    (ARRAYS, _SORTED, "d1, d2 = distances[:2]", NUMBERS),
    # The class weights.
    (LOOPS, _W_C, "np.where(inside, n / (2 * n_background), n / (2 * n_cells))", "w_c are swapped"),
    (LOOPS, _W_C, "np.ones(cells.shape)", "your w_c is missing"),
    (LOOPS, _W_C, "np.where(inside, n / n_cells, n / n_background)", "your w_c is n / n_c"),
    (LOOPS, _W_C, "np.where(inside, 1 / n_cells, 1 / n_background)", "your w_c is 1 / n_c"),
    (LOOPS, _W_C, "np.where(inside, n_cells / n, n_background / n)", "the class's own share"),
    (LOOPS, _W_C, "np.where(inside, n_background / n, n_cells / n)", "the other class's share"),
    (LOOPS, _W_C, "np.where(inside, n_background / n_cells, n_cells / n_background)",
     "the quotient of the classes"),
    (LOOPS, _W_C, "np.where(inside, 1.0, n / (2 * n_background))", NUMBERS),
    # Awkward images.
    (LOOPS, "    if len(pixels) < 2:\n        return weights\n", "", "not enough values to unpack"),
    (LOOPS, "return np.ones(cells.shape)", "return np.full(cells.shape, 0.5)",
     "where there is only one class w_c is 1"),
    (LOOPS, "n_cells == 0 or n_background == 0", "n_cells == 0",
     "where there is only one class w_c is 1"),
    (ARRAYS, "return weights", "return weights.round(2)", NUMBERS),
    (ARRAYS, "return weights", "return weights.astype(int)", NUMBERS),
    # The lesson's traps in the other form.
    (LOOPS, "    pixels = [", "    cells = inside * 1\n    pixels = [",
     "your border term is missing"),
    (ARRAYS, f"    {_SORTED}", "    r, c = np.nonzero(inside)\n    squares = (rows[..., None] - r) "
     "** 2 + (columns[..., None] - c) ** 2\n        distances = np.sqrt(np.sort(squares, axis=-1))\n"
     "        d1, d2 = distances[..., 0], distances[..., 1]".replace("    squares", "        squares"),
     "the second nearest *pixel*"),
    (ARRAYS, _CELLS + ":", "for cell in range(1, cells.max()):\n        if not (cells == cell).any()"
     ":\n            continue", "your last cell is left out"),
    # More of the kinds that a student makes.
    (LOOPS, "d1, d2 = nearest[:2]",
     "d1, d2 = (int(d) for d in nearest[:2])",
     "cut to whole numbers"),
    (LOOPS, "2 * sigma**2)", "2 * 5**2)", "your sigma is always 5"),
    (LOOPS, "w0 * np.exp", "10 * np.exp", "your w0 is always 10"),
    (LOOPS, "np.where(inside, n / (2 * n_cells), n / (2 * n_background))",
     "np.where(inside, n // (2 * n_cells), n // (2 * n_background))",
     NUMBERS),
    (LOOPS, "if len(pixels) < 2:", "if len(pixels) < 3:", NUMBERS),
    (LOOPS, "d1, d2 = nearest[:2]", "d1, d2 = nearest[0], nearest[-1]", "the farthest cell"),
    (ARRAYS, "np.sqrt(squares.min(axis=-1))", "np.sqrt(squares.mean(axis=-1))", NUMBERS),
    (LOOPS, "+= w0 * np.exp(", "-= w0 * np.exp(", "your border term is subtracted"),
]  # fmt: skip
