"""Counts, sizes and names as words, for messages and reprs."""

from collections.abc import Iterable, Sequence

import numpy as np

SHOWN = 8  # at most so many names or values are listed


def few(names: Iterable[object]) -> str:
    """Names in a row, the middle left out where there are many: "0, 1, 2, …, 255"."""
    texts = [str(name) for name in names]
    return ", ".join([*texts[: SHOWN - 2], "…", texts[-1]] if len(texts) > SHOWN else texts)


def sizes_text(sizes: Iterable[tuple[int, int]]) -> str:
    """ "24×32", or "20×32 to 24×32"."""
    found = sorted(set(sizes))
    return " to ".join(f"{h}×{w}" for h, w in (found[:1] + found[1:][-1:]))


def dtypes_text(dtypes: Sequence) -> str:
    """ "uint8", or "uint8 and uint16"."""
    return " and ".join(sorted({str(np.dtype(dtype)) for dtype in dtypes}))
