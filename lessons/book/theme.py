"""SVG figures that follow the theme of the page: what matplotlib writes, with its greys as ink.

- Black, white and every grey are the page's: grey g becomes the text colour (`currentColor`) with
  opacity 1 − g, which on white paper is the same grey, and white becomes the page itself
  (`--figure-page`). Black text on a dark page turns light, a white grid cell turns dark.
- Lines and text in the colours of `lessons/drawing.py` take a lighter tone on a dark page
  (`--figure-blue`, …); filled areas keep their colour in both themes, and so does text in
  `INK`, which is meant for them, white text, and every picture.

static/book.css sets the variables.
"""

import re
import xml.etree.ElementTree as ET

INK = "#111111"  # lessons/drawing.py: text on a coloured area
COLOURS = {
    "#0072b2": "blue",
    "#e69f00": "orange",
    "#009e73": "green",
    "#d55e00": "red",
    "#cc79a7": "purple",
}
SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"


def themed(text, name):
    """Return matplotlib's SVG `text` as an element of a page; its ids begin with `name`."""
    ET.register_namespace("", SVG)
    ET.register_namespace("xlink", XLINK)
    root = ET.fromstring(text)
    for child in list(root):
        if child.tag == f"{{{SVG}}}metadata" or child.find(f"{{{SVG}}}style") is not None:
            root.remove(child)  # a rule of a figure would hold for the whole page
    named = set(re.findall(r'(?:href="|url\()#([^")]+)', text))
    _walk(root, f"figure-{name}-", named, in_text=False)
    root.attrib.pop("version", None)
    root.set("fill", "currentColor")  # matplotlib leaves black fills out
    root.set("stroke-linejoin", "round")
    return ET.tostring(root, encoding="unicode")


def _walk(element, prefix, named, in_text):
    """Give the ids of `element` and all below it a prefix, its colours their theme.

    An id that nothing refers to (`named`) goes, except the whole figure's; so does the white space
    between elements: together they are a sixth of a grid of numbers.
    """
    in_text = in_text or element.get("id", "").startswith("text_")
    if not (element.text or "").strip():
        element.text = None
    for key, value in list(element.attrib.items()):
        if key == "id" and value not in named and not value.startswith("figure_"):
            del element.attrib[key]
        elif key == "id":
            element.set(key, prefix + value)
        elif key == f"{{{XLINK}}}href" and value.startswith("#"):
            element.set(key, f"#{prefix}{value[1:]}")
        elif key == "style":
            element.set(key, _style(value, in_text, element.tag == f"{{{SVG}}}use"))
        elif key == "d":
            short = re.sub(r"-?\d+\.\d{3,}", _short, value)
            element.set(key, re.sub(r"\s+", " ", short).strip())
        else:
            element.set(key, value.replace("url(#", f"url(#{prefix}"))
    for child in element:
        if not (child.tail or "").strip():
            child.tail = None
        _walk(child, prefix, named, in_text)


def _short(number):
    return f"{float(number[0]):.2f}".rstrip("0").rstrip(".")


def _style(style, in_text, marker):
    """Return a style attribute with its colours themed."""
    values = dict(re.findall(r"([\w-]+): ?([^;]+)", style))
    for paint in ("fill", "stroke"):
        colour = values.get(paint, "none").lower()
        if re.fullmatch(r"#[0-9a-f]{6}", colour):
            tinted = paint == "stroke" or in_text or marker
            values.update(_paint(paint, colour, tinted, in_text, values))
    return "; ".join(f"{key}: {value}" for key, value in values.items())


def _paint(paint, colour, tinted, in_text, values):
    """Return the properties that stand for `paint: colour`."""
    grey = len({colour[1:3], colour[3:5], colour[5:7]}) == 1
    if colour == INK or (colour == "#ffffff" and in_text and paint == "fill"):
        return {}
    if not grey:
        name = COLOURS.get(colour) if tinted else None
        return {paint: f"var(--figure-{name}, {colour})"} if name else {}
    if colour == "#ffffff":
        return {paint: "var(--figure-page, #fff)"}
    opacity = (1 - int(colour[1:3], 16) / 255) * float(values.get(f"{paint}-opacity", 1))
    ink = {paint: "currentColor"}
    return ink if opacity == 1 else ink | {f"{paint}-opacity": f"{opacity:.2f}"}
