"""Mistakes of exercise 02, the convolution's backward pass."""

from solutions.mistakes import ARRAYS, LOOPS, NUMBERS

_DX = "dx[n, c, i * stride + a, j * stride + b] += up * weight[o, c, a, b]"
_DW = "dweight[o, c, a, b] += up * x[n, c, i * stride + a, j * stride + b]"
_RETURN = "return dx, dweight, dbias"
_MET = 'dweight[:, :, a, b] = np.einsum("noij,ncij->oc", dy, met)'
_SHARE = 'share = np.einsum("noij,oc->ncij", dy, weight[:, :, a, b])'
_START = "    height, width = dy.shape[2:]\n"
_FULL = (
    "    kh, kw = weight.shape[2:]\n"
    "    spread = np.zeros((*dy.shape[:2], stride * (dy.shape[2] - 1) + 1, "
    "stride * (dy.shape[3] - 1) + 1), dy.dtype)\n"
    "    spread[:, :, ::stride, ::stride] = dy\n"
    "    padded = np.pad(spread, ((0, 0), (0, 0), (kh - 1, kh - 1), (kw - 1, kw - 1)))\n"
    "    windows = np.lib.stride_tricks.sliding_window_view(padded, (kh, kw), axis=(2, 3))\n"
    '    full = np.einsum("noijab,ocab->ncij", windows, weight[:, :, ::-1, ::-1])\n'
    "    dx = np.zeros_like(x)\n"
    "    dx[:, :, : full.shape[2], : full.shape[3]] = full\n"
)


def _full(old, new, expected):
    """The full convolution of the lesson, put in front of the return, with a mistake in it."""
    assert old in _FULL
    return (ARRAYS, f"    {_RETURN}", f"{_FULL.replace(old, new)}    {_RETURN}", expected)


