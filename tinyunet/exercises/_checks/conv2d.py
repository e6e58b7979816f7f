"""Check of exercise 01: the valid convolution with a stride.

Lesson: `lessons/01-valid-convolution.md`, which has no stride; that part is for the learner.
"""

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from tinyunet.arrays import Array
from tinyunet.exercises.diagnose import TOLERANCE_FLOAT32
from tinyunet.exercises.task import Case, Mistake, Output, Task

STRIDES = "strides of 2 and 3: the window jumps, and what is left over at the end is not read"
PLAIN = "random images and kernels, all axes of different length"


def windows(x: Array, weight: Array, stride: int = 1) -> Array:
    """Return the patches (N, C, H', W', kh, kw) of x (N, C, H, W)."""
    return sliding_window_view(x, weight.shape[2:], axis=(2, 3))[:, :, ::stride, ::stride]


def conv2d(x: Array, weight: Array, bias: Array, stride: int = 1) -> Array:
    """The right answer, as one product: (N, O, H', W')."""
    y = np.einsum("ncijab,ocab->noij", windows(x, weight, stride), weight)
    return y + bias[:, None, None]


def draw(
    n: int, c: int, o: int, height: int, width: int, kernel: tuple[int, int], stride: int = 1
) -> tuple[Array, ...]:
    """Return random x, weight, bias and dy of a convolution."""
    rng = np.random.default_rng(n)
    rows, columns = (height - kernel[0]) // stride + 1, (width - kernel[1]) // stride + 1
    shapes = ((n, c, height, width), (o, c, *kernel), (o,), (n, o, rows, columns))
    return tuple(rng.standard_normal(shape) for shape in shapes)


# In each line all lengths differ, also those of the output, the taps and their products.
GENERAL = (
    (PLAIN, (2, 6, 4, 7, 10, (3, 3)), 1),
    (PLAIN, (3, 4, 6, 9, 11, (2, 5)), 1),
    (STRIDES, (2, 4, 5, 14, 15, (3, 3)), 2),
    (STRIDES, (3, 5, 6, 22, 24, (2, 2)), 3),
)
AWKWARD = (
    ((3, 1, 2, 3, 3, (3, 3)), 1),
    ((1, 2, 3, 5, 4, (1, 1)), 1),
    ((1, 2, 3, 5, 4, (1, 1)), 3),
    ((2, 1, 1, 2, 9, (2, 3)), 2),
)


def sizes(arrays: tuple[Array, ...]) -> dict[str, int]:
    """Return how many there are of what in a convolution."""
    _, weight, _, dy = arrays
    pixels, taps = dy[0, 0].size, weight[0, 0].size
    return {
        "images": len(dy),
        "output pixels": pixels,
        "output pixels of all images": dy[:, 0].size,
        "taps": taps,
        "input channels": weight.shape[1],
        "taps of all input channels": weight[0].size,
        "output channels": len(weight),
    }


@cache
def _cases() -> list[Case]:
    x = np.arange(9.0).reshape(1, 1, 3, 3)
    weight = np.array([[[[1.0, 2, 0], [0, -1, 0], [5, 0, 3]]]])  # 2 − 4 + 30 + 24 + ½ = 52½
    cases = [Case("one 3×3 window, by hand", (x, weight, np.array([0.5])), general=False)]
    for title, shape, stride in GENERAL:
        arrays = draw(*shape, stride=stride)
        inputs = arrays[:3] if stride == 1 else (*arrays[:3], stride)
        cases.append(Case(title, inputs, sizes(arrays), level=1 if stride == 1 else 2))
    small = tuple(a.astype(np.float32) for a in draw(2, 3, 4, 6, 7, (3, 3))[:3])
    cases.append(
        Case("float32 in, float32 out", small, {}, 2, False, TOLERANCE_FLOAT32, np.float32)
    )
    for shape, stride in AWKWARD:
        title = "awkward sizes: an image as small as the kernel, 1×1 and 2×3 kernels"
        inputs = (*draw(*shape, stride=stride)[:3], stride)
        cases.append(Case(title, inputs, level=2, general=False))
    return cases


def _gathered(rows: Callable[..., Array], columns: Callable[..., Array]) -> Callable[..., Array]:
    """A convolution that reads x[rows(i, a, b, s), columns(j, a, b, s)] instead."""

    def made(x: Array, weight: Array, bias: Array, stride: int = 1) -> Array:
        _, _, height, width, kh, kw = windows(x, weight, stride).shape
        i, j, a, b = np.ogrid[:height, :width, :kh, :kw]
        patches = x[:, :, rows(i, a, b, stride), columns(j, a, b, stride)]
        return np.einsum("ncijab,ocab->noij", patches, weight) + bias[:, None, None]

    return made


