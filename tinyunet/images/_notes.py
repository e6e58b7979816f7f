"""What the writing program noted in a TIFF file about the axes of its stack.

TIFF knows pages, not axes: a film of 5 frames with 2 channels is ten pages. Programs note the
meaning, each in its own manner; tifffile knows most of them, and its letters are used here: T for
frames, Z for slices, C for channels, S for samples of a pixel, Y and X.

OME and ImageJ are read by ourselves: what they note may be more than the file holds (a run that was
stopped, a data set in many files), and tifffile would then fill up with zeros, look into other
files, or forget the note.

Lesson: lessons/11-training.md.
"""

import json
import re
import struct
from math import prod
from typing import Any

from tinyunet.images._damage import RAISED

NAMES = {"C": "channels", "Z": "slices", "T": "frames"}
KNOWN = ("shaped", "lsm", "fluoview", "sis")  # tifffile's word for the kinds whose axes it knows
PLANES_OF_STK = 33629  # MetaMorph's tag: its count is the number of planes
# tifffile writes the slices of a stack as channels in the manner of ImageJ or OME, if told no axes
PERHAPS_CHANNELS, BY_TIFFFILE = "C?", re.compile(r'^ImageJ=1\.11a|Creator="tifffile')
MOST_PLANES = 2**31  # a longer axis is damage


def noted_series(file: Any) -> list[dict[str, int]]:
    """The axes that the writing program of a tifffile.TiffFile noted, a dict a series.

    {letter: length}, outermost first, only those longer than 1, without rows, columns and samples;
    empty where nothing is noted or the note is damaged. The chain of pages has been checked.
    """
    page = file.pages.first
    if page.is_ome:
        series = _ome(page.description)
    elif page.is_imagej:
        series = [_imagej(page.imagej_description)]
    elif PLANES_OF_STK in page.tags:
        series = [{"Z": page.tags[PLANES_OF_STK].count}]
    else:
        series = _known(file, page)
    for axes in series:  # a pixel's samples may have been counted as channels
        samples = page.samplesperpixel
        if samples > 1 and axes.get("C", 1) % samples == 0:
            axes["C"] //= samples
    series = [{key: n for key, n in axes.items() if 1 < n < MOST_PLANES} for axes in series]
    if len(series) == 1 and set(series[0]) == {"C"} and BY_TIFFFILE.search(page.description):
        series = [{PERHAPS_CHANNELS: series[0]["C"]}]
    return series


def planes_of(axes: dict[str, int]) -> int:
    """How many pages the axes of a series make."""
    return prod(axes.values())


def _ome(xml: str) -> list[dict[str, int]]:
    """Axes of each <Pixels> of an OME header."""
    series = []
    for tag in re.findall(r"<(?:\w+:)?Pixels\b[^>]*>", xml):
        order = _attributes(tag).get("DimensionOrder", "XYZCT")[:1:-1]
        series.append({axis: _number(tag, f"Size{axis}", 1) for axis in order if axis in NAMES})
    return series


def _attributes(tag: str) -> dict[str, str]:
    return dict(re.findall(r"""(\w+)\s*=\s*["']([^"']*)""", tag))


def _number(tag: str, name: str, default: int) -> int:
    """An attribute that is a whole number of at most nine digits."""
    found = re.search(rf"""\b{name}\s*=\s*["'](\d{{1,9}})["']""", tag)
    return int(found.group(1)) if found else default


def _imagej(note: str) -> dict[str, int]:
    """Axes of an ImageJ stack; `images` counts them all where the others are not given."""
    found = dict(re.findall(r"^(\w+)=(\d{1,9})\s*$", note, re.MULTILINE))
    axes = {axis: int(found.get(NAMES[axis], 1)) for axis in "TZC"}
    if planes_of(axes) == 1:
        return {"Z": int(found.get("images", 1))}
    return axes


def _known(file: Any, page: Any) -> list[dict[str, int]]:
    """Axes as tifffile understands its own note, LSM, FluoView and SIS."""
    kind = next((kind for kind in KNOWN if getattr(page, f"is_{kind}")), None)
    if kind is None:
        return []
    for other in ("mmstack", "ndtiff", "ome", "imagej", "lsm"):  # these would be tried before
        setattr(file, f"is_{other}", other == kind)
    try:
        each = [zip(s.get_axes(False), s.get_shape(False), strict=True) for s in file.series]
        # several axes may be unknown, Q, so each has its number beside it
        return [
            {a if a in NAMES else f"{a}{i}": n for i, (a, n) in enumerate(axes) if a not in "YXS"}
            for axes in each
        ]
    except (*RAISED, struct.error):  # a note is free text: pages are pages without it
        return []


def noted_order(file: Any, count: int) -> list[int]:
    """Numbers of the pages in order: that in the file, unless an OME header says another."""
    page, order = file.pages.first, list(range(count))
    if not page.is_ome:
        return order
    series, planes = _ome(page.description), {}
    if len(series) != 1:
        return order
    for tag in re.findall(r"<(?:\w+:)?TiffData\b[^>]*>", page.description):
        place = 0
        for axis, n in series[0].items():
            place = place * n + _number(tag, f"First{axis}", 0)
        planes[_number(tag, "IFD", -1)] = place
    if sorted(planes) != order or len(set(planes.values())) != count:
        return order  # not said page by page
    return sorted(order, key=planes.__getitem__)


def noted_names(file: Any, count: int) -> list[str] | None:
    """The names of the slices that `StackWriter` noted, None where there are none."""
    note = file.pages.first.description
    if not note.startswith('{"tinyunet"'):
        return None
    try:
        names = json.loads(note)["names"]
    except (ValueError, RecursionError, KeyError, TypeError):
        return None
    good = isinstance(names, list) and all(isinstance(name, str) for name in names)
    return names if good and len(set(names)) == len(names) == count else None