ROWS = [
    # The kernel in dx.
    (LOOPS, _DX, _DX.replace("weight[o, c, a, b]", "weight[o, c, kh - 1 - a, kw - 1 - b]"),
     "your dx has a flipped kernel"),
    _full("weight[:, :, ::-1, ::-1])", "weight)", "your dx has a flipped kernel"),
    _full("np.pad(spread, ((0, 0), (0, 0), (kh - 1, kh - 1), (kw - 1, kw - 1)))", "spread", NUMBERS),
    _full("padded, (kh, kw)", "padded[:, ::-1], (kh, kw)", "takes dy's channels in reverse"),
    _full("    spread[:, :, ::stride, ::stride] = dy\n", "    spread[:, :, : dy.shape[2], "
     ": dy.shape[3]] = dy\n", "belongs to a stride of 1"),
    _full("    dx = np.zeros_like(x)\n    dx[:, :, : full.shape[2], : full.shape[3]] = full\n",
          "    dx = full\n", "ends at the last window"),
    _full("np.pad(spread", "np.pad(dy", "belongs to a stride of 1"),
    (LOOPS, _DX, _DX.replace("weight[o, c, a, b]", "weight[o, 0, a, b]"),
     "the kernel of input channel 0"),
    (LOOPS, _DX, _DX.replace("weight[o, c, a, b]", "x[n, c, i * stride + a, j * stride + b]"),
     "your dx takes x where it should take weight"),
    (LOOPS, _DW, _DW.replace("x[n, c, i * stride + a, j * stride + b]", "weight[o, c, a, b]"),
     "your dweight takes weight where it should take x"),
    (ARRAYS, _SHARE, _SHARE.replace("a, b]", "b, a]"), "your dx has a and b exchanged"),
    # The upstream gradient.
    (LOOPS, "up = dy[n, o, i, j]", "up = 1.0", "right only for an upstream gradient of ones"),
    (ARRAYS, _START, f"    dy = np.ones_like(dy)\n{_START}", "for an upstream gradient of ones"),
    (ARRAYS, _START, f"    dy = dy[:, ::-1]\n{_START}", "dy's channels in reverse"),
    (ARRAYS, _START, f"    dy = dy[:, :, ::-1, ::-1]\n{_START}", "upside down and mirrored"),
    (LOOPS, "up = dy[n, o, i, j]", "up = dy[0, o, i, j]", "gets the gradient of the first"),
    (LOOPS, "up = dy[n, o, i, j]", "up = dy[n, 0, i, j]", NUMBERS),
    # Sums.
    (LOOPS, _DX, _DX.replace("+=", "="), "your dx keeps only the last share"),
    (LOOPS, _DW, _DW.replace("+=", "="), "your dweight keeps only the last share"),
    (LOOPS, "dbias[o] += up", "dbias[o] = up", "your dbias keeps only the last share"),
    (ARRAYS, "[:, :, :height, :width] += share", "[:, :, :height, :width] = share",
     "your dx keeps only the last share"),
    (ARRAYS, 'np.einsum("noij,ncij->oc", dy, met)', 'np.einsum("oij,cij->oc", dy[-1], met[-1])',
     "share of the last image only: `+=`"),
    (LOOPS, "    dbias = np", "    dy = dy.copy()\n    dy[:-1] = 0\n    dbias = np",
     "share of the last image only: `+=`"),
    (LOOPS, "        dbias[o] += up", "        dbias[o] = up if i + j == 0 else dbias[o] + up",
     "your dbias holds the share of the last image only"),
    (LOOPS, "    return dx", "        return dx", "share of the first output pixel only"),
    (LOOPS, "        up = dy", "        if n > 0:\n            break\n        up = dy",
     "share of the first image only"),
    (ARRAYS, "dy.sum(axis=(0, 2, 3))", "dy.sum(axis=(2, 3))", "not summed over the batch"),
    (ARRAYS, "dy.sum(axis=(0, 2, 3))", "dy.sum(axis=0)", "not summed over pixels"),
    (ARRAYS, "dy.sum(axis=(0, 2, 3))", "dy.sum(axis=(0, 2))", "not summed over columns"),
    (ARRAYS, "dy.sum(axis=(0, 2, 3))", "dy.sum()", "summed over output channels too"),
    (ARRAYS, "dy.sum(axis=(0, 2, 3))", "dy.sum(axis=(1, 2, 3))", "over channels instead of images"),
    (ARRAYS, "dy.sum(axis=(0, 2, 3))", "dy.mean(axis=(0, 2, 3))",
     "the number of output pixels of all images: a mean over them where it should be a sum"),
    (ARRAYS, "dy.sum(axis=(0, 2, 3))", "dy.sum(axis=0).mean(axis=(1, 2))",
     "being the number of output pixels: a mean over them"),
    (LOOPS, "dbias[o] += up", "pass", "your dbias is zero everywhere"),
    (LOOPS, "        for c, a, b", "        for c, a, b in np.ndindex(channels, kh, kw):\n"
     "            dbias[o] += up\n        dbias[o] -= up\n        for c, a, b",
     "being the number of taps of all input channels: added once for each"),
    (LOOPS, _RETURN, "return dx, dweight / len(x), dbias", "being the number of images: a mean"),
    (LOOPS, _RETURN, "return dx, dweight / dy[0, 0].size, dbias",
     "being the number of output pixels: a mean"),
    (LOOPS, _RETURN, "return dx, 2 * dweight, dbias", "your dweight is off by a factor 2"),
    (LOOPS, _RETURN, "return -dx, dweight, dbias", "your dx has the wrong sign"),
    # Places.
    (LOOPS, _DX, _DX.replace("i * stride + a, j * stride + b", "i + a, j + b"),
     "your dx belongs to a stride of 1"),
    (LOOPS, _DW, _DW.replace("i * stride + a, j * stride + b", "i + a, j + b"),
     "your dweight belongs to a stride of 1"),
    (LOOPS, _DX, _DX.replace("i * stride + a, j * stride + b", "i + stride * a, j + stride * b"),
     "your dx moves the taps apart"),
    (LOOPS, _DX, _DX.replace("i * stride + a, j * stride + b", "i * stride - a, j * stride - b"),
     "your dx walks backwards"),
    (LOOPS, _DW, _DW.replace("i * stride + a, j * stride + b", "i * stride - a, j * stride - b"),
     "your dweight walks backwards"),
    (LOOPS, _DW, _DW.replace("dweight[o, c, a, b]", "dweight[o, c, kh - 1 - a, kw - 1 - b]"),
     "your dweight is flipped: it matches after reversing axes 2 and 3"),
    (LOOPS, _DW, _DW.replace("x[n, c,", "x[0, c,"), "takes the first image for all of them"),
    # Form.
    (LOOPS, _RETURN, "return dx, dweight.swapaxes(0, 1), dbias", "swapping axes 0 and 1"),
    (LOOPS, _RETURN, "return dweight, dx, dbias", "your dx has shape"),
    (LOOPS, _RETURN, "return dx, dweight", "yours returns 2 things"),
    (LOOPS, _RETURN, "return dx, dweight, None", "returns None for dbias"),
    (LOOPS, "    dbias = np", "    dy *= 1.5\n    dbias = np", "changed its argument dy in place"),
    (LOOPS, "dx, dweight = np.zeros_like(x), np.zeros_like(weight)",
     "dx, dweight = np.zeros(x.shape), np.zeros_like(weight)", "your dx is float64 for float32"),
    (LOOPS, "    for n, o", "    kw = kh\n    for n, o", NUMBERS),
    # The lesson's second trap: dy's channels reversed and its rows read as columns.
    (ARRAYS, _START, f"    dy = dy[:, ::-1].transpose(0, 1, 3, 2)\n{_START}", "stopped at line"),
    (LOOPS, "up = dy[n, o, i, j]", "up = dy[n, len(weight) - 1 - o, i, j]",
     "dy's channels in reverse"),
    # More of the kinds that a student makes.
    (LOOPS, "dbias[o] += up", "dbias += up", "every element of your dbias holds the sum over all"),
    (LOOPS, "np.zeros_like(x), np.zeros_like(weight)",
     "np.zeros_like(x), weight",
     "changed its argument weight in place"),
    (LOOPS, "dx[n, c, i", "dx[0, c, i", "added up in dx[0]"),
    (LOOPS, "+= up * weight[o, c, a, b]", "+= up**2 * weight[o, c, a, b]", NUMBERS),
    (LOOPS, "np.zeros_like(x), np.zeros_like(weight)",
     "np.zeros(x.shape, int), np.zeros_like(weight)",
     "keeps no fractions"),
    (ARRAYS, "[:, :, :height, :width] += share",
     "[:, :, :height, :width] -= share",
     "your dx has the wrong sign"),
    (ARRAYS, "dweight[:, :, a, b] = np.einsum(",
     "dweight[:, :, a, b] = stride * np.einsum(",
     NUMBERS),
    (ARRAYS, '"noij,oc->ncij", dy, weight[:, :, a, b])',
     '"noij,oc->ncij", dy, weight[:, :, kh - 1 - a, b])',
     NUMBERS),
    (ARRAYS, "columns = slice(b, b + stride * width, stride)",
     "columns = slice(a, a + stride * width, stride)",
     NUMBERS),
]  # fmt: skip