def _on(change: Callable[..., tuple[Array, ...]]) -> Callable[..., Array]:
    """A right convolution of changed (x, weight, bias)."""

    def made(x: Array, weight: Array, bias: Array, stride: int = 1) -> Array:
        x, weight, bias = change(x, weight, bias)
        return conv2d(x, weight, bias, stride)

    return made


def _after(change: Callable[..., Array]) -> Callable[..., Array]:
    """What becomes of the products' sum, given (sum, x, weight, bias as (O, 1, 1))."""
    return lambda x, weight, bias, stride=1: change(
        conv2d(x, weight, 0 * bias, stride), x, weight, bias[:, None, None]
    )


def _last(taps: bool, channels: bool, biased: bool) -> Callable[..., Array]:
    """Only the last product counts: `=` where `+=` should be, in loops over these."""

    def made(x: Array, weight: Array, bias: Array, stride: int = 1) -> Array:
        patches = windows(x, weight, stride)
        if taps:
            patches, weight = patches[..., -1:, -1:], weight[..., -1:, -1:]
        if channels:
            patches, weight = patches[:, -1:], weight[:, -1:]
        return np.einsum("ncijab,ocab->noij", patches, weight) + biased * bias[:, None, None]

    return made


def _column_by_column(weight: Array) -> Array:
    """The kernel whose elements, row by row, are those of `weight` column by column."""
    o, c, kh, kw = weight.shape
    return weight.reshape(o, c, kw, kh).swapaxes(2, 3)


def _unsorted(x: Array, weight: Array, bias: Array, stride: int = 1) -> Array:
    """From an im2col without its transpose: lesson 01's trap."""
    patches = windows(x, weight, stride)
    n, _, height, width = patches.shape[:4]
    columns = patches.reshape(n, weight[0].size, height * width)
    y = weight.reshape(len(weight), -1) @ columns + bias[:, None]
    return y.reshape(n, len(weight), height, width)


def _short(rows: int, columns: int, cut: bool) -> Callable[..., Array]:
    """Loops that end one early, in an output that is as much too small, or left at 0 there."""

    def made(x: Array, weight: Array, bias: Array, stride: int = 1) -> Array:
        y = conv2d(x, weight, bias, stride)
        height, width = y.shape[2] - rows, y.shape[3] - columns
        if cut:
            return y[:, :, :height, :width]
        y[:, :, height:], y[:, :, :, width:] = 0, 0
        return y

    return made


def _padded(pad: Callable[[int], int]) -> Callable[..., Array]:
    """A convolution of an image with zeros around it."""

    def made(x: Array, weight: Array, bias: Array, stride: int = 1) -> Array:
        (up, left) = (pad(k) for k in weight.shape[2:])
        padded = np.pad(x, ((0, 0), (0, 0), (up, up), (left, left)))
        return conv2d(padded, weight, bias, stride)

    return made


