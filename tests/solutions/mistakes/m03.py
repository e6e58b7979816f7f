"""Mistakes of exercise 03, ReLU and max-pooling."""

from solutions.mistakes import ARRAYS, LOOPS, NUMBERS

_HOLD = "            y[index] = x[index]\n    return y"
_PASS = "            dx[index] = dy[index]"
_POOL = "return x.reshape(n, c, height // 2, 2, width // 2, 2).max(axis=(3, 5))"
_BACK = "        dx[n, c, best[0], best[1]] = dy[n, c, i, j]\n"
_SEARCH = "        best, largest = (2 * i, 2 * j), x[n, c, 2 * i, 2 * j]\n"
_BIGGER = "if x[n, c, 2 * i + a, 2 * j + b] > largest:\n                best"

ROWS = [
    # ReLU.
    (ARRAYS, "np.maximum(x, 0)", "np.abs(x)", "mirrors what is negative"),
    (ARRAYS, "np.maximum(x, 0)", "np.minimum(x, 0)", "keeps the negative side"),
    (ARRAYS, "np.maximum(x, 0)", "(x > 0) * 1.0", "returns where x > 0"),
    (ARRAYS, "np.maximum(x, 0)", "np.where(x > 0, x, 0.01 * x)", "a leaky ReLU"),
    (ARRAYS, "np.maximum(x, 0)", "np.full_like(x, max(x.max(), 0))", "to the largest of x"),
    (ARRAYS, "np.maximum(x, 0)", "np.logaddexp(0, x)", "softplus"),
    (ARRAYS, "np.maximum(x, 0)", "np.clip(x, 0, 1)", "cut off at 1"),
    (ARRAYS, "np.maximum(x, 0)", "np.maximum(x, 1)", NUMBERS),
    (ARRAYS, "    return np.maximum(x, 0)", "    x[x < 0] = 0\n    return x",
     "relu changed its argument x in place"),
    (LOOPS, _HOLD, "            y[index] = x[index]\n        return y",
     "is there a `return` inside the loop?"),
    (LOOPS, "    y = np.zeros_like(x)\n", "    y = x.copy()\n", "returns x as it is"),
    # relu_backward.
    (ARRAYS, "dy * (x > 0)", "dy * (x >= 0)", "where x is exactly 0"),
    (LOOPS, f"        if x[index] > 0:\n{_PASS}", f"        if x[index] >= 0:\n{_PASS}",
     "where x is exactly 0"),
    (ARRAYS, "dy * (x > 0)", "dy * np.heaviside(x, 0.5)", "halves the gradient where x is exactly 0"),
    (ARRAYS, "dy * (x > 0)", "(x > 0) * 1.0", "for an upstream gradient of ones"),
    (LOOPS, _PASS, "            dx[index] = 1", "for an upstream gradient of ones"),
    (ARRAYS, "dy * (x > 0)", "dy * (dy > 0)", "asks for the sign of dy"),
    (ARRAYS, "dy * (x > 0)", "np.maximum(dy, 0) * (x > 0)", "asks for the signs of both"),
    (ARRAYS, "dy * (x > 0)", "dy * relu(x)", "is dy times relu(x)"),
    (ARRAYS, "dy * (x > 0)", "dy * x", "is dy times x"),
    (ARRAYS, "dy * (x > 0)", "dy * (x < 0)", "the other way round"),
    (ARRAYS, "dy * (x > 0)", "dy * np.sign(x)", "takes the sign of x for the slope"),
    (ARRAYS, "dy * (x > 0)", "dy", "passes everything"),
    (ARRAYS, "dy * (x > 0)", "-dy * (x > 0)", "has the wrong sign"),
    # max_pool2d.
    (ARRAYS, ".max(axis=(3, 5))", ".mean(axis=(3, 5))", "is the mean of each window"),
    (ARRAYS, ".max(axis=(3, 5))", ".sum(axis=(3, 5))", "is the sum of each window"),
    (ARRAYS, ".max(axis=(3, 5))", ".min(axis=(3, 5))", "is the smallest pixel of each window"),
    (ARRAYS, _POOL, "return x[:, :, ::2, ::2]", "is the top left pixel of each window"),
    (ARRAYS, _POOL, "return x.reshape(n, c, height // 2, width // 2, 4).max(axis=4)",
     "your windows are four pixels of one row"),
    (ARRAYS, _POOL, "return x.reshape(n, c, 2, height // 2, 2, width // 2).max(axis=(2, 4))",
     "your windows are spread over the image"),
    (ARRAYS, _POOL, "return x.reshape(n, c, height // 2, 2, width // 2, 2).max(axis=(2, 4))",
     NUMBERS),
    (ARRAYS, _POOL, "return np.lib.stride_tricks.sliding_window_view(x, (2, 2), axis=(2, 3))"
     ".max(axis=(4, 5))", "your windows overlap"),
    (ARRAYS, _POOL, "return np.abs(x).reshape(n, c, height // 2, 2, width // 2, 2).max(axis=(3, 5))",
     "the largest |x|"),
    (LOOPS, "        largest = x[n, c, 2 * i, 2 * j]\n        for", "        largest = 0\n        for",
     "never negative"),
    (LOOPS, "largest = x[n, c, 2 * i + a, 2 * j + b]\n        y", "largest = x[n, c, 2 * i + b, "
     "2 * j + a]\n        y", NUMBERS),
    (LOOPS, "        largest = x[n, c, 2 * i, 2 * j]\n        for a, b in np.ndindex(2, 2):\n"
     "            if x[n, c, 2 * i + a, 2 * j + b] > largest:\n"
     "                largest = x[n, c, 2 * i + a, 2 * j + b]\n",
     "        largest = x[n, c, i : i + 2, j : j + 2].max()\n", "your windows do not jump"),
    (LOOPS, "        largest = x[n, c, 2 * i, 2 * j]\n        for a, b in np.ndindex(2, 2):",
     "        largest = x[n, c, 2 * i, 2 * j]\n        for a, b in np.ndindex(1, 2):",
     "compares the two pixels of a row only"),
    (LOOPS, "        y[n, c, i, j] = largest\n    return y", "        y[n, c, i, j] = largest\n"
     "        return y", "is there a `return` inside the loop?"),
    # max_pool2d_backward.
    (LOOPS, _BACK, "        dx[n, c, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2] = dy[n, c, i, j]\n",
     "to all four pixels of a window"),
    (LOOPS, _BACK, "        dx[n, c, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2] = dy[n, c, i, j] / 4\n",
     "spread as for a mean"),
    (LOOPS, _BACK, "        w = x[n, c, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2]\n"
     "        dx[n, c, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2] = (w == w.max()) * dy[n, c, i, j]\n",
     "goes to every maximum"),
    (ARRAYS, " & unmet", "", "goes to every maximum"),
    (LOOPS, _BACK, "        w = x[n, c, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2]\n        m = w == w.max()\n"
     "        dx[n, c, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2] = m / m.sum() * dy[n, c, i, j]\n",
     "shared among equal maxima"),
    (LOOPS, _BIGGER, _BIGGER.replace(" > ", " >= "), "to the last of equal maxima"),
    (ARRAYS, "((0, 0), (0, 1), (1, 0), (1, 1))", "((1, 1), (1, 0), (0, 1), (0, 0))",
     "to the last of equal maxima"),
    (ARRAYS, "((0, 0), (0, 1), (1, 0), (1, 1))", "((0, 0), (1, 0), (0, 1), (1, 1))",
     "visited column by column"),
    (LOOPS, _BIGGER, _BIGGER.replace(" > ", " < "), "to the smallest pixel"),
    (LOOPS, _SEARCH, "        best, largest = (2 * i, 2 * j), 0\n",
     "give their gradient to the top left in yours"),
    (LOOPS, "= dy[n, c, i, j]", "= 1", "for an upstream gradient of ones"),
    (LOOPS, "= dy[n, c, i, j]", "= largest", NUMBERS),
    (LOOPS, "= dy[n, c, i, j]", "= dy[n, c, i, j] * largest", "is multiplied by x"),
    (LOOPS, "= (2 * i + a, 2 * j + b), x", "= (2 * i + b, 2 * j + a), x",
     "rows and columns of the winner exchanged"),
    (LOOPS, "= (2 * i + a, 2 * j + b), x", "= (i + a, j + b), x", NUMBERS),
    (LOOPS, f"{_BACK}    return dx", f"{_BACK}        return dx",
     "is there a `return` in the loop, or an index 0"),
    (LOOPS, "    return dx\n\n\ndef max_pool2d(", "    return dx.astype(np.float64)\n\n\n"
     "def max_pool2d(", "float64 for float32"),
    # More of the kinds that a student makes.
    (LOOPS, "                best, largest = (2 * i + a, 2 * j + b), x",
     "                best, largest = (a, b), x",
     NUMBERS),
    (ARRAYS, "    return dy * (x > 0)",
     "    dy[x <= 0] = 0\n    return dy",
     "changed its argument dy in place"),
    (LOOPS, "            if x[n, c, 2 * i + a, 2 * j + b] > largest:\n"
     "                largest = x[n, c, 2 * i + a, 2 * j + b]",
     "            if x[n, c, i + a, 2 * j + b] > largest:\n                largest = x[n, c, i + a, 2 * j + b]",
     NUMBERS),
    (ARRAYS, "dx[:, :, a::2, b::2] = dy * first",
     "dx[:, :, b::2, a::2] = dy * first",
     "rows and columns of the winner exchanged"),
    (LOOPS, "height // 2, width // 2), x.dtype)",
     "height // 2, width // 2), int)",
     "keeps no fractions"),
    (ARRAYS, "first = (x[:, :, a::2, b::2] == y) & unmet",
     "first = (np.abs(x[:, :, a::2, b::2]) == np.abs(y)) & unmet",
     NUMBERS),
    (ARRAYS, "    return np.maximum(x, 0)",
     "    return np.maximum(x, 0, out=x)",
     "changed its argument x in place"),
    (LOOPS, "            dx[index] = dy[index]", "            dx[index] = x[index]", "is relu(x)"),
]  # fmt: skip
