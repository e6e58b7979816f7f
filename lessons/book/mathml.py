"""A formula of the lessons → MathML, which browsers draw without any script.

latex2mathml does the parsing; what it leaves as TeX would not set it is mended here: minus signs
in front of a number, the space beside "log" and "max", "/" and "∂" without gaps.
"""

import re
import xml.etree.ElementTree as ET

NAMESPACE = "http://www.w3.org/1998/Math/MathML"
THIN = "0.1667em"
OPENING, CLOSING = set("([{⟨|"), set(")]}⟩")
SIGNS = set("+-−±")
FUNCTIONS = {"log", "ln", "exp", "max", "min", "tanh", "mod"}
# Letters of \mathsf: browsers draw no `mathvariant` any more, only the letters themselves.
SANS = {chr(65 + i): chr(0x1D5A0 + i) for i in range(26)}


def to_mathml(latex, display=False):
    """Return the MathML element of a formula as text. Raises ValueError for what cannot be read."""
    from latex2mathml import exceptions
    from latex2mathml.converter import convert

    failures = tuple(e for e in vars(exceptions).values() if isinstance(e, type))
    latex = re.sub(r"\\cr\b", r"\\\\", latex.strip())
    latex = latex.replace(r"\mathrel{+}=", r"\mathrel{+=}").replace("{aligned}", "{align*}")
    ET.register_namespace("", NAMESPACE)
    try:
        math = ET.fromstring(convert(latex, display="block" if display else "inline"))
    except (*failures, ET.ParseError) as error:
        raise ValueError(f"the formula ${latex}$ cannot be converted: {error!r}") from error
    left = [e.text for e in math.iter() if e.text and "\\" in e.text]
    if left:
        raise ValueError(
            f"the formula ${latex}$ holds {left[0]}, which the converter does not know"
        )
    _mend(math)
    math.set("alttext", latex)
    return ET.tostring(math, encoding="unicode")


def _tag(element):
    return element.tag.rpartition("}")[2]


def _mend(parent):
    children = list(parent)
    if _tag(parent) == "mtable":  # browsers leave the letters of a table upright
        for letter in parent.iter(f"{{{NAMESPACE}}}mi"):
            letter.text = italic(letter.text or "")
    for child in children:
        if _tag(child) == "mo" and len(child):  # \mathrel{+=} wraps operators in an operator
            child.text = "".join(child.itertext())
            for inner in list(child):
                child.remove(inner)
        if child.get("mathvariant") == "sans-serif":
            del child.attrib["mathvariant"]
            child.text = "".join(SANS.get(letter, letter) for letter in child.text)
        if side := child.attrib.pop("columnalign", None):  # an attribute that browsers have dropped
            child.set("style", f"text-align: {side}")
        _mend(child)
    for index, child in enumerate(children):
        before = children[index - 1] if index else None
        after = children[index + 1] if index + 1 < len(children) else None
        if _tag(child) in ("mo", "mi"):
            _mend_token(child, before, after, _tag(parent) in ("mrow", "math", "mtd", "mstyle"))
        elif _function(child) and _tag(child) != "mrow":
            _space_function(child[0], before, after)


def italic(character):
    """Return the mathematical italic of a Latin or Greek letter, and anything else as it is."""
    if character == "h":
        return "ℎ"
    for start, end, first in (("A", "Z", 0x1D434), ("a", "z", 0x1D44E), ("α", "ω", 0x1D6FC)):
        if len(character) == 1 and start <= character <= end:
            return chr(first + ord(character) - ord(start))
    return character


def _function(element):
    """Whether an element is "log", or "log" with something below or above it."""
    while len(element) and _tag(element) in ("msub", "msup", "munder", "mover", "msubsup"):
        element = element[0]
    return element.text in FUNCTIONS


def _ends_term(element):
    """Whether a sign after `element` stands between two terms, rather than before a number."""
    if element is None or _tag(element) in ("mspace",):
        return False
    return _tag(element) != "mo" or (element.text or "") in CLOSING


def _mend_token(token, before, after, in_row):
    text = token.text or ""
    if text in SIGNS:
        token.tag = f"{{{NAMESPACE}}}mo"
        token.set("form", "infix" if in_row and _ends_term(before) else "prefix")
        if token.get("form") == "prefix":
            token.set("lspace", "0")
            token.set("rspace", "0")
    elif text in ("∂", "∞", "…"):  # operators to the converter, with the space of operators
        token.tag = f"{{{NAMESPACE}}}mi"
        token.set("mathvariant", "normal")
    elif text in ("/", ".") or (_tag(token) == "mo" and before is None and after is None):
        token.set("lspace", "0")
        token.set("rspace", "0")
    elif text in FUNCTIONS and in_row:
        _space_function(token, before, after)


def _space_function(token, before, after):
    token.tag = f"{{{NAMESPACE}}}mo"
    token.set("form", "prefix")
    opening = after is None or (_tag(after) == "mo" and (after.text or "") in OPENING)
    opening = opening or (len(after) > 0 and (after[0].text or "") in OPENING)
    term = before is not None and _ends_term(before)
    both = token.text == "mod"
    token.set("lspace", "0.22em" if both else THIN if term else "0")
    token.set("rspace", "0.22em" if both else "0" if opening else THIN)
