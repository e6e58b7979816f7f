"""Mistakes of exercise 01, the convolution."""

from solutions.mistakes import ARRAYS, LOOPS, NUMBERS

_PAD = "x = np.pad(x, ((0, 0), (0, 0), ({0}), ({1})))\n"
_SIZE = "(height - kh) // stride + 1, (width - kw) // stride + 1"
_AT = "i * stride + a, j * stride + b"
_SHAPE = "    n_images, channels, height, width = x.shape\n"
_WINDOWS = "    windows = np.lib"

ROWS = [
    # Where the kernel lies.
    (LOOPS, "weight[o, c, a, b]", "weight[o, c, kh - 1 - a, kw - 1 - b]", "kernel is flipped"),
    (LOOPS, "weight[o, c, a, b]", "weight[o, c, -1 - a, -1 - b]", "kernel is flipped"),
    (ARRAYS, "weight.reshape(len(weight), -1) @",
     "weight[:, :, ::-1, ::-1].reshape(len(weight), -1) @", "kernel is flipped"),
    (LOOPS, "weight[o, c, a, b]", "weight[o, c, kh - 1 - a, b]", NUMBERS),
    (LOOPS, _AT, "i * stride + b, j * stride + a", "kernel is transposed"),
    (ARRAYS, "transpose(0, 1, 4, 5, 2, 3)", "transpose(0, 1, 5, 4, 2, 3)", "have a and b exchanged"),
    (LOOPS, _AT, "i * stride - a, j * stride - b", "kernel walks backwards"),
    (LOOPS, _AT, "i * stride - a, j * stride + b", NUMBERS),
    (ARRAYS, ".transpose(0, 1, 4, 5, 2, 3)", "", "patches' axes are in the wrong order"),
    (ARRAYS, ".transpose(0, 1, 4, 5, 2, 3)", ".transpose(0, 2, 3, 1, 4, 5)", NUMBERS),
    # The bias.
    (LOOPS, "total = bias[o]", "total = 0", "your y has no bias"),
    (ARRAYS, "    y += bias[:, None]\n", "", "your y has no bias"),
    (ARRAYS, "y += bias", "y -= bias", "your bias has the wrong sign"),
    (LOOPS, "total +=", "total += bias[o] +", "bias is added once a tap and channel"),
    (LOOPS, "            total += weight", "            if a == b == 0:\n"
     "                total += bias[o]\n            total += weight",
     "bias is added once a channel"),
    (LOOPS, "total = bias[o]", "total = bias[o] * kh * kw", "bias is added once a tap:"),
    (LOOPS, "total = bias[o]", "total = bias[0]", NUMBERS),
    (LOOPS, "total = bias[o]", "total = bias.sum()", NUMBERS),
    # Sums.
    (LOOPS, "            total += weight", "            total = weight", "only the last product"),
    (LOOPS, "            total += weight", "            total = bias[o] + weight",
     "only the last product"),
    (LOOPS, "        y[n, o, i, j] = total",
     "        y[n, o, i, j] = weight[o, -1, -1, -1] * x[n, -1, i * stride + kh - 1, "
     "j * stride + kw - 1]", "only the last product"),
    (LOOPS, "np.ndindex(channels, kh", "np.ndindex(1, kh", "only the first input channel"),
    (LOOPS, "        for c, a, b in np.ndindex(channels, kh, kw):",
     "        for c in range(channels):\n            total = bias[o]\n"
     "            for a, b in np.ndindex(kh, kw):\n"
     "                total += weight[o, c, a, b] * x[n, c, i * stride + a, j * stride + b]\n"
     "        for c, a, b in np.ndindex(0, kh, kw):", "only the last input channel"),
    (ARRAYS, "    y += bias", "    last = weight[:, :, -1, -1] @ windows[..., -1, -1].reshape("
     "n, weight.shape[1], -1)\n    y = last\n    y += bias", "only the last tap"),
    (LOOPS, "weight[o, c, a, b] *", "weight[o, 0, a, b] *", "kernel weight[o, 0]"),
    (LOOPS, "weight[o, c, a, b] *", "weight[0, c, a, b] *", "kernels weight[0]"),
    (LOOPS, "x[n, c, i", "x[0, c, i", "x[n], not x[0]"),
    (LOOPS, "x[n, c, i", "x[n, 0, i", NUMBERS),
    (LOOPS, "y[n, o, i, j] = total", "y[n, o, i, j] = total / (kh * kw)",
     "being the number of taps: a mean"),
    (LOOPS, "weight[o, c, a, b] *", "weight[o, c, a, b] / (kh * kw) *", "a mean over the taps:"),
    (ARRAYS, "    y += bias", "    y /= weight[0].size\n    y += bias",
     "a mean over the taps and channels"),
    (LOOPS, "weight[o, c, a, b] *", "weight[o, c, a, b] +", NUMBERS),
    (LOOPS, "weight[o, c, a, b] *", "weight[o, c, a, b] ** 2 *", NUMBERS),
    # Sizes.
    (LOOPS, _SIZE, "(height - kh) // stride, (width - kw) // stride",
     "misses its last row and column"),
    (LOOPS, "    for n, o, i, j in np.ndindex(y.shape):",
     "    for n, o, i, j in np.ndindex(n_images, out_channels, out_height - 1, out_width - 1):",
     "misses its last row and column"),
    (LOOPS, "    for n, o, i, j in np.ndindex(y.shape):",
     "    for n, o, i, j in np.ndindex(n_images, out_channels, out_height - 1, out_width):",
     "misses its last row:"),
    (LOOPS, "    for n, o, i, j in np.ndindex(y.shape):",
     "    for n, o, i, j in np.ndindex(n_images, out_channels, out_height, out_width - 1):",
     "misses its last column:"),
    (LOOPS, _SIZE, "(height - kh) // stride + 2, (width - kw) // stride + 2", "stopped at line"),
    (LOOPS, _SIZE, "height // stride, width // stride", "stopped at line"),
    (LOOPS, _SHAPE, f"    {_PAD.format('1, 1', '1, 1')}{_SHAPE}", "has zeros around it"),
    (LOOPS, _SHAPE, f"    {_PAD.format('2, 2', '2, 2')}{_SHAPE}", "has zeros around it"),
    (ARRAYS, _WINDOWS, "    k = weight.shape[2:]\n    "
     + _PAD.format("k[0] // 2, k[0] // 2", "k[1] // 2, k[1] // 2") + _WINDOWS,
     "has zeros around it"),
    (ARRAYS, _WINDOWS, "    k = weight.shape[2:]\n    "
     + _PAD.format("k[0], k[0]", "k[1], k[1]") + _WINDOWS, "has zeros around it"),
    (ARRAYS, _WINDOWS, "    k = weight.shape[2:]\n    "
     + _PAD.format("k[0] - 1, k[0] - 1", "k[1] - 1, k[1] - 1") + _WINDOWS, "has zeros around it"),
    (LOOPS, _SHAPE, f"    {_PAD.format('0, 1', '0, 1')}{_SHAPE}",
     "yours is 1 larger along both"),
    # The stride.
    (LOOPS, _AT, "i + a, j + b", "your windows do not jump"),
    (ARRAYS, "    windows = windows[:, :, ::stride, ::stride]\n", "", "ignores the stride"),
    (LOOPS, "(height - kh) // stride + 1, (width - kw) // stride + 1",
     "height - kh + 1, width - kw + 1", "stopped at line"),
    (LOOPS, _AT, "i + stride * a, j + stride * b", "your stride moves the taps apart"),
    (LOOPS, _AT, "stride * (i + a), stride * (j + b)", "stopped at line"),
    (LOOPS, _AT, "i * stride + a, j + b", "jump along the rows only"),
    (LOOPS, _AT, "i + a, j * stride + b", "jump along the columns only"),
    (LOOPS, _SIZE, "(height - kh + 1) // stride, (width - kw + 1) // stride",
     "misses a last row or column"),
    (LOOPS, _SIZE, "-(-(height - kh) // stride) + 1, -(-(width - kw) // stride) + 1",
     "stopped at line"),
    (ARRAYS, "windows[:, :, ::stride, ::stride]", "windows[:, :, stride - 1 :: stride, "
     "stride - 1 :: stride]", NUMBERS),
    (ARRAYS, "windows[:, :, ::stride, ::stride]", "windows[:, ::stride, ::stride]",
     "stopped at line"),
    # Form.
    (LOOPS, "return y", "return np.maximum(y, 0)", "ReLU is an operation of its own"),
    (LOOPS, "    return y", "        return y", "is there a `return` inside the loop?"),
    (LOOPS, "return y", "return y.tolist()", "no array of numbers: it is list"),
    (LOOPS, "return y", "return total", "your y has shape ()"),
    (LOOPS, "return y", "return y.transpose(0, 2, 3, 1)", "swapping axes as (0, 2, 3, 1)"),
    (LOOPS, "return y", "return y.transpose(0, 1, 3, 2)", "swapping axes 2 and 3"),
    (LOOPS, "return y", "return y[0]", "your y has shape"),
    (LOOPS, "return y", "print(y)", "conv2d returns None"),
    (LOOPS, "+ 1\n    y = np.zeros((n_images, out_channels, out_height, out_width), x.dtype)",
     "+ 1\n    y = np.zeros((n_images, out_channels, out_height, out_width))",
     "float64 for float32"),
    (LOOPS, "total +=", "total += undefined *", "name 'undefined' is not defined"),
    (LOOPS, "stride=1)", "stride)", "missing 1 required positional argument: 'stride'"),
    (LOOPS, ", stride=1):", "):\n    stride = 1", "positional arguments but 4 were given"),
    (LOOPS, "    for n, o, i, j", "    x *= 1.0 + (stride > 1)\n    for n, o, i, j",
     "changed its argument x in place"),
    # Right in the middle, wrong at the awkward end.
    (LOOPS, "    y = np", "    kw = kh\n    y = np", NUMBERS),
    (LOOPS, "    y = np", "    if kh == 1:\n        return x\n    y = np", "your y has shape"),
    # More of the kinds that a student makes.
    (LOOPS, "    for n, o, i, j in np.ndindex(y.shape):\n        total = bias[o]\n",
     "    total = 0\n    for n, o, i, j in np.ndindex(y.shape):\n        total += bias[o]\n",
     NUMBERS),
    (LOOPS, "total = bias[o]", "total = bias[o : o + 1]", "stopped at line"),
    (LOOPS, "out_width), x.dtype)",
     "out_width), int)",
     "an array of int64, which keeps no fractions"),
    (ARRAYS, "return y.reshape(n, len(weight), height, width)",
     "return y.reshape(n, len(weight), width, height).swapaxes(2, 3)",
     NUMBERS),
    (ARRAYS, "windows[:, :, ::stride, ::stride]", "windows[:, :, ::stride]", "your y has shape"),
    (ARRAYS, "y += bias[:, None]", "y += bias[0]", NUMBERS),
    (ARRAYS, "y = weight.reshape(len(weight), -1) @ columns",
     "y = weight.swapaxes(0, 1).reshape(len(weight), -1) @ columns",
     NUMBERS),
    (LOOPS, "out_height, out_width = (height - kh) // stride + 1, (width - kw) // stride + 1",
     "out_height = out_width = (height - kh) // stride + 1",
     "your y has shape"),
]  # fmt: skip
