"""Mistakes of exercise 12, V_Rand."""

from solutions.mistakes import ARRAYS, LOOPS, NUMBERS

_RETURN = "return 2 * ab / (a + b)"
_LOST = "            lost += 1\n"
_A = "a = sum(count**2 for count in rows.values())"
_B = "b = sum(count**2 for count in columns.values()) + lost"
_AB = "ab = sum(count**2 for count in pairs.values()) + lost"
_SKIP = "        if i == 0:\n            continue\n"
_TABLE = "    table = table[1:]\n"


def _score(new, expected):
    return (LOOPS, _RETURN, f"return {new}", expected)


ROWS = [
    _score("1 - 2 * ab / (a + b)", "Rand *error*"),
    _score("ab / b", "the precision ab / b alone"),
    _score("ab / a", "the recall ab / a alone"),
    _score("(ab / a + ab / b) / 2", "the mean of precision and recall"),
    _score("ab / (a * b) ** 0.5", "the geometric mean"),
    _score("ab / (a + b - ab)", "Jaccard's index"),
    _score("ab / (a + b)", "a factor 2 is missing"),
    _score("2 * ab / a + b", NUMBERS),
    _score("(a + b) / (2 * ab)", NUMBERS),
    _score("2 * a * b / (a + b)", NUMBERS),
    (LOOPS, _LOST, "            pass\n", "your lost pixels are left out"),
    (LOOPS, _AB, _AB.replace(" + lost", ""), "your lost pixels are in b but not in ab"),
    (LOOPS, _B, _B.replace(" + lost", ""), "your lost pixels are in ab but not in b"),
    (LOOPS, _A, f"{_A} + lost", NUMBERS),
    (LOOPS, f"{_LOST}        else:\n", "            lost += 1\n            rows[i] -= 1\n"
     "        else:\n", "your a leaves out the lost pixels"),
    (LOOPS, "        if i == 0:", "        if i == 0 or j == 0:", "you leave out the pixels that"),
    (LOOPS, "    return", "    lost2 = lost**2 - lost\n    ab, b = ab + lost2, b + lost2\n    return",
     "squared, all together"),
    (LOOPS, f"        if j == 0:\n{_LOST}        else:\n            pairs[i, j] += 1\n"
     "            columns[j] += 1", "        pairs[i, j] += 1\n        columns[j] += 1",
     "you take the prediction's membrane for a cell"),
    (LOOPS, f"{_LOST}        else:\n            pairs[i, j] += 1\n            columns[j] += 1",
     "            j = -i\n        pairs[i, j] += 1\n        columns[j] += 1",
     "your lost pixels are squared cell by cell"),
    (LOOPS, _SKIP, "        if i == 0:\n            columns[j] += 1 if j else 0\n"
     "            continue\n", "your b counts pixels where the ground truth is membrane"),
    (LOOPS, _SKIP, "", NUMBERS),
    (LOOPS, "count**2 for count in", "count for count in", "your sums are not squared"),
    (LOOPS, "count**2 for count in", "count * (count - 1) / 2 for count in", NUMBERS),
    (LOOPS, f"    {_A}\n    {_B}\n    {_AB}\n", "    a, b, ab = (sum(n * (n - 1) / 2 for n in c."
     "values()) for c in (rows, columns, pairs))\n    if not a + b:\n        return 0.0\n",
     "you count pairs of different pixels"),
    (LOOPS, "    pairs, rows", "    t, p = truth.ravel(), prediction.ravel()\n"
     "    same = (t[:, None] == t) == (p[:, None] == p)\n"
     "    return (same.sum() - len(t)) / (len(t) * (len(t) - 1))\n    pairs, rows",
     "that is the Rand index over all pairs"),
    (LOOPS, "    pairs, rows", "    t = truth.ravel()[truth.ravel() > 0]\n"
     "    p = prediction.ravel()[truth.ravel() > 0]\n"
     "    same = (t[:, None] == t) == (p[:, None] == p)\n"
     "    return (same.sum() - len(t)) / (len(t) * (len(t) - 1))\n    pairs, rows",
     "that is the Rand index over all pairs"),
    (LOOPS, "def v_rand(truth, prediction):", "def v_rand(prediction, truth):",
     "your arguments are exchanged"),
    (LOOPS, "        if i == 0:", "        if i == 0 or i == truth.max():",
     "last cell of the ground truth is left out"),
    (ARRAYS, _TABLE, "    table = table[1:-1]\n", "last cell of the ground truth is left out"),
    (ARRAYS, "table[:, 1:]", "table[:, 1:-1]", "last cell of the prediction is left out"),
    (ARRAYS, _TABLE, "", NUMBERS),
    (ARRAYS, "table[:, 1:].sum(axis=0)", "table.sum(axis=0)", NUMBERS),
    (ARRAYS, "table[:, 1:].sum(axis=0)", "table[:, 1:].sum(axis=1)", NUMBERS),
    (ARRAYS, "(table.sum(axis=1) ** 2)", "(table[:, 1:].sum(axis=1) ** 2)",
     "your a leaves out the lost pixels"),
    (ARRAYS, "(table[:, 1:] ** 2).sum() + lost", "(table[:, 1:] ** 2).sum()",
     "in b but not in ab"),
    (ARRAYS, "np.add.at(table, (truth.ravel(), prediction.ravel()), 1)",
     "table[truth.ravel(), prediction.ravel()] += 1", NUMBERS),
    (ARRAYS, "    table = np.zeros((truth.max() + 1, prediction.max() + 1))\n",
     "    table = np.zeros((len(np.unique(truth)), len(np.unique(prediction))))\n",
     "stopped at line"),
    (ARRAYS, "(truth.ravel(), prediction.ravel())", "(prediction.ravel(), truth.ravel())",
     "stopped at line"),
    (LOOPS, _RETURN, "return a, b, ab", "no array of numbers: it is tuple"),
    (LOOPS, _RETURN, "return round(2 * ab / (a + b), 3)", NUMBERS),
    # More of the kinds that a student makes.
    (LOOPS, "        if i == 0:\n            continue\n",
     "        if i == 0:\n            lost += 1\n            continue\n",
     "your n_0 counts"),
    (LOOPS, "a = sum(count**2 for count in rows.values())", "a = sum(rows.values()) ** 2", NUMBERS),
    (LOOPS, "b = sum(count**2 for count in columns.values()) + lost",
     "b = sum(count**2 for count in columns.values()) + lost**2",
     NUMBERS),
    (LOOPS, "            columns[j] += 1", "            columns[i] += 1", NUMBERS),
    (ARRAYS, "lost = table[:, 0].sum()", "lost = table[0].sum()", NUMBERS),
    (ARRAYS, "return 2 * ab / (a + b)", "return 2 * ab // (a + b)", NUMBERS),
    (ARRAYS, "    table = table[1:]\n    lost = table[:, 0].sum()",
     "    lost = table[:, 0].sum()\n    table = table[1:]",
     "your n_0 counts pixels where"),
    (LOOPS, "        pairs[i, j] += 1\n", "        pairs[i, j] = 1\n", NUMBERS),
    (ARRAYS, "    table = table[1:]\n    lost = table[:, 0].sum()",
     "    lost = table[0].sum()\n    table = table[1:]",
     "your n_0 counts the ground truth's membrane:"),
]  # fmt: skip
