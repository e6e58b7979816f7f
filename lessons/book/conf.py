"""Sphinx's settings for the book. `tinyunet book` says where things lie."""

import os
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
os.environ["NUMBA_DISABLE_JIT"] = "1"  # autodoc wants the kernels as the functions they are

project = "tinyunet"
author = "the authors of tinyunet"
copyright = "the authors of tinyunet, MIT licence"
version = release = re.search(
    r'__version__ = "(.+?)"', (ROOT / "tinyunet" / "__init__.py").read_text(encoding="utf-8")
).group(1)

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.linkcode",
    "sphinxcontrib.katex",
    "sphinx_copybutton",
    "lessons.book.extension",
]
exclude_patterns = ["lessons/interactive"]
myst_enable_extensions = ["dollarmath", "colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "none"
autosummary_generate = False
numpydoc_show_class_members = False
default_role = "py:obj"  # `conv2d` in a docstring: a link where it names something, code elsewhere
suppress_warnings = ["ref.python"]  # such a name may mean several things: then no matter
add_module_names = False
toc_object_entries_show_parents = "hide"
modindex_common_prefix = ["tinyunet."]

katex_css_path = "katex/katex.min.css"  # static/katex: style and fonts; the package has the script
katex_options = "throwOnError: true"
copybutton_selector = "article div.highlight:not(.nocopy) pre"
copybutton_exclude = ".linenos, .gp"

html_theme = "furo"
html_title = "tinyunet"
html_favicon = "static/favicon.svg"
html_static_path = ["static"]
html_css_files = ["book.css"]
html_js_files = ["code.js", "figures.js", "pane.js", "frames.js", "progress.js"]
html_show_sphinx = False
html_search_scorer = str(ROOT / "lessons" / "book" / "static" / "search.js")
html_theme_options = {"top_of_page_buttons": ["view"]}  # the page as it was written
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"


def linkcode_resolve(domain, info):
    """Return the line of the source page; all entries are on pages in api/."""
    from lessons.book.extension import source_of

    return f"../{source_of(info['module'], info['fullname'])}"
