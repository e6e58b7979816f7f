"""The drawn figures in a page: they follow its theme, and stay legible on a phone."""

import html
import re
from pathlib import Path

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform

from lessons.book.theme import themed

LEGIBLE = 9  # CSS pixels: no letter of a figure is smaller on a narrow screen


def legible_width(svg):
    """Return the width in CSS pixels below which a matplotlib figure's smallest text is too small.

    Each text counts with its largest font: an exponent may be smaller.
    """
    width = float(re.search(r'viewBox="0 0 ([\d.]+) ', svg)[1])
    texts = re.findall(r"<text\b.*?</text>", svg, flags=re.S)
    fonts = [re.findall(r"font(?:-size)?: (?:[\w ]+ )?([\d.]+)px", text) for text in texts]
    smallest = min((max(map(float, sizes)) for sizes in fonts if sizes), default=width)
    return round(width * LEGIBLE / smallest)


class ThemedFigures(SphinxPostTransform):
    """figures/NAME.svg as part of the page: an image could not follow the page's theme."""

    default_priority = 200
    formats = ("html",)

    def run(self):
        for image in list(self.document.findall(nodes.image)):
            if not image["uri"].endswith(".svg"):
                continue
            path = Path(self.env.srcdir) / image["uri"]
            text = path.read_text(encoding="utf-8")
            label = html.escape(image.get("alt", ""))
            head = (
                f'<svg class="drawn" role="img" aria-label="{label}" '
                f'style="--legible: {legible_width(text)}px" '
            )
            svg = themed(text, path.stem).replace("<svg ", head, 1)
            image.replace_self(nodes.raw("", f'<span class="figure">{svg}</span>', format="html"))
