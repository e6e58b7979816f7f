"""Mistakes of exercise 05, the crop and the concatenation."""

from solutions.mistakes import ARRAYS, LOOPS, NUMBERS

_TOP = "top = (m.shape[2] - maps[-1].shape[2]) // 2"
_LEFT = "left = (m.shape[3] - maps[-1].shape[3]) // 2"
_BACK_TOP = "top = (m.shape[2] - height) // 2"
_BACK_LEFT = "left = (m.shape[3] - width) // 2"
_CROP = "m[:, :, top : top + height, left : left + width]"
_CONCAT = "return np.concatenate(crops, axis=1)"
_GET = "y[n, first + c, i, j] = m[n, c, top + i, left + j]"
_PUT = "dm[n, c, top + i, left + j] = dy[n, first + c, i, j]"
_BOTH = f"        {_BACK_TOP}\n        {_BACK_LEFT}\n        d"

ROWS = [
    # The place of the crop.
    (LOOPS, _GET, "y[n, first + c, i, j] = m[n, c, i, j]", "you crop the top left corner"),
    (ARRAYS, _CROP, "m[:, :, :height, :width]", "you crop the top left corner"),
    (ARRAYS, f"append({_CROP})", "append(m[:, :, -height:, -width:])",
     "you crop the bottom right corner"),
    (ARRAYS, _TOP, _TOP.replace(" // 2", ""), NUMBERS),
    (ARRAYS, f"{_TOP}\n        {_LEFT}", f"{_TOP.replace(' // 2', '')}\n        "
     f"{_LEFT.replace(' // 2', '')}", "you crop the bottom right corner"),
    (ARRAYS, f"{_TOP}\n        {_LEFT}",
     "top = round((m.shape[2] - maps[-1].shape[2]) / 2)\n"
     "        left = round((m.shape[3] - maps[-1].shape[3]) / 2)", "round() goes to the even"),
    (ARRAYS, f"{_TOP}\n        {_LEFT}",
     "top = -(-(m.shape[2] - maps[-1].shape[2]) // 2)\n"
     "        left = -(-(m.shape[3] - maps[-1].shape[3]) // 2)", "too far to the bottom right"),
    (ARRAYS, f"{_TOP}\n        {_LEFT}",
     "top = int((m.shape[2] - maps[-1].shape[2]) / 2 + 0.5)\n"
     "        left = int((m.shape[3] - maps[-1].shape[3]) / 2 + 0.5)",
     "too far to the bottom right"),
    (ARRAYS, f"{_TOP}\n        {_LEFT}",
     "top = m.shape[2] // 2 - maps[-1].shape[2] // 2\n"
     "        left = m.shape[3] // 2 - maps[-1].shape[3] // 2", NUMBERS),
    (ARRAYS, _LEFT, "left = top", "`top` for both"),
    (ARRAYS, _CROP, "m[:, :, top : top + height, top : top + width]", "`top` for both"),
    (ARRAYS, _CROP, "m[:, :, left : left + height, left : left + width]", "`left` for both"),
    (ARRAYS, f"append({_CROP})", "append(m[:, :, left : left + height, top : top + width])",
     "top and left exchanged"),
    (ARRAYS, f"append({_CROP})", "append(m[:, :, top : top + height, :width])",
     "the rows in the middle and the columns at the left"),
    (ARRAYS, f"append({_CROP})", "append(m[:, :, top:-top, left:-left])", "stopped at line"),
    (ARRAYS, f"        crops.append({_CROP})\n    return np.concatenate(crops, axis=1)",
     "        crops.append(m if m is maps[-1] else m[:, :, top:-top, left:-left])\n"
     "    return np.concatenate(crops, axis=1)", "`top:-top` is empty where top is 0"),
    (ARRAYS, f"append({_CROP})",
     "append(m[:, :, top : m.shape[2] - top, left : m.shape[3] - left])",
     "has one row too many where the remainder is odd"),
    (LOOPS, "top + i, left + j]\n        first += m.shape[1]\n    return y",
     "left + i, top + j]\n        first += m.shape[1]\n    return y", "top and left exchanged"),
    # The channels.
    (ARRAYS, "in maps:\n        top = (m.shape[2] - maps[-1]", "in maps[::-1]:\n"
     "        top = (m.shape[2] - maps[-1]", "your channels are in another order"),
    (ARRAYS, _CONCAT, "return np.concatenate([crops[-1], *crops[:-1]], axis=1)",
     "your channels are in another order"),
    (ARRAYS, _CONCAT, "return np.concatenate(crops[:-1], axis=1)", "your y is only the crops"),
    (ARRAYS, _CONCAT, "return np.concatenate([crops[0], crops[-1]], axis=1)",
     "holds the first and the last map only"),
    (ARRAYS, _CONCAT, "return np.concatenate(crops[-2:], axis=1)", "holds the last two maps only"),
    (ARRAYS, _CONCAT, "return np.concatenate(crops, axis=2)", "stopped at line"),
    (ARRAYS, _CONCAT, "return crops", "no array of numbers: it is list"),
    (LOOPS, "        first += m.shape[1]\n    return y", "    return y", NUMBERS),
    (LOOPS, "        first += m.shape[1]\n    return y", "        first += 1\n    return y", NUMBERS),
    (LOOPS, "maps[-1].dtype)", "float)", "float64 for float32"),
    (LOOPS, "def center_crop_concat(*maps):", "def center_crop_concat(skip, x):\n"
     "    maps = skip, x", "2 positional arguments but 3 were given"),
    # Backward.
    (LOOPS, _PUT, "dm[n, c, i, j] = dy[n, first + c, i, j]",
     "it is put at the top left corner"),
    (LOOPS, _BOTH, "        top = m.shape[2] - height\n        left = m.shape[3] - width\n        d",
     "it is put at the bottom right corner"),
    (LOOPS, _BOTH, "        top = -(-(m.shape[2] - height) // 2)\n"
     "        left = -(-(m.shape[3] - width) // 2)\n        d", "too far to the bottom right"),
    (LOOPS, _BOTH, "        top = round((m.shape[2] - height) / 2)\n"
     "        left = round((m.shape[3] - width) / 2)\n        d", "round() goes to the even"),
    (LOOPS, _BOTH, "        top = left = (m.shape[2] - height) // 2\n        d", "`top` for both"),
    (ARRAYS, "dm[:, :, top : top + height, left : left + width] = part",
     "dm[:, :, top:-top, left:-left] = part", "stopped at line"),
    (ARRAYS, "        dm[:, :, top : top + height, left : left + width] = part",
     "        if m is maps[-1]:\n            dm[...] = part\n        else:\n"
     "            dm[:, :, top:-top, left:-left] = part", "`top:-top` is empty where top is 0"),
    (ARRAYS, "        dm[:, :, top : top + height, left : left + width] = part\n"
     "        gradients.append(dm)", "        gradients.append(part)", "as large as the crop"),
    (LOOPS, _PUT, "dm[n, c, top + i, left + j] = dy[n, c, i, j]", "takes the first channels of dy"),
    (LOOPS, "    gradients, first = [], 0\n    for m in maps:",
     "    gradients, first = [], 0\n    for m in maps[::-1]:", NUMBERS),
    (ARRAYS, "zip(maps, np.split(dy, ends, axis=1), strict=True)",
     "zip(maps, np.split(dy, np.cumsum([m.shape[1] for m in maps[::-1]])[:-1], axis=1)[::-1], "
     "strict=True)", "takes channels of another map"),
    (LOOPS, _PUT, "dm[n, c, top + i, left + j] = 1", "for an upstream gradient of ones"),
    (LOOPS, _PUT, f"{_PUT} / len(maps)", "off by a factor 0.5"),
    (ARRAYS, "return tuple(gradients)", "return gradients[0], gradients[-1]",
     "must return (dskip1, dskip2, dx): yours returns 2 things"),
    (ARRAYS, "return tuple(gradients)", "return tuple(gradients[:-1])",
     "must return (dskip, dx): yours returns 1 things"),
    (ARRAYS, "return tuple(gradients)", "return tuple(-g for g in gradients)", "the wrong sign"),
    # More of the kinds that a student makes.
    (LOOPS, "        dm = np.zeros_like(m)\n",
     "        dm = m\n",
     "changed its argument number 2 (of *maps) in place"),
    (LOOPS, "        dm = np.zeros_like(m)\n",
     "        dm = np.ones_like(m)\n",
     "is 1 where the pixels were cut away"),
    (ARRAYS, "ends = np.cumsum([m.shape[1] for m in maps])[:-1]",
     "ends = [m.shape[1] for m in maps][:-1]",
     "stopped at line"),
    (ARRAYS, "top = (m.shape[2] - maps[-1].shape[2]) // 2",
     "top = (maps[0].shape[2] - maps[-1].shape[2]) // 2",
     "stopped at line"),
    (ARRAYS, "return np.concatenate(crops, axis=1)", "return sum(crops)", "stopped at line"),
    (LOOPS, "width), maps[-1].dtype)", "width), int)", "keeps no fractions"),
    (LOOPS, "        top = (m.shape[2] - height) // 2\n        left = (m.shape[3] - width) // 2\n        for",
     "        top = (m.shape[2] - height + 1) // 2 - 1\n        left = (m.shape[3] - width + 1) // 2 - 1\n        for",
     NUMBERS),
    (LOOPS, "        first += m.shape[1]\n    return tuple(gradients)",
     "        first += m.shape[1]\n        return tuple(gradients)",
     "must return (dskip, dx): yours returns 1 things"),
]  # fmt: skip
