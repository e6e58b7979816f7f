"""Sphinx's settings for the book. `python -m lessons.book` says where things lie."""

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

extensions = ["myst_parser", "sphinx.ext.autodoc", "lessons.book.extension"]
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3
myst_url_schemes = ["http", "https", "source", "api"]
nitpicky = True

autodoc_member_order = "bysource"
autodoc_typehints = "none"
add_module_names = False
toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_title = "tinyunet"
html_math_renderer = "mathml"
html_static_path = ["static"]
html_css_files = ["book.css"]
html_js_files = ["book.js"]
html_show_sourcelink = False
html_copy_source = False
html_show_sphinx = False
html_use_index = False
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"
