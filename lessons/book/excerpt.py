"""What the search shows of a page that it found: its text, without markup, formulas in one line."""

import html
import re
import unicodedata

from docutils import nodes

ARGUMENT = r"\{([^{}]*)\}"
SIGNS = {
    "cdot": "·", "times": "×", "le": "≤", "leq": "≤", "ge": "≥", "geq": "≥", "ne": "≠", "pm": "±",
    "approx": "≈", "in": "∈", "to": "→", "infty": "∞", "langle": "⟨", "rangle": "⟩", "ell": "ℓ",
    "sum": "Σ", "prod": "Π", "partial": "∂", "nabla": "∇", "top": "ᵀ", "dots": "…", "ldots": "…",
    "cdots": "…", "quad": " ", "qquad": " ", "log": "log", "exp": "exp", "max": "max", "min": "min",
}  # fmt: skip


def plain(tex):
    """Return a formula as a line of text: √(2/N) for \\sqrt{2/N}, η for \\eta."""
    for _ in range(3):  # what stands inside first
        tex = re.sub(rf"([_^]){ARGUMENT}", r"\1\2", tex)
        tex = re.sub(rf"\\(?:math\w+|text|operatorname){ARGUMENT}", r"\1", tex)
        tex = re.sub(rf"\\sqrt{ARGUMENT}", r"√(\1)", tex)
        tex = re.sub(rf"\\[dt]?frac{ARGUMENT}{ARGUMENT}", r"(\1)/(\2)", tex)
    tex = re.sub(r"\\([A-Za-z]+)", _sign, tex)
    return re.sub(r"\s+", " ", re.sub(r"\\.|[{}&]", "", tex)).strip()


def _sign(match):
    """Return what a command of TeX stands for, as far as a line of text has it."""
    name = match[1]
    case = "CAPITAL" if name[0].isupper() else "SMALL"
    try:
        return unicodedata.lookup(f"GREEK {case} LETTER {name.upper()}")
    except KeyError:
        return SIGNS.get(name, "")


def excerpt(node):
    """Return the text of a page as HTML, of which only the sections with their ids are left."""
    if isinstance(node, nodes.Text):
        return html.escape(node.astext())
    if isinstance(node, nodes.raw | nodes.comment):
        return ""
    if isinstance(node, nodes.math | nodes.math_block):
        return html.escape(plain(node.astext()))
    text = "".join(excerpt(child) for child in node.children)
    if isinstance(node, nodes.section):
        return f'<section id="{node["ids"][0]}">{text}</section>'
    return text + "\n" * isinstance(node, nodes.TextElement) * (not isinstance(node, nodes.Inline))