def _size_from_taps(x: Array, weight: Array, bias: Array, stride: int = 1) -> Array:
    """H' = (H − kh + 1) // s: one less where the division leaves something."""
    y = conv2d(x, weight, bias, stride)
    height, width = (x.shape[axis] - weight.shape[axis] + 1 for axis in (2, 3))
    return y[:, :, : height // stride, : width // stride]


_ASSIGNED = (
    "only the last {what} counts: is there `=` where `+=` should be? Every product is added to the "
    "sum, over channels and taps"
)
_PADDING = (
    "your image has zeros around it. A valid convolution reads no pixel that is not there, so the "
    "output is smaller than the image (lesson 01)"
)
_SHORT = (
    "your y misses its last {what}: with stride 1 there are H' = H − kh + 1 rows and W' = W − kw + "
    "1 columns, so the loop runs over range(H − kh + 1)"
)
_BIASES = "your bias is added once a {what}: it is added once for each output pixel"


def _bias_per(what: str, count: Callable[[Array], int]) -> tuple[Mistake, ...]:
    return tuple(
        Mistake(
            _BIASES.replace("{what}", what),
            _after(lambda s, x, w, b, more=more: s + b * (count(w) + more)),
        )
        for more in (0, 1)
    )


MISTAKES = (
    Mistake(
        "your kernel is flipped: y[i, j] takes weight[a, b] · x[i + a, j + b], both indices "
        "running the same way (lesson 01, \"The formula\")",
        _on(lambda x, w, b: (x, w[:, :, ::-1, ::-1], b)),
    ),
    Mistake(
        "your kernel is transposed: weight[o, c, a, b] belongs to row i + a and column j + b",
        _gathered(lambda i, a, b, s: s * i + b, lambda j, a, b, s: s * j + a),
    ),
    Mistake(
        "your patches have a and b exchanged: the kernel is flattened row by row, so transpose to "
        "(N, C, kh, kw, H', W')",
        _on(lambda x, w, b: (x, _column_by_column(w), b)),
    ),
    Mistake(
        "your kernel walks backwards: x[i - a, j - b] has negative indices, which read from the "
        "other end. The formula has x[i + a, j + b]",
        _gathered(lambda i, a, b, s: s * i - a, lambda j, a, b, s: s * j - b),
    ),
    Mistake(
        "your patches' axes are in the wrong order: reshape moves no number, so transpose to "
        "(N, C, kh, kw, H', W') first (lesson 01, \"The trap\")",
        _unsorted,
    ),
    Mistake("your y has no bias: each output starts from bias[o]", _after(lambda s, x, w, b: s)),
    Mistake("your bias has the wrong sign", _after(lambda s, x, w, b: s - b)),
    *_bias_per("tap and channel", lambda w: w[0].size),
    *_bias_per("tap", lambda w: w[0, 0].size),
    *_bias_per("channel", lambda w: w.shape[1]),
    *(
        Mistake(_ASSIGNED.replace("{what}", what), _last(taps, channels, biased))
        for what, taps, channels in (
            ("product", True, True),
            ("tap", True, False),
            ("input channel", False, True),
        )
        for biased in (False, True)
    ),
    Mistake("only the first input channel counts: the sum runs over all channels",
            _on(lambda x, w, b: (x[:, :1], w[:, :1], b))),
    Mistake("every input channel gets the kernel weight[o, 0]: each has one of its own",
            _on(lambda x, w, b: (x, np.broadcast_to(w[:, :1], w.shape), b))),
    Mistake("every output channel gets the kernels weight[0]: each has its own",
            _on(lambda x, w, b: (x, np.broadcast_to(w[:1], w.shape), b))),
    Mistake("all your images give the y of the first: x[n], not x[0]",
            _on(lambda x, w, b: (np.broadcast_to(x[:1], x.shape), w, b))),
    *(
        Mistake(_PADDING, _padded(pad))
        for pad in (lambda k: k // 2, lambda k: k - 1, lambda k: k, lambda k: 1, lambda k: 2)
    ),
    *(
        Mistake(_SHORT.replace("{what}", what), _short(rows, columns, cut))
        for what, rows, columns in (
            ("row and column", 1, 1),
            ("row", 1, 0),
            ("column", 0, 1),
        )
        for cut in (True, False)
    ),
    *(
        Mistake(
            f"your y is a mean over the {what}: a convolution adds the products up",
            _after(lambda s, x, w, b, count=count: s / count(w) + b),
        )
        for what, count in (
            ("taps", lambda w: w[0, 0].size),
            ("taps and channels", lambda w: w[0].size),
            ("channels", lambda w: w.shape[1]),
        )
    ),
    Mistake("your y is cut off at 0: the ReLU is an operation of its own",
            _after(lambda s, x, w, b: np.maximum(s + b, 0))),
    Mistake("your windows do not jump: with a stride of s, output (i, j) begins at x[s·i, s·j]",
            _gathered(lambda i, a, b, s: i + a, lambda j, a, b, s: j + b)),
    Mistake(
        "your y ignores the stride: it has an output at every place, not at every s-th",
        lambda x, weight, bias, stride=1: conv2d(x, weight, bias),
    ),
    Mistake("your stride moves the taps apart instead of the windows: x[s·i + a], not x[i + s·a]",
            _gathered(lambda i, a, b, s: i + s * a, lambda j, a, b, s: j + s * b)),
    Mistake("your stride multiplies the tap as well: x[s·i + a], not x[s·(i + a)]",
            _gathered(lambda i, a, b, s: s * (i + a), lambda j, a, b, s: s * (j + b))),
    Mistake("your windows jump along the rows only: the columns have the same stride",
            _gathered(lambda i, a, b, s: s * i + a, lambda j, a, b, s: j + b)),
    Mistake("your windows jump along the columns only: the rows have the same stride",
            _gathered(lambda i, a, b, s: i + a, lambda j, a, b, s: s * j + b)),
    Mistake(
        "your y misses a last row or column: a window more fits in. The last one begins at the "
        "largest multiple of s that is at most H − kh, so H' = (H − kh) // s + 1",
        _size_from_taps,
    ),
)  # fmt: skip

TASKS = (Task("conv2d", conv2d, (Output("y", MISTAKES, "(N, O, H', W')"),), _cases),)
