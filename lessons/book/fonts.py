"""The font of the formulas: STIX Two Math, cut down to what the lessons use.

Browsers draw MathML, but braces that grow and roots need a font with a MATH table, which phones and
many desktops lack. ziamath carries the font (SIL Open Font Licence); fontTools, which matplotlib
brings along, cuts it.
"""

import html
import logging
import re
from pathlib import Path

from lessons.book.mathml import italic

ALWAYS = "0123456789()[]{}|⟨⟩+−=/.,"


def write_math_font(folder):
    """Write _static/math.woff with the characters of all formulas in the book in `folder`."""
    import ziamath
    from fontTools import subset

    logging.getLogger("fontTools").setLevel(logging.WARNING)  # it tells of every table
    font = Path(ziamath.__file__).parent / "fonts" / "STIXTwoMath-Regular.ttf"
    texts = {ALWAYS}
    for page in Path(folder).rglob("*.html"):
        for formula in re.findall(r"<math.*?</math>", page.read_text(encoding="utf-8"), re.S):
            texts.add(html.unescape(re.sub(r"<[^>]*>", "", formula)))
    characters = "".join(sorted(set("".join(texts))))
    options = subset.Options(flavor="woff", layout_features=["*"], notdef_outline=True)
    loaded = subset.load_font(str(font), options)
    cutter = subset.Subsetter(options)
    # Browsers draw a variable from the letter's italic code point: x from 𝑥.
    cutter.populate(text=characters + "".join(map(italic, characters)))
    cutter.subset(loaded)
    subset.save_font(loaded, str(Path(folder) / "_static" / "math.woff"), options)
