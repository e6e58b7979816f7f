"""Is a figure that was drawn now the figure that is kept? Texts exactly, everything else nearly."""

import base64
import io
import re
from xml.etree import ElementTree

import numpy as np

NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?")
COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
HREF = "{http://www.w3.org/1999/xlink}href"
# Attributes that hold coordinates. Names of clip paths and markers are hashes of coordinates.
PLACES = ("d", "x", "y", "width", "height", "transform", "points", "viewBox")


def texts_of(root):
    """Return the texts of a figure in the order of the file."""
    texts = (e for e in root.iter() if e.tag.endswith("}text"))
    return [" ".join("".join(e.itertext()).split()) for e in texts]


def difference(drawn, kept, tolerance=1.5):
    """Return what differs between two SVG files of matplotlib, "" if nothing does.

    tolerance: how far a coordinate may be off, in points. Where the two were drawn by different
    versions of matplotlib only the words are compared: fonts, margins and ticks are others.
    """
    one, other = (ElementTree.parse(path).getroot() for path in (drawn, kept))
    versions = {
        re.search(r"Matplotlib v[\d.]+", path.read_text("utf-8"))[0] for path in (drawn, kept)
    }
    told = [texts_of(root) for root in (one, other)]
    if len(versions) > 1:
        told = [[text for text in texts if re.search("[^\\W\\d]", text)] for texts in told]
    if told[0] != told[1]:
        missing, added = (sorted(set(a) - set(b)) for a, b in (told[::-1], told))
        return f"texts differ: missing {missing}, added {added}" if missing or added else "texts"
    if len(versions) > 1:
        return ""
    elements = [[e for e in root.iter() if _is_drawn(e)] for root in (one, other)]
    if len(elements[0]) != len(elements[1]):
        return f"{len(elements[0])} elements, kept are {len(elements[1])}"
    for a, b in zip(*elements, strict=True):
        if told := _element_differs(a, b, tolerance):
            return told
    return ""


def _is_drawn(element):
    return element.tag.rpartition("}")[2] in ("path", "use", "text", "image", "rect", "g")


def _element_differs(a, b, tolerance):
    name = f"<{a.tag.rpartition('}')[2]} id={b.get('id')}>"
    if a.tag != b.tag:
        return f"{name}: another element"
    for key in PLACES:
        ours, theirs = (_numbers(e.get(key, "")) for e in (a, b))
        if len(ours) != len(theirs):
            return f"{name}: {key} has {len(ours)} numbers, kept are {len(theirs)}"
        if len(ours) and np.abs(ours - theirs).max() > tolerance:
            return f"{name}: {key} is off by {np.abs(ours - theirs).max():.1f}"
    styles = [COLOUR.split(e.get("style", "")) for e in (a, b)]
    if [NUMBER.sub("#", s) for s in styles[0]] != [NUMBER.sub("#", s) for s in styles[1]]:
        return f"{name}: style {a.get('style')}, kept is {b.get('style')}"
    shades = [COLOUR.findall(e.get("style", "")) for e in (a, b)]
    for ours, theirs in zip(*shades, strict=True):
        if np.abs(_rgb(ours) - _rgb(theirs)).max() > 8:
            return f"{name}: colour {ours}, kept is {theirs}"
    return _picture_differs(a, b, name) if a.tag.endswith("}image") else ""


def _picture_differs(a, b, name):
    pictures = [_pixels(e.get(HREF)) for e in (a, b)]
    if pictures[0].shape != pictures[1].shape:
        return f"{name}: {pictures[0].shape} pixels, kept are {pictures[1].shape}"
    off = np.abs(pictures[0] - pictures[1])
    mean, visible = off.mean(), (off.max(axis=2) > 25).mean()
    if mean > 1 or visible > 0.01:
        return f"{name}: {mean:.2f} grey levels off on average, {visible:.1%} visibly"
    return ""


def _numbers(text):
    return np.array([float(n) for n in NUMBER.findall(text)])


def _rgb(colour):
    return np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)])


def _pixels(uri):
    from PIL import Image

    data = base64.b64decode(uri.partition(",")[2])
    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture.convert("RGB"), float)
