"""Mistakes of exercise 04, the up-convolution."""

from solutions.mistakes import ARRAYS, LOOPS, NUMBERS

_PUT = "y[n, o, 2 * i + a, 2 * j + b] = total"
_TAP = "x[n, c, i, j] * weight[c, o, a, b]"
_WOVEN = "y = patches.transpose(0, 1, 4, 2, 5, 3).reshape(n, out, 2 * height, 2 * width)"
_DX = "dx[n, c, i, j] += up * weight[c, o, a, b]"
_DW = "dweight[c, o, a, b] += up * x[n, c, i, j]"
_DX_TAPS = 'dx += np.einsum("nohw,co->nchw", up, weight[:, :, a, b])'
_DW_TAPS = 'np.einsum("nchw,nohw->co", x, up)'
_RETURN = "return dx, dweight, dbias"
_OUT = "    out_channels = weight.shape[1]\n    y = np"

ROWS = [
    # Forward.
    (LOOPS, _TAP, "x[n, c, i, j] * weight[c, o, 1 - a, 1 - b]", "your kernel is flipped"),
    (LOOPS, _PUT, "y[n, o, 2 * i + 1 - a, 2 * j + 1 - b] = total", "your kernel is flipped"),
    (LOOPS, _PUT, "y[n, o, 2 * i + b, 2 * j + a] = total", "your kernel is transposed"),
    (ARRAYS, "weight.reshape(c, -1).T", "weight.swapaxes(2, 3).reshape(c, -1).T",
     "your kernel is transposed"),
    (LOOPS, _PUT, "y[n, o, i + a * height, j + b * width] = total", "side by side, not interleaved"),
    (ARRAYS, _WOVEN, _WOVEN.replace(".transpose(0, 1, 4, 2, 5, 3)", ""),
     "your patches are not woven: reshape moves no number, so transpose (N, O, a, b, i, j)"),
    (ARRAYS, _WOVEN, _WOVEN.replace("0, 1, 4, 2, 5, 3", "0, 1, 2, 4, 3, 5"),
     "side by side, not interleaved"),
    (ARRAYS, _WOVEN, _WOVEN.replace("0, 1, 4, 2, 5, 3", "0, 1, 4, 5, 2, 3"),
     "your patches are not woven: reshape moves no number, so transpose (N, O, i, j, a, b)"),
    (ARRAYS, _WOVEN, _WOVEN.replace("0, 1, 4, 2, 5, 3", "0, 1, 5, 2, 4, 3"),
     "woven the wrong way round"),
    (ARRAYS, _WOVEN, _WOVEN.replace("0, 1, 4, 2, 5, 3", "0, 1, 4, 3, 5, 2"),
     "your kernel is transposed"),
    (LOOPS, _OUT, "    out_channels = weight.shape[0]\n    weight = weight.transpose(1, 0, 2, 3)\n"
     "    y = np", "your weight has its channels in the wrong order"),
    (LOOPS, _OUT, "    weight = weight.reshape(weight.shape[1], weight.shape[0], 2, 2)\n"
     "    weight = weight.transpose(1, 0, 2, 3)\n    out_channels = weight.shape[1]\n    y = np",
     "your weight has its channels in the wrong order"),
    (LOOPS, f"{_OUT}.zeros((n_images, out_channels, 2 * height, 2 * width), x.dtype)\n"
     "    for n, o, i, j, a, b in np.ndindex(n_images, out_channels, height, width, 2, 2):\n"
     "        total = bias[o]\n        for c in range(channels):\n            total += "
     "x[n, c, i, j] * weight[c, o, a, b]",
     "    out_channels = weight.shape[0]\n    y = np.zeros((n_images, out_channels, 2 * height, "
     "2 * width), x.dtype)\n"
     "    for n, o, i, j, a, b in np.ndindex(n_images, out_channels, height, width, 2, 2):\n"
     "        total = bias[o]\n        for c in range(channels):\n            total += "
     "x[n, c, i, j] * weight[o, c, a, b]", "your weight has its channels in the wrong order"),
    (LOOPS, "total = bias[o]", "total = 0", "your y has no bias"),
    (ARRAYS, "return y + bias", "return y - bias", "your bias has the wrong sign"),
    (LOOPS, "total +=", "total += bias[o] +", "added once a channel"),
    (ARRAYS, "return y + bias", "return y + 4 * bias", "added once a tap"),
    (LOOPS, "total += x", "total = x", "only the last input channel counts"),
    (LOOPS, "total += x", "total = bias[o] + x", "only the last input channel counts"),
    (LOOPS, "        for c in range(channels):\n            total", "        for c in range(1):\n"
     "            total", "only the first input channel counts"),
    (LOOPS, _TAP, "x[n, c, i, j] * weight[c, o, 0, 0]", "all four pixels of a block are equal"),
    (LOOPS, f"        {_PUT}", f"        if a == b == 0:\n            {_PUT}", NUMBERS),
    (LOOPS, _PUT, f"{_PUT} / channels", "being the number of input channels: a mean"),
    (LOOPS, _TAP, f"{_TAP} / channels", "a mean over input channels"),
    (LOOPS, _TAP, _TAP.replace("x[n", "x[0"), "x[n], not x[0]"),
    (ARRAYS, "return y + bias[:, None, None]", "return np.maximum(y + bias[:, None, None], 0)",
     "no ReLU behind an up-convolution"),
    (LOOPS, f"        {_PUT}\n    return y", f"        {_PUT}\n        return y",
     "is there a `return` inside the loop?"),
    (LOOPS, "return y", "return y[:, :, ::2, ::2]", "your y has shape"),
    # Backward.
    (LOOPS, _DX, _DX.replace("a, b]", "1 - a, 1 - b]"), "your dx has a flipped kernel"),
    (ARRAYS, _DX_TAPS, _DX_TAPS.replace("a, b]", "b, a]"), "your dx has a transposed kernel"),
    (ARRAYS, _DX_TAPS, _DX_TAPS.replace("+=", "="), "only the last tap counts in your dx"),
    (LOOPS, _DX, _DX.replace("+=", "="), "only the last product counts in your dx"),
    (LOOPS, _DX, _DX.replace("weight[c, o, a, b]", "x[n, c, i, j]"), "takes x where it should"),
    (LOOPS, _DW, _DW.replace("x[n, c, i, j]", "weight[c, o, a, b]"), "takes weight where it should"),
    (LOOPS, _DW, _DW.replace("+=", "="), "your dweight keeps only the last share"),
    (ARRAYS, "dweight[:, :, a, b] = ", "dweight[...] += ", NUMBERS),
    (ARRAYS, f"dweight[:, :, a, b] = {_DW_TAPS}", f"dweight += {_DW_TAPS}[:, :, None, None]",
     "the same for all four taps"),
    (ARRAYS, "up = dy[:, :, a::2, b::2]", "up = np.ones_like(dy[:, :, a::2, b::2])",
     "for an upstream gradient of ones"),
    (ARRAYS, "up = dy[:, :, a::2, b::2]", "h, w = x.shape[2:]\n        "
     "up = dy[:, :, a * h : a * h + h, b * w : b * w + w]", "takes dy in quarters"),
    (ARRAYS, "up = dy[:, :, a::2, b::2]", "h, w = x.shape[2:]\n        "
     "up = dy[:, :, a : a + h, b : b + w]", "takes the block at dy[i, j]"),
    (ARRAYS, "up = dy[:, :, a::2, b::2]", "up = dy[:, :, 1 - a :: 2, 1 - b :: 2]",
     "your dx has a flipped kernel"),
    (ARRAYS, "dy.sum(axis=(0, 2, 3))", "dy.mean(axis=(0, 2, 3))",
     "the number of output pixels of all images: a mean"),
    (ARRAYS, "dy.sum(axis=(0, 2, 3))", "dy.sum(axis=(2, 3))", "not summed over the batch"),
    (ARRAYS, "dy.sum(axis=(0, 2, 3))", "dy.sum(axis=(0, 2, 3)) / 4",
     "4 being the number of taps: a mean"),
    (ARRAYS, "dy.sum(axis=(0, 2, 3))", "dy[:, :, ::2, ::2].sum(axis=(0, 2, 3))",
     "sums every second pixel"),
    (LOOPS, "        dbias[o] += up\n        for c in range(channels):\n            dx",
     "        for c in range(channels):\n            dbias[o] += up\n            dx",
     "being the number of input channels: added once for each"),
    (LOOPS, _RETURN, "return dx, dweight.swapaxes(0, 1), dbias", "swapping axes 0 and 1"),
    (LOOPS, _RETURN, "return dx, dweight.swapaxes(0, 1).reshape(dweight.shape), dbias",
     "your weight has its channels in the wrong order"),
    (LOOPS, _RETURN, "return dx, dweight / 4, dbias", "4 being the number of taps: a mean"),
    (LOOPS, _RETURN, "return dx / out_channels, dweight, dbias",
     "being the number of output channels: a mean"),
    (LOOPS, _RETURN, "return dx, 4 * dweight, dbias", "4 being the number of taps: added once"),
    (LOOPS, f"    {_RETURN}", f"        {_RETURN}", "share of the first output pixel only"),
    (ARRAYS, "    n, c, height, width = x.shape\n    out", "    weight = weight.reshape("
     "weight.shape[1], weight.shape[0], 2, 2).swapaxes(0, 1)\n    n, c, height, width = x.shape\n"
     "    out", "your weight has its channels in the wrong order"),
    # More of the kinds that a student makes.
    (LOOPS, "y[n, o, 2 * i + a, 2 * j + b] = total",
     "y[n, o, i + a, j + b] = total",
     "your blocks lie one pixel apart"),
    (ARRAYS, "weight.reshape(c, -1).T @ x.reshape(n, c, -1)",
     "weight.reshape(c, -1).T @ x.swapaxes(2, 3).reshape(n, c, -1)",
     NUMBERS),
    (LOOPS, "dx[n, c, i, j] += up * weight[c, o, a, b]",
     "dx[n, c, i, j] += up * weight[c, o, a, b] / 4",
     "4 being the number of taps: a mean"),
    (LOOPS, "np.zeros_like(x), np.zeros_like(weight)",
     "np.zeros_like(x), weight",
     "changed its argument weight in place"),
    (ARRAYS, "dbias = dy.sum(axis=(0, 2, 3))",
     "dbias = np.zeros(dy.shape[1], dy.dtype)",
     "your dbias is zero everywhere"),
    (ARRAYS, "return y + bias[:, None, None]",
     "return y + bias[:, None, None] * c",
     "added once a channel"),
    (LOOPS, "dweight[c, o, a, b] += up * x[n, c, i, j]",
     "dweight[c, o, b, a] += up * x[n, c, i, j]",
     "looks transposed"),
    (ARRAYS, 'np.einsum("nchw,nohw->co", x, up)',
     'np.einsum("nchw,nohw->co", x[:1], up[:1])',
     "your dweight holds the share of the first image only"),
]  # fmt: skip
